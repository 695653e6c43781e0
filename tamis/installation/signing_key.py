"""The secret that signs redirection addresses: made once, readable by the daemon alone."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import secrets
import tempfile
from pathlib import Path

from tamis.base.errors import ConfigError
from tamis.base.shared_files import like_its_folder, make_folder
from tamis.database.hosts import SIGNING_KEY, Hosts

log = logging.getLogger(__name__)

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


def fingerprint(key: bytes) -> str:
    """By what a key can be compared and not guessed: the first 128 bits of a SHA-256, in hexadecimal."""
    return hashlib.sha256(b"tamis signing key " + key).hexdigest()[:32]


def agreed_key(path: Path, hosts: Hosts, *, shared: bool) -> bytes:
    """The key in `path`, once it is sure that it is that of all hosts of the store.

    On a new store the first host's key, made if there is none, is everybody's. Raises ConfigError where a store that
    hosts share knows another key, or this host has none: links and addresses of one host would be worth nothing on the
    other. The key of a store that is not shared may be lost or another: it is told, and holds from now on.
    """
    known = hosts.agreed(SIGNING_KEY)
    if known and not path.exists():
        if shared:
            raise _differs(path, "this host has no signing key, the other hosts of this store have one")
        log.error("%s is gone: copies queued for the desk need that key, or bounce in days", path)
    key = signing_key(path)
    print_ = fingerprint(key)
    if hosts.agree(SIGNING_KEY, print_) != print_:
        if shared:
            raise _differs(path, "this host's signing key is not that of the other hosts of this store")
        log.error("%s is another key than before: copies queued for the desk need the former one", path)
        hosts.settle(SIGNING_KEY, print_)
    return key


def _differs(path: Path, problem: str) -> ConfigError:
    mend = "copy the file from one of them; if no host has it any more: tamis hosts rekey"
    return ConfigError("settings", "state_directory", f"{problem}: {mend}", value=str(path))


def _make(path: Path) -> None:
    """Write a new key, for the daemon's user whoever makes it; of two processes at once, the first one's stays."""
    make_folder(path.parent)
    with tempfile.NamedTemporaryFile(dir=path.parent) as new:  # mode 0600
        new.write(secrets.token_bytes(_OCTETS))
        new.flush()
        os.fsync(new.fileno())
        like_its_folder(Path(new.name))
        with contextlib.suppress(FileExistsError):
            os.link(new.name, path)
