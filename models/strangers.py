"""Lessons of ham that no person gave: who earned a place by an answered challenge could teach his own spam as ham.

    strangers -> held out one by one -> the half whose ham is most like spam -> held out together -> a model without
    them -> too much of one's ham is spam to it? -> a doubt: all of his lessons are taken back

The model that was taught them believes them, so they are held against one that was taught nothing of the same stranger
(`folds`). Who owns several domains vouches for each by the others, so those that are most like spam are also
held out together (`most_suspect`). The journal keeps a number for the stranger's domain; 0 stands for no stranger.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tamis.message.address import domain_of
from tamis.message.domains import registered_domain
from tamis.models.learner import CONTRADICTION
from tamis.models.ledger import ALARM
from tamis.models.measures import Floats, Labels

Numbers = np.ndarray[tuple[int], np.dtype[np.int64]]

_LEAST = 3
"""Contradictions of one stranger from which on he is doubted: anybody's letter may look odd once."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A stranger whose lessons of ham don't count: how many, and how many of them are spam to a model without them."""

    stranger: int
    lessons: int
    against: int


def stranger_of(reporter: str, own_domains: frozenset[str]) -> str:
    """Who answers for a lesson: a whole domain, since its owner has as many addresses in it as he likes; of the
    platform's own domains the mailbox."""
    domain = domain_of(reporter)
    return reporter if domain in own_domains else registered_domain(domain) or reporter


def most_suspect(scores: Floats, labels: Labels, strangers: Numbers) -> Labels:
    """The lessons of ham of the half of the strangers whose held-out scores are highest, among those who taught enough
    to be doubted; none where there are fewer than two of them.

    A stranger's place is that of the part of his lessons which would raise the alarm: whoever hides that part among
    honest mail teaches no more than it.
    """
    ham = ~labels
    numbers, counts = np.unique(strangers[ham], return_counts=True)
    who = numbers[(numbers != 0) & (counts >= _LEAST)]
    if len(who) < 2:
        return np.zeros(len(labels), dtype=np.bool_)
    heights = [float(np.quantile(scores[ham & (strangers == one)], 1 - ALARM)) for one in who.tolist()]
    highest = who[np.argsort(heights, kind="stable")[len(who) // 2 :]]
    return np.asarray(ham & np.isin(strangers, highest), dtype=np.bool_)


def doubts(scores: Floats, labels: Labels, strangers: Numbers) -> list[Doubt]:
    """The strangers of whose ham a part as large as raises the alarm is spam to a model that was taught none of it;
    `scores` are those of that model, NaN where there is none."""
    theirs = ~labels & (strangers != 0) & ~np.isnan(scores)
    numbers, which = np.unique(strangers, return_inverse=True)
    against = np.bincount(which, theirs & (scores > CONTRADICTION), minlength=len(numbers)).astype(int)
    lessons = np.bincount(which, theirs, minlength=len(numbers)).astype(int)
    spoilt = (against >= _LEAST) & (against >= ALARM * np.maximum(1, lessons))
    return [
        Doubt(*each)
        for each in zip(
            numbers[spoilt].tolist(), lessons[spoilt].tolist(), against[spoilt].tolist(), strict=True
        )
    ]


def worst(found: Iterable[Doubt]) -> list[Doubt]:
    """One doubt about each stranger: that with most against him."""
    by_stranger: dict[int, Doubt] = {}
    for one in found:
        known = by_stranger.setdefault(one.stranger, one)
        if one.against > known.against:
            by_stranger[one.stranger] = one
    return list(by_stranger.values())
