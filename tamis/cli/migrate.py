"""`tamis migrate`: the store's tables as this version wants them, before the daemon starts."""

from __future__ import annotations

import click

from tamis.cli.context import Context


@click.command()
@click.pass_obj
def migrate(context: Context) -> None:
    """Make the store's tables, or bring those of an older version up to date.

    The daemon does the same when it starts. A package calls this before, so that a failure is seen.

    Exit status: 0 they are up to date, 69 the store can't be had now.
    """
    with context.store():
        click.echo(f"the tables in {context.file.settings.store_url.partition(':')[0]} are up to date")
