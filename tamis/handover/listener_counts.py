"""What became of the messages that began at each of Postfix's listeners: a Postfix that bypasses the milter shows it
the dialogue up to DATA and nothing more. Each worker leaves its counts in a file, for metrics and `tamis doctor`."""

from __future__ import annotations

import logging
import os
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from tamis.base.shared_files import read_json, write_json
from tamis.installation.paths import Paths

log = logging.getLogger(__name__)

SUSPICIOUS = 20
"""Messages one after the other, at one listener, that began and never came: clients that hang up are fewer. Beyond: the
log says so, and `tamis doctor` does until one comes whole."""
_MOST = 100
"""Listeners that are told apart. Beyond: counted together, as "other"."""


@dataclass(slots=True)
class ListenerCount:
    """One listener in one process: messages that came whole, messages of which nothing came after DATA, and how many of
    those stand at the end, one after the other."""

    whole: int = 0
    lost: int = 0
    lost_in_a_row: int = 0

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what a worker wrote. Raises KeyError, TypeError or ValueError on anything else."""
        return cls(int(data["whole"]), int(data["lost"]), int(data["lost_in_a_row"]))


class ListenerCounts:
    """One worker's counts by listener: {daemon_port} as Postfix says it. For many threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._counts: dict[str, ListenerCount] = {}
        self._lock = threading.Lock()
        self._written = 0
        self._changes = 0

    def came(self, port: str) -> None:
        """A message came whole at this listener."""
        with self._lock:
            one = self._of(port)
            if one.lost_in_a_row >= SUSPICIOUS:
                log.warning("listener %s: messages come whole again", port)
            one.whole += 1
            one.lost_in_a_row = 0

    def lost(self, port: str) -> None:
        """A message began at this listener, and the milter was shown none of it."""
        with self._lock:
            one = self._of(port)
            one.lost += 1
            one.lost_in_a_row += 1
            if one.lost_in_a_row == SUSPICIOUS:
                log.error(
                    "listener %s: of the last %d messages nothing came after DATA: Postfix does not show them to Tamis "
                    "(smtpd_proxy_filter?), or clients hang up; see `tamis doctor`",
                    port,
                    SUSPICIOUS,
                )

    def of(self, port: str) -> ListenerCount:
        """What is counted of one listener until now."""
        with self._lock:
            return replace(self._counts.get(port, ListenerCount()))

    def _of(self, port: str) -> ListenerCount:
        self._changes += 1
        known = port if port in self._counts or len(self._counts) < _MOST else "other"
        return self._counts.setdefault(known, ListenerCount())

    def write(self) -> None:
        """Leave the counts for others to read, when they changed since."""
        with self._lock:
            if self._changes == self._written:
                return
            self._written = self._changes
            data = {port: asdict(one) for port, one in self._counts.items()}
        try:
            write_json(self._folder / f"{os.getpid()}.json", data)
        except OSError as error:
            log.warning("the counts of listeners can't be written: %s", error)


def read_listener_counts(paths: Paths) -> Mapping[int, Mapping[str, ListenerCount]]:
    """What each worker that runs now has counted, by its pid."""
    pids = (read_json(paths.processes) or {}).get("workers", ())
    return {pid: _read(paths.listeners / f"{pid}.json") for pid in pids}


def unseen(counts: Iterable[Mapping[str, ListenerCount]]) -> Mapping[str, int]:
    """The listeners of whose latest messages no worker saw any, and how many messages those were."""
    rows: Counter[str] = Counter()
    seen: set[str] = set()
    for some in counts:
        for port, one in some.items():
            rows[port] += one.lost_in_a_row
            if one.whole and not one.lost_in_a_row:
                seen.add(port)
    return {port: count for port, count in rows.items() if count >= SUSPICIOUS and port not in seen}


def _read(path: Path) -> Mapping[str, ListenerCount]:
    try:
        return {str(port): ListenerCount.from_dict(one) for port, one in (read_json(path) or {}).items()}
    except (AttributeError, KeyError, TypeError, ValueError):  # of another version of ours
        return {}
