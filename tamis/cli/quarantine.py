"""`tamis quarantine`: list, show, release, delete and expire held mail."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from tamis.base.errors import ReinjectError
from tamis.cli.context import Context, by_option, fail, json_option
from tamis.cli.export import export
from tamis.cli.parameters import MAILBOX
from tamis.cli.terminal import print_json, printable, table
from tamis.desk.release import delivery
from tamis.message.address import PLATFORM
from tamis.models.reports import Label, Spool
from tamis.quarantine.records import Done, HeldState, Summary

if TYPE_CHECKING:
    from tamis.store import Store

_EVERY = "all"


@click.group()
def quarantine() -> None:
    """Held mail: list, show, release, delete."""


quarantine.add_command(export)


@quarantine.command("list")
@click.option("--mailbox", type=MAILBOX, help="Only this mailbox.")
@click.option("--domain", type=MAILBOX, help="Only this domain.")
@click.option(
    "--state",
    type=click.Choice([*map(str, HeldState), _EVERY]),
    default=str(HeldState.HELD),
    show_default=True,
    help="Only messages in this state.",
)
@click.option("--search", metavar="TEXT", default="", help="Only with this text in sender, From or subject.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@click.option("--before", metavar="ID", help="Continue after this id, the last one of the previous page.")
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
    wanted = None if state == _EVERY else HeldState(state)
    scope = mailbox or domain or PLATFORM
    if context.remote:
        found = context.remote.held(scope, state=wanted, text=search, limit=limit, before=before)
    else:
        with context.store() as store:
            found = store.quarantine.list(scope, state=wanted, text=search, limit=limit, before=before)
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
@click.option("--domains", is_flag=True, help="By domain instead of by mailbox.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=20, show_default=True)
@json_option
@click.pass_obj
def usage(context: Context, domains: bool, limit: int, as_json: bool) -> None:
    """Who holds most: copies and octets, and the quotas."""
    settings = context.file.settings.quarantine
    with context.store() as store:
        largest = store.quotas.largest("domain" if domains else "mailbox", limit)
        everything = store.quotas.all_of_it()
    quota = settings.domain_quota if domains else settings.mailbox_quota
    rows = [(one, quota) for one in largest] + [(everything, settings.quota)]
    if as_json:
        print_json([asdict(one) | {"quota": most} for one, most in rows])
        return
    shown = [
        [one.scope, f"{one.copies:,}", f"{one.octets:,}", f"{most:,}" if most else "-"] for one, most in rows
    ]
    click.echo(table(["SCOPE", "MESSAGES", "OCTETS", "QUOTA"], shown, [1, 0, 0, 0]))


@quarantine.command()
@click.argument("message", metavar="ID")
@click.option("--raw", is_flag=True, help="Print the message itself, octet for octet.")
@json_option
@click.pass_obj
def show(context: Context, message: str, raw: bool, as_json: bool) -> None:
    """Show one message: why it is held, or with --raw the message itself."""
    if context.remote:
        told = context.remote.held_message(message)
        content = context.remote.content(message) if raw and told else None
    else:
        with context.store() as store:
            record = store.quarantine.get(message)
            content = store.quarantine.content(message) if raw else None
        told = record.to_dict() if record else None
    if told is None:
        fail(f"{message} {_WORDS[Done.UNKNOWN]}", os.EX_NOINPUT)
    if raw:
        if content is None:
            fail(f"{message} is {told['state']}: its content is gone", os.EX_NOINPUT)
        _print_raw(content)
    elif as_json:
        print_json(told)
    else:
        click.echo("\n".join(_shown(told)))


def _print_raw(content: bytes) -> None:
    """Octet for octet into a file or a pipe; on a terminal nothing may reach it as a command."""
    if sys.stdout.isatty():
        for line in content.decode("utf-8", "replace").splitlines():
            click.echo(printable(line))
    else:
        sys.stdout.buffer.write(content)


def _shown(told: Mapping[str, Any]) -> list[str]:
    by = f" by {told['released_by']} at {_time(told['released_at'])}" if told["released_at"] else ""
    fields = {
        "id": told["id"],
        "state": told["state"] + by,
        "recipient": told["recipient"],
        "sender": told["sender"] or "<>",
        "from": told["header_from"],
        "subject": told["subject"],
        "message-id": told["message_id"],
        "client": f"{told['client_ip']} (HELO {told['helo']})",
        "size": f"{told['size']} octets",
        "received": _time(told["received_at"]),
        "expires": _time(told["expires_at"]),
        "score": f"{told['score']:.1f} of {told['required']:.1f}",
        "decided by": told["decided_by"],
        "because": told["because"],
    }
    lines = [f"{name + ':':<12}{printable(value)}" for name, value in fields.items()]
    hits = [f for f in told["findings"] if f.get("status") == "hit"]
    return lines + [f"{'hit:':<12}{printable(str(f.get('filter')))}" for f in hits]


def _time(moment: str | None) -> str:
    return datetime.fromisoformat(moment).strftime("%Y-%m-%d %H:%M:%S UTC") if moment else ""


def _taught(
    context: Context, store: Store, label: Label, by: str, what: Callable[[str], Done]
) -> Callable[[str], Done]:
    """`what`, and a report to the statistical filter when it was done."""
    spool = Spool(context.file.settings.spool_directory)

    def do(message: str) -> Done:
        content = store.quarantine.content(message)  # gone afterwards
        done = what(message)
        if done is Done.DONE and content is not None:
            spool.put(label, "quarantine", by, content)
        return done

    return do


def _selecting(command: Callable[..., Any]) -> Callable[..., Any]:
    """Messages by id, or all held ones that meet what is given."""
    options = (
        click.argument("messages", metavar="[ID...]", nargs=-1),
        click.option("--mailbox", type=MAILBOX, help="All that is held for this mailbox."),
        click.option("--domain", type=MAILBOX, help="All that is held for this domain."),
        click.option(
            "--search", metavar="TEXT", default="", help="With this text in sender, From or subject."
        ),
        click.option("--all", "everything", is_flag=True, help="All that is held."),
        click.option("--yes", is_flag=True, help="Don't ask how many are meant."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True)
class _Selection:
    messages: tuple[str, ...]
    mailbox: str | None
    domain: str | None
    search: str
    everything: bool
    yes: bool

    def ids(self, held: Callable[..., tuple[Summary, ...]], doing: str) -> tuple[str, ...]:
        """The ids that are meant; `held` lists held mail. Ends the command where that is nothing, or is not meant."""
        by_scope = self.mailbox or self.domain or self.search or self.everything
        if bool(self.messages) is bool(by_scope) or (self.mailbox and self.domain):
            raise click.UsageError("give ids, or one of --mailbox, --domain, --search and --all")
        if self.messages:
            return self.messages
        found: list[str] = []
        scope = self.mailbox or self.domain or PLATFORM
        while page := held(scope, text=self.search, limit=1000, before=found[-1] if found else None):
            found += [one.id for one in page]
        if not found:
            fail("nothing is held there", os.EX_NOINPUT)
        if not self.yes:
            click.confirm(f"{doing} {len(found)} messages?", abort=True, err=True)
        return tuple(found)


@quarantine.command()
@_selecting
@click.option("--learn", "teach", is_flag=True, help="Teach the statistical filter that they are ham.")
@by_option
@json_option
@click.pass_obj
def release(context: Context, /, teach: bool, by: str, as_json: bool, **selection: Any) -> None:
    """Deliver held messages to their recipients' inboxes: those with these ids, or all that is held for a mailbox or
    domain."""
    chosen = _Selection(**selection)
    if remote := context.remote:
        messages = chosen.ids(remote.held, "Release")
        _tell(
            _each(messages, lambda one: remote.act("deliver", one, learn=teach), "release"),
            "released",
            as_json=as_json,
        )
        return
    deliver = delivery(context.file.settings)
    with context.store() as store:
        messages = chosen.ids(store.quarantine.list, "Release")

        def released(message: str) -> Done:
            return store.quarantine.release(message, by, deliver)

        what = _taught(context, store, "ham", by, released) if teach else released
        results = _each(messages, what, "release")
    _tell(results, "released", as_json=as_json)


@quarantine.command()
@_selecting
@click.option("--learn", "teach", is_flag=True, help="Teach the statistical filter that they are spam.")
@by_option
@json_option
@click.pass_obj
def delete(context: Context, /, teach: bool, by: str, as_json: bool, **selection: Any) -> None:
    """Delete held messages. For ten minutes `restore` brings them back; then they are gone for good."""
    chosen = _Selection(**selection)
    if remote := context.remote:
        messages, act = chosen.ids(remote.held, "Delete"), "spam" if teach else "delete"
        _tell(
            _each(messages, lambda one: remote.act(act, one, learn=teach), "delete"),
            "deleted",
            as_json=as_json,
        )
        return
    with context.store() as store:
        messages = chosen.ids(store.quarantine.list, "Delete")

        def deleted(message: str) -> Done:
            return store.quarantine.delete(message, by, unwanted=teach)

        what = _taught(context, store, "spam", by, deleted) if teach else deleted
        results = _each(messages, what, "delete")
    _tell(results, "deleted", as_json=as_json)


@quarantine.command()
@click.argument("messages", metavar="ID...", nargs=-1, required=True)
@by_option
@json_option
@click.pass_obj
def restore(context: Context, messages: tuple[str, ...], by: str, as_json: bool) -> None:
    """Undo a deletion, within ten minutes of it."""
    if remote := context.remote:
        _tell(_each(messages, lambda one: remote.act("restore", one), "restore"), "restored", as_json=as_json)
        return
    with context.store() as store:
        results = _each(messages, lambda message: store.quarantine.restore(message, by), "restore")
    _tell(results, "restored", as_json=as_json)


@dataclass(frozen=True, slots=True)
class _Result:
    message: str
    result: str
    error: str
    status: int


_STATUS = {Done.BUSY: os.EX_UNAVAILABLE, Done.GONE: os.EX_NOINPUT, Done.UNKNOWN: os.EX_NOINPUT}
_WORDS = {
    Done.BUSY: "is being released at this moment",
    Done.GONE: "is gone: it was released or deleted, or it expired",
    Done.UNKNOWN: "is not a message in quarantine; `tamis quarantine list` shows their ids",
}


def _each(messages: tuple[str, ...], what: Callable[[str], Done], label: str) -> list[_Result]:
    """Do it to every message and note what came of each; a failure of one is none of the others."""
    results = []
    hidden = len(messages) == 1 or not sys.stderr.isatty()
    with click.progressbar(messages, file=sys.stderr, label=label, hidden=hidden) as todo:
        for message in todo:
            try:
                done = what(message)
            except ReinjectError as error:
                results.append(_Result(message, "failed", str(error), os.EX_TEMPFAIL))
            else:
                results.append(_Result(message, str(done), _WORDS.get(done, ""), _STATUS.get(done, 0)))
    return results


def _tell(results: list[_Result], past: str, *, as_json: bool) -> None:
    """Say what came of each message, and end with the first failure's status."""
    if as_json:
        print_json([{"id": one.message, "result": one.result, "error": one.error} for one in results])
    for one in () if as_json else results:
        again = " before" if one.result == Done.ALREADY else ""
        click.echo(printable(f"{one.message} {one.error or past + again}"), err=bool(one.error))
    status = next((one.status for one in results if one.status), 0)
    if status:
        raise click.exceptions.Exit(status)


@quarantine.command()
@click.option("--now", "at_once", is_flag=True, help="Delete them now instead of waiting for the daemon.")
@json_option
@click.pass_obj
def expire(context: Context, at_once: bool, as_json: bool) -> None:
    """Show how many messages have expired; with --now, delete them."""
    now = datetime.now(UTC)
    with context.store() as store:
        due = store.expiry.due(now)
        if at_once:
            hidden = not sys.stderr.isatty()
            with click.progressbar(length=due, file=sys.stderr, label="expire", hidden=hidden) as bar:
                store.expiry.run(now, progress=bar.update)
    if as_json:
        print_json({"due": due, "done": at_once})
    elif at_once:
        click.echo(f"{due} messages were over their time and are cleaned up.")
    else:
        every = context.file.settings.store.expire_every
        click.echo(f"{due} over their time; the daemon looks every {every:g} s, --now does it at once.")
