"""Replay: what would have become of messages of the past under another policy. Pure.

Exact by construction: the stored findings go through `tamis.verdict.judge`, as on the day. What makes it quick is a
memory for opinions and verdicts: an opinion follows from the finding, the recipient's options and the recipient's
scopes, and whether the scopes were looked at is watched rather than assumed.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, overload

from tamis.filter import Filter, Opinion, Scopes
from tamis.finding import ALREADY_DECIDED, Finding, Status
from tamis.history import Told, finding_from
from tamis.plan import outcome_of
from tamis.policy import Policy, PolicyBook, Rule
from tamis.verdict import is_decided, is_open, judge, opinion_of

_SILENT = (b"clear", b"unavailable")
"""Findings that mean the same whatever they say, to a filter that judges as Filter does."""

_MOST = 200_000  # findings, opinions, verdicts and policies that are remembered


class _Watched(Sequence[str]):
    """Scopes that remember whether anybody looked."""

    def __init__(self, scopes: Sequence[str]) -> None:
        self._scopes = scopes
        self.looked = False

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        self.looked = True
        return self._scopes[index]

    def __len__(self) -> int:
        self.looked = True
        return len(self._scopes)

    def __iter__(self) -> Iterator[str]:
        self.looked = True
        return iter(self._scopes)

    def __contains__(self, scope: object) -> bool:
        self.looked = True
        return scope in self._scopes


Outcome = tuple[Told, tuple[str, ...]]
"""What becomes of a message, and the filters that its policy wants but whose finding nobody knows."""


class Replay:
    """Judges stored messages under one policy book.

    A message's findings are given as packed numbers (history_messages.findings), equal findings by equal numbers;
    `learn` says what the numbers mean.
    """

    def __init__(self, book: PolicyBook) -> None:
        self._book = book
        self._findings: dict[int, Finding] = {}
        self._policies: dict[str, Policy] = {}
        self._opinions: dict[
            tuple[int, int], Opinion
        ] = {}  # by id() of a finding and of options that live on
        self._outcomes: dict[tuple[Any, ...], Outcome] = {}
        self._looked = False
        self._judging = {
            one.name.encode()
            for one in book.filters
            if type(one).judge is not Filter.judge or type(one).is_open is not Filter.is_open
        }
        self._silent: dict[tuple[bytes, bytes], Finding] = {}

    def missing(self, packs: Iterable[bytes]) -> set[int]:
        """The numbers in `packs` that have not been learnt."""
        if len(self._findings) > _MOST:
            for memory in (self._findings, self._opinions, self._outcomes):
                memory.clear()
        numbers: set[int] = set()
        for pack in packs:
            numbers.update(array("I", pack))
        return numbers - self._findings.keys()

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

    def tell(self, recipient: str, pack: bytes, *, own: bool = False) -> Outcome:
        """What becomes of a message for a recipient. Unknown are the findings of filters that were off, or left out
        because the verdict was decided; of `own` mail nothing is examined. Raises KeyError on a number not learnt."""
        policy = self._policy(recipient)
        found = [self._findings[number] for number in array("I", pack)]
        terms = (own, id(policy.rules), policy.outcome, policy.required, policy.forward)
        key = (tuple(map(id, found)), terms)
        known = self._outcomes.get(key)
        if known is not None:
            return known
        findings = {one.filter: one for one in found}
        self._looked = any(
            is_open(rule, one)
            for rule in policy.rules
            if (one := findings.get(rule.filter.name)) is not None and one.facts
        )
        verdict = judge(findings, policy, self._opine)
        unknown = () if own else _unknown(policy, findings)
        outcome = Told.of(verdict, outcome_of(verdict, policy)), unknown
        if not self._looked:
            if len(self._outcomes) >= _MOST:
                self._outcomes.clear()
            self._outcomes[key] = outcome
        return outcome

    def _policy(self, recipient: str) -> Policy:
        policy = self._policies.get(recipient)
        if policy is None:
            if len(self._policies) >= _MOST:
                self._policies.clear()
            policy = self._policies[recipient] = self._book.policy(recipient)
        return policy

    def _opine(self, rule: Rule, finding: Finding, scopes: Scopes) -> Opinion:
        key = (id(finding), id(rule.options))
        opinion = self._opinions.get(key)
        if opinion is None:
            watched = _Watched(scopes)
            opinion = opinion_of(rule, finding, watched)
            if watched.looked:
                self._looked = True
            else:
                if len(self._opinions) >= _MOST:
                    self._opinions.clear()
                self._opinions[key] = opinion
        return opinion


def _unknown(policy: Policy, findings: Mapping[str, Finding]) -> tuple[str, ...]:
    return tuple(
        rule.filter.name
        for rule in policy.rules
        if (finding := findings.get(rule.filter.name)) is None
        or (
            finding.status is Status.SKIPPED
            and finding.because == ALREADY_DECIDED
            and not is_decided(findings, policy, rule.filter.name)
        )
    )
