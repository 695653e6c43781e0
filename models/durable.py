"""Files that are there as a whole or not at all, also after a crash."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from tamis.base.shared_files import owned_like_its_folder


def replace_file(path: Path, parts: Iterable[bytes]) -> None:
    """Write `parts` to a temporary file, sync it, rename it to `path`, sync the folder."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(temporary, "wb", opener=owned_like_its_folder) as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames within a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
