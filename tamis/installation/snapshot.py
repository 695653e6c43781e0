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
from dataclasses import dataclass, field
from io import BufferedRandom
from pathlib import Path
from typing import Any

from tamis.base.errors import StoreError
from tamis.base.shared_files import like_its_folder, make_folder
from tamis.contract.list_index import Changes, ListIndex
from tamis.contract.lists import Colour, Entry, Subject
from tamis.installation.entry_file import EntryFile, from_microseconds, to_microseconds, write_entries
from tamis.judging.stored_policy import Delta, Overridden, Override, Snapshot, by_scope, in_order

_FORMAT = 2  # 1 was one file of JSON, state_directory/snapshot.json
_MODE = 0o640
FOLDER_MODE = 0o750
_FRAME = struct.Struct("<III")
"""Of a record: its length, the CRC-32 of that, the CRC-32 of what follows."""

WholeStamp = tuple[int, int, int, int]
"""Of a file: device, inode, size, time of its last change."""


@dataclass(frozen=True, slots=True)
class StoredView:
    """Policy and lists at one revision, as a process has them."""

    revision: int = 0
    mark: str = ""
    overrides: Overridden = field(default_factory=dict)
    lists: ListIndex = field(default_factory=ListIndex)


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
    try:
        make_folder(path.parent, FOLDER_MODE)
        with _created(base) as file:
            write_entries(file, revision, entries, {"overrides": by_scope(overrides)})
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
        "scopes": dict(delta.scopes),
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
    view = SnapshotReader(path).read()
    return Snapshot(view.revision, in_order(view.overrides), tuple(view.lists), view.mark)


class SnapshotReader:
    """One process's way to the snapshot: what it has read, it does not read again. For one thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._head = b""  # names the base, and so the file: a later one may have the same inode
        self._at = 0
        self._view: StoredView | None = None
        self._base: EntryFile | None = None
        self._base_path = path
        self._changes = Changes()
        self._stamps: tuple[WholeStamp | None, WholeStamp | None] = (None, None)
        self.changed = 0
        """Entries, and scopes of overrides, that changed since the base."""
        self.is_torn = False
        """Whether the file ended within a record: one is being written, or its writer died of it."""

    def is_current(self) -> bool:
        """Whether both files are as they were at the last `read`."""
        return self._view is not None and self._stamps == (_stamp(self.path), _stamp(self._base_path))

    def read(self) -> StoredView:
        """What the snapshot says now. Raises StoreError when it can't be used; what was read before is kept then, and
        the next call tries again."""
        before = _stamp(self.path)
        try:
            return self._read()
        except StoreError:
            if _stamp(self.path) == before:
                raise
            return self._read()  # it was being replaced, and its base was gone already

    def _read(self) -> StoredView:
        try:
            with self.path.open("rb") as file:
                stamp = _stamp_of(os.fstat(file.fileno()))
                if self._view is None or file.read(len(self._head)) != self._head:
                    file.seek(0)
                    return self._begin(file.read(), stamp)
                if stamp[2] < self._at:
                    raise StoreError(f"the snapshot {self.path} is damaged: it is shorter than it was")
                _, of_base = self._stamps
                if _stamp(self._base_path) not in (of_base, None):  # none: there is a newer one
                    raise StoreError(f"the snapshot {self.path} is damaged: somebody wrote to its base")
                file.seek(self._at)
                view = self._go_on(file.read())
        except OSError as error:
            raise StoreError(f"the snapshot {self.path} can't be read: {error}") from error
        self._stamps = stamp, of_base
        return view

    def _begin(self, data: bytes, stamp: WholeStamp) -> StoredView:
        records = _records(data, self.path)
        about, at = next(records, (None, 0))
        fresh = SnapshotReader(self.path)
        try:
            if about is None:
                raise StoreError(f"the snapshot {self.path} is damaged: it is empty")
            if about["format"] != _FORMAT:
                raise StoreError(f"the snapshot {self.path} is of another version of Tamis")
            fresh._base_path = self.path.with_name(str(about["base"]))
            base = fresh._base = EntryFile(fresh._base_path)
            if base.revision != about["revision"]:
                raise StoreError(f"the snapshot {self.path} is damaged: its base is another one's")
            lists = ListIndex(base=base, changes=fresh._changes, revision=base.revision)
            fresh._view = StoredView(base.revision, str(about["mark"]), base.more["overrides"], lists)
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(f"the snapshot {self.path} is damaged: {error!r}") from error
        fresh._head, fresh._at = data[:at], at
        view = fresh._go_on(data[at:])
        fresh._stamps = stamp, _stamp(fresh._base_path)
        vars(self).update(vars(fresh))
        return view

    def _go_on(self, data: bytes) -> StoredView:
        """Take in the records that follow those that were read, all of them or none."""
        assert self._view is not None
        assert self._base is not None
        revision, deltas, read = self._view.revision, list[Delta](), 0
        for record, end in _records(data, self.path):
            read = end
            deltas.append(delta := _delta(record, self.path))
            if delta.since != revision or delta.revision <= revision:
                raise StoreError(f"the snapshot {self.path} is damaged: a change is missing")
            revision = delta.revision
        scopes: dict[str, Mapping[str, Any]] = {}
        for delta in deltas:
            self._changes.apply(delta.revision, delta.entries, delta.gone)
            scopes |= delta.scopes
            self.changed += len(delta.entries) + len(delta.gone) + len(delta.scopes)
        if deltas:
            lists = ListIndex(base=self._base, changes=self._changes, revision=revision)
            self._view = StoredView(
                revision, deltas[-1].mark, _overridden(self._view.overrides, scopes), lists
            )
        self._at += read
        self.is_torn = read < len(data)
        return self._view


def _overridden(before: Overridden, changed: Overridden) -> Overridden:
    """The overrides with those of some scopes in place of what they were."""
    if not changed:
        return before
    others = {scope: own for scope, own in before.items() if scope not in changed}
    return others | {scope: own for scope, own in changed.items() if own}


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
    return os.fdopen(descriptor, "w+b")


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _stamp(path: Path) -> WholeStamp | None:
    try:
        return _stamp_of(path.stat())
    except OSError:
        return None


def _stamp_of(stat: os.stat_result) -> WholeStamp:
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns
