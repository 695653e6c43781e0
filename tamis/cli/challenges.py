"""`tamis challenges`: which senders of held mail were asked, and why others were not."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import click

from tamis.base.tokens import Tokens
from tamis.challenge.challenge_records import OPEN, Challenge, ChallengeState
from tamis.challenge.links import challenge_link
from tamis.cli.context import Context, fail, json_option
from tamis.cli.parameters import PAST, SCOPE
from tamis.cli.terminal import print_json, printable, table
from tamis.installation.signing_key import signing_key
from tamis.judging.suppression import SENTENCES, NotAsked


@click.group()
def challenges() -> None:
    """Challenges to senders of held mail, and why others got none."""


@challenges.command("list")
@click.option("--state", type=click.Choice([*map(str, ChallengeState)]), help="Only in this state.")
@click.option(
    "--reason", type=click.Choice([*map(str, NotAsked)]), help="Only those suppressed for this reason."
)
@click.option("--domain", type=SCOPE, help="Only for recipients of this domain.")
@click.option("--sender", metavar="ADDRESS", help="Only for this envelope sender.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@click.option("--before", metavar="ID", help="Continue after this id, the last one of the previous page.")
@json_option
@click.pass_obj
def list_(
    context: Context,
    state: str | None,
    reason: str | None,
    domain: str | None,
    sender: str | None,
    limit: int,
    before: str | None,
    as_json: bool,
) -> None:
    """List challenges, newest first."""
    wanted = ChallengeState(state) if state else None
    if context.remote:
        found = context.remote.challenges(
            state=wanted, reason=reason, domain=domain, sender=sender, limit=limit, before=before
        )
    else:
        with context.store() as store:
            found = store.challenges.list(
                state=wanted, reason=reason, domain=domain, sender=sender, limit=limit, before=before
            )
    if as_json:
        print_json([one.to_dict() for one in found])
    elif not found:
        click.echo("Nothing there.")
    else:
        rows = [
            [one.id, one.at.strftime("%m-%d %H:%M"), one.state, one.domain, one.sender or "<>", one.reason]
            for one in found
        ]
        click.echo(table(["ID", "AT (UTC)", "STATE", "FOR", "SENDER", "REASON"], rows, [0, 0, 0, 2, 3, 0]))
        if len(found) == limit:
            click.echo(f"More with --before {found[-1].id}", err=True)


@challenges.command()
@click.argument("challenge", metavar="ID")
@json_option
@click.pass_obj
def show(context: Context, challenge: str, as_json: bool) -> None:
    """Show one challenge: its messages, state and reason, and the link its sender was given (not with --url)."""
    if context.remote:
        one, messages = context.remote.challenge(challenge)
    else:
        with context.store() as store:
            one = store.challenges.get(challenge)
            messages = list(store.challenges.messages(challenge))
    if one is None:
        fail(f"{challenge} is not a challenge; `tamis challenges list` shows their ids", os.EX_NOINPUT)
    link = "" if context.remote else _link(context, one)
    if as_json:
        print_json({**one.to_dict(), "why": why(one.reason), "messages": messages, "link": link})
        return
    fields = {
        "id": one.id,
        "state": one.state,
        "why": why(one.reason),
        "asked by": one.transport,
        "sender": (one.sender or "<>") + ("" if one.authenticated else " (not authenticated)"),
        "for": one.domain,
        "messages": ", ".join(messages),
        "decided": _time(one.at),
        "mailed": _time(one.sent_at),
        "wrong": str(one.attempts or ""),
        "solved": _time(one.solved_at) + (", and whitelisted" if one.whitelisted else ""),
        "proof": one.proof,
        "until": _time(one.expires_at),
        "link": link,
    }
    for name, value in fields.items():
        if value:
            click.echo(f"{name + ':':<10}{printable(value)}")


def _link(context: Context, one: Challenge) -> str:
    settings = context.file.settings
    if one.state not in OPEN or not settings.key_file.exists():
        return ""
    return challenge_link(settings, Tokens(signing_key(settings.key_file)), one.id, one.expires_at)


@challenges.command()
@click.option("--since", type=PAST, help="Only since then: a span like 7d, or a date [default: 7d].")
@json_option
@click.pass_obj
def count(context: Context, since: datetime | None, as_json: bool) -> None:
    """Count challenges by result and reason."""
    since = since or datetime.now(UTC) - timedelta(days=7)
    with context.store() as store:
        counts = store.challenges.counts(since)
    if as_json:
        keys = ("state", "transport", "reason", "count")
        print_json([dict(zip(keys, row, strict=True)) for row in counts])
    elif not counts:
        click.echo("None.")
    else:
        rows = [[str(number), state, by, why(reason)] for state, by, reason, number in counts]
        click.echo(table(["COUNT", "STATE", "BY", "WHY"], rows, [0, 0, 0, 1]))


def why(reason: str) -> str:
    """A reason's sentence; "" for none."""
    return SENTENCES[NotAsked(reason)] if reason in set(NotAsked) else reason


def _time(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC") if moment else ""
