"""`tamis quarantine`: list, show, release, delete and expire held mail."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime

import click

from tamis.address import PLATFORM
from tamis.cli.context import Context, by_option, fail, json_option
from tamis.cli.parameters import SCOPE
from tamis.cli.terminal import print_json, printable, table
from tamis.errors import ReinjectError
from tamis.milter.reinject import Reinjector
from tamis.quarantine.content import redelivery
from tamis.quarantine.records import Done, Record, State, Summary

_EVERY = "all"


@click.group()
def quarantine() -> None:
    """Mail that is held back: look, release, delete."""


@quarantine.command("list")
@click.option("--mailbox", type=SCOPE, help="Only this mailbox.")
@click.option("--domain", type=SCOPE, help="Only this domain.")
@click.option(
    "--state",
    type=click.Choice([*map(str, State), _EVERY]),
    default=str(State.HELD),
    show_default=True,
    help="Only messages in this state.",
)
@click.option("--search", metavar="TEXT", default="", help="Only with this in sender, From or subject.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@click.option("--before", metavar="ID", help="Go on after this id, the last one of the page before.")
@json_option
@click.pass_obj
def list_(
    context: Context,
    mailbox: str | None,
    domain: str | None,
    state: str,
    search: str,
    limit: int,
    before: str | None,
    as_json: bool,
) -> None:
    """List held messages, newest first."""
    if mailbox and domain:
        raise click.UsageError("--mailbox and --domain can't go together")
    wanted = None if state == _EVERY else State(state)
    found = context.store.quarantine.list(
        mailbox or domain or PLATFORM, state=wanted, text=search, limit=limit, before=before
    )
    if as_json:
        print_json([one.to_dict() for one in found])
        return
    if not found:
        click.echo("Nothing there.")
        return
    click.echo(_listing(found, states=wanted is None))
    if len(found) == limit:
        click.echo(f"More with --before {found[-1].id}", err=True)


def _listing(found: tuple[Summary, ...], *, states: bool) -> str:
    rows = [
        [
            one.id,
            one.received_at.strftime("%m-%d %H:%M"),
            *([str(one.state)] if states else []),
            one.recipient,
            one.sender or "<>",
            one.subject,
        ]
        for one in found
    ]
    heads = ["ID", "RECEIVED", *(["STATE"] if states else []), "RECIPIENT", "SENDER", "SUBJECT"]
    return table(heads, rows, [0, 0, *([0] if states else []), 3, 3, 4])


@quarantine.command()
@click.argument("message", metavar="ID")
@click.option("--raw", is_flag=True, help="Print the message itself, octet for octet.")
@json_option
@click.pass_obj
def show(context: Context, message: str, raw: bool, as_json: bool) -> None:
    """Show one message: why it is held, or with --raw the message itself."""
    record = context.store.quarantine.get(message)
    if record is None:
        raise _unknown(message)
    if raw:
        content = context.store.quarantine.content(message)
        if content is None:
            fail(f"{message} is {record.summary.state}: its content is gone", os.EX_NOINPUT)
        _print_raw(content)
    elif as_json:
        print_json(record.to_dict())
    else:
        click.echo("\n".join(_shown(record)))


def _print_raw(content: bytes) -> None:
    """Octet for octet into a file or a pipe; on a terminal nothing may reach it as a command."""
    if sys.stdout.isatty():
        for line in content.decode("utf-8", "replace").splitlines():
            click.echo(printable(line))
    else:
        click.get_binary_stream("stdout").write(content)


def _shown(record: Record) -> list[str]:
    one = record.summary
    fields = {
        "id": one.id,
        "state": one.state
        + (f" by {one.released_by} at {_time(one.released_at)}" if one.released_at else ""),
        "recipient": one.recipient,
        "sender": one.sender or "<>",
        "from": one.header_from,
        "subject": one.subject,
        "message-id": one.message_id,
        "client": f"{one.client_ip} (HELO {one.helo})",
        "size": f"{one.size} octets",
        "received": _time(one.received_at),
        "expires": _time(one.expires_at),
        "score": f"{one.score:.1f} of {one.required:.1f}",
        "decided by": one.decided_by,
        "because": one.because,
    }
    lines = [f"{name + ':':<12}{printable(value)}" for name, value in fields.items()]
    hits = [f for f in record.findings if f.get("status") == "hit"]
    return lines + [f"{'hit:':<12}{printable(str(f.get('filter')))}" for f in hits]


def _time(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC") if moment else ""


@quarantine.command()
@click.argument("messages", metavar="ID...", nargs=-1, required=True)
@by_option
@json_option
@click.pass_obj
def release(context: Context, messages: tuple[str, ...], by: str, as_json: bool) -> None:
    """Deliver held messages to their recipients' inboxes."""
    settings = context.file.settings
    deliver = redelivery(Reinjector(settings.desk.reinject).send, settings.headers.prefix)
    store = context.store.quarantine
    _each(messages, lambda one: store.release(one, by, deliver), "released", as_json=as_json)


