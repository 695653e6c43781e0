"""The rules of one moment: read from files, checked, compiled, and asked by the filters S19, S20 and S21."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tamis.rules.engine import Matcher, compiled, matchers
from tamis.rules.expression import Expression, reduce
from tamis.rules.places import octets, seen_octets

if TYPE_CHECKING:
    from tamis.message.mail import Mail


@dataclass(frozen=True, slots=True)
class RuleSource:
    """One file: its name for messages, and its text."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `when` is None for a rule of patterns; then one of `patterns` must match at one of `where`."""

    name: str
    action: str
    points: float
    where: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    ignore_case: bool = True
    when: Expression | None = None
    hits: tuple[str, ...] = ()
    clear: tuple[str, ...] = ()
    source: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Matched:
    """What rules a message meets: `value` of each is true, or an expression over other filters' opinions. `in_files`
    are those whose patterns only its images and documents meet."""

    values: Mapping[str, Expression] = field(default_factory=dict)
    in_files: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Spot:
    """Where one pattern matched."""

    rule: str
    place: str
    pattern: str
    text: str


class RuleBook:
    """Rules in their order; immutable and shared by threads. Raises PatternError when they are too large."""

    def __init__(self, rules: tuple[Rule, ...] = ()) -> None:
        self.rules = rules
        self._matchers: Mapping[str, Matcher] = matchers(
            (place, rule.name, pattern, rule.ignore_case)
            for rule in rules
            for place in rule.where
            for pattern in rule.patterns
        )

    def match(self, mail: Mail) -> Matched:
        """The rules that a message meets, or may meet, in their order. Each place is gone through once."""
        if not self.rules:
            return Matched()
        met: set[str] = set()
        in_files: set[str] = set()
        for place, matcher in self._matchers.items():
            met.update(*map(matcher.rules, octets(mail, place)))
            if mail.seen:
                in_files.update(*map(matcher.rules, seen_octets(mail, place)))
        in_files -= met
        met |= in_files
        values: dict[str, Expression] = {}
        for rule in self.rules:
            if rule.when is None:
                values[rule.name] = rule.name in met
            else:
                values[rule.name] = reduce(rule.when, lambda name: values.get(name, name))
        found = {name: value for name, value in values.items() if value is not False}
        return Matched(found, frozenset(in_files))

    def spots(self, mail: Mail) -> Iterator[Spot]:
        """Where each pattern matches first, for people."""
        for rule in self.rules:
            for place in rule.where:
                for where, ways in ((place, octets(mail, place)), ("files", seen_octets(mail, place))):
                    for pattern in rule.patterns if any(ways) or where == place else ():
                        search = compiled(pattern, place=place, ignore_case=rule.ignore_case).search
                        match = next(filter(None, map(search, ways)), None)
                        if match is not None:
                            yield Spot(rule.name, where, pattern, match.group(0).decode("utf-8", "replace"))


EMPTY = RuleBook()
