"""What the filters do to honest mail, beside another checkout (see benchmarks/ham)."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks.made_up_dns import MadeUpDNS, World
from benchmarks.measuring import ROOT, corpus_paths, spread
from benchmarks.scanning import Said, scan

_QUIET = frozenset({"score_tags", "sender_mx"})
"""Filters that say nothing here: of every message, or of a DNS that is made up."""


def counting(said: Mapping[str, Said]) -> dict[str, Said]:
    """What does something to the recipient: spam, points, deferral."""
    return {name: one for name, one in said.items() if one.effect and name not in _QUIET}


def new_hits(
    before: Sequence[Mapping[str, Said]], after: Sequence[Mapping[str, Said]]
) -> Iterator[tuple[int, str, Said, float]]:
    """(number of the message, filter, what it says now, points before) where a filter does more than it did."""
    for number, (old, new) in enumerate(zip(before, after, strict=True)):
        was = counting(old)
        for name, one in counting(new).items():
            if name not in was or one.effect != was[name].effect or one.points > was[name].points:
                yield number, name, one, was[name].points if name in was else 0.0


def totals(said: Sequence[Mapping[str, Said]]) -> dict[str, tuple[int, int, float]]:
    """Filter -> messages that it does something to, those that it makes spam, and its points in all."""
    found: dict[str, tuple[int, int, float]] = defaultdict(lambda: (0, 0, 0.0))
    for message in said:
        for name, one in counting(message).items():
            hits, spam, points = found[name]
            found[name] = hits + 1, spam + (one.effect == "spam"), points + one.points
    return dict(found)


def spread_of_points(said: Sequence[Mapping[str, Said]]) -> dict[str, float]:
    """How many messages have points at all, the highest sum, and the mean a message."""
    sums = sorted(sum(one.points for one in counting(message).values()) for message in said)
    return {
        "messages with points": float(sum(one > 0 for one in sums)),
        "99 % have at most": sums[int(0.99 * (len(sums) - 1))],
        "highest": sums[-1],
        "mean": sum(sums) / len(sums),
    }


@click.command()
@click.option("--against", type=click.Path(exists=True, path_type=Path), help="Another checkout.")
@click.option("--messages", default=0, help="So many messages, from all over; 0: all.")
@click.option("--shown", default=100, help="New hits that are shown.")
@click.option("--json", "as_json", is_flag=True)
def main(against: Path | None, messages: int, shown: int, *, as_json: bool) -> None:
    """Scan, count, compare."""
    paths = [path for path in corpus_paths() if "-ham-" in path.parent.name]
    paths = spread(paths, messages) if messages else paths
    world = World()
    told = {"client": world.client, "name": world.client_name}
    with MadeUpDNS(world) as dns:
        after = list(scan(ROOT, paths, dns, **told))
        before = list(scan(against.resolve(), paths, dns, **told)) if against else after
    new = list(new_hits(before, after))
    if as_json:
        click.echo(json.dumps(_told(paths, before, after, new), indent=1))
    else:
        click.echo("\n".join(_table(len(paths), before, after)))
        for number, name, one, was in new[:shown]:
            path = paths[number]
            click.echo(
                f"new: {path.parent.name}/{path.name}  {name} {was:+g} -> {one.effect} {one.points:+g}  {one.text}"
            )
        if len(new) > shown:
            click.echo(f"and {len(new) - shown} more")
    sys.exit(bool(new))


def _table(
    number: int, before: Sequence[Mapping[str, Said]], after: Sequence[Mapping[str, Said]]
) -> Iterator[str]:
    was, now = totals(before), totals(after)
    yield f"{number} honest messages"
    yield "| filter | hits before | now | points before | now |"
    yield "|---|---|---|---|---|"
    for name in sorted({*was, *now}):
        old, new = was.get(name, (0, 0, 0.0)), now.get(name, (0, 0, 0.0))
        yield f"| {name} | {_hits(old)} | {_hits(new)} | {old[2]:.2f} | {new[2]:.2f} |"
    old_points, new_points = spread_of_points(before), spread_of_points(after)
    for what, value in new_points.items():
        yield f"| *{what}* | | | {old_points[what]:.3g} | {value:.3g} |"


def _hits(found: tuple[int, int, float]) -> str:
    return f"{found[0]} ({found[1]} spam)" if found[1] else str(found[0])


def _told(
    paths: Sequence[Path],
    before: Sequence[Mapping[str, Said]],
    after: Sequence[Mapping[str, Said]],
    new: Sequence[tuple[int, str, Said, float]],
) -> dict[str, Any]:
    return {
        "messages": len(paths),
        "before": totals(before),
        "now": totals(after),
        "points": {"before": spread_of_points(before), "now": spread_of_points(after)},
        "new": [
            {"message": f"{paths[number].parent.name}/{paths[number].name}", "filter": name, "was": was,
             "effect": one.effect, "points": one.points, "text": one.text}
            for number, name, one, was in new
        ],
    }  # fmt: skip


if __name__ == "__main__":
    main()
