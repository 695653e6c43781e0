"""Where a process gets its Site from: the settings file and the snapshot of the store, without the store."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tamis.errors import TamisError
from tamis.filter import Filter
from tamis.quarantine.snapshot import read_snapshot
from tamis.settings import SettingsFile, read_settings
from tamis.site import Site, Snapshot

log = logging.getLogger(__name__)


class SiteSource:
    """Builds Sites from one settings file and the snapshot beside it."""

    def __init__(self, config: Path | None, filters: Sequence[Filter[Any]]) -> None:
        self._config = config
        self._filters = filters
        self._file: SettingsFile | None = None
        self._seen: tuple[int, int] | None = None

    def read(self) -> Site:
        """A Site of what stands on disk now. Raises ConfigError on anything wrong in it."""
        file = read_settings(self._config)
        path = file.settings.snapshot_file
        self._seen = _stamp(path)
        snapshot = read_snapshot(path) if self._seen else Snapshot()
        self._file = file
        return Site.build(file, self._filters, snapshot)

    def fresh(self, current: Site, *, force: bool = False) -> Site | None:
        """A new Site when the snapshot changed or `force` is set; None when there is none or it is wrong."""
        if not force and _stamp(current.settings.snapshot_file) == self._seen:
            return None
        try:
            if force or self._file is None:
                return self.read()
            self._seen = _stamp(current.settings.snapshot_file)
            return Site.build(self._file, self._filters, read_snapshot(current.settings.snapshot_file))
        except TamisError as error:
            log.error("not reloaded, the settings in force stay: %s", error)
            return None


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_ino
