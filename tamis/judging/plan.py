"""The plan: what the verdicts of all recipients mean for one SMTP transaction. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tamis.contract.filter import Filter
from tamis.contract.finding import Finding
from tamis.contract.lists import of_scopes
from tamis.judging.policy import Outcome, Policy
from tamis.judging.suppression import Case, why_not
from tamis.judging.verdict import Decision, Verdict
from tamis.message.address import domain_of, mailbox_in
from tamis.message.header_editing import NewFields
from tamis.message.mail.headers import Headers
from tamis.settings import NoticeSettings


@dataclass(frozen=True, slots=True)
class Judged:
    """One recipient's part of a transaction: the verdict, the policy it came from, and its trace headers."""

    verdict: Verdict
    policy: Policy
    headers: NewFields
    observed: bool = False
    """The message goes on untouched, whatever the verdict is (mode "observe")."""

    @property
    def outcome(self) -> Outcome:
        """Where the message goes for this recipient; for one that is observed, where it would have gone."""
        return outcome_of(self.verdict, self.policy)


def outcome_of(verdict: Verdict, policy: Policy) -> Outcome:
    """Where a message goes for the recipient of a verdict and a policy (spec O1-O4); a test message where it asks, or
    where it would have gone if that is worse."""
    if not verdict.asked:
        return _outcome(verdict.decision, policy)
    asked = policy.with_terms(outcome=verdict.asked) if verdict.asked in _FOR_SPAM else policy
    outcomes = (_outcome(verdict.untested or Decision.HAM, policy), _outcome(verdict.decision, asked))
    return max(outcomes, key=list(Outcome).index)


_FOR_SPAM = (Outcome.TAG, Outcome.JUNK, Outcome.QUARANTINE)


def _outcome(decision: Decision, policy: Policy) -> Outcome:
    if decision is Decision.HAM:
        return Outcome.INBOX
    if decision is Decision.DEFER:
        return Outcome.DEFER
    return Outcome.QUARANTINE if policy.forward else policy.outcome  # spam is never relayed outside (O4)


@dataclass(frozen=True, slots=True)
class Copy:
    """The message as some recipients get it; `tag` is put before the subject, "" leaves it alone."""

    outcome: Outcome
    recipients: tuple[str, ...]
    headers: NewFields
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done at end of message.

    `defer` is the reason for answering 451 to the whole transaction, "" to accept it. `in_place` is the
    copy that Postfix already holds, None when every recipient leaves it; `redirected` are the copies that go
    by the desk, each for one mailbox. `asks`: the desk takes them while the sender's server waits, which is told
    550 with a link by which the sender can confirm the message; else the recipients are
    redirected as usual. `untouched` are recipients whose copy stays at Postfix exactly as it came.
    """

    defer: str = ""
    in_place: Copy | None = None
    redirected: tuple[Copy, ...] = ()
    asks: bool = False
    untouched: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SenderQuestion:
    """What decides, beside the policies of its recipients, whether a message's sender may be asked in the reply."""

    sender: str
    headers: Headers
    findings: Mapping[str, Finding]
    filters: Sequence[Filter[Any]]
    settings: NoticeSettings
    has_page: bool


