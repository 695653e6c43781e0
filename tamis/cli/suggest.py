"""`tamis suggest`: points that fit what people said of past mail, as a proposal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from tamis.cli.context import Context, json_option
from tamis.cli.history import narrow
from tamis.cli.parameters import MAILBOX, PAST
from tamis.cli.terminal import print_json, table
from tamis.database.history_search import Wanted
from tamis.database.replaying import run
from tamis.judging.site import policy_book
from tamis.judging.stored_policy import with_changes
from tamis.message.address import PLATFORM


@click.command()
@click.option(
    "--since",
    type=PAST,
    default=lambda: datetime.now(UTC) - timedelta(days=30),
    help="Since then: a span like 7d, or a date [default: 30d].",
)
@click.option("--domain", "scope", type=MAILBOX, help="For this domain or mailbox, from its own mail.")
@json_option
@click.pass_obj
def suggest(context: Context, since: datetime, scope: str | None, as_json: bool) -> None:
    """Suggest points for the filters that add to the total, fitted on what people said of past mail.

    No more than a proposal: nothing is changed. It is tested on senders that the fit had not seen, and comes with its
    replay; where people said too little, or nothing better is found, it says so.
    """
    from tamis.database.fitting import (  # noqa: PLC0415 - scikit-learn is 100 MB
        changes_in,
        fit_told,
        fitted,
    )

    wanted = Wanted(narrow(scope), since=since)
    with context.store() as store:
        stored = [one.override for one in store.overrides.list()]
    book = policy_book(context.file, context.filters, stored, context.directory)
    url, where = context.file.settings.store_url, wanted.scope or PLATFORM
    found = fitted(url, book, where, wanted)
    replayed = None
    if changes := changes_in(where, found):
        on_top = with_changes(stored, changes)
        other = policy_book(context.file, context.filters, on_top, context.directory)
        replayed = run(url, book, other, wanted, 0)
    told = fit_told(found, replayed)
    if as_json:
        print_json(told)
    else:
        click.echo("\n".join(_lines(told, where)))


def _lines(told: Mapping[str, Any], scope: str) -> Iterator[str]:
    if told["refused"]:
        yield told["refused"].format(**told["facts"])
    else:
        yield f"Fitted on {told['wanted']} wanted and {told['unwanted']} unwanted copies. Nothing is changed."
    if told["decided"]:
        yield f"{told['decided']} more are no part of it: a filter decided about them alone."
    if told["caught"]:
        yield "On senders that the fit had not seen, in force -> fitted (95 % intervals):"
        yield f"  unwanted, stopped: {_pair(told['caught'])}"
        yield f"  wanted, stopped:   {_pair(told['lost'])}"
    if told["replay"]:
        replay, labels = told["replay"], told["replay"]["labels"]
        yield (
            f"On past mail: {replay['moved']} of {replay['copies']} copies would go elsewhere; {labels['mended']} of "
            f"{labels['mistakes']} known mistakes mended, {labels['new']} new."
        )
    if told["scores"]:
        rows = [[one["key"], f"{one['now']:g}", f"{one['then']:g}"] for one in told["scores"]]
        yield ""
        yield table(["SETTING", "NOW", "FITTED"], rows, [0, 0, 0])
        prefix = "" if scope == PLATFORM else f"{scope}:"
        words = " ".join(f"--set {prefix}{one['key']}={one['then']:g}" for one in told["scores"])
        yield f"`tamis replay {words}` shows which messages would move."


def _pair(pair: Sequence[Mapping[str, Any]]) -> str:
    return " -> ".join(
        f"{one['stopped']} of {one['copies']} ({100 * one['least']:.1f}-{100 * one['most']:.1f} %)"
        for one in pair
    )
