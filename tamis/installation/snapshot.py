"""The snapshot file: policy overrides and lists as the workers read them. Loads no database code."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tamis.base.errors import StoreError
from tamis.contract.lists import Colour, ListEntry, Subject
from tamis.judging.site import Override, Snapshot

if TYPE_CHECKING:
    from tamis.store import Store

_FORMAT = 1
_MODE = 0o640


def load_snapshot(store: Store) -> Snapshot:
    """What the store says now, of one moment. Raises StoreError when it can't answer."""
    return store.snapshot()


def write_snapshot(path: Path, snapshot: Snapshot) -> None:
    """Replace the file at once: a reader sees the old one or the new one, and so does the next start after
    a power cut. Raises StoreError when that can't be done; then the old file stands."""
    data = {
        "format": _FORMAT,
        "revision": snapshot.revision,
        "overrides": [[o.scope, o.key, o.value] for o in snapshot.overrides],
        "entries": _columns(snapshot.entries),
    }
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise StoreError(f"the snapshot {path} can't be written: {error}") from error
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(json.dumps(data, separators=(",", ":")))
            file.flush()
            os.fchmod(descriptor, _MODE)
            os.fsync(descriptor)
        Path(name).replace(path)
        _sync_directory(path.parent)
    except OSError as error:
        Path(name).unlink(missing_ok=True)
        raise StoreError(f"the snapshot {path} can't be written: {error}") from error


def read_snapshot(path: Path) -> Snapshot:
    """The snapshot in a file. Raises StoreError when there is none that can be used."""
    try:
        data = json.loads(path.read_bytes())
        if data["format"] != _FORMAT:
            raise StoreError(f"the snapshot {path} is of another version of Tamis")
        return Snapshot(
            data["revision"],
            tuple(Override(scope, key, value) for scope, key, value in data["overrides"]),
            _entries(data["entries"]),
        )
    except OSError as error:
        raise StoreError(f"the snapshot {path} can't be read: {error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"the snapshot {path} is damaged: {error!r}") from error


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _columns(entries: Sequence[ListEntry]) -> dict[str, list[Any]]:
    """The entries column by column: half the time to read of a row by row form."""
    columns: dict[str, list[Any]] = {
        name: [getattr(entry, name) for entry in entries] for name in ListEntry.__dataclass_fields__
    }
    for name in ("created", "expires"):
        columns[name] = [moment and moment.isoformat() for moment in columns[name]]
    return columns


def _entries(columns: Mapping[str, list[Any]]) -> tuple[ListEntry, ...]:
    moments: dict[str | None, Any] = {None: None}  # entries that came together share theirs

    def moment(text: str | None) -> Any:
        if text not in moments:
            moments[text] = datetime.fromisoformat(str(text))
        return moments[text]

    in_order = (columns[name] for name in ListEntry.__dataclass_fields__)
    return tuple(
        ListEntry(
            id=number,
            scope=scope,
            colour=_COLOURS[colour],
            subject=_SUBJECTS[subject],
            pattern=pattern,
            origin=origin,
            author=author,
            note=note,
            created=moment(created),
            expires=moment(expires),
            hits=hits,
        )
        for (
            number,
            scope,
            colour,
            subject,
            pattern,
            origin,
            author,
            note,
            created,
            expires,
            hits,
        ) in zip(*in_order, strict=True)
    )


_COLOURS = {str(colour): colour for colour in Colour}
_SUBJECTS = {str(subject): subject for subject in Subject}
