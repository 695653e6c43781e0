"""The snapshot: policy overrides and lists as all processes read them. Loads no database code.

    state_directory/snapshot/changes    which base, and every change since, one record after the other
    state_directory/snapshot/base-...   overrides and entries as of one revision (`entry_file`); never changed

`changes` is replaced when there is a new base, else only appended to. Each record has its length, its check sums, the
revision that it leads from and the one that it leads to; so no reader takes a part for the whole, or leaves one out.
"""

from __future__ import annotations

import json
import os
import secrets
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BufferedRandom
from pathlib import Path
from typing import Any, cast

from tamis.base.errors import StoreError
from tamis.base.shared_files import like_its_folder, make_folder
from tamis.contract.list_index import Changes, ListIndex
from tamis.contract.lists import Colour, Entry, Subject
from tamis.installation.entry_file import EntryFile, from_microseconds, to_microseconds, write_entries
from tamis.judging.site import Override, Snapshot

_FORMAT = 2  # 1 was one file of JSON, state_directory/snapshot.json
_MODE = 0o640
_FRAME = struct.Struct("<III")
"""Of a record: its length, the CRC-32 of that, the CRC-32 of what follows."""
_TRIES = 3  # of opening a base that is being replaced

Overridden = Mapping[str, Mapping[str, Any]]
"""The store's settings by scope and key. What did not change is the same object in the next one."""


@dataclass(frozen=True, slots=True)
class Delta:
    """What changed between two revisions: entries as they are at the second, ids of those that are gone, and all
    overrides of each scope of which one changed."""

    since: int
    revision: int
    mark: str
    entries: tuple[Entry, ...] = ()
    gone: tuple[int, ...] = ()
    scopes: Overridden | None = None


@dataclass(frozen=True, slots=True)
class View:
    """Policy and lists at one revision, as a process has them."""

    revision: int
    mark: str
    overrides: Overridden
    lists: ListIndex


def write_snapshot(path: Path, snapshot: Snapshot) -> None:
    """Replace all at once: a reader sees the old or the new one, and so does the next start after a power cut. Raises
    StoreError when that can't be done; then the old one stands."""
    write_base(path, snapshot.revision, snapshot.mark, snapshot.overrides, snapshot.entries)


def write_base(
    path: Path, revision: int, mark: str, overrides: Iterable[Override], entries: Iterable[Entry]
) -> None:
    """The same, of entries that come by id, as they are read."""
    name = f"base-{secrets.token_hex(8)}"
    base, fresh = path.with_name(name), path.with_name(f".{path.name}.{name}")
    by_scope: dict[str, dict[str, Any]] = {}
    for one in overrides:
        by_scope.setdefault(one.scope, {})[one.key] = one.value
    try:
        make_folder(path.parent, 0o750)
        with _created(base) as file:
            write_entries(file, revision, entries, {"overrides": by_scope})
        with _created(fresh) as file:
            file.write(_framed({"format": _FORMAT, "base": name, "revision": revision, "mark": mark}))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        _sync_directory(path.parent)
    except BaseException as error:
        for one in (base, fresh):
            one.unlink(missing_ok=True) if path.parent.is_dir() else None
        if isinstance(error, OSError):
            raise StoreError(f"the snapshot {path} can't be written: {error}") from error
        raise
    for other in path.parent.glob("*base-*"):
        if other != base:  # who has it mapped keeps it
            other.unlink(missing_ok=True)


def append(path: Path, delta: Delta) -> None:
    """Add what changed to the snapshot, for good. Raises StoreError when that can't be done."""
    data = {
        "since": delta.since,
        "revision": delta.revision,
        "mark": delta.mark,
        "entries": [_plain(entry) for entry in delta.entries],
        "gone": list(delta.gone),
        "scopes": dict(delta.scopes or {}),
    }
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        try:
            record = _framed(data)
            if os.write(descriptor, record) != len(record):
                raise StoreError(f"the snapshot {path} can't be written: the disk is full")
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StoreError(f"the snapshot {path} can't be written: {error}") from error


def read_snapshot(path: Path) -> Snapshot:
    """All that a snapshot has. Raises StoreError when there is none that can be used."""
    view = Reader(path).read()
    overrides = (
        Override(scope, key, value) for scope, own in view.overrides.items() for key, value in own.items()
    )
    return Snapshot(view.revision, tuple(overrides), tuple(view.lists), view.mark)


