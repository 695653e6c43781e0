"""`tamis knowledge`: the base of knowledge, what it says, and newer ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tamis.cli.context import Context, json_option
from tamis.cli.terminal import print_json, printable
from tamis.knowledge import SHIPPED, KnowledgeBase, compile_base, read_base
from tamis.knowledge.update import checked, differences, install

_RELOAD = "In force after `systemctl reload tamis` (SIGHUP)."


@click.group()
def knowledge() -> None:
    """The base of knowledge (S21b): rules and tables that ship with Tamis."""


def _told(base: KnowledgeBase) -> dict[str, Any]:
    return {
        "version": base.version,
        "date": base.date,
        "where": base.where,
        "shipped": base.where == str(SHIPPED),
        "checksum": base.checksum,
        "rules": sum(1 for _ in base.speaking),
        "parts": len(base.book.rules) - sum(1 for _ in base.speaking),
        "tables": {name: len(entries) for name, entries in sorted(base.book.tables.domains.items())},
        "brands": len(base.book.tables.brands),
        "points": base.fitted,
    }


@knowledge.command()
@json_option
@click.pass_obj
def status(context: Context, as_json: bool) -> None:
    """Show which base is in use, its version, checksum and size."""
    told = _told(compile_base(context.file.knowledge))
    if as_json:
        print_json(told)
        return
    kind = "shipped with Tamis" if told["shipped"] else told["where"]
    tables = ", ".join(f"{name} {number}" for name, number in told["tables"].items() if number)
    for line in (
        f"version   {told['version']} of {told['date']}, {kind}",
        f"checksum  {told['checksum']}",
        f"rules     {told['rules']}, and {told['parts']} parts of rules",
        f"tables    {told['brands']} brands; domains: {tables}",
        f"points    {told['points']}",
    ):
        click.echo(printable(line))


@knowledge.command()
@click.argument("archive", type=click.Path(path_type=Path, dir_okay=False))
@click.pass_obj
def update(context: Context, archive: Path) -> None:
    """Check the base in ARCHIVE (tar, also compressed) and use it from the next reload on.

    Every rule must compile and every example of it must be met; else the present base stays.
    """
    base = install(archive, context.file.settings.updated_knowledge)
    click.echo(printable(f"version {base.version}, checksum {base.checksum}. {_RELOAD}"))


@knowledge.command()
@json_option
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), required=False)
@click.pass_obj
def diff(context: Context, directory: Path | None, as_json: bool) -> None:
    """Show what the base in DIRECTORY (default: the one in use) changes compared with the shipped one."""
    new = checked(directory) if directory else compile_base(context.file.knowledge)
    lines = list(differences(compile_base(read_base(SHIPPED)), new))
    if as_json:
        print_json(lines)
    else:
        click.echo(printable("\n".join(lines) or "no difference"))
