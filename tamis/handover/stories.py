"""The journal: how the story of each message gets from the workers to the store without any mail waiting for it.

A worker appends one line a message to a file of its own, with one write and no fsync, before Postfix gets its answer.
So a killed worker loses no story of a message that Postfix took; a machine that loses power loses what its kernel had
not written yet. The file is locked while its worker lives; what is unlocked is finished, and the background process
brings it into the store.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tamis.judging.story import Story, from_line

log = logging.getLogger(__name__)

MAX_LINE = 1024 * 1024
"""Octets of one record; a larger one is not kept."""


class StoryJournal:
    """A worker's end. Any thread may write."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.limit = limit
        self._folder = folder
        self._lock = threading.Lock()
        self._fd = -1
        self._full = False
        self.lost = 0

    def write(self, line: bytes) -> None:
        """Append a record. Trouble costs the record, never the mail."""
        with self._lock:
            if self._full or len(line) > MAX_LINE:
                self.lost += 1
                return
            try:
                if self._fd < 0:
                    self._fd = self._open()
                if os.write(self._fd, line) < len(line):  # half a record must stay the last of its file
                    self.lost += 1
                    self._close()
            except OSError as error:
                self.lost += 1
                self._close()
                log.warning("a message's story is lost: %s", error)

    def rotate(self) -> None:
        """Finish the file, so that it is brought into the store. Called about once a second."""
        with self._lock:
            self._close()
        full = _size(self._folder) >= self.limit
        if full is not self._full:
            self._full = full
            log.warning("history is %s", "not recorded: the journal is full" if full else "recorded again")

    def _open(self) -> int:
        """Lock the file before giving it a name that the reader scans, so that it is never taken as complete."""
        self._folder.mkdir(parents=True, exist_ok=True)
        name = f"{os.getpid()}-{time.time_ns()}"
        hidden = self._folder / f".{name}"
        fd = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            hidden.rename(self._folder / f"{name}.jsonl")
        except OSError:
            os.close(fd)
            raise
        return fd

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)  # which also unlocks it
            self._fd = -1


def _size(folder: Path) -> int:
    try:
        return sum(entry.stat().st_size for entry in os.scandir(folder))
    except OSError:
        return 0


def finished(folder: Path) -> Iterator[Path]:
    """The files whose worker is done with them, the oldest first."""
    files = list(folder.glob("[0-9]*.jsonl")) if folder.is_dir() else []
    for path in sorted(files, key=lambda p: p.stem.partition("-")[2].zfill(20)):
        with _locked(path) as mine:
            if mine:
                yield path


def read_stories(path: Path) -> Iterator[tuple[str, Story]]:
    """Every whole record of a file, with a name that is its own: what a kill cut off is left out."""
    with path.open("rb") as lines:
        for number, line in enumerate(lines):
            try:
                yield f"{path.stem}:{number}", from_line(line)
            except ValueError as error:
                log.warning("%s, line %d: a message's story is lost: %s", path, number + 1, error)


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        yield False
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(fd)
