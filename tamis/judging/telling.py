"""A message's story as command, page and API tell it: what came of each copy, what the policy in force would make of
the same findings, what would have changed that, and what every filter saw. Pure.

Story, PolicyBook -> copies: CopyTold (then, now, Flips) | chain: ChainStep
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tamis.contract.filter import Filter
from tamis.contract.finding import Finding, Status
from tamis.contract.lists import of_scopes
from tamis.judging.flip import Flip, FlipSender, flips
from tamis.judging.plan import outcome_of
from tamis.judging.policy import Policy, PolicyBook
from tamis.judging.story import Story, Told
from tamis.judging.verdict import SCORE, Verdict, judge

MAX_COPIES = 100
"""Copies of one message that are judged again and shown at a time (beyond: the others are on further pages)."""
MAX_STEPS = 60
"""Filters of a chain that are shown at a time (beyond: the others are on further pages)."""


@dataclass(frozen=True, slots=True)
class CopyTold:
    """One recipient's copy: what came of it (`told`); what the policy in force makes of the same findings (`now`); and
    single changes of that policy that would turn the verdict round. `scopes` are those of the policy, nearest first."""

    recipient: str
    told: Told
    now: Told
    changes: tuple[Flip, ...]
    scopes: tuple[str, ...]
    mailbox: str

    @property
    def stands(self) -> bool:
        """Whether it would go the same way today."""
        return (self.now.decision, self.now.outcome) == (self.told.decision, self.told.outcome)

    def to_dict(self) -> dict[str, Any]:
        """What is said of today, in a form that JSON can hold."""
        return {
            "decision": self.now.decision,
            "outcome": self.now.outcome,
            "otherwise_with": [one.setting for one in self.changes],
            "changes": [one.to_dict() for one in self.changes],
        }


@dataclass(frozen=True, slots=True)
class ChainStep:
    """What one filter said: `finding` without the list entries of recipients who are not shown; whether it `decided`
    any copy that is shown."""

    finding: Finding
    spec_id: str
    decided: bool

    @property
    def name(self) -> str:
        """The filter's."""
        return self.finding.filter

    @property
    def is_quiet(self) -> bool:
        """Whether it looked and saw nothing."""
        return self.finding.status is Status.CLEAR and not self.decided

    def text(self, translate: Callable[[str], str] = str) -> str:
        """What it saw, as a sentence: of a finding nothing else is for everybody's eyes."""
        try:
            return self.finding.text(translate)
        except (KeyError, IndexError, ValueError, TypeError, AttributeError):  # of another version of Tamis
            return str(self.finding.status)


def tell(
    story: Story,
    book: PolicyBook,
    own: Collection[str] = (),
    *,
    recipients: Sequence[tuple[str, Told]] | None = None,
) -> tuple[CopyTold, ...]:
    """Every copy (or those of some recipients), the first MAX_COPIES. `own` are the platform's domains, for which no
    entry of a list is proposed."""
    findings = {one.filter: one for one in story.findings}
    sender = FlipSender(story.sender, story.header_from, frozenset(own))
    known: dict[tuple[Any, ...], tuple[Flip, ...]] = {}
    copies = []
    for recipient, told in (story.recipients if recipients is None else recipients)[:MAX_COPIES]:
        policy = book.policy(story.sender if story.login else recipient)
        verdict = judge(findings, policy)
        outcome = outcome_of(verdict, book.policy(recipient))
        copies.append(
            CopyTold(
                recipient,
                told,
                Told.of(verdict, outcome),
                _changes(known, verdict, findings, policy, sender),
                policy.scopes,
                policy.mailbox,
            )
        )
    return tuple(copies)


def _changes(
    known: dict[tuple[Any, ...], tuple[Flip, ...]],
    verdict: Verdict,
    findings: Mapping[str, Finding],
    policy: Policy,
    sender: FlipSender,
) -> tuple[Flip, ...]:
    """As `flips`; recipients of one message who differ in nothing but their names share the search."""
    same = (id(policy.rules), policy.required, verdict.decision, verdict.opinions, policy.scopes[1:])
    if same not in known:
        known[same] = tuple(flips(verdict, findings, policy, sender))
    return tuple(one.in_scope(policy.mailbox) for one in known[same])


def chain(story: Story, filters: Sequence[Filter[Any]], copies: Sequence[CopyTold]) -> tuple[ChainStep, ...]:
    """What every filter said, in the order of the chain, for who may see these copies."""
    spec_ids = {one.name: one.spec_id for one in filters}
    scopes = [scope for one in copies for scope in one.scopes]
    deciding = {one.told.decided_by for one in copies} - {SCORE, ""}
    return tuple(
        ChainStep(of_scopes(one, scopes), spec_ids.get(one.filter, ""), one.filter in deciding)
        for one in story.findings
    )
