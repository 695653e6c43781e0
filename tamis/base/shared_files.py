"""Files that one process writes and another reads: whole or not at all."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def write_json(path: Path, data: Any, *, mode: int = 0o640) -> None:
    """Replace `path` by `data` as JSON in one step. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fd, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as new:
            json.dump(data, new)
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read_json(path: Path) -> Any | None:
    """What `write_json` wrote, or None when there is nothing (or nothing whole) there."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def write_text(path: Path, text: str, *, mode: int = 0o640) -> None:
    """Replace `path` by a text in one step, with the owner of its folder. Raises OSError."""
    fd, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as new:
            new.write(text)
        made = Path(name)
        made.chmod(mode)
        like_its_folder(made)
        made.replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def like_its_folder(path: Path) -> None:
    """Give what root made to the owner of the folder that it is in, who is to go on with it. Raises OSError."""
    owner = path.parent.stat()
    if os.geteuid() == 0:
        os.chown(path, owner.st_uid, owner.st_gid)


def make_private(path: Path) -> int:
    """A new, empty file for its folder's owner alone, open for reading and writing. Raises FileExistsError, OSError."""
    made = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.fchown(made, owner.st_uid, owner.st_gid)
    return made


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[bool]:
    """Hold a lock on a file. Within it is True; False where another process holds the lock and nobody is to `wait` for
    it. It ends with the process. Raises OSError."""
    try:
        lock = make_private(path)
    except FileExistsError:  # no link is followed: root may lock a file in a folder that is another user's
        lock = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(lock)
