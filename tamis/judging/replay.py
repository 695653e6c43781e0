"""Replay: what would have become of messages of the past under another policy. Pure.

Exact by construction: the stored findings go through `verdict.judge`, as on the day. What makes it quick is a
memory for opinions and verdicts: an opinion follows from the finding, the recipient's options and the recipient's
scopes, and whether the scopes were looked at is watched rather than assumed.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from tamis.contract.filter import Filter, Opinion, Scopes
from tamis.contract.finding import ALREADY_DECIDED, Finding, Status
from tamis.judging.plan import outcome_of
from tamis.judging.policy import Policy, PolicyBook
from tamis.judging.policy_terms import FilterRule
from tamis.judging.story import Told, finding_from
from tamis.judging.verdict import is_decided, is_open, judge, opinion_of
from tamis.judging.watched_scopes import WatchedScopes

_SILENT = (b"clear", b"unavailable")
"""Findings that mean the same whatever they say, to a filter that judges as Filter does."""

_MOST = 200_000  # findings, opinions, verdicts and policies that are remembered


ReplayOutcome = tuple[Told, tuple[str, ...]]
"""What becomes of a message, and the filters that its policy wants but whose finding nobody knows."""


class _Terms:
    """What recipients have in common whose policies are the same but for the name: what findings mean there.

    `voices` says of a finding by its number whether it has a voice: None when it moves nothing here, whoever the
    recipient is. `missing` remembers, by the names of the filters that a message has findings of, which others the
    policy wants.
    """

    def __init__(self, policy: Policy) -> None:
        self.rules = {rule.filter.name: rule for rule in policy.rules}
        self._places = {name: place for place, name in enumerate(self.rules)}
        self.voices: dict[int, Finding | None] = {}
        self.missing: dict[tuple[str, ...], tuple[str, ...]] = {}
        self.outcomes: dict[tuple[Any, ...], ReplayOutcome] = {}

    def narrowed(self, policy: Policy, names: Iterable[str]) -> Policy:
        """One recipient's policy with the rules of these filters alone, which is all that a verdict on them needs."""
        places, rules = self._places, self.rules
        wanted = sorted((name for name in names if name in rules), key=places.__getitem__)
        return replace(policy, rules=tuple(rules[name] for name in wanted))


