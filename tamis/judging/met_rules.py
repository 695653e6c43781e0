"""Which rules a message met, as the findings of the filters that have rules say."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tamis.contract.finding import Finding
from tamis.judging.trace import RULED
from tamis.rules.expression import Expression, holds

KNOWLEDGE = "knowledge"
"""The filter of the rules that ship."""
_WITH_RULES = frozenset({*RULED, KNOWLEDGE})


@dataclass(frozen=True, slots=True)
class MetRules:
    """(filter, rule) of those that a message met; `open` are those that depend on other filters, with what is left to
    judge."""

    met: tuple[tuple[str, str], ...] = ()
    open: tuple[tuple[str, str, Expression], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.met or self.open)

    def for_whom(self, said: Collection[str]) -> Sequence[tuple[str, str]]:
        """Those that are met where these filters have an effect."""
        return [*self.met, *((name, rule) for name, rule, left in self.open if holds(left, said))]


NO_RULES = MetRules()


def met_rules(findings: Iterable[Finding]) -> MetRules:
    """Those of a message's findings, whatever version wrote them."""
    met: list[tuple[str, str]] = []
    left: list[tuple[str, str, Expression]] = []
    for one in findings:
        if one.filter in _WITH_RULES:
            met += [(one.filter, name) for name, *_ in _named(one.facts, "rules")]
            left += [
                (one.filter, name, rest[2]) for name, *rest in _named(one.facts, "open") if len(rest) > 2
            ]
    return MetRules(tuple(met), tuple(left)) if met or left else NO_RULES


def together(many: Iterable[MetRules]) -> MetRules:
    """Those of several findings."""
    found = list(many)
    if len(found) < 2:
        return found[0] if found else NO_RULES
    return MetRules(
        tuple(rule for one in found for rule in one.met), tuple(rule for one in found for rule in one.open)
    )


def _named(facts: Mapping[str, Any], key: str) -> Iterable[Sequence[Any]]:
    told = facts.get(key, ())
    many = told if isinstance(told, list | tuple) else ()
    return (one for one in many if isinstance(one, list | tuple) and one and isinstance(one[0], str))
