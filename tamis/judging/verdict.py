"""The verdict: what one recipient's policy makes of the findings. Pure; also used by replay."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from typing import Any

from tamis.contract.filter import EVIDENCE, Effect, Filter, NoChallenge, Opinion, Scopes, State
from tamis.contract.finding import Finding, Status
from tamis.contract.sentences import TESTED, TOTAL
from tamis.judging.policy import Policy
from tamis.judging.policy_terms import FilterRule
from tamis.judging.watched_scopes import WatchedScopes

log = logging.getLogger(__name__)

SCORE = "score"
"""What `decided_by` says when the total decided and no single filter did."""


class Decision(StrEnum):
    """What a message is for one recipient."""

    HAM = "ham"
    SPAM = "spam"
    DEFER = "defer"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One recipient's verdict. `opinions` are in chain order; `score` is compared with `required`.

    `decided_by` is the name of the filter that decided, "score" when the total did, "" when nothing
    counted against the message; `because` is that filter's sentence.

    `asked` is where a test message asks to go, a key of TEST_STRINGS, "" for all other mail; `untested` is the decision
    on it as if it did not ask, and no outcome is better than the one that follows from that.
    """

    recipient: str
    decision: Decision
    decided_by: str
    because: str
    score: float
    required: float
    opinions: tuple[Opinion, ...]
    asked: str = ""
    untested: Decision | None = None

    @property
    def accepted_by_list(self) -> bool:
        """Whether a whitelist entry or another accepting filter let the message through."""
        return self.decision is Decision.HAM and self.decided_by != ""


_DECISIVE = {Effect.ACCEPT: Decision.HAM, Effect.SPAM: Decision.SPAM, Effect.DEFER: Decision.DEFER}


Opine = Callable[[FilterRule, Finding, Scopes], Opinion]
"""What one filter's finding means for one recipient's rule and scopes; replay caches it."""


def opinion_of(rule: FilterRule, finding: Finding, scopes: Scopes) -> Opinion:
    """As the filter itself judges. One whose judging fails is unavailable: it holds up no mail."""
    return _quiet_opinion(rule, finding, scopes) or _judged(rule, finding, scopes)


_MOST_QUIET = 8192  # opinions that are remembered; beyond: all are forgotten
_quiet: dict[tuple[int, Status, str], tuple[FilterRule, Opinion | None]] = {}
"""By a rule, the status and the sentence; the rule stands there, too, so that nothing else has its id."""


def _quiet_opinion(rule: FilterRule, finding: Finding, scopes: Scopes) -> Opinion | None:
    """The opinion on a finding without facts that is no hit, as most are: it follows from the rule, and is judged once.
    None for all others, and where the filter looks at who the recipient is."""
    if finding.facts or finding.status is Status.HIT:
        return None
    key = (id(rule), finding.status, finding.because)
    known = _quiet.get(key)
    if known is None:
        opinion = None
        if _is_ours(type(rule.filter)):
            watched = WatchedScopes(scopes)
            judged = _judged(rule, finding, watched)
            opinion = None if watched.looked else judged
        if len(_quiet) >= _MOST_QUIET:
            _quiet.clear()
        known = _quiet[key] = (rule, opinion)
    return known[1]


def _judged(rule: FilterRule, finding: Finding, scopes: Scopes) -> Opinion:
    try:
        return _checked(rule, rule.filter.judge(finding, rule.options, scopes))
    except Exception as error:  # noqa: BLE001 - whatever a plugin raises
        return _failed(rule, error)


def is_open(rule: FilterRule, finding: Finding) -> bool:
    """Whether a finding can only be judged beside other filters' opinions, as the filter itself says."""
    if not _may_be_open(type(rule.filter)):
        return False
    try:
        return rule.filter.is_open(finding)
    except Exception as error:  # noqa: BLE001 - as above
        _failed(rule, error)
        return False


def _opinion_among(
    rule: FilterRule, finding: Finding, scopes: Scopes, others: Mapping[str, Opinion]
) -> Opinion:
    try:
        return _checked(rule, rule.filter.judge_among(finding, rule.options, scopes, others))
    except Exception as error:  # noqa: BLE001 - as above
        return _failed(rule, error)


@cache
def _is_ours(kind: type[Filter[Any]]) -> bool:
    return kind.__module__.startswith("tamis.")


@cache
def _may_be_open(kind: type[Filter[Any]]) -> bool:
    return kind.is_open is not Filter.is_open


