"""The verdict: what one recipient's policy makes of the findings. Pure; also used by replay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from tamis.filter import Effect, Opinion
from tamis.finding import Finding, Status
from tamis.policy import Policy, Rule

SCORE = "score"
"""What `decided_by` says when the total decided and no single filter did."""


class Decision(StrEnum):
    """What a message is for one recipient."""

    HAM = "ham"
    SPAM = "spam"
    DEFER = "defer"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One recipient's verdict. `opinions` stand in chain order, `score` is held against `required`.

    `decided_by` is the name of the filter that decided, "score" when the total did, "" when nothing spoke
    against the message; `because` is that filter's sentence.
    """

    recipient: str
    decision: Decision
    decided_by: str
    because: str
    score: float
    required: float
    opinions: tuple[Opinion, ...]

    @property
    def accepted_by_list(self) -> bool:
        """Whether a whitelist entry or another accepting filter let the message through."""
        return self.decision is Decision.HAM and self.decided_by != ""


_DECISIVE = {Effect.ACCEPT: Decision.HAM, Effect.SPAM: Decision.SPAM, Effect.DEFER: Decision.DEFER}


Opine = Callable[[Rule, Finding, Policy], Opinion]
"""What one filter's finding means to one policy: replay puts a memory in front of it."""


def opinion_of(rule: Rule, finding: Finding, policy: Policy) -> Opinion:
    """As the filter itself judges."""
    return rule.filter.judge(finding, rule.options, policy.scopes)


def judge(findings: Mapping[str, Finding], policy: Policy, opine: Opine = opinion_of) -> Verdict:
    """Walk the findings in chain order under one recipient's policy.

    The first accepting, spam or deferring opinion decides; without one, the total of the scores does, held
    against the policy's `required`. A hit of a filter that yields to an accepting one decides nothing.
    Opinions after the decision are kept for the trace but not added.
    A finding that is missing, unavailable or skipped moves nothing. Findings that look at others are judged
    when the others' opinions stand, wherever in the chain those are.
    """
    opinions = tuple(_opinions(findings, policy, opine))
    yields_to = {rule.filter.name: rule.filter.yields_to for rule in policy.rules}
    accepting = {o.filter for o in opinions if o.effect is Effect.ACCEPT and not o.shadow}
    decision: Decision | None = None
    decided_by = because = ""
    total = 0.0
    for opinion in opinions:
        if opinion.shadow or opinion.effect is None or decision is not None:
            continue
        if yields_to[opinion.filter] & accepting:  # the opinion is shown, but another has priority
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
    return Verdict(
        policy.recipient, decision, decided_by, because, round(total, 3), policy.required, opinions
    )


def _opinions(findings: Mapping[str, Finding], policy: Policy, opine: Opine) -> list[Opinion]:
    """Every opinion, in chain order."""
    opinions: list[Opinion] = []
    waiting: list[tuple[int, Rule, Finding]] = []
    for rule in policy.rules:
        finding = findings.get(rule.filter.name)
        if finding is None:
            continue
        if finding.facts and rule.filter.is_open(finding):
            waiting.append((len(opinions), rule, finding))
        opinions.append(opine(rule, finding, policy))
    if waiting:
        places = {place for place, _, _ in waiting}
        others = {o.filter: o for place, o in enumerate(opinions) if place not in places}
        for place, rule, finding in waiting:
            opinions[place] = rule.filter.judge_among(finding, rule.options, policy.scopes, others)
    return opinions


def is_decided(
    findings: Mapping[str, Finding], policy: Policy, before: str, opine: Opine = opinion_of
) -> bool:
    """Whether a filter that stands before `before` in the chain already decides for this recipient."""
    for rule in policy.rules:
        if rule.filter.name == before:
            return False
        finding = findings.get(rule.filter.name)
        if finding is None or finding.status is not Status.HIT or rule.filter.is_open(finding):
            continue
        opinion = opine(rule, finding, policy)
        if not opinion.shadow and opinion.effect in _DECISIVE:
            return True
    return False


def _score_sentence(total: float, required: float) -> str:
    return f"the total of {total:.1f} reaches the limit of {required:.1f}"
