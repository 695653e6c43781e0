"""The command `tamis`. Each subcommand's module is loaded only when it is called."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Any

import click

from tamis import __version__
from tamis.base.errors import (
    ChangedSinceError,
    ConfigError,
    ReinjectError,
    RemoteError,
    RouteError,
    ServiceError,
    StoreError,
    TamisError,
)
from tamis.base.loading import loading
from tamis.cli.context import NOT_ELSEWHERE, Context

COMMANDS = {
    "backup": "backup:backup",
    "blocked": "blocked:blocked",
    "challenges": "challenges:challenges",
    "compare": "compare:compare",
    "complaints": "complaints:complaints",
    "doctor": "doctor:doctor",
    "evaluate": "evaluate:evaluate",
    "filters": "filters:filters",
    "fingerprint": "fingerprint:fingerprint",
    "history": "history:history",
    "hosts": "hosts:hosts",
    "import": "importing:import_",
    "knowledge": "knowledge:knowledge",
    "learn": "learn:learn",
    "lists": "lists:lists",
    "mailbox": "mailbox:mailbox",
    "migrate": "migrate:migrate",
    "milter": "serve:milter",
    "model": "model:model",
    "people": "people:people",
    "policy": "policy:policy",
    "quarantine": "quarantine:quarantine",
    "replay": "replay:replay",
    "restore": "backup:restore",
    "rules": "rules:rules",
    "scan": "scan:scan",
    "senders": "senders:senders",
    "serve": "serve:serve",
    "settings": "settings:settings",
    "setup": "setup:setup",
    "statistics": "statistics:statistics",
    "status": "status:status",
    "stop": "serve:stop",
    "suggest": "suggest:suggest",
    "token": "token:token",
    "try": "try_message:try_message",
    "web": "serve:web",
    "worker": "serve:worker",
}
"""Subcommand -> module below tamis.cli and the click command in it."""
ELSEWHERE = (
    *("challenges", "history", "lists", "model", "people", "policy"),
    *("quarantine", "rules", "senders", "status"),
)
"""What works on a Tamis elsewhere; what in them needs the settings of this machine says so."""


class LazyGroup(click.Group):
    """A group that imports a subcommand when it is asked for: the daemon's processes stay small."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in order."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name, or None."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name].split(":")
        with loading():
            command = getattr(importlib.import_module(f"tamis.cli.{module}"), attribute)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="Settings file (default: $TAMIS_CONFIG, then what ./run made in a checkout, then /etc/tamis/tamis.toml).",
)
@click.option(
    "--url",
    metavar="URL",
    help="Work on the Tamis elsewhere whose pages have this address, by its API: challenges, history, lists, "
    "model, people, policy, quarantine, rules, senders and status, as far as the API has it.",
)
@click.option(
    "--token",
    metavar="FILE",
    help='File with the token for --url, "-" for standard input (default: what $TAMIS_TOKEN holds).',
)
@click.version_option(__version__, prog_name="tamis")
@click.pass_context
def tamis(ctx: click.Context, config: Path | None, url: str | None, token: str | None) -> None:
    """Tamis, the spam filter behind Postfix."""
    if url is None:
        if token is not None:
            raise click.UsageError("--token goes with --url")
        ctx.obj = Context(config)
        return
    if ctx.invoked_subcommand not in ELSEWHERE:
        raise click.UsageError(NOT_ELSEWHERE)
    from tamis.cli.elsewhere import remote_at  # noqa: PLC0415 # most calls need none

    ctx.obj = Context(config, remote_at(url, token))


def exit_status(error: Exception) -> int:
    """The sysexits(3) status for an error; 64 and above, so that scan's 0, 1 and 2 stay verdicts."""
    statuses: dict[type[Exception], int] = {
        ConfigError: os.EX_CONFIG,
        ChangedSinceError: os.EX_DATAERR,
        StoreError: os.EX_UNAVAILABLE,
        RouteError: os.EX_UNAVAILABLE,
        ServiceError: os.EX_UNAVAILABLE,
        ReinjectError: os.EX_TEMPFAIL,
        FileNotFoundError: os.EX_NOINPUT,
        OSError: os.EX_IOERR,
    }
    if isinstance(error, RemoteError):
        return _of_http(error.status)
    return next((status for kind, status in statuses.items() if isinstance(error, kind)), os.EX_SOFTWARE)


def _of_http(status: int) -> int:
    known = {401: os.EX_NOPERM, 403: os.EX_NOPERM, 404: os.EX_NOINPUT, 429: os.EX_UNAVAILABLE}
    return known.get(status, os.EX_DATAERR if 400 <= status < 500 else os.EX_UNAVAILABLE)


def main(arguments: list[str] | None = None) -> None:
    """Run the command and exit: errors are one line on standard error and a status of 64 or above."""
    args: Any = arguments
    try:
        code = tamis.main(args=args, prog_name="tamis", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(os.EX_USAGE)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(os.EX_IOERR)
    except (TamisError, OSError) as error:
        click.echo(f"tamis: {error}", err=True)
        sys.exit(exit_status(error))
    sys.exit(code if isinstance(code, int) else 0)
