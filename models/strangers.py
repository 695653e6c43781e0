"""Lessons of ham that no person gave: who earned a place by an answered challenge could teach his own spam as ham.

The model that was taught them believes them, so they are held against one that was taught nothing of the same stranger
(`held_together`). Where it contradicts too many of them, none of that stranger's lessons counts (`doubted`). The
journal keeps a number for the stranger's domain; 0 stands for no stranger.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tamis.message.address import domain_of
from tamis.message.domains import registered_domain
from tamis.models.learner import CONTRADICTION
from tamis.models.ledger import ALARM
from tamis.models.measures import Floats, Labels

Numbers = npt.NDArray[np.int64]

_LEAST = 3
"""Contradictions of one stranger from which on he is doubted: anybody's letter may look odd once."""


def stranger_of(reporter: str, own_domains: frozenset[str]) -> str:
    """Who answers for a lesson: a whole domain, since its owner has as many addresses in it as he likes; of the
    platform's own domains the mailbox."""
    domain = domain_of(reporter)
    return reporter if domain in own_domains else registered_domain(domain) or reporter


def held_together(labels: Labels, strangers: Numbers, folds: int) -> npt.NDArray[np.int_]:
    """The fold of each lesson: for each label blocks in order of time, in which a stranger's lessons stay together, all
    where his first one falls."""
    found = np.zeros(len(labels), dtype=np.int_)
    for label in (False, True):
        places = np.flatnonzero(labels == label)
        first: dict[int, int] = {}
        for place in places.tolist():
            first.setdefault(int(strangers[place]) or -place - 1, place)
        began = np.array([first[int(strangers[place]) or -place - 1] for place in places.tolist()])
        rank = np.searchsorted(np.sort(began), began)
        found[places] = rank * folds // max(1, len(places))
    return found


def doubted(scores: Floats, labels: Labels, strangers: Numbers) -> Labels:
    """The lessons of strangers of whose ham a part as large as raises the alarm is spam to a model that was taught none
    of it."""
    theirs = ~labels & (strangers != 0)
    _, which = np.unique(strangers, return_inverse=True)
    against = np.bincount(which, theirs & (scores > CONTRADICTION))
    all_of_them = np.maximum(1, np.bincount(which, theirs))
    spoilt = (against >= _LEAST) & (against >= ALARM * all_of_them)
    return np.asarray(theirs & spoilt[which], dtype=np.bool_)
