"""What `tamis fingerprint` does with messages (S8b): marks of their content with its origin."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import click

from tamis.base.errors import ServiceError
from tamis.cli.blocked import on_state
from tamis.cli.context import AT_ONCE, Context, fail
from tamis.cli.messages import read_messages
from tamis.cli.terminal import print_json, printable, table
from tamis.database.marks import Fingerprint, Mark, MarkKind
from tamis.database.scope import parse_scope
from tamis.handover.marking import marks_of, publish, read_before
from tamis.handover.origin import origin_of
from tamis.message.envelope import parse_ip
from tamis.message.mail import Mail
from tamis.store import Store


def add(
    context: Context,
    sources: Iterable[str],
    *,
    scope: str,
    expires: datetime | None,
    origin: str,
    by: str,
    as_json: bool,
) -> None:
    """Mark messages as spam; their files count for the learned base."""
    days = context.file.settings.learning.mark_days
    marks = _marks(context, sources, scope=scope, origin=origin, by=by, spam=True)
    with context.store() as store:
        about = store.marks.note(marks, expires=expires or datetime.now(UTC) + timedelta(days=days))
        _publish(context, store, about)
    found = [fingerprint for kind, fingerprint in about if kind is MarkKind.MESSAGE]
    if as_json:
        print_json({"fingerprints": found})
    else:
        click.echo(f"{len(found)} marked. {AT_ONCE}")


def remove(
    context: Context, sources: Iterable[str], *, scope: str, origin: str, by: str, as_json: bool
) -> None:
    """End the marks of messages in a scope and the scopes within."""
    marks = _marks(context, sources, scope=scope, origin=origin, by=by, spam=False)
    with context.store() as store:
        known = store.marks.contents_meant(marks)
        if not known:
            fail(f"none of these messages is marked for {scope}", os.EX_NOINPUT)
        expires = datetime.now(UTC) + timedelta(days=context.file.settings.learning.mark_days)
        _publish(context, store, store.marks.note(marks, expires=expires))
    contents = {one for one in known if one[0] is MarkKind.MESSAGE} or known  # these are alike, then
    if as_json:
        print_json({"removed": sorted(fingerprint for _, fingerprint in contents)})
    else:
        click.echo(f"{len(contents)} no longer marked. {AT_ONCE}")


def show(context: Context, kind: MarkKind, *, scope: str | None, as_json: bool) -> None:
    """Show what is marked: how often, in how many messages, and how often as ham."""
    with context.store() as store:
        found = [one for one in store.marks.find(kind, scope=scope) if one.marks or one.ham]
    if as_json:
        print_json([asdict(one) | {"expires": one.expires.isoformat()} for one in found])
    elif not found:
        click.echo(f"No {kind}s are marked.")
    else:
        heads = ["FINGERPRINT", "SCOPE", "MARKS", "MESSAGES", "HAM", "UNTIL"]
        rows = [
            [
                o.fingerprint,
                o.scope,
                str(o.marks),
                str(o.messages),
                str(o.ham),
                o.expires.strftime("%Y-%m-%d"),
            ]
            for o in found
        ]
        click.echo(table(heads, rows, [0, 2, 0, 0, 0, 0]))


def _marks(
    context: Context, sources: Iterable[str], *, scope: str, origin: str, by: str, spam: bool
) -> list[Mark]:
    """The words on all messages. A message whose origin nobody knows is refused, before anything is done."""
    settings = context.file.settings
    if origin and parse_ip(origin) is None:
        raise click.BadParameter(f"{origin!r} is not an IP address", param_hint="--ip")
    limit = settings.milter.max_examined
    marks: list[Mark] = []
    for name, octets in (found for source in sources for found in read_messages(source)):
        mail = Mail(octets[:limit], complete=len(octets) <= limit, size=len(octets))
        if origin_of(mail, settings, told=origin) is None:
            fail(f"{printable(name)}: its header does not tell where it came from; say --ip", os.EX_DATAERR)
        read = read_before(mail, settings)
        marks += marks_of(
            mail, read, settings, scope=parse_scope(scope), reporter=by, spam=spam, origin=origin
        )
    return marks


def _publish(context: Context, store: Store, about: Iterable[Fingerprint]) -> None:
    learned_from = context.file.settings.learning.learned_from
    try:
        on_state(context, lambda state: publish(about, store, state, learned_from))
    except ServiceError as error:
        click.echo(f"tamis: in force later, the shared state is lost: {error}", err=True)
