"""Files that one process writes and another reads: whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
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
