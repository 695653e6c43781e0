"""Replay: what would have become of messages of the past under another policy. Pure.

    numbers of findings, learnt once -> loud: those that may move something under some policy
    loud ones, the recipient's terms -> voices: opinions that move something here -> verdict, once for each set of them

Exact by construction: the stored findings are judged by their filters and weighed by `verdict.weigh`, as on the day.
What makes it quick is a memory, which several policies share (`ReplayMemory`): an opinion follows from the finding, the
recipient's options and the recipient's scopes, and whether the scopes were looked at is watched rather than assumed.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any, NamedTuple, TypeVar

from tamis.contract.filter import EVIDENCE, Effect, Filter, Opinion, Scopes
from tamis.contract.finding import ALREADY_DECIDED, Finding, Status
from tamis.judging.plan import outcome_of
from tamis.judging.policy import Outcome, Policy, PolicyBook
from tamis.judging.policy_terms import FilterRule
from tamis.judging.story import Told, finding_from
from tamis.judging.verdict import barred_by, ends_chain, is_decided, is_open, judge, opinion_of, weigh
from tamis.judging.watched_scopes import WatchedScopes

_SILENT = (b"clear", b"unavailable")
"""Findings that mean the same whatever they say, to a filter that judges as Filter does."""

_MOST = 200_000  # findings, opinions, verdicts and policies that are remembered of each kind


ReplayOutcome = tuple[Told, tuple[str, ...]]
"""What becomes of a message, and the filters that its policy wants but whose finding nobody knows."""


class _Voice(NamedTuple):
    """An opinion that moves something: its place in the chain, a number for all that it means to a verdict, whether it
    ends the chain, and whether it rests on evidence."""

    place: int
    meaning: int
    opinion: Opinion
    ends: bool
    evident: bool


class _Heard(NamedTuple):
    """What a message's findings are, whoever it is for: the numbers of all and of those that may have a voice, the
    filters that did not look because all was decided, and the names of all filters that left a finding, with a number
    for them."""

    numbers: Sequence[int]
    loud: Sequence[int]
    left_out: tuple[str, ...]
    names: tuple[str, ...]
    shape: int
    is_open: bool


class _Terms:
    """What recipients have in common whose rules are the same: what findings mean there.

    `voices` says of a finding by its number whether it has a voice: None when it moves nothing here, whoever the
    recipient is, _SCOPED when that depends on the recipient. `absent` remembers, by the shapes of messages, which
    other filters the policy wants.
    """

    def __init__(self, rules: Sequence[FilterRule]) -> None:
        self.rules = {rule.filter.name: rule for rule in rules}
        self.places = {name: place for place, name in enumerate(self.rules)}
        self.voices: dict[int, _Voice | None] = {}
        self.scoped: dict[tuple[int, Scopes], _Voice | None] = {}
        self.absent: dict[int, tuple[str, ...]] = {}
        self.outcomes: dict[tuple[Any, ...], ReplayOutcome] = {}

    def narrowed(self, policy: Policy, names: Iterable[str]) -> Policy:
        """One recipient's policy with the rules of these filters alone, which is all that a verdict on them needs."""
        wanted = sorted((name for name in names if name in self.rules), key=self.places.__getitem__)
        return replace(policy, rules=tuple(self.rules[name] for name in wanted))


_SCOPED = _Voice(-1, -1, Opinion("", "", Status.CLEAR), ends=False, evident=False)
"""In place of the voice of a finding that means one thing to one recipient, and another to the next."""