@quarantine.command()
@click.argument("messages", metavar="ID...", nargs=-1, required=True)
@by_option
@json_option
@click.pass_obj
def delete(context: Context, messages: tuple[str, ...], by: str, as_json: bool) -> None:
    """Delete held messages for good."""
    store = context.store.quarantine
    _each(messages, lambda one: store.delete(one, by), "deleted", as_json=as_json)


_STATUS = {Done.BUSY: os.EX_UNAVAILABLE, Done.GONE: os.EX_NOINPUT, Done.UNKNOWN: os.EX_NOINPUT}
_WORDS = {
    Done.BUSY: "is being released at this moment",
    Done.GONE: "is gone: it was released or deleted, or it expired",
    Done.UNKNOWN: "is no message in quarantine; `tamis quarantine list` shows their ids",
}


def _each(messages: tuple[str, ...], what: Callable[[str], Done], past: str, *, as_json: bool) -> None:
    """Do it to every message, say what came of each, and end with the first failure's status."""
    results, status = [], 0
    shown = len(messages) > 1 and sys.stderr.isatty()
    with click.progressbar(messages, file=sys.stderr, label=past, hidden=not shown) as todo:
        for one in todo:
            try:
                done = what(one)
            except ReinjectError as error:
                results.append({"id": one, "result": "failed", "error": str(error)})
                status = status or os.EX_UNAVAILABLE
            else:
                results.append({"id": one, "result": str(done), "error": _WORDS.get(done, "")})
                status = status or _STATUS.get(done, 0)
    if as_json:
        print_json(results)
    else:
        for one_result in results:
            name, error = printable(one_result["id"]), printable(one_result["error"])
            again = " (before)" if one_result["result"] == Done.ALREADY else ""
            click.echo(f"{name} {error or past + again}", err=bool(error))
    if status:
        click.get_current_context().exit(status)


@quarantine.command()
@click.option("--now", "at_once", is_flag=True, help="Do it now instead of waiting for the daemon.")
@json_option
@click.pass_obj
def expire(context: Context, at_once: bool, as_json: bool) -> None:
    """Say how many messages are over their time; with --now, clean them up."""
    store, now = context.store.expiry, datetime.now(UTC)
    due = store.due(now)
    if not at_once:
        if as_json:
            print_json({"due": due, "cleaned": 0})
        else:
            every = context.file.settings.store.expire_every
            click.echo(f"{due} over their time; the daemon looks every {every:g} s, --now does it at once.")
        return
    cleaned = 0
    with click.progressbar(
        length=due, file=sys.stderr, label="expire", hidden=not sys.stderr.isatty()
    ) as bar:
        while done := store.run(now):
            cleaned += done
            bar.update(done)
    if as_json:
        print_json({"due": due, "cleaned": cleaned})
    else:
        click.echo(f"{due} messages were over their time; {cleaned} rows cleaned up.")


def _unknown(message: str) -> Failure:
    return Failure(f"{message} {_WORDS[Done.UNKNOWN]}", os.EX_NOINPUT)
