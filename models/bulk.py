"""Reading much mail at once for learning: what is new, with its features, by several processes."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass

from tamis.message.test_strings import asked_of
from tamis.models.beside import points_beside
from tamis.models.corpora import Place
from tamis.models.features import Features, extract
from tamis.models.folds import sent_by
from tamis.models.header_tokens import Home
from tamis.models.reports import message_id

_BATCH = 32
_AHEAD = 3
_POOL_FROM = 400
"""Messages from which processes of their own are worth their start."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A message on disk: its id, and its features unless it is known already or `problem` says what is wrong. A
    test message has none either: it teaches nothing."""

    place: Place
    message: str = ""
    features: Features | None = None
    problem: str = ""
    is_test: bool = False
    beside: float | None = None
    """What the other filters gave it when it came, where known."""
    sender: str = ""
    """Who sent it (`folds`)."""


def in_turn(places: Sequence[Place]) -> list[Place]:
    """Ham and spam in turn, in proportion, each in its order: online learning forgets what it saw long ago."""
    counts = {label: max(1, sum(place.spam is label for place in places)) for label in (False, True)}
    seen = {False: 0, True: 0}
    ranked: list[tuple[float, int]] = []
    for number, place in enumerate(places):
        seen[place.spam] += 1
        ranked.append(((seen[place.spam] - 0.5) / counts[place.spam], number))
    return [places[number] for _, number in sorted(ranked)]


def candidates(
    places: Sequence[Place], known: Callable[[str, bool], bool], home: Home, jobs: int
) -> Iterator[Candidate]:
    """Every message, in order; `known` is asked (id, spam) before the dear part of the work."""
    if jobs < 2 or len(places) < _POOL_FROM:
        for place in places:
            named = _named(place)
            new = not named.problem and not known(named.message, place.spam)
            yield _with_features([named], home)[0] if new else named
        return
    waiting: deque[list[Candidate] | Future[list[Candidate]]] = deque()
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("forkserver")) as pool:
        try:
            for start in range(0, len(places), _BATCH):
                batch = [_named(place) for place in places[start : start + _BATCH]]
                fresh = [not one.problem and not known(one.message, one.place.spam) for one in batch]
                waiting.append([one for one, new in zip(batch, fresh, strict=True) if not new])
                unknown = [one for one, new in zip(batch, fresh, strict=True) if new]
                waiting.append(pool.submit(_with_features, unknown, home))
                while len(waiting) >= 2 * _AHEAD * jobs:
                    yield from _ready(waiting.popleft())
            while waiting:
                yield from _ready(waiting.popleft())
        finally:
            for one in waiting:
                if isinstance(one, Future):
                    one.cancel()


def _ready(one: list[Candidate] | Future[list[Candidate]]) -> list[Candidate]:
    return one if isinstance(one, list) else one.result()


def _named(place: Place) -> Candidate:
    try:
        return Candidate(place, message_id(place.read()))
    except OSError as error:
        return Candidate(place, problem=f"{place.name}: {error.strerror}")


def _with_features(batch: Sequence[Candidate], home: Home) -> list[Candidate]:
    found = []
    for one in batch:
        try:
            mail = one.place.read()
        except OSError as error:  # gone since it was named
            found.append(Candidate(one.place, problem=f"{one.place.name}: {error.strerror}"))
            continue
        if asked_of(mail):
            found.append(Candidate(one.place, one.message, is_test=True))
        else:
            beside = points_beside(mail, home.header_prefix)
            features, sender = extract(mail, home=home), sent_by(mail, home)
            found.append(Candidate(one.place, one.message, features, beside=beside, sender=sender))
    return found
