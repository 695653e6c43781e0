"""What the filters of the operator's rules (S19, S20, S21) have in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field as Option

from tamis.contract.filter import Effect, Filter, FilterOptions, Message, Opinion, Scopes
from tamis.contract.finding import Finding
from tamis.rules import Rule, holds

SHADOW = "shadow"
"""The action of a rule in shadow in findings: it is named, and does nothing."""


class RuledOptions(FilterOptions):
    """Adds what a domain or mailbox can change about single rules."""

    leave_out: tuple[str, ...] = Option((), description="names of rules that don't count")
    points: dict[str, Annotated[float, Option(ge=-100, le=100)]] = Option(
        {}, description="points by name of rule, instead of those in the rule file"
    )


class Ruled(Filter[RuledOptions]):
    """The finding names each rule that the message meets as [name, action, points], those in shadow too, and under
    `open` those that depend on what other filters' findings mean to a recipient, with the expression that is left to
    judge. So a stored finding is judged without the rule files."""

    looks_again = True
    options = RuledOptions
    actions: ClassVar[tuple[str, ...]]
    """Of which actions this filter's rules are, and whether they are logic."""
    logic: ClassVar[tuple[bool, ...]] = (False, True)

    def examine(self, message: Message) -> Finding:
        """Which rules are met."""
        if not message.rules.rules:
            return self.clear("no rules")
        values = message.matched_rules.values
        highest = _highest_of_groups([rule for rule in message.rules.rules if values.get(rule.name) is True])
        met: list[list[Any]] = []
        left: list[list[Any]] = []
        for rule in message.rules.rules:
            value = values.get(rule.name, False)
            if value is False or not self._is_mine(rule):
                continue
            action = SHADOW if rule.shadow else rule.action
            points = rule.points if not rule.group or highest.get(rule.group) == rule.name else 0.0
            (met if value is True else left).append(
                [rule.name, action, points] + ([] if value is True else [value])
            )
        in_files = sorted(message.matched_rules.in_files.intersection(name for name, *_ in (*met, *left)))
        facts = (
            {"rules": met} | ({"open": left} if left else {}) | ({"in_files": in_files} if in_files else {})
        )
        if not met:
            return self.clear("no rule matches", **facts)
        return self.hit("{names}", names=", ".join(name for name, _, _ in met), **facts)

    def is_open(self, finding: Finding) -> bool:
        """Whether a rule depends on other filters."""
        return "open" in finding.facts

    def judge(self, finding: Finding, options: RuledOptions, scopes: Scopes) -> Opinion:
        """By the rules that are met whatever other filters say."""
        return self._weigh(finding, options, finding.facts.get("rules", ()))

    def judge_among(
        self, finding: Finding, options: RuledOptions, scopes: Scopes, others: Mapping[str, Opinion]
    ) -> Opinion:
        """By those too that other filters' opinions make true. A filter in shadow has no say here either."""
        said = {name for name, o in others.items() if o.effect is not None and not o.shadow}
        met = [
            (name, action, points)
            for name, action, points, left in finding.facts.get("open", ())
            if holds(left, said)
        ]
        return self._weigh(finding, options, [*finding.facts.get("rules", ()), *met])

    def _weigh(self, finding: Finding, options: RuledOptions, met: Iterable[Any]) -> Opinion:
        named = [one for one in met if one[0] not in options.leave_out]
        counting = [one for one in named if one[1] != SHADOW]
        in_files = finding.facts.get("in_files", ())
        text = ", ".join(
            name + " (in an image or document)" * (name in in_files) + " (shadow)" * (action == SHADOW)
            for name, action, _ in named
        )
        decisive = [name for name, action, _ in counting if action != "score"]
        points = sum(options.points.get(name, p) for name, action, p in counting if action == "score")
        if options.effect is Effect.TAG or (decisive and options.effect is not Effect.SCORE):
            return self.opinion(finding, options, hit=bool(counting), text=text)
        points += sum(options.points.get(name, options.score) for name in decisive)
        scoring = options.model_copy(update={"effect": Effect.SCORE}) if counting else options
        return self.opinion(finding, scoring, hit=bool(counting), points=points, text=text)

    def _is_mine(self, rule: Rule) -> bool:
        return rule.action in self.actions and (rule.when is not None) in self.logic


def _highest_of_groups(met: Iterable[Rule]) -> dict[str, str]:
    """Of each group of rules, the name of the one whose points count: the highest that are not in shadow."""
    by_points = sorted((rule for rule in met if rule.group and not rule.shadow), key=lambda rule: rule.points)
    return {rule.group: rule.name for rule in by_points}
