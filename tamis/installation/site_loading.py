"""Where a process gets its Site from: the settings file and the snapshot of the store, without the store."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tamis.base.breaker import Breakers
from tamis.base.errors import ConfigError, StoreError, TamisError
from tamis.contract.filter import Filter
from tamis.installation.snapshot import SnapshotReader, StoredView
from tamis.judging.site import Site
from tamis.services.postfix.aliases import PostfixDirectory
from tamis.settings import Settings, SettingsFile, read_settings

log = logging.getLogger(__name__)


class SiteSource:
    """Builds Sites from one settings file and the snapshot beside it."""

    def __init__(self, config: Path | None, filters: Sequence[Filter[Any]]) -> None:
        self._config = config
        self._filters = filters
        self._file: SettingsFile | None = None
        self._seen: Sequence[TimeStamp] = ()
        self._snapshot: SnapshotReader | None = None
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

        Only the `first` one may do without a snapshot, which is then made of the store before anything starts: later
        that would drop all lists and overrides.
        """
        file = read_settings(self._config)
        path = file.settings.snapshot_file
        self._seen = _kept(file.settings)
        if self._snapshot is None or self._snapshot.path != path:
            self._snapshot = SnapshotReader(path)
        try:
            view = self._snapshot.read()
        except StoreError as error:
            if not first:
                raise
            if path.exists():
                log.warning("%s", error)
            view = StoredView()
        made = self._compile(file, view, None)
        self._file = file
        return made

    def _compile(self, file: SettingsFile, view: StoredView, before: Site | None) -> Site:
        directory = self._directory_for(file.settings)
        return Site.compile(file, self._filters, view.overrides, view.lists, view.revision, directory, before)

    def has_snapshot(self) -> bool:
        """Whether there is a snapshot that can be used."""
        try:
            SnapshotReader(self.file.settings.snapshot_file).read()
        except StoreError:
            return False
        return True

    @property
    def file(self) -> SettingsFile:
        """The settings file as it was read last."""
        return self._file or read_settings(self._config)

    def fresh(self, current: Site, *, force: bool = False) -> Site | None:
        """A new Site when the snapshot or the rules that Tamis keeps changed, or `force` is set; None when there is
        none or it is wrong.

        What failed is tried again at the next call; the log says it once.
        """
        kept = _kept(current.settings)
        snapshot = self._snapshot
        is_known = snapshot is not None and snapshot.is_current() and kept == self._seen
        if not force and is_known and not self._failure:
            return None
        try:
            if force or self._file is None or snapshot is None:
                fresh = self.read()
                _refuse_moves(current, fresh)
            else:
                if kept != self._seen:
                    self._file.read_kept_rules()
                    self._seen = kept
                fresh = self._compile(self._file, snapshot.read(), current)
        except Exception as error:
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


TimeStamp = tuple[int, int] | None


def _kept(settings: Settings) -> Sequence[TimeStamp]:
    return _stamp(settings.own_rules), _stamp(settings.taken_rules)


def _stamp(path: Path) -> TimeStamp:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_ino
