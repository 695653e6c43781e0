"""How what the store says of policy and lists comes into the snapshot. Only who has a store does this."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from tamis.base.errors import StoreError
from tamis.base.shared_files import locked, make_folder
from tamis.installation.snapshot import FOLDER_MODE, SnapshotReader, StoredView, append, write_base

if TYPE_CHECKING:
    from tamis.store import Store

log = logging.getLogger(__name__)

MOST_CHANGES = 10_000
"""Entries and scopes that a snapshot has beside its base, which every process keeps in its own memory. Beyond: there is
a new base, which is read from the store as a whole."""


class Publisher:
    """Keeps the snapshot as the store is: by what changed where that is known, else by a new one.

    Several processes may do so at once. Each believes only what it wrote itself, or has read and found whole.
    """

    def __init__(self, path: Path, store: Store) -> None:
        self._path = path
        self._store = store
        self._reader = SnapshotReader(path)
        self._published: tuple[int, str] | None = None

    def publish(self) -> None:
        """Bring the snapshot up to date. Raises StoreError when that can't be done; then the old one stands."""
        if self._store.head() == self._published and self._reader.is_current():
            return
        try:
            make_folder(self._path.parent, FOLDER_MODE)
            with locked(self._path.with_name("lock")):
                self._publish()
        except OSError as error:
            raise StoreError(f"the snapshot {self._path} can't be written: {error}") from error

    def _publish(self) -> None:
        self._published = None
        before = self._usable()
        delta = None if before is None else self._store.changes_since(before.revision, before.mark)
        if delta is None or self._reader.changed + delta.size > MOST_CHANGES:
            with self._store.all_of_it() as (said, entries):
                write_base(self._path, said.revision, said.mark, said.overrides, entries)
        elif delta.revision != delta.since:
            append(self._path, delta)
        now = self._reader.read()
        self._published = now.revision, now.mark

    def _usable(self) -> StoredView | None:
        """What the snapshot says, if it is whole. What another process wrote is read from its beginning."""
        if not self._reader.is_current():
            self._reader = SnapshotReader(self._path)
        try:
            view = self._reader.read()
        except StoreError as error:
            if self._path.exists():
                log.warning("the snapshot is made anew: %s", error)
            self._reader = SnapshotReader(self._path)
            return None
        if self._reader.is_torn:
            log.warning("the snapshot is made anew: its last change is not whole")
            return None
        return view