class Reader:
    """One process's way to the snapshot: what it has read, it does not read again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: tuple[int, int] = (0, 0)
        self._at = 0
        self._view: View | None = None
        self._base: EntryFile | None = None
        self._changes = Changes()
        self.is_torn = False
        """Whether the file ended within a record: one is being written, or its writer died of it."""

    @property
    def changed(self) -> int:
        """Entries that were changed since the base."""
        return self._changes.count

    @property
    def at(self) -> tuple[tuple[int, int], int]:
        """Which file, and how much of it has been read."""
        return self._file, self._at

    def read(self) -> View:
        """What the snapshot says now. Raises StoreError when it can't be used; what was read before is kept then, and
        read on from at the next call."""
        try:
            with self._path.open("rb") as file:
                stat = os.fstat(file.fileno())
                this = stat.st_dev, stat.st_ino
                if this != self._file or stat.st_size < self._at or self._view is None:
                    return self._begin(file.read(), this)
                file.seek(self._at)
                return self._go_on(file.read())
        except OSError as error:
            raise StoreError(f"the snapshot {self._path} can't be read: {error}") from error

    def _begin(self, data: bytes, this: tuple[int, int]) -> View:
        records = _records(data, self._path)
        try:
            about, at = next(records)
        except StopIteration:
            raise StoreError(f"the snapshot {self._path} is damaged: it is empty") from None
        fresh = Reader(self._path)
        try:
            if about["format"] != _FORMAT:
                raise StoreError(f"the snapshot {self._path} is of another version of Tamis")
            fresh._base = base = EntryFile(self._path.with_name(str(about["base"])))
            overrides: Overridden = base.more["overrides"]
            if base.revision != about["revision"]:
                raise StoreError(f"the snapshot {self._path} is damaged: its base is another one's")
            lists = ListIndex(base=base, changes=fresh._changes, revision=base.revision)
            fresh._view = View(base.revision, str(about["mark"]), overrides, lists)
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(f"the snapshot {self._path} is damaged: {error!r}") from error
        fresh._file, fresh._at = this, at
        view = fresh._go_on(data[at:])
        vars(self).update(vars(fresh))
        return view

    def _go_on(self, data: bytes) -> View:
        assert self._view is not None
        assert self._base is not None
        view, began = self._view, self._at
        overrides: dict[str, Mapping[str, Any]] | None = None
        read = 0
        for record, end in _records(data, self._path):
            delta = _delta(record, self._path)
            if delta.since != view.revision or delta.revision <= delta.since:
                raise StoreError(f"the snapshot {self._path} is damaged: a change is missing")
            self._changes.apply(delta.revision, delta.entries, delta.gone)
            if delta.scopes:
                overrides = dict(view.overrides) if overrides is None else overrides
                for scope, own in delta.scopes.items():
                    overrides.pop(scope, None)
                    if own:
                        overrides[scope] = own
            lists = ListIndex(base=self._base, changes=self._changes, revision=delta.revision)
            view = View(delta.revision, delta.mark, view.overrides if overrides is None else overrides, lists)
            self._view, self._at, read = view, began + end, end
        self.is_torn = read < len(data)
        return view


def _records(data: bytes, path: Path) -> Iterator[tuple[Any, int]]:
    """Each whole record, and where it ends. One that the data ends within is left; any other that is not what was
    written raises StoreError."""
    at = 0
    while len(data) - at >= _FRAME.size:
        length, sum_of_length, sum_of_data = _FRAME.unpack_from(data, at)
        if zlib.crc32(data[at : at + 4]) != sum_of_length:
            if not any(data[at:]):  # what a power cut leaves of a record: room for it
                return
            raise StoreError(f"the snapshot {path} is damaged at octet {at}")
        begin, end = at + _FRAME.size, at + _FRAME.size + length
        if end > len(data):
            return
        if zlib.crc32(data[begin:end]) != sum_of_data:
            if end == len(data):
                return
            raise StoreError(f"the snapshot {path} is damaged at octet {at}")
        try:
            yield json.loads(data[begin:end]), end
        except ValueError as error:
            raise StoreError(f"the snapshot {path} is damaged: {error}") from error
        at = end


def _framed(data: Any) -> bytes:
    text = json.dumps(data, separators=(",", ":")).encode()
    length = struct.pack("<I", len(text))
    return _FRAME.pack(len(text), zlib.crc32(length), zlib.crc32(text)) + text


def _delta(data: Mapping[str, Any], path: Path) -> Delta:
    try:
        return Delta(
            data["since"],
            data["revision"],
            data["mark"],
            tuple(_entry(*one) for one in data["entries"]),
            tuple(data["gone"]),
            data["scopes"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"the snapshot {path} is damaged: {error!r}") from error


def _plain(entry: Entry) -> Sequence[Any]:
    expires = to_microseconds(entry.expires)
    return entry.id, entry.scope, entry.colour, entry.subject, entry.pattern, expires


def _entry(number: int, scope: str, colour: str, subject: str, pattern: str, expires: int) -> Entry:
    return Entry(
        id=number,
        scope=scope,
        colour=Colour(colour),
        subject=Subject(subject),
        pattern=pattern,
        expires=from_microseconds(expires),
    )


def _created(path: Path) -> BufferedRandom:
    """A new file of the folder's owner."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
    try:
        os.fchmod(descriptor, _MODE)
        like_its_folder(path)
    except OSError:
        os.close(descriptor)
        raise
    return cast(BufferedRandom, os.fdopen(descriptor, "w+b"))


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