class Replay:
    """Judges stored messages under one policy book.

    A message's findings are given as packed numbers (history_messages.findings), equal findings by equal numbers;
    `learn` says what the numbers mean. Nearly all findings of nearly all messages move nothing: which ones is found out
    once for each policy and finding, and a verdict is made of the others.
    """

    def __init__(self, book: PolicyBook) -> None:
        self._book = book
        self._findings: dict[int, Finding] = {}
        self._names: dict[int, str] = {}
        self._left_out: set[int] = set()
        """Numbers of findings of expensive filters that did not look because the verdict was decided."""
        self._open: set[int] = set()
        """Numbers of findings that are judged beside the opinions of other filters."""
        self._policies: dict[str, tuple[Policy, _Terms]] = {}
        self._terms: dict[tuple[Any, ...], _Terms] = {}
        self._opinions: dict[
            tuple[int, int], Opinion
        ] = {}  # by id() of a finding and of options that live on
        self._looked = False
        self._scoped: set[str] = set()
        """Filters whose judging looked at the scopes once: what they say is for the verdict to hear each time."""
        self._known = {one.name: FilterRule(one, one.options()) for one in book.filters}
        self._judging = {
            one.name.encode()
            for one in book.filters
            if type(one).judge is not Filter.judge or type(one).is_open is not Filter.is_open
        }
        self._silent: dict[tuple[bytes, bytes], Finding] = {}

    def prepare(self, recipients: Iterable[str]) -> None:
        """Look up together where the addresses lead of whom nothing is known yet."""
        self._book.mailboxes([one for one in dict.fromkeys(recipients) if one not in self._policies])

    def missing(self, packs: Iterable[bytes]) -> set[int]:
        """The numbers in `packs` that have not been learnt."""
        if len(self._findings) > _MOST:
            self._forget()
        numbers: set[int] = set()
        for pack in packs:
            numbers.update(array("I", pack))
        return numbers - self._findings.keys()

    def _forget(self) -> None:
        for memory in (self._findings, self._names, self._opinions, self._policies, self._terms):
            memory.clear()
        self._left_out.clear()
        self._open.clear()

    def learn(self, contents: Mapping[int, bytes]) -> None:
        """What numbers stand for (`history.finding_content`)."""
        for number, content in contents.items():
            _, name, _, status, _ = content.split(b'"', 4)
            if (
                status in _SILENT and name not in self._judging
            ):  # its facts can't matter: they are not even read
                finding = self._silent.get((name, status))
                if finding is None:
                    finding = Finding(name.decode(), Status(status.decode()))
                    self._silent[name, status] = finding
            else:
                finding = finding_from(content)
            self._findings[number] = finding
            self._names[number] = finding.filter
            if finding.status is Status.SKIPPED and finding.because == ALREADY_DECIDED:
                self._left_out.add(number)
            judged_by = self._known.get(finding.filter)
            if judged_by is not None and finding.facts and is_open(judged_by, finding):
                self._open.add(number)

    def tell(self, recipient: str, pack: bytes, *, author: str | None = None) -> ReplayOutcome:
        """What becomes of a message for a recipient. Unknown are the findings of filters that were off, or left out
        because the verdict was decided. Raises KeyError on a number not learnt.

        What an authenticated user sends (`author`, the envelope sender) is judged by that user's policy, and only by
        what was found: other filters do not look at it (O8).
        """
        numbers = array("I", pack)
        policy, terms = self._policy(recipient if author is None else author)
        voices = terms.voices
        try:
            speaking = [voice for number in numbers if (voice := voices[number]) is not None]
        except KeyError:
            self._hear(numbers, policy, terms)
            speaking = [voice for number in numbers if (voice := voices[number]) is not None]
        left_out = tuple(self._names[n] for n in self._left_out.intersection(numbers))
        if not self._open.isdisjoint(numbers):  # judged beside all others, those without a voice included
            speaking = [self._findings[number] for number in numbers]
        absent = () if author is not None else self._absent(numbers, terms)
        ends = policy if author is None else self._policy(recipient)[0]
        key = (tuple(map(id, speaking)), left_out, absent, ends.outcome, ends.forward)
        known = terms.outcomes.get(key)
        if known is not None:
            return known
        findings = {one.filter: one for one in speaking}
        concerned = terms.narrowed(policy, (*findings, *left_out))
        self._looked = False
        verdict = judge(findings, concerned, self._opine)
        unknown = absent + tuple(
            rule.filter.name
            for rule in concerned.rules
            if rule.filter.name in left_out
            and not is_decided(findings, concerned, rule.filter.name, self._opine)
        )
        outcome = Told.of(verdict, outcome_of(verdict, ends)), () if author is not None else unknown
        if not self._looked and self._open.isdisjoint(numbers):
            if len(terms.outcomes) >= _MOST:
                terms.outcomes.clear()
            terms.outcomes[key] = outcome
        return outcome

    def _policy(self, recipient: str) -> tuple[Policy, _Terms]:
        known = self._policies.get(recipient)
        if known is None:
            if len(self._policies) >= _MOST:
                self._policies.clear()
            policy = self._book.policy(recipient)
            key = (id(policy.rules), policy.required)
            terms = self._terms.setdefault(key, _Terms(policy))
            known = self._policies[recipient] = (policy, terms)
        return known

    def _hear(self, numbers: Iterable[int], policy: Policy, terms: _Terms) -> None:
        """Find out which findings have a voice under these terms. Raises KeyError on a number not learnt."""
        for number in numbers:
            if number in terms.voices:
                continue
            finding = self._findings[number]
            rule = terms.rules.get(finding.filter)
            if rule is None:
                terms.voices[number] = None
                continue
            if finding.filter in self._scoped:
                terms.voices[number] = finding
                continue
            self._looked = False
            opinion = self._opine(rule, finding, policy.scopes)
            if self._looked:
                self._scoped.add(finding.filter)
            silent = opinion.effect is None and not self._looked and number not in self._open
            terms.voices[number] = None if silent else finding

    def _absent(self, numbers: Iterable[int], terms: _Terms) -> tuple[str, ...]:
        """The filters that the policy wants and that left no finding."""
        names = tuple(map(self._names.__getitem__, numbers))
        absent = terms.missing.get(names)
        if absent is None:
            absent = terms.missing[names] = tuple(name for name in terms.rules if name not in names)
        return absent

    def _opine(self, rule: FilterRule, finding: Finding, scopes: Scopes) -> Opinion:
        key = (id(finding), id(rule.options))
        opinion = self._opinions.get(key)
        if opinion is None:
            watched = WatchedScopes(scopes)
            opinion = opinion_of(rule, finding, watched)
            if watched.looked:
                self._looked = True
            else:
                if len(self._opinions) >= _MOST:
                    self._opinions.clear()
                self._opinions[key] = opinion
        return opinion