def _checked(rule: FilterRule, opinion: object) -> Opinion:
    if not isinstance(opinion, Opinion):
        raise TypeError(f"judge returned {type(opinion).__name__}, not an Opinion")
    if _is_ours(type(rule.filter)):  # they are tested for the rest
        return opinion
    effect = None if opinion.effect is None else Effect(opinion.effect)
    return replace(
        opinion,
        filter=rule.filter.name,
        status=Status(opinion.status),
        effect=effect,
        points=float(opinion.points),
        text=str(opinion.text),
    )


def _failed(rule: FilterRule, error: Exception) -> Opinion:
    """An opinion that moves nothing. The log says so once a process and filter: it would with each message."""
    one = rule.filter
    if one.name not in _told:
        _told.add(one.name)
        log.error("filter %s can't judge and is taken as unavailable", one.name, exc_info=error)
    text = f"failed: {type(error).__name__}: {error}"[:200]
    shadow = rule.options.state is State.SHADOW
    return Opinion(one.name, one.spec_id, Status.UNAVAILABLE, text=text, shadow=shadow)


_told: set[str] = set()


def judge(findings: Mapping[str, Finding], policy: Policy, opine: Opine = opinion_of) -> Verdict:
    """Walk the findings in chain order under one recipient's policy.

    The first accepting, spam or deferring opinion decides; without one, the total of the scores does, held
    against the policy's `required`. A hit of a filter that yields to an accepting one decides nothing, and neither
    does an acceptance that the sender earned where a filter shows evidence.
    Opinions after the decision are kept for the trace but not added.
    A finding that is missing, unavailable or skipped moves nothing. Findings that look at others are judged
    when the others' opinions stand, wherever in the chain those are. What a test message asks for is looked at last.
    """
    opinions = _opinions(findings, policy, opine)
    return weigh(opinions, policy, lambda: _is_evident(opinions, findings, policy))


def weigh(opinions: Sequence[Opinion], policy: Policy, is_evident: Callable[[], bool]) -> Verdict:
    """The verdict that opinions in chain order make, as `judge` has it; those without an effect may be left out.
    `is_evident` says whether one of them rests on evidence, and is asked where an earned acceptance stands against
    that."""
    accepting = {o.filter for o in opinions if o.effect is Effect.ACCEPT and not o.shadow}
    yielding = {rule.filter.name for rule in policy.rules if accepting and rule.filter.yields_to & accepting}
    earned = {rule.filter.name for rule in policy.rules if accepting and rule.filter.earned} & accepting
    void = earned if earned and is_evident() else set()
    decision: Decision | None = None
    decided_by = because = ""
    total = 0.0
    for opinion in opinions:
        if opinion.shadow or opinion.effect is None or opinion.asked or decision is not None:
            continue
        if opinion.filter in yielding:  # the opinion is shown, but another has priority
            continue
        if opinion.effect is Effect.ACCEPT and opinion.filter in void:
            continue
        if opinion.effect is Effect.SCORE:
            total += opinion.points
        elif opinion.effect in _DECISIVE:
            decision = _DECISIVE[opinion.effect]
            decided_by, because = opinion.filter, opinion.text
    if decision is None:
        decision = Decision.SPAM if total >= policy.required else Decision.HAM
        if decision is Decision.SPAM:
            decided_by, because = SCORE, _score_sentence(total, policy.required)
    verdict = Verdict(
        policy.recipient, decision, decided_by, because, round(total, 3), policy.required, tuple(opinions)
    )
    test = next((one for one in opinions if one.asked and not one.shadow), None)
    return verdict if test is None else _tested(verdict, test)


def judge_each(findings: Mapping[str, Finding], policies: Sequence[Policy]) -> list[Verdict]:
    """Every recipient's verdict, as `judge` has it. Those under the same rules share what does not depend on who they
    are, so that two hundred cost little more than one."""
    numbers = Counter(id(one.rules) for one in policies)
    together = {
        id(one.rules): _Together(findings, one.rules) for one in policies if numbers[id(one.rules)] > 1
    }
    return [
        together[id(one.rules)].judge(one) if id(one.rules) in together else judge(findings, one)
        for one in policies
    ]


