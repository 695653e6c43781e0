"""`tamis serve`, `milter` and `worker`: the daemon, whole or in parts."""

from __future__ import annotations

from pathlib import Path

import click

from tamis.base.logs import log_to_stderr
from tamis.cli.context import Context

CONFIG = click.option("--config", type=click.Path(path_type=Path), help="Settings file.")


def _run(context: Context, config: Path | None, command: str, roles: tuple[str, ...]) -> int:
    from tamis.daemon.supervisor import Supervisor  # noqa: PLC0415 - libmilter is needed by the daemon alone

    chosen = config or context.config
    log_to_stderr(Context(chosen).file.settings.log.level)
    arguments = [command] if chosen is None else [command, "--config", str(chosen)]
    return Supervisor(chosen, arguments=arguments, roles_served=roles).run()


@click.command()
@CONFIG
@click.pass_obj
def serve(context: Context, config: Path | None) -> int:
    """Run everything: milter workers, desk, background process and pages."""
    return _run(context, config, "serve", ("desk", "background", "web", "workers"))


@click.command()
@CONFIG
@click.pass_obj
def milter(context: Context, config: Path | None) -> int:
    """Run what Postfix talks to: milter workers and desk."""
    return _run(context, config, "milter", ("desk", "workers"))


@click.command()
@CONFIG
@click.pass_obj
def web(context: Context, config: Path | None) -> int:
    """Run the pages, for senders and recipients of held mail."""
    return _run(context, config, "web", ("web",))


@click.command()
@CONFIG
@click.pass_obj
def worker(context: Context, config: Path | None) -> int:
    """Run the background process: snapshot, notices, digests, learning, clean-up."""
    return _run(context, config, "worker", ("background",))
