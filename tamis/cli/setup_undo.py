"""The way back of `tamis setup`: files as they were before, in an order in which nothing bounces."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from tamis.base.errors import ServiceError, TamisError
from tamis.cli.context import fail
from tamis.cli.terminal import printable
from tamis.installation.dovecot_files import SCRIPT
from tamis.installation.file_changes import ChangeRecord, FileChange
from tamis.installation.postfix_changes import PostfixBefore, PostfixFiles
from tamis.settings import Settings

RECORD = "setup.json"
"""Beside the settings file, where only root writes: what it holds is written back as root."""


def take_back(
    file: Path, settings: Settings, agreed: Callable[[], bool], wait: float, *, keep_settings: bool
) -> None:
    """Take back what the record of the settings `file` tells of. Copies that Postfix has queued for Tamis have `wait`
    seconds to be delivered, before the way to the desk goes."""
    record, postfix = ChangeRecord(file.with_name(RECORD)), PostfixFiles(settings)
    paths = [path for path in record.kept if path != file or not keep_settings]
    changes = _changes(record, postfix, paths)
    for path in set(paths) - {one.path for one in changes}:
        click.echo(f"{path} was changed since, and is left as it is")
    if not any(one.is_one for one in changes):
        click.echo("nothing to take back")
        _only_if_drained(postfix, 0)
        return
    show(changes)
    if not agreed():
        click.echo("nothing was changed")
        return
    of_postfix = [one.path for one in changes if one.path.parent == postfix.directory]
    if of_postfix:
        _detach(postfix, record, wait)
        changes = _changes(record, postfix, [one.path for one in changes])
    for one in changes:
        one.make()
    record.forget(one.path for one in changes)
    if of_postfix:
        postfix.reload()
    folder = Path(record.noted.get("dovecot", "/etc/dovecot"))
    if any(folder in one.path.parents for one in changes):
        (folder / SCRIPT).with_suffix(".svbin").unlink(missing_ok=True)
        reload_dovecot()
    click.echo("taken back")


def _changes(record: ChangeRecord, postfix: PostfixFiles, paths: Sequence[Path]) -> list[FileChange]:
    """What takes these files back: whole ones, or where somebody has changed Postfix's since, our lines in them."""
    whole = {path: record.kept[path].undone() for path in paths}
    changes = [one for one in whole.values() if one is not None]
    changed = [path for path, one in whole.items() if one is None and path.parent == postfix.directory]
    if changed:
        before = PostfixBefore.of(record.noted.get("postfix"))
        changes += [one for one in postfix.without_lines(before) if one.path in changed]
    return changes


def _detach(postfix: PostfixFiles, record: ChangeRecord, wait: float) -> None:
    """Postfix hands nothing over any more; what it has already redirected is delivered before its way goes."""
    for one in postfix.detached():
        if one.is_one:
            one.make()
            record.follow(one)
    postfix.reload()
    _only_if_drained(postfix, wait)


def _only_if_drained(postfix: PostfixFiles, wait: float) -> None:
    try:
        waiting = postfix.drained(wait)
    except TamisError as problem:
        click.echo(printable(f"Postfix's queue can't be read: {problem}"))
        return
    if waiting:
        fail(
            f"copies for Tamis wait in Postfix's queue: {' '.join(waiting[:20])}\nwithout it they would bounce; "
            "`postqueue -f` delivers them while Tamis runs, `postsuper -d QUEUE-ID` deletes one",
            os.EX_TEMPFAIL,
        )


def show(changes: Sequence[FileChange]) -> None:
    """Print the differences."""
    for one in changes:
        click.echo("\n".join(printable(line) for line in one.diff().splitlines()))


def said(*command: str) -> str:
    """What a program printed. Raises ServiceError when it failed."""
    try:
        ended = subprocess.run(list(command), capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        raise ServiceError(f"{command[0]}: {error}") from None
    if ended.returncode:
        raise ServiceError(f"{' '.join(command)}: {ended.stderr.strip() or ended.returncode}")
    return ended.stdout


def reload_dovecot() -> None:
    """A Dovecot that does not run reads its files when it starts."""
    try:
        said("doveadm", "reload")
    except ServiceError:
        click.echo("Dovecot does not run: it reads its files when it starts")
