"""`tamis --url`: which Tamis elsewhere is meant, and the token for it."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import click

from tamis.people.token_scopes import PREFIX
from tamis.remote.remote import Remote
from tamis.remote.transport import ApiTransport

VARIABLE = "TAMIS_TOKEN"
_LONGEST = 200


def remote_at(url: str, token: str | None) -> Remote:
    """The Tamis at a URL. `token` is what --token said: a file's name. Raises ConfigError, OSError and UsageError."""
    return Remote(ApiTransport(url, _token(token)))


def _token(given: str | None) -> str:
    if given is None:
        written = os.environ.get(VARIABLE, "")
        if not written:
            raise click.UsageError(f"--url needs a token: a file by --token, or ${VARIABLE}")
    elif given.startswith(f"{PREFIX}_"):
        warn("a token on the command line is seen by everybody on this machine: keep it in a file")
        written = given
    elif given == "-":
        written = sys.stdin.readline(_LONGEST)
    else:
        path = Path(given)
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            warn(f"{given} can be read by others than you: chmod 600 it")
        with path.open(encoding="utf-8", errors="replace") as file:
            written = file.readline(_LONGEST)
    written = written.strip()
    if not (written.startswith(f"{PREFIX}_") and written.isascii() and written.isprintable()):
        raise click.UsageError("that is no token: `tamis token make` prints one")
    return written


def warn(sentence: str) -> None:
    """Something to know, which stops nothing."""
    click.echo(f"tamis: {sentence}", err=True)
