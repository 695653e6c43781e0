"""Rules that a site's own reports suggest: what spam has and honest mail has not, with its evidence. Pure.

    reports -> Sighting (a message's traits, who says so, whence it came) -> proposed -> Proposal -> rule file

A trait is proposed when enough reported messages have it, which came from enough networks and were reported by enough
voices that no single sender or reader can bring it about, and when the share of the site's honest mail that has it is
small with an interval; a site with little honest mail to go by gets no proposals. Points follow from the same figures,
and proposals never decide alone, however many a message meets.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from tamis.rules.traits import hashed, name_of, pattern_of

LEAST_HITS = 5
"""Reported messages that have a trait at least."""
LEAST_NETWORKS = 3
"""Networks that they came from at least."""
LEAST_VOICES = 2
"""Readers and honeypot visitors' networks that reported them at least."""
MOST_FALSE = 0.02
"""The highest share of honest mail that may have it, as the upper end of its interval, so that 200 messages are needed.
Beyond: not proposed."""
MOST_POINTS = 3.0
"""Far below what makes a message spam. Beyond: cut to it."""
GROUP = "proposed"
"""Of all proposed rules that a message meets the highest points count, not the sum, so all of them never decide alone
either: honest mail of a kind that nobody has shown yet may meet several."""
MOST_PROPOSALS = 20  # proposals at once; beyond: those with less evidence wait
_LEAST_POINTS = 0.5
_LEAST_NEW = 3
"""Messages that a proposal adds to those of the ones before it."""
_Z = 1.96


@dataclass(frozen=True, slots=True)
class Sighting:
    """What is kept of a reported spam message: `voice` is who says so, `network` whence it came ("" when not known)."""

    message: str
    traits: frozenset[str]
    voice: str
    network: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """One trait with its evidence: how many of how many spam and ham messages have it, from how many networks and
    voices, and the upper end of the interval of its share among ham."""

    name: str
    trait: str
    points: float
    hits: int
    spam: int
    networks: int
    voices: int
    false_hits: int
    ham: int
    false_at_most: float

    @property
    def evidence(self) -> str:
        """The evidence in words."""
        return (
            f"in {self.hits} of {self.spam} reported messages, from {self.networks} networks, by {self.voices} voices;"
            f" in {self.false_hits} of {self.ham} honest ones (at most {self.false_at_most:.2%})"
        )


def interval(count: int, total: int) -> tuple[float, float]:
    """Wilson's interval of a share at 95 %; 0 to 1 of nothing."""
    if not total:
        return 0.0, 1.0
    share, spread = count / total, _Z * _Z / total
    middle = (share + spread / 2) / (1 + spread)
    half = _Z / (1 + spread) * math.sqrt(share * (1 - share) / total + spread / total / 4)
    return max(0.0, middle - half), min(1.0, middle + half)


def proposed(
    spam: Sequence[Sighting],
    ham: Sequence[Collection[str]],
    *,
    known: Collection[str],
    left_out: Collection[str],
) -> list[Proposal]:
    """The proposals, those with most evidence first. `ham` are hashed traits of honest messages; `known` are traits
    that have a rule or were forgotten, `left_out` domains that are never proposed."""
    where: dict[str, list[int]] = defaultdict(list)
    for number, one in enumerate(spam):
        for trait in one.traits:
            where[trait].append(number)
    found = [
        proposal
        for trait, numbers in where.items()
        if len(numbers) >= LEAST_HITS and trait not in known and trait.partition(":")[2] not in left_out
        if (proposal := _weighed(trait, [spam[number] for number in numbers], len(spam), ham)) is not None
    ]
    found.sort(key=lambda one: (-one.points, -one.hits, -len(one.trait), one.trait))
    covered = {number for trait in known for number in where.get(trait, ())}
    chosen: list[Proposal] = []
    for best in found:
        new = set(where[best.trait]) - covered
        if len(new) >= _LEAST_NEW and len(chosen) < MOST_PROPOSALS:
            chosen.append(best)
            covered |= new
    return chosen


def _weighed(
    trait: str, seen: Sequence[Sighting], spam: int, ham: Sequence[Collection[str]]
) -> Proposal | None:
    networks = {one.network for one in seen} - {""}
    voices = {one.voice for one in seen} - {""}
    if len(networks) < LEAST_NETWORKS or len(voices) < LEAST_VOICES:
        return None
    mark = hashed(trait)
    false_hits = sum(mark in one for one in ham)
    in_ham, in_spam = interval(false_hits, len(ham))[1], interval(len(seen), spam)[0]
    points = round(min(MOST_POINTS, math.log(in_spam / in_ham)), 1) if in_spam > 0 else 0.0
    if in_ham > MOST_FALSE or points < _LEAST_POINTS:
        return None
    counts = (len(seen), spam, len(networks), len(voices), false_hits, len(ham))
    return Proposal(name_of(trait), trait, points, *counts, in_ham)


def rule_table(one: Proposal, *, shadow: bool) -> str:
    """A proposal as a table of a rule file."""
    pattern = pattern_of(one.trait)
    keys: dict[str, object] = {
        "name": one.name,
        "description": f"{one.trait}: {one.evidence}"[:1000],
        "match": [pattern.pattern],
        "where": list(pattern.where),
        "ignore_case": pattern.ignore_case,
        "action": "score",
        "points": one.points,
        "group": GROUP,
    } | ({"shadow": True} if shadow else {})
    lines = (f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in keys.items())
    return "\n".join(["[[rule]]", *lines, ""])
