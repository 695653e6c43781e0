"""`tamis fingerprint`: the operator's base of bad attachments and images, and messages marked by hand."""

from __future__ import annotations

import hashlib
import os
from datetime import datetime
from pathlib import Path

import click

from tamis.base.errors import ConfigError
from tamis.cli import marked_messages
from tamis.cli.context import AT_ONCE, Context, by_option, fail, json_option
from tamis.cli.parameters import MOMENT, OWN_SCOPE, SCOPE
from tamis.cli.terminal import print_json, printable, table
from tamis.contract.lists import FINGERPRINTS, Colour, ListEntry, Subject, normalise_pattern
from tamis.database.list_entries import NewEntry
from tamis.database.marks import MarkKind
from tamis.message.address import PLATFORM

MESSAGE = str(MarkKind.MESSAGE)
_KIND = click.Choice([*map(str, FINGERPRINTS), MESSAGE])
_scope = click.option(
    "--scope", type=OWN_SCOPE, default=PLATFORM, show_default=True, help='"platform", a domain or a mailbox.'
)

_origin = click.option("--ip", default="", help="A message's client, if its header does not name it.")


@click.group()
def fingerprint() -> None:
    """Known bad attachments (S26) and images (S22), and messages marked by hand (S8b).

    Fingerprints of files are list entries: `tamis lists` shows them too, and can add white ones. That of a
    message is its content together with the client it came from; readers' marks are listed with the operator's."""


@fingerprint.command()
@click.argument("kind", type=_KIND)
@click.argument("sources", metavar="FILE|HASH...", nargs=-1, required=True)
@_scope
@click.option("--note", default="", help="Note; by default the file's name.")
@click.option(
    "--expires",
    type=MOMENT,
    help="30min, 12h, 30d, 2w, 1y or a date (UTC) [default: never; for messages learning.mark_days].",
)
@_origin
@by_option
@json_option
@click.pass_obj
def add(
    context: Context,
    kind: str,
    sources: tuple[str, ...],
    scope: str,
    note: str,
    expires: datetime | None,
    ip: str,
    by: str,
    as_json: bool,
) -> None:
    """Add files, or hashes of them. For an image both its exact and its perceptual fingerprint are added.

    For a message (a file, folder, mbox or "-"), its content with its origin: the same from there, or nearly the same,
    is spam (S8b).
    """
    if kind == MESSAGE:
        marked_messages.add(context, sources, scope=scope, expires=expires, origin=ip, by=by, as_json=as_json)
        return
    entries = [
        NewEntry(
            colour=Colour.BLACK,
            subject=Subject(kind),
            pattern=pattern,
            scope=scope,
            author=by,
            note=note or name,
            expires=expires,
        )
        for source in sources
        for pattern, name in _patterns(Subject(kind), source)
    ]
    with context.store() as store:
        added = store.lists.add(entries)
    if as_json:
        print_json(
            {"new": added.new, "merged": added.merged, "fingerprints": [entry.pattern for entry in entries]}
        )
    else:
        click.echo(f"{added.new} added, {added.merged} brought up to date. {AT_ONCE}")


@fingerprint.command()
@click.argument("kind", type=_KIND)
@click.argument("sources", metavar="FILE|HASH...", nargs=-1, required=True)
@_scope
@_origin
@by_option
@json_option
@click.pass_obj
def remove(
    context: Context, kind: str, sources: tuple[str, ...], scope: str, ip: str, by: str, as_json: bool
) -> None:
    """Remove files, or hashes of them; all of them or none. For messages, all marks in the scope are removed."""
    if kind == MESSAGE:
        marked_messages.remove(context, sources, scope=scope, origin=ip, by=by, as_json=as_json)
        return
    ids: dict[int, ListEntry] = {}
    with context.store() as store:
        for source in sources:
            found = [
                entry
                for pattern, _ in _patterns(Subject(kind), source)
                for entry in store.lists.find(
                    scope=scope, colour=Colour.BLACK, subject=Subject(kind), pattern=pattern
                )
            ]
            if not found:
                fail(f"{source} is not on the base of {scope}", os.EX_NOINPUT)
            ids.update((entry.id, entry) for entry in found)
        removed = store.lists.remove(list(ids), by=by)
    if as_json:
        print_json({"removed": [entry.pattern for entry in removed]})
    else:
        click.echo(f"{len(removed)} removed. {AT_ONCE}")


@fingerprint.command()
@click.argument("kind", type=_KIND)
@click.option("--scope", type=SCOPE, help="Only of this scope.")
@click.option("--marked", is_flag=True, help="What was marked by hand, whether listed yet or not.")
@json_option
@click.pass_obj
def show(context: Context, kind: str, scope: str | None, marked: bool, as_json: bool) -> None:
    """Show fingerprints, and how many messages each decided; for messages, their marks."""
    if marked or kind == MESSAGE:
        marked_messages.show(context, MarkKind(kind), scope=scope, as_json=as_json)
        return
    with context.store() as store:
        found = store.lists.find(scope=scope, colour=Colour.BLACK, subject=Subject(kind))
    if as_json:
        names = ("id", "scope", "pattern", "hits", "origin", "author", "note", "created", "expires")
        print_json(
            [
                {n: v.isoformat() if isinstance(v := getattr(e, n), datetime) else v for n in names}
                for e in found
            ]
        )
    elif not found:
        click.echo("No fingerprints.")
    else:
        heads = ["ID", "SCOPE", "FINGERPRINT", "HITS", "ORIGIN", "NOTE"]
        rows = [[str(e.id), e.scope, e.pattern, str(e.hits), e.origin, e.note] for e in found]
        click.echo(table(heads, rows, [0, 2, 0, 0, 0, 2]))


def _patterns(kind: Subject, source: str) -> list[tuple[str, str]]:
    """The fingerprints that a file or a hash stands for, each with a note."""
    path = Path(source)
    if not path.is_file():
        try:
            return [(normalise_pattern(kind, source), "")]
        except ConfigError as error:
            problem = f"{printable(source)!r} is neither a file nor a hash: {error.problem}"
            raise click.BadParameter(problem, param_hint="FILE|HASH") from error
    octets = path.read_bytes()
    patterns = [hashlib.sha256(octets).hexdigest()]
    if kind is Subject.IMAGE:
        from tamis.services.files.images import fingerprint_of  # noqa: PLC0415 # Pillow is slow to load

        perceptual = fingerprint_of(octets)
        patterns += [perceptual] if perceptual else []
    return [(pattern, path.name) for pattern in patterns]
