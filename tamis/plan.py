"""The plan: what the verdicts of all recipients mean for one SMTP transaction. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tamis.policy import Outcome, Policy
from tamis.verdict import Decision, Verdict

Headers = tuple[tuple[str, str], ...]
"""Trace headers of one copy: (name, value) from top to bottom."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One recipient's part of a transaction: the verdict, the policy it came from, and its trace headers."""

    verdict: Verdict
    policy: Policy
    headers: Headers

    @property
    def outcome(self) -> Outcome:
        """Where the message goes for this recipient (spec O1-O4)."""
        if self.verdict.decision is Decision.HAM:
            return Outcome.INBOX
        if self.verdict.decision is Decision.DEFER:
            return Outcome.DEFER
        if self.policy.forward and self.policy.outcome is not Outcome.QUARANTINE:
            return Outcome.QUARANTINE  # spam is never relayed outside, tagged or not (O4)
        return self.policy.outcome


@dataclass(frozen=True, slots=True)
class Copy:
    """The message as some recipients get it; `tag` is put before the subject, "" leaves it alone."""

    outcome: Outcome
    recipients: tuple[str, ...]
    headers: Headers
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done at end of message.

    `defer` is the reason for answering 451 to the whole transaction, "" to accept it. `in_place` is the
    copy that Postfix already holds, None when every recipient leaves it; `detours` are the copies that go
    by the desk, each for one recipient.
    """

    defer: str = ""
    in_place: Copy | None = None
    detours: tuple[Copy, ...] = ()


def plan(judged: Sequence[Judged]) -> Plan:
    """Divide the recipients over copies.

    Quarantine always goes by the desk. Of the other outcomes the one with most recipients (the milder one
    when equal) stays in place, so that most mail never leaves Postfix's hands; a header stands on that copy
    only if all of its recipients would have the same, so that none reads another's policy there.
    A recipient whose verdict is to defer defers the transaction: SMTP has one answer for all at this point.
    """
    for one in judged:
        if one.outcome is Outcome.DEFER:
            return Plan(defer=one.verdict.because or "try again later")
    groups: dict[tuple[Outcome, str], list[Judged]] = {}
    for one in judged:
        groups.setdefault((one.outcome, _tag(one)), []).append(one)
    stay = max(
        (key for key in groups if key[0] is not Outcome.QUARANTINE),
        key=lambda key: (len(groups[key]), -_SEVERITY[key[0]], key[1]),
        default=None,
    )
    in_place = None
    if stay is not None:
        members = groups.pop(stay)
        in_place = Copy(
            stay[0],
            tuple(m.verdict.recipient for m in members),
            _common([m.headers for m in members]),
            stay[1],
        )
    detours = tuple(
        Copy(key[0], (m.verdict.recipient,), m.headers, key[1])
        for key, members in groups.items()
        for m in members
    )
    return Plan(in_place=in_place, detours=detours)


_SEVERITY: Mapping[Outcome, int] = {Outcome.INBOX: 0, Outcome.TAG: 1, Outcome.JUNK: 2}


def _tag(one: Judged) -> str:
    return one.policy.tag if one.outcome is Outcome.TAG else ""


def _common(headers: Sequence[Headers]) -> Headers:
    shared = Counter(field for fields in headers for field in set(fields))
    return tuple(field for field in headers[0] if shared[field] == len(headers))