class ReplayMemory:
    """What was found out about findings and filters' opinions on them; all policy books of the same filters can share
    it. Findings have their numbers in the store for good, so nothing that is remembered by them grows old."""

    def __init__(self, filters: Sequence[Filter[Any]]) -> None:
        self._findings: dict[int, Finding] = {}
        self._names: dict[int, str] = {}
        self._plain: set[int] = set()
        """Numbers of findings that move nothing under any policy, which are nearly all."""
        self._left_out: set[int] = set()
        """Numbers of findings of expensive filters that did not look because the verdict was decided."""
        self._open: set[int] = set()
        """Numbers of findings that are judged beside the opinions of other filters."""
        self._known = {one.name: FilterRule(one, one.options()) for one in filters}
        self._judging = {
            one.name.encode()
            for one in filters
            if type(one).judge is not Filter.judge or type(one).is_open is not Filter.is_open
        }
        self._silent: dict[tuple[bytes, bytes], Finding] = {}
        self._shapes: dict[tuple[str, ...], int] = {}
        self._options: dict[tuple[Any, ...], int] = {}
        self._rules: dict[int, tuple[FilterRule, int]] = {}
        self._terms: dict[tuple[int, ...], _Terms] = {}
        self._opinions: dict[tuple[int, int], Opinion] = {}
        self._meanings: dict[tuple[Any, ...], int] = {}
        self._numbers = (
            count()
        )  # for shapes and meanings: none is given twice, so what is forgotten is only missed
        self._last: tuple[bytes, _Heard | None] = (b"", None)

    def missing(self, packs: Iterable[bytes]) -> set[int]:
        """The numbers in `packs` that have not been learnt."""
        if len(self._findings) > _MOST:
            for memory in (self._findings, self._names):
                memory.clear()
            for numbers in (self._plain, self._left_out, self._open):
                numbers.clear()
        return set().union(*(array("I", pack) for pack in packs)) - self._findings.keys()

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
                self._plain.add(number)
            else:
                finding = finding_from(content)
            self._findings[number] = finding
            self._names[number] = finding.filter
            if finding.status is Status.SKIPPED and finding.because == ALREADY_DECIDED:
                self._left_out.add(number)
            judged_by = self._known.get(finding.filter)
            if judged_by is not None and finding.facts and is_open(judged_by, finding):
                self._open.add(number)

    def heard(self, pack: bytes) -> _Heard:
        """A message's findings. Raises KeyError on a number not learnt."""
        last, found = self._last
        if last == pack and found is not None:  # for its next recipient, or another policy
            return found
        numbers = array("I", pack)
        names = tuple(map(self._names.__getitem__, numbers))
        shape = self._shapes.get(names)
        if shape is None:
            shape = _put(self._shapes, names, next(self._numbers))
        loud = [number for number in numbers if number not in self._plain]
        left_out = tuple([self._names[number] for number in loud if number in self._left_out])
        found = _Heard(numbers, loud, left_out, names, shape, is_open=not self._open.isdisjoint(loud))
        self._last = pack, found
        return found

    def finding(self, number: int) -> Finding:
        """What a number stands for. Raises KeyError on one not learnt."""
        return self._findings[number]

    def terms(self, rules: Sequence[FilterRule]) -> _Terms:
        """The terms that these rules are: the same for equal rules, of whatever book."""
        key = tuple([self._token(rule) for rule in rules])
        found = self._terms.get(key)
        if found is None:
            if len(self._terms) >= _MOST:
                self._terms.clear()
            found = self._terms[key] = _Terms(rules)
        return found

    def absent(self, heard: _Heard, terms: _Terms) -> tuple[str, ...]:
        """The filters that the policy wants and that left no finding."""
        absent = terms.absent.get(heard.shape)
        if absent is None:
            absent = tuple(name for name in terms.rules if name not in heard.names)
            _put(terms.absent, heard.shape, absent)
        return absent

    def hear(self, number: int, terms: _Terms, scopes: Scopes) -> _Voice | None:
        """What a finding says to a recipient of these terms and scopes, None where it moves nothing. Raises KeyError on
        a number not learnt."""
        finding = self._findings[number]
        rule = terms.rules.get(finding.filter)
        if rule is None:
            return _put(terms.voices, number, None)
        opinion, looked = self._opinion(number, finding, rule, scopes)
        voice = None if opinion.effect is None else self._voice(finding, rule, opinion, terms)
        if not looked:
            return _put(terms.voices, number, voice)
        _put(terms.voices, number, _SCOPED)
        return _put(terms.scoped, (number, scopes), voice)

    def _opinion(
        self, number: int, finding: Finding, rule: FilterRule, scopes: Scopes
    ) -> tuple[Opinion, bool]:
        """A filter's opinion, and whether it looked at the scopes."""
        key = (number, self._token(rule))
        opinion = self._opinions.get(key)
        if opinion is not None:
            return opinion, False
        watched = WatchedScopes(scopes)
        opinion = opinion_of(rule, finding, watched)
        if not watched.looked:
            _put(self._opinions, key, opinion)
        return opinion, watched.looked

    def _voice(self, finding: Finding, rule: FilterRule, opinion: Opinion, terms: _Terms) -> _Voice:
        ends = ends_chain(rule, finding, opinion)
        against = opinion.effect in _AGAINST and not opinion.shadow
        evident = against and barred_by(rule.filter, finding) in EVIDENCE
        text = "" if opinion.effect is Effect.SCORE else opinion.text  # a total says no filter's sentence
        said = (opinion.filter, opinion.effect, opinion.points, text, opinion.shadow, opinion.asked)
        key = (*said, ends, evident)
        meaning = self._meanings.get(key)
        if meaning is None:
            meaning = _put(self._meanings, key, next(self._numbers))
        return _Voice(terms.places[finding.filter], meaning, opinion, ends, evident)

    def _token(self, rule: FilterRule) -> int:
        """A number for a filter with its options: the same for equal options."""
        known = self._rules.get(id(rule))
        if known is None:
            kind = (rule.filter.name, type(rule.options), repr(rule.options))
            token = self._options.setdefault(kind, len(self._options))
            known = self._rules[id(rule)] = (rule, token)  # kept, so that nothing else has its id
        return known[1]


