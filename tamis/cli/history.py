"""`tamis history`: what came of messages, and why."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import click

from tamis.base.errors import nearest_name
from tamis.cli.context import Context, fail, json_option
from tamis.cli.parameters import MAILBOX, PAST
from tamis.cli.terminal import print_json, printable, table
from tamis.contract.finding import Status
from tamis.database.history import KeptStory
from tamis.database.history_search import Wanted
from tamis.judging.other_verdict import OtherVerdict
from tamis.judging.site import policy_book
from tamis.judging.story import Told
from tamis.judging.telling import tell
from tamis.judging.verdict import SCORE
from tamis.message.address import PLATFORM
from tamis.message.envelope import parse_ip

if TYPE_CHECKING:
    from tamis.remote.remote import Remote


@click.group()
def history() -> None:
    """What happened to every message, and why: findings and verdicts, never the content."""


@history.command("list")
@click.option("--for", "scope", type=MAILBOX, help="Only for this domain or mailbox.")
@click.option(
    "--sender", default="", help='Only from this envelope sender or domain; "<>" is the null sender.'
)
@click.option("--recipient", default="", help="Only to this address, as the envelope named it.")
@click.option("--subject", default="", help="Only with all these words in the subject, in any order.")
@click.option("--message-id", default="", help="Only with this Message-ID.")
@click.option(
    "--queue-id", default="", help="Only with this queue id, or with a copy that we sent back under it."
)
@click.option("--client", "client_ip", default="", metavar="IP", help="Only from this client.")
@click.option("--since", type=PAST, help="Only since then: a span like 7d, or a date.")
@click.option("--verdict", type=click.Choice(["ham", "spam", "defer"]), help="Only these.")
@click.option(
    "--decided-by", default="", metavar="FILTER", help='Only those that this filter decided, or "score".'
)
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, help="At most this many [default: 50].")
@json_option
@click.pass_obj
def list_(
    context: Context,
    scope: str | None,
    sender: str,
    recipient: str,
    subject: str,
    message_id: str,
    queue_id: str,
    client_ip: str,
    since: datetime | None,
    verdict: str | None,
    decided_by: str,
    limit: int,
    as_json: bool,
) -> None:
    """List messages, newest first."""
    known = [] if context.remote else [*(one.name for one in context.filters), SCORE]
    if decided_by and known and decided_by not in known:
        near = nearest_name(decided_by, known)
        hint = f"; did you mean {near!r}?" if near else ""
        raise click.BadParameter(f"there is no filter {decided_by!r}{hint}", param_hint="--decided-by")
    client = parse_ip(client_ip)
    if client_ip and client is None:
        raise click.BadParameter(f"{client_ip!r} is no IP address", param_hint="--client")
    wanted = Wanted(
        scope=narrow(scope),
        sender=sender.strip(),
        recipient=recipient.strip().lower(),  # as Postfix resolves it
        subject=subject,
        message_id=message_id.strip(),
        queue_id=queue_id.strip(),
        client_ip=str(client or ""),
        since=since,
        decision=verdict or "",
        decided_by=decided_by,
    )
    if context.remote:
        kept = context.remote.messages(wanted, limit)
    else:
        with context.store() as store:
            kept = store.history.find(wanted, limit)
    if as_json:
        print_json([one.to_dict(findings=False) for one in kept])
        return
    if not kept:
        click.echo("No message that fits. What passes through is here about two seconds later.")
        return
    rows = [
        [
            str(one.id),
            one.story.at.strftime("%Y-%m-%d %H:%M:%S"),
            one.story.sender or "<>",
            who,
            f"inbox (observed: {told.outcome})" if told.observed else told.outcome,
            told.decided_by or "-",
            f"{told.score:.1f}",
            one.story.subject,
        ]
        for one in kept
        for who, told in one.story.recipients
    ]
    heads = ["ID", "AT (UTC)", "FROM", "TO", "WENT TO", "BY", "SCORE", "SUBJECT"]
    click.echo(table(heads, rows, [0, 0, 2, 2, 0, 0, 0, 2]))


@history.command()
@click.argument("message", metavar="ID|QUEUE-ID|MESSAGE-ID")
@click.option(
    "--all", "whole", is_flag=True, help="A line for every filter, including those that saw nothing."
)
@json_option
@click.pass_obj
def show(context: Context, message: str, whole: bool, as_json: bool) -> None:
    """Show one message's history, by its id in `history list`, by what X-Spam-Id says, by its Message-ID or by
    Postfix's queue id. A copy that was tagged, filed into Junk or released has a second one, which is known as well.

    Each recipient's verdict is shown with what would have changed it: single changes to the policy now in force,
    each of them tried on the recorded findings.
    """
    told = _there(context.remote, message) if context.remote else _here(context, message)
    if not told:
        fail(f"{message} is not in the history; `tamis history list` shows what is", os.EX_NOINPUT)
    if as_json:
        print_json([_plain(one, copies) for one, copies in told])
    else:
        click.echo("\n\n".join("\n".join(_story(one, copies, whole=whole)) for one, copies in told))


_Copies = Sequence[tuple[str, Told, Mapping[str, Any]]]
"""Recipients of a message, with what came of it, and what the policy in force makes of it (`CopyTold.to_dict`)."""


def _here(context: Context, message: str) -> list[tuple[KeptStory, _Copies]]:
    with context.store() as store:
        kept = store.history.show(message)
        overrides = [one.override for one in store.overrides.list()]
    book = policy_book(context.file, context.filters, overrides, context.directory)
    own = context.file.settings.platform.domains
    return [
        (one, [(copy.recipient, copy.told, copy.to_dict()) for copy in tell(one.story, book, own)])
        for one in kept
    ]


def _there(remote: Remote, message: str) -> list[tuple[KeptStory, _Copies]]:
    found: list[tuple[KeptStory, _Copies]] = []
    for plain in remote.stories(message):
        one = KeptStory.from_dict(plain)
        now = [told["now"] for told in plain["recipients"]]
        found.append((one, [(*came, then) for came, then in zip(one.story.recipients, now, strict=True)]))
    return found


def narrow(scope: str | None) -> str:
    """The domain or mailbox to look for, "" for all."""
    return "" if scope in (None, PLATFORM) else scope or ""


def _plain(one: KeptStory, copies: _Copies) -> dict[str, Any]:
    plain = one.to_dict(findings=True)
    for told, (_, _, now) in zip(plain["recipients"], copies, strict=False):
        told["now"] = now
    return plain


def _story(one: KeptStory, copies: _Copies, *, whole: bool) -> Iterator[str]:
    story = one.story
    fields = {
        "id": str(one.id),
        "received": story.at.strftime("%Y-%m-%d %H:%M:%S UTC"),
        "queue id": story.queue_id,
        "tamis id": story.transaction,
        "sender": story.sender or "<>",
        "from": story.header_from,
        "subject": story.subject,
        "client": f"{story.client_ip} (HELO {story.helo})",
        "login": story.login,
        "message-id": story.message_id,
        "size": f"{story.size} octets",
        "host": story.host,
    }
    yield from (f"{name + ':':<12}{printable(value)}" for name, value in fields.items() if value)
    for copy in one.copies:
        yield printable(
            f"  sent back as {copy.queue_id}, {copy.at.strftime('%Y-%m-%d %H:%M:%S UTC')}, for {copy.recipient}"
        )
    for recipient, told, now in copies:
        yield from _copy(recipient, told, now)
    if more := len(story.recipients) - len(copies):
        yield f"  and {more} more recipients"
    if other := OtherVerdict.from_text(story.other):
        yield printable(f"  {other.by} before us: {other.told()}")
    yield "what the filters saw:"
    shown = [f for f in story.findings if whole or f.status is not Status.CLEAR]
    width = max((len(f.filter) for f in shown), default=0)
    for finding in shown:
        took = f"{finding.seconds * 1000:8.1f} ms"
        yield printable(f"    {finding.filter:<{width}}  {finding.status:<11} {took}  {finding.text()}")
    if clear := [f.filter for f in story.findings if f not in shown]:
        yield from wrap(f"clear: {', '.join(clear)}", 100, initial_indent=" " * 4, subsequent_indent=" " * 11)


def _copy(recipient: str, told: Told, now: Mapping[str, Any]) -> Iterator[str]:
    yield printable(
        f"  {recipient}: {told.decision} -> {told.outcome}, score {told.score:.1f} of {told.required:.1f}"
    )
    if told.observed:
        yield "    observed only: the message was delivered untouched"
    if told.decided_by:
        yield printable(f"    decided by {told.decided_by}: {told.because}")
    if told.spoke:
        yield printable(f"    had a say: {told.spoke.replace(',', ', ')}")
    if (now["decision"], now["outcome"]) != (told.decision, told.outcome):
        yield f"    under the policy in force now: {now['decision']} -> {now['outcome']}"
    if now["otherwise_with"]:
        yield printable(f"    otherwise with: {' or '.join(now['otherwise_with'])}")
