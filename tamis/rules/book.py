"""The rules of one moment: read from files, checked, compiled, and asked by the filters S19, S20 and S21."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tamis.rules.engine import Matcher, compiled, matchers, positions
from tamis.rules.expression import Expression, names_of, reduce, truth
from tamis.rules.message_measures import MEASURES
from tamis.rules.places import octets, seen_octets
from tamis.rules.tables import NO_TABLES, Pretence, Tables, hosts_of

if TYPE_CHECKING:
    from tamis.message.mail import Mail


@dataclass(frozen=True, slots=True)
class RuleSource:
    """One file: its name for messages, and its text."""

    name: str
    text: str


MOST_TIMES = 1000
"""Matches of one pattern that are counted. Beyond: as if there were no more: a rule asks for a few."""
PATTERNS_OF = "rule:"
"""Begins a measure: how many patterns of a rule that stands above are met."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A number of the message that must lie within bounds."""

    name: str
    at_least: float
    at_most: float


@dataclass(frozen=True, slots=True)
class TableLook:
    """Hosts of the message of which one must stand in a table, or none with `absent`."""

    table: str
    of: tuple[str, ...]
    absent: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """A brand must be named at each of `at` of which the sender is none; with `elsewhere` a link leads to others."""

    at: tuple[str, ...]
    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, of one kind: patterns, of which `least` must match at `where`, each `times` times, all within `within`
    octets of one place (0: anywhere); or `when`, `measure`, `look` or `claim`."""

    name: str
    action: str
    points: float
    where: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    ignore_case: bool = True
    least: int = 1
    times: int = 1
    within: int = 0
    when: Expression | None = None
    measure: Measure | None = None
    look: TableLook | None = None
    claim: Claim | None = None
    says: Mapping[str, str] = field(default_factory=dict)
    family: str = ""
    since: str = ""
    hits: tuple[str, ...] = ()
    clear: tuple[str, ...] = ()
    shadow: bool = False
    group: str = ""
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

    def __init__(self, rules: tuple[Rule, ...] = (), tables: Tables = NO_TABLES) -> None:
        self.rules = rules
        self.tables = tables
        self.by_name: Mapping[str, Rule] = {rule.name: rule for rule in rules}
        self._matchers: Mapping[str, Matcher] = matchers(
            (place, rule.name, pattern, rule.ignore_case)
            for rule in rules
            for place in rule.where
            for pattern in rule.patterns
        )
        self._strict = [rule for rule in rules if rule.least > 1 or rule.times > 1 or rule.within]
        self.closed = _closed(rules)
        """Of the rules of logic that depend on no other filter, what answers whether they hold."""
        self.answers: Mapping[str, Callable[[_Values], Expression]] = {
            rule.name: self.closed.get(rule.name) or _answer(rule, tables)
            for rule in rules
            if not rule.patterns
        }
        """What works out the value of each rule that is no pattern."""
        self.unmet: Mapping[str, Expression] = {rule.name: False for rule in rules if rule.patterns}
        """The value of each rule of patterns where none matches."""
        self.needs = _needs(self)
        """Of other rules, sets of rules of patterns: of each set one must be met for the rule to hold."""
        self.always = tuple(rule.name for rule in rules if not rule.patterns and rule.name not in self.needs)
        """The rules that may hold whatever patterns are met."""
        self.places: Mapping[str, int] = {rule.name: place for place, rule in enumerate(rules)}
        self.waiting = _waiting(self.needs)
        """The rules that may hold once one of patterns is met, by its name, each with what it needs."""

    def with_points(self, points: Mapping[str, float]) -> RuleBook:
        """The same rules with other points, by name; the compiled patterns are shared."""
        other = copy.copy(self)
        other.rules = tuple(replace(rule, points=points.get(rule.name, rule.points)) for rule in self.rules)
        other.by_name = {rule.name: rule for rule in other.rules}
        return other

    def match(self, mail: Mail, only: Container[str] | None = None) -> Matched:
        """The rules that a message meets, or may meet, in their order, or those of `only`. Each place is gone through
        once; what is no pattern is looked at when a rule needs it."""
        if not self.rules:
            return Matched()
        readings = {place: octets(mail, place) for place in self._matchers}
        of_files = {place: seen_octets(mail, place) for place in self._matchers} if mail.seen else {}
        met, in_files = self._met(readings), self._met(of_files)
        values = _Values(self, mail, _united((met, in_files)) if in_files else met)
        return Matched(values.of_all(only), frozenset(in_files.keys() - met.keys()))

    def _met(self, readings: Mapping[str, tuple[bytes, ...]]) -> dict[str, set[str]]:
        """The rules of patterns that are met in what stands at places, with those of their patterns that are."""
        by_place = {
            place: found
            for place, ways in readings.items()
            if (found := _met_in(self._matchers[place], ways))
        }
        met = _united(by_place.values())
        for rule in self._strict:
            if rule.name in met and not _is_met(rule, readings, by_place):
                del met[rule.name]
        return met

    def spots(self, mail: Mail) -> Iterator[Spot]:
        """Where each pattern matches first, for people."""
        found = {
            (place, where): (ways, _united(map(matcher.patterns, ways)))
            for place, matcher in self._matchers.items()
            for where, ways in ((place, octets(mail, place)), ("files", seen_octets(mail, place)))
        }
        for rule in self.rules:
            for place in rule.where:
                for where in dict.fromkeys((place, "files")):
                    ways, met = found[place, where]
                    for pattern in rule.patterns if rule.name in met else ():
                        if pattern in met[rule.name]:
                            search = compiled(pattern, place=place, ignore_case=rule.ignore_case).search
                            match = next(filter(None, map(search, ways)), None)
                            if match is not None:
                                text = match.group(0).decode("utf-8", "replace")
                                yield Spot(rule.name, where, pattern, text)


class _Values:
    """The value of each rule for a message, worked out when it is asked for, and once."""

    def __init__(self, book: RuleBook, mail: Mail, met: Mapping[str, set[str]]) -> None:
        self._book = book
        self._mail = mail
        self._met = met
        self._pretence = Pretence(mail, book.tables)
        self._numbers: dict[str, float] = {}
        self._hosts: dict[str, set[str]] = {}
        self._possible = {*met, *book.always}
        """All others are false. So a message costs what it meets, not what there is."""
        for one in met:
            for name, sets in book.waiting.get(one, ()):
                if not any(map(met.keys().isdisjoint, sets)):
                    self._possible.add(name)
        self._known: dict[str, Expression] = dict.fromkeys(met, True)

    def of(self, name: str) -> Expression:
        """The value of a rule."""
        value = self._known.get(name)
        if value is None:
            value = self._known[name] = name in self._possible and self._book.answers[name](self)
        return value

    def of_all(self, only: Container[str] | None) -> dict[str, Expression]:
        """The values of those that are not false, in the rules' order."""
        names = self._possible if only is None else [name for name in self._possible if name in only]
        return {
            name: value
            for name in sorted(names, key=self._book.places.__getitem__)
            if (value := self.of(name)) is not False
        }

    def __contains__(self, name: Any) -> bool:
        """Whether the rule is true, for expressions that name no other filter."""
        return self.of(name) is True

    def joined(self, one: Expression) -> Expression:
        """An expression with the values of rules; the names of other filters stay."""
        return reduce(one, lambda name: self.of(name) if name in self._book.by_name else name)

    def hosts_of(self, of: str) -> set[str]:
        """The hosts that are looked up in tables."""
        hosts = self._hosts.get(of)
        if hosts is None:
            hosts = self._hosts[of] = hosts_of(self._mail, of)
        return hosts

    def number(self, name: str) -> float:
        """A measure of the message."""
        number = self._numbers.get(name)
        if number is None:
            number = self._numbers[name] = float(MEASURES[name](self._mail))
        return number

    def patterns_met(self, name: str) -> int:
        """How many patterns of a rule are met."""
        return len(self._met.get(name, ()))

    def is_claimed(self, claim: Claim) -> bool:
        """Whether the message uses a brand's name without right."""
        return _is_claimed(claim, self._pretence)