class _Together:
    """Recipients of one message under the same rules. Opinions that depend on the recipient are found by watching who
    looks at the scopes; the verdict follows from these and from what is required."""

    def __init__(self, findings: Mapping[str, Finding], rules: Sequence[FilterRule]) -> None:
        self._findings = findings
        self._is_open = any(
            finding.facts and is_open(rule, finding)
            for rule in rules
            if (finding := findings.get(rule.filter.name)) is not None
        )
        self._own: list[tuple[FilterRule, Finding]] | None = None
        self._verdicts: dict[tuple[float, tuple[Opinion, ...]], Verdict] = {}

    def judge(self, policy: Policy) -> Verdict:
        """One recipient's verdict."""
        if self._is_open:
            return judge(self._findings, policy)
        if self._own is None:
            self._own = []
            verdict = judge(self._findings, policy, self._opine)
            self._verdicts[policy.required, self._opinions(policy.scopes)] = verdict
            return verdict
        said = self._opinions(policy.scopes)
        known = self._verdicts.get((policy.required, said))
        if known is not None:
            return replace(known, recipient=policy.recipient)
        verdict = self._verdicts[policy.required, said] = judge(self._findings, policy)
        return verdict

    def _opinions(self, scopes: Scopes) -> tuple[Opinion, ...]:
        return tuple(opinion_of(rule, finding, scopes) for rule, finding in self._own or ())

    def _opine(self, rule: FilterRule, finding: Finding, scopes: Scopes) -> Opinion:
        quiet = _quiet_opinion(rule, finding, scopes)
        if quiet is not None:
            return quiet
        watched = WatchedScopes(scopes)
        opinion = _judged(rule, finding, watched)
        if watched.looked and self._own is not None:
            self._own.append((rule, finding))
        return opinion


def _tested(verdict: Verdict, test: Opinion) -> Verdict:
    """The verdict on a test message: spam whatever white lists say, unless it is deferred, by itself or as it asks."""
    if verdict.decision is Decision.DEFER:
        return verdict
    because = test.text
    if verdict.decision is Decision.SPAM:
        because = TESTED(asked=test.asked, decided_by=verdict.decided_by, because=verdict.because)
    return replace(
        verdict,
        decision=Decision.DEFER if test.asked == Decision.DEFER else Decision.SPAM,
        decided_by=test.filter,
        because=because,
        asked=test.asked,
        untested=verdict.decision,
    )


def _is_evident(opinions: Sequence[Opinion], findings: Mapping[str, Finding], policy: Policy) -> bool:
    """Whether an opinion with an effect rests on evidence."""
    filters = {rule.filter.name: rule.filter for rule in policy.rules}
    against = (o for o in opinions if o.effect in (Effect.SPAM, Effect.SCORE) and not o.shadow)
    return any(barred_by(filters[o.filter], findings[o.filter]) in EVIDENCE for o in against)


def barred_by(one: Filter[Any], finding: Finding) -> NoChallenge | None:
    """Why a finding forbids to ask the sender, as its filter says; where that fails, it does."""
    try:
        return one.challenge_barred_by(finding)
    except Exception:  # a filter of another package
        log.exception("filter %s can't say whether its finding forbids a challenge", one.name)
        return NoChallenge.FILTER


def _opinions(findings: Mapping[str, Finding], policy: Policy, opine: Opine) -> list[Opinion]:
    """Every opinion, in chain order."""
    opinions: list[Opinion] = []
    waiting: list[tuple[int, FilterRule, Finding]] = []
    for rule in policy.rules:
        finding = findings.get(rule.filter.name)
        if finding is None:
            continue
        if finding.facts and is_open(rule, finding):
            waiting.append((len(opinions), rule, finding))
        opinions.append(opine(rule, finding, policy.scopes))
    if waiting:
        places = {place for place, _, _ in waiting}
        others = {o.filter: o for place, o in enumerate(opinions) if place not in places}
        for place, rule, finding in waiting:
            opinions[place] = _opinion_among(rule, finding, policy.scopes, others)
    return opinions


def is_decided(
    findings: Mapping[str, Finding], policy: Policy, before: str, opine: Opine = opinion_of
) -> bool:
    """Whether a filter that stands before `before` in the chain already decides for this recipient."""
    for rule in policy.rules:
        if rule.filter.name == before:
            return False
        finding = findings.get(rule.filter.name)
        if finding is None or finding.status is not Status.HIT or is_open(rule, finding):
            continue
        if ends_chain(rule, finding, opine(rule, finding, policy.scopes)):
            return True
    return False


def ends_chain(rule: FilterRule, finding: Finding, opinion: Opinion) -> bool:
    """Whether an opinion on a finding that is not open decides, so that expensive filters behind it are not asked."""
    if finding.status is not Status.HIT or (opinion.effect is Effect.ACCEPT and rule.filter.earned):
        return False  # of what was earned: evidence may follow
    return not opinion.shadow and not opinion.asked and opinion.effect in _DECISIVE


def _score_sentence(total: float, required: float) -> str:
    return TOTAL(total=f"{total:.1f}", required=f"{required:.1f}")
