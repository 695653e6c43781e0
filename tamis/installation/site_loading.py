"""Where a process gets its Site from: the settings file and the snapshot of the store, without the store."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tamis.base.breaker import Breakers
from tamis.base.errors import ConfigError, TamisError
from tamis.contract.filter import Filter
from tamis.installation.snapshot import read_snapshot
from tamis.judging.site import Site, Snapshot
from tamis.services.postfix.aliases import PostfixDirectory
from tamis.settings import Settings, SettingsFile, read_settings

log = logging.getLogger(__name__)


class SiteSource:
    """Builds Sites from one settings file and the snapshot beside it."""

    def __init__(self, config: Path | None, filters: Sequence[Filter[Any]]) -> None:
        self._config = config
        self._filters = filters
        self._file: SettingsFile | None = None
        self._seen: tuple[Stamp, ...] = ()
        self._failure = ""
        self.breakers = Breakers()
        """Of what Sites ask: the alias maps."""
        self._directory: PostfixDirectory | None = None

    @property
    def directory(self) -> PostfixDirectory:
        """Where addresses lead, by the settings as they were read last."""
        return self._directory_for(self.file.settings)

    def _directory_for(self, settings: Settings) -> PostfixDirectory:
        """One for all Sites, so that a change of policy forgets nothing of it."""
        if self._directory is None or not self._directory.serves(settings):
            self._directory = PostfixDirectory(settings, self.breakers)
        return self._directory

    def read(self, *, first: bool = False) -> Site:
        """A Site of what stands on disk now. Raises ConfigError or StoreError on anything wrong in it.

        Only the `first` one may do without a snapshot: later that would drop all lists and overrides.
        """
        file = read_settings(self._config)
        path = file.settings.snapshot_file
        self._seen = _stamps(file.settings)
        snapshot = Snapshot() if first and _stamp(path) is None else read_snapshot(path)
        made = Site.build(file, self._filters, snapshot, self._directory_for(file.settings))
        self._file = file
        return made

    @property
    def file(self) -> SettingsFile:
        """The settings file as it was read last."""
        return self._file or read_settings(self._config)

    def fresh(self, current: Site, *, force: bool = False) -> Site | None:
        """A new Site when the snapshot or the taken rules changed or `force` is set; None when there is none or it is
        wrong.

        What failed is tried again at the next call; the log says it once.
        """
        path = current.settings.snapshot_file
        if not force and _stamps(current.settings) == self._seen:
            return None
        try:
            if force or self._file is None:
                fresh = self.read()
                _refuse_moves(current, fresh)
            else:
                self._seen = _stamps(current.settings)
                self._file.read_taken_rules()
                fresh = Site.build(self._file, self._filters, read_snapshot(path), self.directory)
        except Exception as error:
            self._seen = ()
            if force or str(error) != self._failure:
                unexpected = None if isinstance(error, TamisError) else error
                log.error("not reloaded, the settings in force stay: %s", error, exc_info=unexpected)
            self._failure = str(error)
            return None
        self._failure = ""
        return fresh


def _refuse_moves(current: Site, fresh: Site) -> None:
    """What a process was built on can't change under it. Raises ConfigError."""
    for key in ("state_directory", "run_directory", "store"):
        if getattr(fresh.settings, key) != getattr(current.settings, key):
            raise ConfigError("settings", key, "changes only at a restart")


Stamp = tuple[int, int] | None


def _stamps(settings: Settings) -> tuple[Stamp, ...]:
    return _stamp(settings.snapshot_file), _stamp(settings.taken_rules)


def _stamp(path: Path) -> Stamp:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_ino
