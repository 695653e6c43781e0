"""Which single changes of policy would mend chosen mistakes, the cheapest first. Pure.

mistakes -> the flips of each -> PolicyCandidate: a change, and how many of them it mends
candidates -> each replayed (elsewhere) -> Suggestion: mended, newly wrong, moved -> in order
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tamis.judging.flip import Flip, FlipSender, flips
from tamis.judging.policy import PolicyBook
from tamis.judging.story import Story
from tamis.judging.verdict import judge

LIMIT = "required"
MOST_TRIED = 5
"""Candidates that are replayed, those that mend most; beyond: they are not looked at."""


@dataclass(frozen=True, slots=True)
class PolicyCandidate:
    """A setting with a value, and how many of the chosen mistakes it turns, alone."""

    key: str
    value: str | float
    turns: int


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A candidate that was replayed: of all known mistakes it mends some and makes others, and so many copies move."""

    candidate: PolicyCandidate
    mended: int
    new_mistakes: int
    moved: int

    @property
    def worth(self) -> tuple[int, int]:
        """To sort by, the best first: mended minus newly wrong, then few that move."""
        return self.new_mistakes - self.mended, self.moved

    def plain(self) -> dict[str, Any]:
        """A form that JSON can hold."""
        return {
            "key": self.candidate.key,
            "value": self.candidate.value,
            "turns": self.candidate.turns,
            "mended": self.mended,
            "new": self.new_mistakes,
            "moved": self.moved,
        }


def turned_by(story: Story, recipient: str, book: PolicyBook) -> list[Flip]:
    """The changes of policy that would turn a message's verdict for a recipient, under the policy in force."""
    policy = book.policy(story.sender if story.login else recipient)
    findings = {one.filter: one for one in story.findings}
    found = flips(judge(findings, policy), findings, policy, FlipSender(story.sender, story.header_from))
    return [one for one in found if one.is_policy]


def candidates(told: Sequence[Sequence[Flip]]) -> list[PolicyCandidate]:
    """What would turn mistakes, given the flips of each: what turns most of them first, at most MOST_TRIED. A limit
    turns whatever a nearer one on the same side turns."""
    turned: dict[tuple[str, str | float], set[int]] = {}
    limits: list[
        tuple[float, bool, int]
    ] = []  # the limit, whether it is a higher one than now, of which mistake
    for number, changes in enumerate(told):
        for one in changes:
            turned.setdefault((one.key, one.value), set()).add(number)
            if one.key == LIMIT:
                limits.append((float(one.value), float(one.value) > float(one.facts["now"]), number))
    for value, higher, _ in limits:
        for other, same_side, number in limits:
            if same_side is higher and (other <= value if higher else other >= value):
                turned[LIMIT, value].add(number)
    found = [PolicyCandidate(key, value, len(numbers)) for (key, value), numbers in turned.items()]
    return sorted(found, key=lambda one: (-one.turns, one.key, str(one.value)))[:MOST_TRIED]


def ranked(tried: Iterable[Suggestion]) -> list[Suggestion]:
    """The best first; what mends nothing is left out."""
    return sorted((one for one in tried if one.mended > one.new_mistakes), key=lambda one: one.worth)
