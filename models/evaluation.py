"""Running the model over a labelled stream as the TREC spam track does (Cormack & Lynam 2005).

Each message is scored by the model as it stands, then the protocol says what the model may learn:

- immediate: every label, at once;
- delayed:N: every label, N messages later;
- partial:F: the labels of a share F (0 to 1) of the messages, drawn by a fixed seed;
- noisy:P: every label, wrong with probability P (0 to 1), drawn by a fixed seed;
- freeze:N: the first N labels; only the messages after them are measured.

The stream begins with an empty model. Threshold for the class: log-odds 0.
"""

from __future__ import annotations

import multiprocessing
import random
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

from tamis.models.corpora import Place
from tamis.models.features import Features, extract
from tamis.models.learner import Learner

TeachingRule = Literal["immediate", "delayed", "partial", "noisy", "freeze"]

_BATCH = 64
_AHEAD = 3
_POOL_FROM = 400
"""Messages from which processes of their own are worth their start."""
_SEED = 2005


@dataclass(frozen=True, slots=True)
class Protocol:
    """What the model may learn; `amount` is N, F or P."""

    rule: TeachingRule = "immediate"
    amount: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "immediate", "delayed:N", "partial:F", "noisy:P" or "freeze:N". Raises ValueError on others."""
        name, _, amount = text.partition(":")
        if name == "immediate" and not amount:
            return cls()
        if name == "delayed" and amount.isdecimal():
            return cls("delayed", int(amount))
        if name == "freeze" and amount.isdecimal():
            return cls("freeze", int(amount))
        if (name in ("partial", "noisy")) and 0 <= float(amount or "nan") <= 1:
            return cls("partial" if name == "partial" else "noisy", float(amount))
        raise ValueError(f"no protocol: {text!r} (immediate, delayed:N, partial:F, noisy:P, freeze:N)")

    def __str__(self) -> str:
        return self.rule if self.rule == "immediate" else f"{self.rule}:{self.amount:.12g}"


@dataclass(slots=True)
class Run:
    """What came of a stream. Arrays have one entry per measured message; times are CPU milliseconds."""

    places: list[Place] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    ham: int = 0
    spam: int = 0
    parse_ms: list[float] = field(default_factory=list)
    features_ms: list[float] = field(default_factory=list)
    score_ms: list[float] = field(default_factory=list)
    train_ms: list[float] = field(default_factory=list)
    learned: int = 0

    @property
    def labels(self) -> npt.NDArray[np.bool_]:
        """Whether each measured message is spam."""
        return np.array([place.spam for place in self.places], dtype=np.bool_)


@dataclass(frozen=True, slots=True)
class Extracted:
    """A message's features and the CPU milliseconds they took; or why it could not be read."""

    features: Features | None
    parse_ms: float = 0.0
    features_ms: float = 0.0
    problem: str = ""


def extracted(place: Place) -> Extracted:
    """Read a message and extract its features."""
    try:
        mail = place.read()
    except OSError as error:
        return Extracted(None, problem=f"{place.name}: {error.strerror}")
    began = time.thread_time()
    # What the filters share is derived first, so that it isn't counted as the learner's.
    _ = mail.text, mail.urls, mail.html, mail.parts
    parsed = time.thread_time()
    features = extract(mail)
    return Extracted(features, 1000 * (parsed - began), 1000 * (time.thread_time() - parsed))


def _extracted_batch(places: Sequence[Place]) -> list[Extracted]:
    return [extracted(place) for place in places]


def stream(places: Sequence[Place], jobs: int) -> Iterator[Extracted]:
    """Every message's features, in order, by `jobs` processes; few batches are in memory at a time."""
    if jobs < 2 or len(places) < _POOL_FROM:
        yield from map(extracted, places)
        return
    waiting: deque[Future[list[Extracted]]] = deque()
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        try:
            for start in range(0, len(places), _BATCH):
                waiting.append(pool.submit(_extracted_batch, places[start : start + _BATCH]))
                if len(waiting) >= _AHEAD * jobs:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def run(
    places: Sequence[Place],
    protocol: Protocol,
    *,
    jobs: int = 1,
    learner: Learner | None = None,
    progress: Callable[[int], None] | None = None,
) -> Run:
    """Run a stream under a protocol. `progress` is told the number of messages done."""
    learner = Learner() if learner is None else learner
    result = Run()
    teaching = _Teaching(protocol, learner, result)
    for number, (place, message) in enumerate(zip(places, stream(places, jobs), strict=True)):
        if message.features is None:
            result.unreadable.append(message.problem)
            continue
        began = time.thread_time()
        score = learner.score(message.features).log_odds
        result.score_ms.append(1000 * (time.thread_time() - began))
        result.parse_ms.append(message.parse_ms)
        result.features_ms.append(message.features_ms)
        if teaching.measures:
            result.places.append(place)
            result.scores.append(score)
            result.spam += place.spam
            result.ham += not place.spam
        teaching.show(message.features, spam=place.spam)
        if progress is not None:
            progress(number + 1)
    return result


class _Teaching:
    """What the protocol lets the model learn, and when."""

    def __init__(self, protocol: Protocol, learner: Learner, result: Run) -> None:
        self._protocol = protocol
        self._learner = learner
        self._result = result
        self._random = random.Random(_SEED)  # noqa: S311 # nothing secret
        self._waiting: deque[tuple[Features, bool]] = deque()
        self._shown = 0

    @property
    def measures(self) -> bool:
        """Whether the next message is measured."""
        return self._protocol.rule != "freeze" or self._shown >= self._protocol.amount

    def show(self, features: Features, *, spam: bool) -> None:
        """Let a message's label be known, as far as the protocol allows."""
        rule, amount = self._protocol.rule, self._protocol.amount
        self._shown += 1
        if rule == "freeze" and self._shown > amount:
            return
        if rule == "partial" and self._random.random() >= amount:
            return
        if rule == "noisy" and self._random.random() < amount:
            spam = not spam
        if rule == "delayed":
            self._waiting.append((features, spam))
            if len(self._waiting) <= amount:
                return
            features, spam = self._waiting.popleft()
        began = time.thread_time()
        self._result.learned += self._learner.learn(features, spam=spam)
        self._result.train_ms.append(1000 * (time.thread_time() - began))
