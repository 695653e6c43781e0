"""Changes of files that the administrator sees before they are made, and that can be taken back."""

from __future__ import annotations

import difflib
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from tamis.base.shared_files import read_json, write_json

_LOST = "lost"
"""No file has this digest."""


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file as it is and as it is to be; None where there is none."""

    path: Path
    before: bytes | None
    after: bytes | None

    @property
    def is_one(self) -> bool:
        """Whether anything changes."""
        return self.before != self.after

    def diff(self) -> str:
        """As diff -u shows it."""
        old, new = (
            (text or b"").decode("utf-8", "replace").splitlines(keepends=True)
            for text in (self.before, self.after)
        )
        was, becomes = (
            str(self.path) if one is not None else "/dev/null" for one in (self.before, self.after)
        )
        lines = difflib.unified_diff(old, new, was, becomes)
        return "".join(
            line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
        )

    def make(self) -> None:
        """Write what is to be. Raises OSError."""
        _write(self.path, self.after)

    def take_back(self) -> None:
        """Write what was. Raises OSError."""
        _write(self.path, self.before)


def read_file(path: Path) -> bytes | None:
    """A file's octets, None where there is none. Raises OSError."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _write(path: Path, content: bytes | None) -> None:
    """Replace a file in one step; owner and mode stay, a new one is readable by all."""
    if content is None:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    fd, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(fd, "wb") as new:
            new.write(content)
        try:
            old = path.stat()
            os.chown(name, old.st_uid, old.st_gid)
            Path(name).chmod(old.st_mode & 0o7777)
        except FileNotFoundError:
            Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@dataclass(frozen=True, slots=True)
class Kept:
    """A file before the first of some changes, and the digest of what the last made of it."""

    path: Path
    before: bytes | None
    digest: str

    def undone(self) -> FileChange | None:
        """The change that takes it back, None when somebody else has changed the file since. Raises OSError."""
        now = read_file(self.path)
        return FileChange(self.path, now, self.before) if _digest(now) == self.digest else None


class ChangeRecord:
    """What was changed, in a file that only root may write: its content is written back as root."""

    def __init__(self, path: Path) -> None:
        self._path = path
        told: Any = read_json(path) or {}
        self.kept: Mapping[Path, Kept] = {
            Path(one): Kept(
                Path(one), None if was["before"] is None else was["before"].encode("latin-1"), was["digest"]
            )
            for one, was in told.get("files", {}).items()
        }
        self.noted: Mapping[str, Any] = told.get("noted", {})
        """What the caller wants to know when it takes changes back."""

    def add(self, changes: Iterable[FileChange], noted: Mapping[str, Any]) -> None:
        """Remember changes. What was before the first one counts; where somebody else changed the file in between,
        there is no way back to a whole file."""
        kept = dict(self.kept)
        for one in changes:
            earlier = kept.get(one.path)
            if earlier is None:
                kept[one.path] = Kept(one.path, one.before, _digest(one.after))
            elif earlier.digest == _digest(one.before):
                kept[one.path] = replace(earlier, digest=_digest(one.after))
            else:
                kept[one.path] = replace(earlier, digest=_LOST)
        self.kept, self.noted = kept, noted
        self._save()

    def follow(self, change: FileChange) -> None:
        """One more change of a file, on the way back to what it was."""
        kept = self.kept.get(change.path)
        if kept and kept.digest == _digest(change.before):
            self.kept = {**self.kept, change.path: replace(kept, digest=_digest(change.after))}
            self._save()

    def forget(self, paths: Iterable[Path]) -> None:
        """These are taken back."""
        gone = set(paths)
        self.kept = {path: one for path, one in self.kept.items() if path not in gone}
        self._save()

    def put_back(self, kept: Mapping[Path, Kept], noted: Mapping[str, Any]) -> None:
        """Remember what was remembered before."""
        self.kept, self.noted = kept, noted
        self._save()

    def _save(self) -> None:
        if not self.kept:
            self._path.unlink(missing_ok=True)
            return
        files = {
            str(one.path): {
                "before": None if one.before is None else one.before.decode("latin-1"),
                "digest": one.digest,
            }
            for one in self.kept.values()
        }
        write_json(self._path, {"files": files, "noted": dict(self.noted)}, mode=0o600)


def _digest(content: bytes | None) -> str:
    return "" if content is None else sha256(content).hexdigest()
