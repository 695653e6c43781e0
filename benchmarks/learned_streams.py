"""Labelled mail as a site would have got it: streams in order of time, and their lessons."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from tamis.message.mail import Mail
from tamis.models.bulk import in_turn
from tamis.models.corpora import Place

Source = tuple[str, Sequence[Place]]


@dataclass(frozen=True, slots=True)
class Split:
    """The first messages of a stream, which are taught, and those after them."""

    lessons: list[Place]
    after: list[Place]


def by_time(sources: Sequence[Source]) -> list[Place]:
    """All messages by the time at which they arrived."""
    return sorted((place for _, places in sources for place in places), key=_arrived)


def mixed(sources: Sequence[Source], seed: int = 0) -> list[Place]:
    """Sources of other years side by side, each in its own order of time; with a seed each is thinned, by a share drawn
    for it."""
    drawn = random.Random(seed)  # nothing secret
    ranked: list[tuple[float, Place]] = []
    for _, places in sources:
        share = drawn.choice((0.3, 0.5, 0.7, 1.0)) if seed else 1.0
        kept = [place for place in by_time([("", places)]) if drawn.random() < share]
        ranked += [((number + 0.5) / len(kept), place) for number, place in enumerate(kept)]
    return [place for _, place in sorted(ranked, key=lambda one: one[0])]


def split(stream: Sequence[Place], ham: int, spam: int) -> Split | None:
    """The first `ham` and `spam` as lessons; None where fewer than 150 ham and 100 spam would be left."""
    labels = {
        False: [place for place in stream if not place.spam],
        True: [place for place in stream if place.spam],
    }
    if len(labels[False]) < ham + 150 or len(labels[True]) < spam + 100:
        return None
    lessons = in_turn(labels[False][:ham] + labels[True][:spam])
    taught = set(lessons)
    return Split(lessons, [place for place in stream if place not in taught])


def _arrived(place: Place) -> float:
    """Seconds since 1970 by the topmost Received, else by Date; 0 where neither can be read."""
    headers = Mail(place.read().raw[:65536]).headers
    for value in (
        *[one.value.rpartition(";")[2] for one in headers if one.name == "received"][:1],
        headers.first("date"),
    ):
        try:
            return parsedate_to_datetime((value or "").strip()).timestamp()
        except (ValueError, OverflowError):
            continue
    return 0.0
