"""The secret that signs redirection addresses: made once, readable by the daemon alone."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from pathlib import Path

from tamis.base.errors import ConfigError

_OCTETS = 32


def signing_key(path: Path) -> bytes:
    """The key in `path`, made if there is none. Raises ConfigError when it can't be read or made."""
    try:
        if not path.exists():
            _make(path)
        key = path.read_bytes()
    except OSError as error:
        raise ConfigError("settings", "state_directory", f"signing key: {error}", value=str(path)) from None
    if len(key) < _OCTETS:
        raise ConfigError("settings", "state_directory", "the signing key is too short", value=str(path))
    return key


def _make(path: Path) -> None:
    """Write a new key; when two processes try at once, the first one's stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent) as new:  # mode 0600
        new.write(secrets.token_bytes(_OCTETS))
        new.flush()
        os.fsync(new.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(new.name, path)
