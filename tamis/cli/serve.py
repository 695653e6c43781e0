"""`tamis serve`, `milter` and `worker`: the daemon, whole or in parts."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import click

from tamis.base.logs import log_to_stderr
from tamis.cli.context import Context, fail
from tamis.installation.paths import Paths
from tamis.settings import Settings

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


@click.command()
@click.option(
    "--wait",
    type=click.FloatRange(0, 600),
    default=60.0,
    show_default=True,
    help="Seconds that the messages in work have.",
)
@click.pass_obj
def stop(context: Context, wait: float) -> None:
    """End the daemon that runs with these settings, as SIGTERM does; without one there is nothing to do.

    For hosts without systemd; with it, "systemctl stop tamis".

    Exit status: 0 none runs, 75 it still does.
    """
    pid = supervisor_pid(context.file.settings)
    if not pid:
        click.echo("no daemon runs")
        return
    os.kill(pid, signal.SIGTERM)
    until = time.monotonic() + wait
    while supervisor_pid(context.file.settings) == pid:
        if time.monotonic() >= until:
            fail(f"process {pid} has not ended within {wait:g} s", os.EX_TEMPFAIL)
        time.sleep(0.1)
    click.echo(f"process {pid} has ended")


def supervisor_pid(settings: Settings) -> int:
    """The process id of the running supervisor, 0 without one.

    A list that a crash left may name a process of somebody else by now: one counts only if it belongs to who wrote it.
    """
    processes = Paths(settings).processes
    try:
        pid = int(json.loads(processes.read_text(encoding="utf-8"))["supervisor"])
        process = Path("/proc") / str(pid)
        alive = (process / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
        return pid if alive and process.stat().st_uid == processes.stat().st_uid else 0
    except (OSError, ValueError, KeyError, TypeError):
        return 0