def _answer(rule: Rule, tables: Tables) -> Callable[[_Values], Expression]:
    """What works out the value of a rule that is no pattern."""
    if rule.when is not None:
        when = rule.when
        return lambda values: values.joined(when)
    if rule.measure is not None:
        name, at_least, at_most = rule.measure.name, rule.measure.at_least, rule.measure.at_most
        if name.startswith(PATTERNS_OF):
            counted = name.removeprefix(PATTERNS_OF)
            return lambda values: at_least <= values.patterns_met(counted) <= at_most
        return lambda values: at_least <= values.number(name) <= at_most
    if rule.look is not None:
        look, missing = rule.look, tables.domains.get(rule.look.table, frozenset()).isdisjoint
        return lambda values: all(map(missing, map(values.hosts_of, look.of))) is look.absent
    claim = rule.claim
    return lambda values: claim is not None and values.is_claimed(claim)


def _closed(rules: Iterable[Rule]) -> Mapping[str, Callable[[Container[str]], bool]]:
    """The rules of logic that depend on no other filter, neither by themselves nor by the rules that they name."""
    known: dict[
        str, int
    ] = {}  # with what each costs: claims most, patterns least, for they are met or not by then
    closed: dict[str, Callable[[Container[str]], bool]] = {}
    for rule in rules:
        if rule.when is None:
            known[rule.name] = 0 if rule.patterns else 2 if rule.claim else 1
        elif names_of(rule.when) <= known.keys():
            known[rule.name] = max(map(known.__getitem__, names_of(rule.when)), default=0)
            closed[rule.name] = truth(rule.when, known.__getitem__)
    return closed


