"""`tamis quarantine export`: held mail as files that every mail program reads."""

from __future__ import annotations

import mailbox
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tamis.cli.context import Context, by_option, json_option
from tamis.cli.parameters import MAILBOX
from tamis.cli.terminal import print_json
from tamis.message.address import PLATFORM
from tamis.quarantine.records import HeldState, Summary

if TYPE_CHECKING:
    from tamis.store import Store

_PAGE = 500


@click.command()
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--mbox", "as_mbox", is_flag=True, help="One mbox file instead of a folder of .eml files.")
@click.option("--scope", type=MAILBOX, default=PLATFORM, help="Only this domain or mailbox.")
@click.option("--search", metavar="TEXT", default="", help="Only with this text in sender, From or subject.")
@by_option
@json_option
@click.pass_obj
def export(
    context: Context, target: Path, as_mbox: bool, scope: str, search: str, by: str, as_json: bool
) -> None:
    """Write held messages to TARGET: ID.eml in a folder, octet for octet as received, or one mbox file.

    TARGET may exist: messages are added, none is overwritten. They stay in quarantine.
    """
    with context.store() as store:
        found = _held(store, scope, search)
        count = _to_mbox(store, found, target) if as_mbox else _to_folder(store, found, target)
        store.trail.note(by, "export", scope, {"messages": count, "to": str(target)})
    if as_json:
        print_json({"messages": count, "target": str(target)})
    else:
        click.echo(f"{count} messages are in {target}.")


def _held(store: Store, scope: str, text: str) -> Iterator[Summary]:
    """All held messages of a scope, newest first, page by page."""
    before: str | None = None
    while page := store.quarantine.list(scope, state=HeldState.HELD, text=text, limit=_PAGE, before=before):
        yield from page
        before = page[-1].id


def _to_folder(store: Store, found: Iterator[Summary], folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    count = 0
    for one in found:
        content = store.quarantine.content(one.id)
        if content is None:  # released or deleted meanwhile
            continue
        try:
            made = os.open(folder / f"{one.id}.eml", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            continue
        with os.fdopen(made, "wb") as file:
            file.write(content)
        count += 1
    return count


def _to_mbox(store: Store, found: Iterator[Summary], path: Path) -> int:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    count = 0
    with closing(mailbox.mbox(path, create=False)) as box:
        box.lock()
        for one in found:
            content = store.quarantine.content(one.id)
            if content is not None:
                box.add(content)
                count += 1
    return count
