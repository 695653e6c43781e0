"""Which lessons are held out together when levels are measured: those that a model knows too much of by each other.

    lessons of a label, in order of time -> what each has in common with others (`Kinship`) -> groups
    -> blocks of time in which groups stay whole -> the fold of each lesson

A model has met the senders of most mail that it is held against when folds are blocks of time alone; what a site loses
later is mail of senders that it has not met. So all lessons of one sender are held out together, and so are copies of
one campaign that differ in little, whoever sent them. Who sent more than a fold's share is cut by time, like the rest:
such a sender's next message is no surprise to the model. What a stranger taught is never cut (`strangers`).

The journal has a number for the sender, hashed with the installation's key: it tells that two lessons are of one
sender, and names nobody. Lessons of earlier versions have none: they are grouped by their copies alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from tamis.knowledge.providers import free_mail
from tamis.message.address import address_key, domain_of
from tamis.message.domains import registered_domain
from tamis.message.mail import Mail
from tamis.models.features import VIEWS, Features
from tamis.models.header_tokens import Home
from tamis.models.learner import Lesson
from tamis.models.measures import Labels

Folds = np.ndarray[tuple[int], np.dtype[np.int_]]

_PHRASES: Final = next(number for number, view in enumerate(VIEWS) if view.name == "body pairs")
_LEAST_PHRASES = 20
"""Pairs of words from which on two bodies can be told to be copies."""
_BAND = 6
_ODD: Final = np.arange(1, 2 * _BAND + 1, dtype=np.uint32)[:, None] * np.uint32(0x9E37_79B2) | np.uint32(1)
_MIX: Final = np.uint32(0x85EB_CA6B)


@dataclass(frozen=True, slots=True)
class Kinship:
    """By what a lesson belongs with others: `stranger` who answers for it (0: nobody), and anything else that it may
    have in common with them."""

    stranger: int = 0
    common: tuple[Hashable, ...] = ()


def sent_by(mail: Mail, home: Home) -> str:
    """Who sent a message, as its reader sees it: the domain, since its owner writes from any address of it; the whole
    address at the site's own domains and at providers where anybody has one. "" where no author is named."""
    address = next((address_key(one.address) for one in mail.from_addresses if one.address), "")
    host = domain_of(address)
    domain = registered_domain(host) or host
    shared = home.has(host) or not free_mail().isdisjoint((host, domain))
    return address if shared else domain


def sender_number(sender: str, key: bytes) -> int:
    """What stands for a sender in the journal: 32 bits that only who has the key can tell the sender by; 0 for none."""
    if not sender:
        return 0
    digest = hashlib.blake2b(sender.encode(), digest_size=4, key=key[:64], person=b"tamis sender")
    return int.from_bytes(digest.digest(), "little") or 1


def kinship(lesson: Lesson) -> Kinship:
    """What a lesson may have in common with others."""
    sender = (lesson.sender,) if lesson.sender else ()
    return Kinship(lesson.stranger, (*sender, *_copies(lesson.features)))


def _copies(features: Features) -> tuple[Hashable, ...]:
    """Two bands of a sketch of the body's pairs of words (MinHash: Broder 1997). Bodies with nine in ten pairs in
    common share a band in 78 of 100 cases, those with half of them in 3."""
    end = int(features.counts[: _PHRASES + 1].sum())
    pairs = features.indices[end - int(features.counts[_PHRASES]) : end]
    if len(pairs) < _LEAST_PHRASES:
        return ()
    hashes = pairs.astype(np.uint32)[None, :] * _ODD
    hashes ^= hashes >> np.uint32(15)
    hashes *= _MIX
    least = (hashes ^ hashes >> np.uint32(13)).min(axis=1).tolist()
    return ((0, *least[:_BAND]), (1, *least[_BAND:]))


def held_together(labels: Labels, lessons: Sequence[Kinship], folds: int) -> Folds:
    """The fold of each lesson: for each label blocks in order of time, in which groups stay together, all where their
    first lesson falls. A group that is no stranger's has at most a fold's share of its label."""
    found = np.zeros(len(labels), dtype=np.int_)
    for label in (False, True):
        places = np.flatnonzero(labels == label)
        began = _began([lessons[place] for place in places.tolist()], max(1, len(places) // folds))
        rank = np.searchsorted(np.sort(began), began)
        found[places] = rank * folds // max(1, len(places))
    return found


def _began(lessons: Sequence[Kinship], most: int) -> Folds:
    """Where the group of each lesson begins: that of the lessons which have something in common, one with the next."""
    groups = _Groups(len(lessons))
    last: dict[Hashable, int] = {}
    for place, lesson in enumerate(lessons):
        if lesson.stranger:
            groups.join(last.setdefault(("stranger", lesson.stranger), place), place)
    for place, lesson in enumerate(lessons):
        for common in lesson.common:
            groups.join(last.get(common, place), place, most)
            last[common] = place
    return np.array([groups.first(place) for place in range(len(lessons))], dtype=np.int_)


class _Groups:
    """Groups of places that are joined, each known by its first one (union-find: Tarjan 1975)."""

    def __init__(self, count: int) -> None:
        self._to = list(range(count))
        self._size = [1] * count

    def first(self, place: int) -> int:
        """The first place of a place's group."""
        while self._to[place] != place:
            self._to[place] = place = self._to[self._to[place]]
        return place

    def join(self, one: int, other: int, most: int | None = None) -> None:
        """Make one group of two, if it has at most `most` places."""
        first, second = sorted((self.first(one), self.first(other)))
        size = self._size[first] + self._size[second]
        if first != second and (most is None or size <= most):
            self._to[second] = first
            self._size[first] = size