def _needs(book: RuleBook) -> Mapping[str, tuple[frozenset[str], ...]]:
    """Of rules that are no patterns, what must be met of those that are, so that most are known not to hold."""
    found: dict[str, tuple[frozenset[str], ...]] = {}

    def of(one: Expression) -> tuple[frozenset[str], ...]:
        if isinstance(one, bool):
            return ()
        if isinstance(one, str):
            return (frozenset((one,)),) if one in book.unmet else found.get(one, ())
        if one[0] == "not":
            return ()
        parts = [of(part) for part in one[1:] if not isinstance(part, int)]
        if one[0] == "and":
            return tuple(dict.fromkeys(needed for part in parts for needed in part))
        return (frozenset().union(*(min(part, key=len) for part in parts)),) if all(parts) else ()

    for rule in book.rules:  # those that a rule names stand above it
        sets: tuple[frozenset[str], ...] = ()
        if rule.name in book.closed and rule.when is not None:
            sets = of(rule.when)
        elif (
            rule.measure is not None
            and rule.measure.name.startswith(PATTERNS_OF)
            and rule.measure.at_least > 0
        ):
            sets = of(rule.measure.name.removeprefix(PATTERNS_OF))
        if sets:
            found[rule.name] = sets
    return found


def _waiting(
    needs: Mapping[str, tuple[frozenset[str], ...]],
) -> Mapping[str, Sequence[tuple[str, tuple[frozenset[str], ...]]]]:
    """Rules and what they need, by each name of the smallest set of that: without one of these it can't hold."""
    found: dict[str, list[tuple[str, tuple[frozenset[str], ...]]]] = {}
    for name, sets in needs.items():
        for one in min(sets, key=len):
            found.setdefault(one, []).append((name, sets))
    return found


def _met_in(matcher: Matcher, readings: tuple[bytes, ...]) -> dict[str, set[str]]:
    """The patterns that are met in any of the readings of a place, by rule."""
    if len(readings) == 1:
        return matcher.patterns(readings[0])
    return _united(map(matcher.patterns, readings))


def _united(found: Iterable[Mapping[str, set[str]]]) -> dict[str, set[str]]:
    """The patterns that are met in any of several places or readings, by rule."""
    met: dict[str, set[str]] = {}
    for one in found:
        for rule, patterns in one.items():
            met.setdefault(rule, set()).update(patterns)
    return met


def _is_met(
    rule: Rule,
    readings: Mapping[str, tuple[bytes, ...]],
    by_place: Mapping[str, Mapping[str, set[str]]],
) -> bool:
    """Whether enough patterns match, each often enough, near enough to each other."""
    counting: set[str] = set()
    for place in rule.where:
        patterns = by_place.get(place, {}).get(rule.name, set())
        if rule.times == 1 and not rule.within:
            counting |= patterns
            continue
        for reading in readings[place]:
            where = positions(reading, patterns, place=place, ignore_case=rule.ignore_case, most=MOST_TIMES)
            numbers = Counter(pattern for _, pattern in where)
            often = {one for one, number in numbers.items() if number >= rule.times}
            if not rule.within:
                counting |= often
            elif _are_near([(at, one) for at, one in where if one in often], rule.least, rule.within):
                return True
    return not rule.within and len(counting) >= rule.least


def _are_near(where: Sequence[tuple[int, str]], least: int, within: int) -> bool:
    """Whether so many different patterns begin within so many octets."""
    window: Counter[str] = Counter()
    first = 0
    for at, pattern in where:
        window[pattern] += 1
        while at - where[first][0] > within:
            gone = where[first][1]
            window[gone] -= 1
            if not window[gone]:
                del window[gone]
            first += 1
        if len(window) >= least:
            return True
    return False


def _is_claimed(claim: Claim, pretence: Pretence) -> bool:
    if claim.elsewhere and not pretence.leads_anywhere:
        return False
    brands = set.intersection(*(pretence.at(place) for place in claim.at))
    return any(not claim.elsewhere or pretence.leads_elsewhere(brand) for brand in brands)


EMPTY = RuleBook()