class Replay:
    """Judges stored messages under one policy book.

    A message's findings are given as packed numbers (history_messages.findings), equal findings by equal numbers; the
    memory has learnt what they mean, and may be shared with replays of other books.
    """

    def __init__(self, book: PolicyBook, memory: ReplayMemory | None = None) -> None:
        self._book = book
        self.memory = memory or ReplayMemory(book.filters)
        self._recipients: dict[str, _Recipient] = {}

    def prepare(self, recipients: Iterable[str]) -> None:
        """Look up together where the addresses lead of whom nothing is known yet."""
        self._book.mailboxes([one for one in dict.fromkeys(recipients) if one not in self._recipients])

    def tell(self, recipient: str, pack: bytes, *, author: str | None = None) -> ReplayOutcome:
        """What becomes of a message for a recipient. Unknown are the findings of filters that were off, or left out
        because the verdict was decided. Raises KeyError on a number not learnt.

        What an authenticated user sends (`author`, the envelope sender) is judged by that user's policy, and only by
        what was found: other filters do not look at it (O8).
        """
        heard = self.memory.heard(pack)
        ends = self._recipient(recipient)
        judges = ends if author is None else self._recipient(author)
        if heard.is_open:
            return self._beside(heard, judges, ends, is_own=author is not None)
        terms, scopes = judges.terms, judges.policy.scopes
        voices, speaking = terms.voices, []
        for number in heard.loud:
            try:
                voice = voices[number]
                if voice is _SCOPED:
                    voice = terms.scoped[number, scopes]
            except KeyError:
                voice = self.memory.hear(number, terms, scopes)
            if voice is not None:
                speaking.append(voice)
        means = tuple([voice.meaning for voice in speaking])
        key = (
            means,
            judges.required,
            heard.left_out,
            heard.shape,
            ends.outcome,
            ends.forward,
            author is None,
        )
        known = terms.outcomes.get(key)
        if known is not None:
            return known
        speaking.sort()
        verdict = weigh(
            [voice.opinion for voice in speaking],
            judges.policy,
            lambda: any(voice.evident for voice in speaking),
        )
        told = Told.of(verdict, outcome_of(verdict, ends.policy))
        unknown: tuple[str, ...] = ()
        if author is None:
            decided_at = min((voice.place for voice in speaking if voice.ends), default=len(terms.places))
            left_out = sorted((terms.places[name], name) for name in heard.left_out if name in terms.places)
            open_ = (name for place, name in left_out if place < decided_at)
            unknown = (*self.memory.absent(heard, terms), *open_)
        return _put(terms.outcomes, key, (told, unknown))

    def _recipient(self, recipient: str) -> _Recipient:
        known = self._recipients.get(recipient)
        if known is None:
            policy = self._book.policy(recipient)
            terms = self.memory.terms(policy.rules)
            known = _Recipient(policy, terms, policy.required, policy.outcome, policy.forward)
            _put(self._recipients, recipient, known)
        return known

    def _beside(self, heard: _Heard, judges: _Recipient, ends: _Recipient, *, is_own: bool) -> ReplayOutcome:
        """What becomes of a message of which a finding is judged beside all others: by the judge himself."""
        found = (self.memory.finding(number) for number in heard.numbers)
        findings = {one.filter: one for one in found}
        concerned = judges.terms.narrowed(judges.policy, findings)
        verdict = judge(findings, concerned)
        told = Told.of(verdict, outcome_of(verdict, ends.policy))
        if is_own:
            return told, ()
        left_out = (
            rule.filter.name
            for rule in concerned.rules
            if rule.filter.name in heard.left_out and not is_decided(findings, concerned, rule.filter.name)
        )
        return told, (*self.memory.absent(heard, judges.terms), *left_out)


class _Recipient(NamedTuple):
    """What is looked at of somebody's policy for each message."""

    policy: Policy
    terms: _Terms
    required: float
    outcome: Outcome
    forward: bool


_AGAINST = (Effect.SPAM, Effect.SCORE)
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


def _put(memory: dict[_Key, _Value], key: _Key, value: _Value) -> _Value:
    """Remember something. Beyond the bound, all of its kind is forgotten first."""
    if len(memory) >= _MOST:
        memory.clear()
    memory[key] = value
    return value
