"""`tamis backup` and `tamis restore`: a complete copy of the installation, and the way back."""

from __future__ import annotations

from pathlib import Path

import click

from tamis.cli.context import Context
from tamis.installation.backup import SETTINGS, back_up, read_backup
from tamis.installation.backup import restore as bring_back


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.pass_obj
def backup(context: Context, directory: Path) -> None:
    """Copy everything that is worth keeping to DIRECTORY, which is made: store, settings, rule files, signing key,
    model, and what is on its way to them. Tamis may run meanwhile. The copy is there whole or not at all.

    It holds mail, the signing key and perhaps passwords: keep it as safe as the installation.
    """
    made = back_up(context.file, directory)
    click.echo(f"{directory}: {len(made.files)} files of Tamis {made.version}, {made.database}, {made.at}")


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--replace", is_flag=True, help="Put aside what is there, in the state directory.")
@click.option("--check", is_flag=True, help="Only verify the backup.")
@click.pass_obj
def restore(context: Context, directory: Path, replace: bool, check: bool) -> None:
    """Bring back what `tamis backup` made, to where the settings file in force has everything. Tamis must be stopped.

    Every file is verified first; a backup of a newer version is refused, one of an older is brought up to this version.
    The settings and rule files are not brought back by themselves: they are in DIRECTORY.
    """
    if check:
        made = read_backup(directory)
        click.echo(
            f"{directory}: {len(made.files)} files of Tamis {made.version} are as they were on {made.at}"
        )
        return
    aside = bring_back(directory, context.file.settings, replace=replace)
    click.echo("Everything is back." + (f" What was there before is in {aside}." if aside else ""))
    click.echo(f"The settings as they were: {directory / SETTINGS}. Start Tamis, then: tamis doctor")
