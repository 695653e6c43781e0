"""Knowledge: the rules that ship, what they met here, and how much each counts in a scope.

KnowledgeBase, policy of the scope, statistics_rules -> the table -> ticked rules: off, shadow, on, points
              -> review (policy_pages): the difference, a replay, a version
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from starlette.responses import Response

from tamis.database.counts import RuleCount
from tamis.judging.met_rules import KNOWLEDGE
from tamis.judging.policy_settings import PolicySetting, settings_of
from tamis.knowledge import NO_BASE, SHIPPED, KnowledgeBase, compile_base, read_base
from tamis.knowledge.update import differences
from tamis.language.translation import marked
from tamis.people.rights import Right
from tamis.rules import Rule
from tamis.settings.settings_file import base_directory
from tamis.web.console.asked_changes import checked_changes
from tamis.web.console.console import Console
from tamis.web.console.policy_pages import review_of
from tamis.web.console.spans import SPANS, Span
from tamis.web.visit import NOT_HERE, NoAccessError

_USUAL = "30d"
_MOST_DIFFERENCES = 200
"""Differences from the base that ships that are shown; beyond: how many there are."""
_KEY = f"filters.{KNOWLEDGE}"
NO_RULE = marked("Tick at least one rule.")
NO_POINTS = marked("Points are a number from -100 to 100.")
SORTS = {
    "": marked("Rule"),
    "met": marked("Met"),
    "wanted": marked("Wanted"),
    "points": marked("Points"),
}
STATES = {"on": marked("counts"), "shadow": marked("in shadow"), "off": marked("off")}


@dataclass(frozen=True, slots=True)
class KnownLine:
    """A rule that ships: `points` alone and `most` in one pair, unless policy sets points for all (`set_points`);
    `state` is on, shadow or off here."""

    rule: Rule
    pairs: int
    most: float
    state: str
    set_points: float | None
    count: RuleCount | None

    @property
    def copies(self) -> int:
        """Copies that met it."""
        return self.count.copies if self.count else 0

    @property
    def wanted(self) -> int:
        """Those of them that people wanted: its false hits."""
        return self.count.wanted if self.count else 0

    @property
    def worth(self) -> float:
        """The most that it adds."""
        return max(self.rule.points, self.most) if self.set_points is None else self.set_points


def show(console: Console) -> Response:
    """The page."""
    console.require(Right.POLICY_READ)
    return _page(console)


def _page(console: Console, problem: str = "") -> Response:
    base = _base(console)
    span = Span.of(console, _USUAL)
    known = _settings(console)
    reach = console.visible(Right.STATISTICS)
    statistics = console.visit.store.statistics
    withheld = not reach or statistics.is_withheld(reach, span.days)
    counts = {one.rule: one for one in statistics.rules(reach, span.days) if one.filter == KNOWLEDGE}
    lines = _lines(base, known, counts)
    words, sort = console.visit.query("q").casefold(), console.visit.query("sort")
    found = [one for one in lines if _has(one.rule, words)]
    if sort in SORTS and sort:
        found.sort(key=lambda one: (-_sorting(one, sort), one.rule.name))
    changed = list(differences(compile_base(read_base(SHIPPED)), base)) if not _is_shipped(base) else []
    return console.render(
        "knowledge.html",
        status=422 if problem else 200,
        problem=problem,
        base=base,
        shipped=_is_shipped(base),
        differences=list(islice(changed, _MOST_DIFFERENCES)),
        more_differences=max(0, len(changed) - _MOST_DIFFERENCES),
        state=known[f"{_KEY}.state"],
        lines=found,
        total=len(lines),
        met=sum(1 for one in lines if one.copies),
        wanted=sum(1 for one in lines if one.wanted),
        other=sum(1 for one in lines if one.state != "on" or one.set_points is not None),
        withheld=withheld,
        words=console.visit.query("q"),
        sorts=SORTS,
        sort=sort if sort in SORTS else "",
        states=STATES,
        span=span,
        spans=SPANS,
        newest=console.visit.store.overrides.versions.newest(),
        may_change=console.may(Right.POLICY),
    )


def _base(console: Console) -> KnowledgeBase:
    """The base in force; where no policy has the filter, the one that would be."""
    site = console.site
    return (
        site.knowledge
        if site.knowledge is not NO_BASE
        else compile_base(read_base(base_directory(site.settings)))
    )


def _is_shipped(base: KnowledgeBase) -> bool:
    return base.where == str(SHIPPED)


def _settings(console: Console) -> Mapping[str, PolicySetting]:
    """The filter's settings in the scope."""
    return {one.key: one for one in settings_of(console.site.book, console.scope) if one.filter == KNOWLEDGE}


def _lines(
    base: KnowledgeBase, known: Mapping[str, PolicySetting], counts: Mapping[str, RuleCount]
) -> list[KnownLine]:
    off, shadowed = (frozenset(known[f"{_KEY}.{name}"].value) for name in ("leave_out", "shadowed"))
    points: Mapping[str, float] = known[f"{_KEY}.points"].value
    pairs: dict[str, list[float]] = {}
    for first, others in base.pairs.items():
        for second, worth in others:
            pairs.setdefault(first, []).append(worth)
            pairs.setdefault(second, []).append(worth)
    return [
        KnownLine(
            rule=rule,
            pairs=len(pairs.get(rule.name, ())),
            most=max(pairs.get(rule.name, (0.0,))),
            state="off" if rule.name in off else "shadow" if rule.name in shadowed else "on",
            set_points=points.get(rule.name),
            count=counts.get(rule.name),
        )
        for rule in base.speaking
    ]


def _has(rule: Rule, words: str) -> bool:
    text = f"{rule.name} {rule.family} {' '.join(rule.says.values())}".casefold()
    return all(word in text for word in words.split())


def _sorting(one: KnownLine, sort: str) -> float:
    return one.copies if sort == "met" else one.wanted if sort == "wanted" else one.worth


def change(console: Console) -> Response:
    """What shall be with the rules that are ticked, to be reviewed."""
    console.require(Right.POLICY_READ)
    names = list(dict.fromkeys(console.visit.fields("rule")))
    spoken = {one.name for one in _base(console).speaking}
    verb = console.visit.field("verb")
    if not spoken.issuperset(names) or verb not in (*STATES, "points"):
        raise NoAccessError(NOT_HERE)
    if not names:
        return _page(console, NO_RULE)
    if verb == "points":
        points = _points(console.visit.field("points"))
        if points is not None and not abs(points) <= 100:
            return _page(console, NO_POINTS)
        return review_of(
            console, checked_changes(console, {f"{_KEY}.points.{name}": points for name in names})
        )
    return review_of(console, checked_changes(console, _wanted(_settings(console), names, verb)))


def _wanted(known: Mapping[str, PolicySetting], names: Sequence[str], verb: str) -> dict[str, Any]:
    """The two lists of the scope as they would be; one that is as above is taken back."""
    wanted: dict[str, Any] = {}
    for name, state in (("leave_out", "off"), ("shadowed", "shadow")):
        one = known[f"{_KEY}.{name}"]
        others = [rule for rule in one.value if rule not in names]
        rules = sorted({*others, *names}) if verb == state else others
        if rules != list(one.value):
            wanted[one.key] = None if rules == list(one.inherited) and one.here else rules
    return wanted


def _points(text: str) -> float | None:
    """A number of the form; None for an empty field: as the base has it."""
    if not text.strip():
        return None
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return math.nan
