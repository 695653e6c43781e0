"""What another limit, or another outcome, would have done: told at once, from sums, without a look at a message.

totals by half points and people's words -> histogram with a limit to move -> copies between the two limits
copies by outcome                        -> those that would go to the other outcome
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from tamis.database.counts import Days, ScoreCount
from tamis.database.roll_ups import BIN, UNWANTED_STOPPED, WANTED_STOPPED
from tamis.judging.policy_settings import PolicySetting
from tamis.judging.stored_policy import Override
from tamis.language.time_zone import zone_of
from tamis.people.rights import Right
from tamis.web import charts
from tamis.web.charts import Chart
from tamis.web.console.console import Console
from tamis.web.console.overview import totals_chart

LIMIT, OUTCOME = "required", "outcome"


@dataclass(frozen=True, slots=True)
class MovedByLimit:
    """What the sums say of another limit: so many copies have a total on the other side of it, at least and at most;
    where the limit is no multiple of BIN, some may be on either side. `stopped`: they would no longer pass. `wanted`
    and `unwanted` are people's words."""

    least: int
    most: int
    stopped: bool
    wanted: int
    unwanted: int


@dataclass(frozen=True, slots=True)
class MovedByOutcome:
    """What the sums say of another outcome: so many copies went to the one in force; of all that was stopped, people
    said of so many that they were wanted or not."""

    copies: int
    now: str
    then: str
    wanted: int
    unwanted: int


@dataclass(frozen=True, slots=True)
class AtOnce:
    """What can be said without looking at a message: the totals with the limit in force and the one that is tried, and
    what would move."""

    totals: Chart
    bins: str
    """The totals for the script that moves the limit: JSON, a list of [lower end, label, copies]."""
    limit: float
    tried: float
    outcome: str
    """Where spam goes in force."""
    by_limit: MovedByLimit | None = None
    by_outcome: MovedByOutcome | None = None


def at_once(
    console: Console, changes: Sequence[Override], known: Mapping[str, PolicySetting], days: int
) -> AtOnce | None:
    """What the sums of whole domains say of the days; None where they are withheld, there are none, or the change is of
    another kind."""
    tried = {one.key: one.value for one in changes}
    if not tried.keys() <= {LIMIT, OUTCOME} or "@" in console.scope:
        return None
    zone = zone_of(console.site.book.policy("").terms.time_zone)
    span = Days.until(datetime.now(zone).date(), days + 1)
    reach, sums = console.visible(Right.STATISTICS), console.visit.store.statistics
    if not reach or sums.is_withheld(reach, span):
        return None
    limit = float(known[LIMIT].value)
    other = float(_or_in_force(tried.get(LIMIT), limit))
    totals = sums.scores(reach, span)
    by_outcome = None
    now, then = str(known[OUTCOME].value), str(_or_in_force(tried.get(OUTCOME), known[OUTCOME].value))
    if then != now:
        went = Counter[str]()
        for one in sums.by_day(reach, span):
            if one.side == "in":
                went[one.outcome] += one.copies
        labels = Counter[str]()
        for said in sums.labels(reach, span):
            labels[said.kind] += said.copies
        by_outcome = MovedByOutcome(went[now], now, then, labels[WANTED_STOPPED], labels[UNWANTED_STOPPED])
    if not totals and by_outcome is None:
        return None
    chart = totals_chart(totals, limit, console.visit.reader)
    return AtOnce(
        replace(chart, limit=charts.place_of(other, chart.ends)) if chart.ends else chart,
        json.dumps([[one.low, one.label, one.copies] for one in totals]),
        limit,
        other,
        now,
        between(totals, limit, other) if other != limit else None,
        by_outcome,
    )


def _or_in_force(tried: Any, in_force: Any) -> Any:
    return in_force if tried is None else tried


def between(totals: Sequence[ScoreCount], now: float, then: float) -> MovedByLimit:
    """The copies with a total between two limits, in whole steps of half a point."""
    low, high = min(now, then), max(now, then)
    inside = [one for one in totals if low <= one.low and one.low + BIN <= high]
    touched = [one for one in totals if one.low < high and one.low + BIN > low]
    return MovedByLimit(
        least=sum(one.copies for one in inside),
        most=sum(one.copies for one in touched),
        stopped=then < now,
        wanted=sum(one.copies for one in touched if one.label == "wanted"),
        unwanted=sum(one.copies for one in touched if one.label == "unwanted"),
    )
