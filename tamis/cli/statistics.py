"""`tamis statistics`: what came and where it went, in sums that outlive the history."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from typing import Any

import click

from tamis.cli.context import Context, json_option
from tamis.cli.parameters import OWN_SCOPE
from tamis.cli.terminal import print_json, table
from tamis.database.counts import DayCount, Days, DeciderCount, LabelCount
from tamis.database.roll_ups import MISTAKES
from tamis.judging.site import policy_book
from tamis.language.time_zone import zone_of
from tamis.message.address import PLATFORM
from tamis.people.rights import Reach
from tamis.store import Store


@click.group()
def statistics() -> None:
    """What came and where it went, by days: sums that are kept when the history of messages is gone."""


@dataclass(frozen=True, slots=True)
class _Shown:
    scope: str
    days: Days
    by_day: list[DayCount]
    deciders: list[DeciderCount]
    labels: list[LabelCount]

    def to_dict(self) -> dict[str, Any]:
        return {
            "in": self.scope,
            "first": self.days.first.isoformat(),
            "last": self.days.last.isoformat(),
            "days": [
                {
                    "day": one.day.isoformat(),
                    "side": one.side,
                    "outcome": one.outcome,
                    "copies": one.copies,
                    "octets": one.octets,
                }
                for one in self.by_day
            ],
            "decided_by": [
                {"side": o.side, "outcome": o.outcome, "decided_by": o.decided_by, "copies": o.copies}
                for o in self.deciders
            ],
            "labels": [
                {"decided_by": one.decided_by, "kind": one.kind, "copies": one.copies} for one in self.labels
            ],
        }


@statistics.command()
@click.option("--in", "scope", type=OWN_SCOPE, default=PLATFORM, help="Only this domain's or mailbox's mail.")
@click.option(
    "--days",
    "number",
    type=click.IntRange(1, 3660),
    default=30,
    help="So many days until today [default: 30].",
)
@json_option
@click.pass_obj
def show(context: Context, scope: str, number: int, as_json: bool) -> None:
    """Show copies by day and outcome, what decided, and what people said was wrong.

    Days are those of the platform's time_zone. Outcomes that begin with would_ are of mail that is only observed.
    """
    reach = Reach(frozenset({scope}))
    with context.store() as store:
        days = Days.until(datetime.now(_zone(context, store)).date(), number)
        shown = _Shown(
            scope,
            days,
            store.statistics.by_day(reach, days),
            store.statistics.by_decider(reach, days),
            store.statistics.labels(reach, days),
        )
    if as_json:
        print_json(shown.to_dict())
    else:
        click.echo("\n".join(_lines(shown)))


def _lines(shown: _Shown) -> list[str]:
    if not shown.by_day:
        return ["no mail in these days"]
    outcomes = sorted({one.outcome for one in shown.by_day})
    counts = Counter[tuple[date, str, str]]()
    for one in shown.by_day:
        counts[one.day, one.side, one.outcome] += one.copies
    rows = [
        [day.isoformat(), side, *(str(counts[day, side, outcome]) for outcome in outcomes)]
        for day, side in sorted({(one.day, one.side) for one in shown.by_day}, reverse=True)
    ]
    lines = [table(["DAY", "SIDE", *(one.upper() for one in outcomes)], rows, [0] * (2 + len(outcomes)))]
    caught, wrong = Counter[str](), Counter[str]()
    for decided in shown.deciders:
        if decided.outcome != "inbox":
            caught[decided.decided_by or "-"] += decided.copies
    for said in shown.labels:
        if said.kind in MISTAKES:
            wrong[said.decided_by or "-"] += said.copies
    names = sorted({*caught, *wrong}, key=lambda name: (-caught[name], name))
    if names:
        told = [[name, str(caught[name]), str(wrong[name])] for name in names]
        lines += ["", table(["DECIDED BY", "STOPPED", "WRONG"], told, [0, 0, 0])]
    return lines


@statistics.command()
@json_option
@click.pass_obj
def rebuild(context: Context, as_json: bool) -> None:
    """Count the days anew that the history still has.

    Wanted after the platform's time_zone was changed, and for mail that came before there were statistics. Earlier days
    stay as they are, and so does the history's oldest day if more was counted then than the history has. While one day
    is counted, the store takes nothing else in.
    """
    done: list[date] = []
    left: list[date] = []
    with context.store() as store:
        for day, is_done in store.statistics_upkeep.rebuild(datetime.now(UTC), _zone(context, store)):
            (done if is_done else left).append(day)
    if as_json:
        print_json({"done": [one.isoformat() for one in done], "left": [one.isoformat() for one in left]})
        return
    if not (done or left):
        click.echo("the history is empty: the statistics are as they were")
        return
    if done:
        days = f"{len(done)} days" if len(done) > 1 else "1 day"
        click.echo(f"{days} counted anew, {min(done)} to {max(done)}; earlier ones are as they were")
    for day in left:
        click.echo(f"{day} is as it was: the history no longer has all of it")


def _zone(context: Context, store: Store) -> tzinfo:
    book = policy_book(context.file, context.filters, store.snapshot().overrides)
    return zone_of(book.policy("").terms.time_zone)
