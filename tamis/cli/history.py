"""`tamis history`: what came of messages, and why."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime

import click

from tamis.address import PLATFORM
from tamis.cli.context import Context, fail, json_option
from tamis.cli.parameters import PAST, SCOPE
from tamis.cli.terminal import print_json, printable, table
from tamis.quarantine.history import Kept, Wanted


@click.group()
def history() -> None:
    """What came of every message, and why: findings and verdicts, never the content."""


@history.command("list")
@click.option("--for", "scope", type=SCOPE, help="Only for this domain or mailbox.")
@click.option("--sender", default="", help="Only from this envelope sender, or this domain.")
@click.option("--since", type=PAST, help="Only from then on: a span like 7d, or a date.")
@click.option("--verdict", type=click.Choice(["ham", "spam", "defer"]), help="Only these.")
@click.option("--decided-by", default="", metavar="FILTER", help='Only what this filter decided, or "score".')
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, help="At most so many [default: 50].")
@json_option
@click.pass_obj
def list_(
    context: Context,
    scope: str | None,
    sender: str,
    since: datetime | None,
    verdict: str | None,
    decided_by: str,
    limit: int,
    as_json: bool,
) -> None:
    """List messages, the newest first."""
    wanted = Wanted(narrow(scope), sender, since, verdict or "", decided_by)
    with context.store() as store:
        kept = store.history.find(wanted, limit)
    if as_json:
        print_json([one.to_dict(findings=False) for one in kept])
        return
    rows = [
        [
            str(one.id),
            one.story.at.strftime("%Y-%m-%d %H:%M:%S"),
            one.story.sender or "<>",
            who,
            told.outcome,
            told.decided_by,
            f"{told.score:.1f}",
        ]
        for one in kept
        for who, told in one.story.recipients
    ]
    click.echo(table(["ID", "AT (UTC)", "FROM", "TO", "WENT TO", "BY", "SCORE"], rows, [0, 0, 2, 2, 0, 1, 0]))


@history.command()
@click.argument("message", metavar="ID|QUEUE-ID")
@json_option
@click.pass_obj
def show(context: Context, message: str, as_json: bool) -> None:
    """Tell one message's story: MESSAGE is a number of `history list` or Postfix's queue id."""
    with context.store() as store:
        kept = store.history.show(message)
    if not kept:
        fail(f"{message} is not in the history; `tamis history list` shows what is", os.EX_NOINPUT)
    if as_json:
        print_json([one.to_dict(findings=True) for one in kept])
    else:
        click.echo("\n\n".join("\n".join(_story(one)) for one in kept))


def narrow(scope: str | None) -> str:
    """The domain or mailbox to look for, "" for all."""
    return "" if scope in (None, PLATFORM) else scope or ""


def _story(one: Kept) -> Iterator[str]:
    story = one.story
    fields = {
        "id": str(one.id),
        "received": story.at.strftime("%Y-%m-%d %H:%M:%S UTC"),
        "queue id": story.queue_id,
        "sender": story.sender or "<>",
        "client": f"{story.client_ip} (HELO {story.helo})",
        "login": story.login,
        "message-id": story.message_id,
        "size": f"{story.size} octets",
    }
    yield from (f"{name + ':':<12}{printable(value)}" for name, value in fields.items() if value)
    for who, told in story.recipients:
        by = f" ({told.decided_by}: {told.because})" if told.decided_by else ""
        yield printable(
            f"  {who}: {told.decision} -> {told.outcome}{by}, score {told.score:.1f} of {told.required:.1f}"
        )
        if told.spoke:
            yield printable(f"    {told.spoke.replace(',', ', ')}")
    for finding in story.findings:
        took = f"{finding.seconds * 1000:8.2f} ms"
        yield printable(f"    {finding.filter:<20} {finding.status:<11} {took}  {finding.text()}")
