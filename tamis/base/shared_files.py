"""Files that one process writes and another reads: whole or not at all."""

from __future__ import annotations

import fcntl
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


def write_json(path: Path, data: Any, *, mode: int = 0o640) -> None:
    """Replace `path` by `data` as JSON in one step, with the owner of its folder. Raises OSError."""
    make_folder(path.parent)
    write_text(path, json.dumps(data), mode=mode)


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
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def make_folder(path: Path, mode: int = 0o777) -> None:
    """Make a folder, if there is none, and those above it, for the owner of what was there. Raises OSError."""
    if not path.is_dir():
        make_folder(path.parent, mode)
        with suppress(FileExistsError):
            path.mkdir(mode)
            like_its_folder(path)


def owned_like_its_folder(path: str, flags: int) -> int:
    """An `opener` for open(): what root makes belongs to the folder's owner, and root follows no link that the latter
    laid. Raises OSError."""
    return _opened(Path(path), flags, 0o666)


def make_private(path: Path) -> int:
    """A new, empty file for its folder's owner alone, open for reading and writing. Raises FileExistsError, OSError."""
    return _opened(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)


def _opened(path: Path, flags: int, mode: int) -> int:
    if os.geteuid() != 0:
        return os.open(path, flags | os.O_CLOEXEC, mode)
    descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    found, owner = os.fstat(descriptor), path.parent.stat()
    if stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and found.st_uid == 0 != owner.st_uid:
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor


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
