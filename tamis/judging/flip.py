"""What would have been needed for another verdict: the smallest changes of policy or lists. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tamis.contract.filter import Effect, State
from tamis.contract.finding import Finding
from tamis.judging.policy import Policy
from tamis.judging.verdict import Decision, Verdict, judge

MAX_CHANGES = 5


def flips(verdict: Verdict, findings: Mapping[str, Finding], policy: Policy) -> list[str]:
    """Single changes that would each have turned spam into ham, or ham into spam, in plain words.

    Each is tried: the message is judged again with the change made. Nothing is said of mail that nothing spoke about.
    """
    if verdict.decision is Decision.DEFER:
        return []
    return [*_threshold(verdict, findings, policy), *_switches(verdict, findings, policy)][:MAX_CHANGES]


def _threshold(verdict: Verdict, findings: Mapping[str, Finding], policy: Policy) -> list[str]:
    """A limit on the other side of the total."""
    spam = verdict.decision is Decision.SPAM
    required = round(verdict.score + 0.1, 1) if spam else verdict.score
    if required <= 0 or judge(findings, policy.with_terms(required=required)).decision is verdict.decision:
        return []
    return [f"required = {required:g} (it is {policy.required:g})"]


def _switches(verdict: Verdict, findings: Mapping[str, Finding], policy: Policy) -> list[str]:
    """A filter that had its say, switched off; a filter in shadow, switched on."""
    changes = []
    for opinion in verdict.opinions:
        if opinion.effect in (None, Effect.TAG):
            continue
        if opinion.shadow:
            state = "on"
            rules = tuple(
                replace(rule, options=rule.options.model_copy(update={"state": State.ON}))
                if rule.filter.name == opinion.filter
                else rule
                for rule in policy.rules
            )
        else:
            state = "off"
            rules = tuple(rule for rule in policy.rules if rule.filter.name != opinion.filter)
        switchable = next(r.filter.switchable for r in policy.rules if r.filter.name == opinion.filter)
        changed = judge(findings, replace(policy, rules=rules)).decision
        if switchable and changed is not verdict.decision and changed is not Decision.DEFER:
            changes.append(f'filters.{opinion.filter}.state = "{state}"')
    return changes