def plan(judged: Sequence[Judged], question: SenderQuestion | None = None) -> Plan:
    """Divide the recipients over copies.

    Quarantine always goes by the desk. Of the other outcomes the one with most recipients (the milder one
    when equal) stays in place, so that most mail never leaves Postfix's hands; a header stands on that copy
    only if all of its recipients would have the same, so that none reads another's policy there. A tagged
    subject stays in place only if it is everybody's, since the redirected copies have the subject too.
    An alias of several mailboxes (`Policy.via`) stays in place only with all of them. A recipient whose verdict is to
    defer defers the transaction: SMTP has one answer for all at this point.
    Without a `question` nobody is asked: for mail of our own users, and for what was not examined whole.
    The message of recipients who are only observed stays as it came, so that the others leave it.
    """
    untouched = tuple(
        name for one in judged if one.observed for name in one.policy.via or (one.verdict.recipient,)
    )
    if untouched:
        rest = [one for one in judged if not one.observed]
        made = all_redirected(plan(rest), rest) if rest else Plan()
        return replace(made, untouched=untouched)
    for one in judged:
        if one.outcome is Outcome.DEFER:
            return Plan(defer=one.verdict.because or "try again later")
    groups: dict[tuple[Outcome, str], list[Judged]] = {}
    for one in judged:
        groups.setdefault((one.outcome, _tag(one)), []).append(one)
    stay = max(
        (key for key in groups if key[0] in _STAYING or (key[0] is Outcome.TAG and len(groups) == 1)),
        key=lambda key: (len(groups[key]), key[0] is Outcome.INBOX),
        default=None,
    )
    in_place = None
    if stay is not None:
        gone = {
            name for key, members in groups.items() if key != stay for m in members for name in m.policy.via
        }
        members = [m for m in groups[stay] if _stays(m, gone)]
        groups[stay] = [m for m in groups[stay] if not _stays(m, gone)]
        if members:
            in_place = Copy(
                stay[0],
                tuple(m.verdict.recipient for m in members),
                _common([m.headers for m in members]),
                stay[1],
            )
    redirected = tuple(copy for members in groups.values() for copy in _by_mailbox(members))
    return Plan(
        in_place=in_place, redirected=redirected, asks=question is not None and _may_ask(judged, question)
    )


def _stays(one: Judged, gone: Collection[str]) -> bool:
    """Whether a recipient by which this copy comes is left at Postfix."""
    return not one.policy.via or any(name not in gone for name in one.policy.via)


def _may_ask(judged: Sequence[Judged], question: SenderQuestion) -> bool:
    """Postfix keeps nothing of what it refuses, so all copies must be held, in one domain, and every policy want it."""
    if len({domain_of(one.verdict.recipient) for one in judged}) != 1:
        return False
    for one in judged:
        terms = one.policy.terms
        if one.outcome is not Outcome.QUARANTINE or terms.challenge != "reply":
            return False
        findings = {name: of_scopes(found, one.policy.scopes) for name, found in question.findings.items()}
        case = Case(
            question.sender,
            one.verdict.recipient,
            findings,
            question.filters,
            question.headers,
            terms,
            question.has_page,
        )
        if why_not(case, question.settings, "reply") is not None:
            return False
    return True


def all_redirected(made: Plan, judged: Sequence[Judged]) -> Plan:
    """The same plan with nothing left in place: each recipient's copy goes by the desk with its own headers."""
    if made.in_place is None:
        return made
    stay = set(made.in_place.recipients)
    moved = _by_mailbox([one for one in judged if one.verdict.recipient in stay])
    return Plan(redirected=(*moved, *made.redirected))


def _by_mailbox(members: Iterable[Judged]) -> tuple[Copy, ...]:
    """A copy for each mailbox and trace fields. The quarantine writes no fields, so a spam to a thousand addresses of
    one mailbox is written down once."""
    copies: dict[tuple[str, Outcome, str, NewFields], list[Judged]] = {}
    for one in members:
        fields = () if one.outcome is Outcome.QUARANTINE else one.headers
        copies.setdefault((mailbox_in(one.policy.scopes), one.outcome, _tag(one), fields), []).append(one)
    return tuple(
        Copy(outcome, tuple(one.verdict.recipient for one in whose), whose[0].headers, tag)
        for (_, outcome, tag, _), whose in copies.items()
    )


_STAYING = (Outcome.INBOX, Outcome.JUNK)


def _tag(one: Judged) -> str:
    return one.policy.terms.tag if one.outcome is Outcome.TAG else ""


def _common(headers: Sequence[NewFields]) -> NewFields:
    shared = Counter(field for fields in headers for field in set(fields))
    return tuple(field for field in headers[0] if shared[field] == len(headers))
