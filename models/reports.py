"""Reports of what mail is, on their way to the model: files in a folder, each whole or not there.

A report is a file that begins with one line

    tamis-report 1 LABEL SOURCE REPORTER

and goes on with the message; LABEL is spam, ham or forget, REPORTER the address of who says so, or "-". It is
written under a name that begins with a dot, synced and renamed, which a shell script can do as well
(deploy/dovecot/tamis-report). A folder rather than a table of the store: a mail program's "move to Junk" must not
wait for a database or fail with it, and the script that spools needs no Python.

The id of a message is made of what stays the same in all of its copies, so that a report counts once, whichever
copy it came with and however often a crash has it read again.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, Literal, get_args

from tamis.base.errors import TamisError
from tamis.base.shared_files import make_folder, owned_like_its_folder
from tamis.message.mail import Mail
from tamis.models.corpora import MAX_OCTETS
from tamis.models.durable import sync_folder
from tamis.settings import Settings

Label = Literal["spam", "ham", "forget"]


@dataclass(frozen=True, slots=True)
class ReportSource:
    """Where reports come from: `say` is the weight of one, `attended` whether a person looked at the message; one
    reporter or domain teaches so many times less in a day (`part`) than a reader."""

    say: float
    attended: bool = True
    part: int = 1


SOURCES: Final = {
    "learn": ReportSource(1.0),
    "quarantine": ReportSource(1.0),
    "web": ReportSource(1.0),
    "dovecot": ReportSource(1.0),
    "honeypot": ReportSource(0.7, attended=False, part=5),
    "challenge": ReportSource(0.5, attended=False, part=25),
    "outgoing": ReportSource(0.3, attended=False, part=5),
    "evident": ReportSource(0.5, attended=False, part=25),
}
"""All sources by the name that stands in a report."""

MAX_WAITING = 20_000
"""Reports that wait at once; more are refused."""

_LINE = re.compile(rb"tamis-report 1 (spam|ham|forget) ([a-z]{1,20}) ([\x21-\x7e]{1,320})\r?\n")
_NAMED = ("from", "date", "message-id")
_SPACE = re.compile(r"\s+")
_BODY = re.compile(rb"\r?\n\r?\n")
_SAFE = re.compile(r"[^\x21-\x7e]+")


class ReportError(TamisError):
    """A report that can't be taken: names the file, or says that too many wait."""


class UnreadableReportError(ReportError):
    """What may well be a report, and stays in the spool until an administrator lets us read it: names the file."""


@dataclass(frozen=True, slots=True)
class Report:
    """One report; `path` is its file."""

    label: Label
    source: str
    reporter: str
    raw: bytes
    path: Path


def message_id(mail: Mail) -> str:
    """What names a message in every copy of it: a hash of author, date, Message-ID and body."""
    digest = hashlib.sha256()
    for name in _NAMED:
        digest.update(_SPACE.sub(" ", mail.headers.first(name) or "").strip().encode("utf-8", "replace"))
        digest.update(b"\0")
    end = _BODY.search(mail.raw)
    body = mail.raw[end.end() :] if end else b""
    # Stores differ in line ends and in what ends the last line (an mbox has one more).
    digest.update(body.replace(b"\r\n", b"\n").rstrip(b"\n"))
    return digest.hexdigest()[:32]


class Spool:
    """The folder in which reports wait, oldest first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, label: Label, source: str, reporter: str, raw: bytes) -> Path:
        """Add a report, durably. Raises ReportError when too many wait, OSError when the disk says no."""
        if source not in SOURCES:
            raise ValueError(f"no source of reports: {source!r}")
        make_folder(self.folder)
        if self.waiting() >= MAX_WAITING:
            raise ReportError(f"{self.folder}: {MAX_WAITING} reports wait already; is the daemon running?")
        reporter = _SAFE.sub("", reporter)[:320] or "-"
        name = f"{time.time_ns():020d}.{os.getpid()}.{os.urandom(4).hex()}"
        temporary, path = self.folder / f".{name}", self.folder / name
        try:
            with open(temporary, "xb", opener=owned_like_its_folder) as file:
                file.write(f"tamis-report 1 {label} {source} {reporter}\n".encode())
                file.write(raw[:MAX_OCTETS])
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(path)
        finally:
            temporary.unlink(missing_ok=True)
        sync_folder(self.folder)
        return path

    def names(self) -> list[str]:
        """The names of waiting reports, oldest first."""
        try:
            return sorted(name for name in os.listdir(self.folder) if not name.startswith("."))  # noqa: PTH208
        except FileNotFoundError:
            return []

    def waiting(self) -> int:
        """How many wait."""
        return len(self.names())

    def unreadable(self) -> list[str]:
        """The names of what waits and can't be read by us, oldest first."""
        return [name for name in self.names() if not _is_readable(self.folder / name)]

    def reports(self, limit: int) -> Iterator[Report | Path]:
        """The oldest reports that can be read; a file that is none as its path. Each stays until `done`."""
        return islice(self._readable(), limit)

    def _readable(self) -> Iterator[Report | Path]:
        for name in self.names():
            path = self.folder / name
            try:
                found = read_report(path)
            except (FileNotFoundError, UnreadableReportError):
                continue
            except ReportError:
                yield path
            else:
                yield found

    def done(self, path: Path) -> None:
        """Remove a report that was taken in, or is none."""
        path.unlink(missing_ok=True)


def report_solved_challenge(settings: Settings, sender: str, raw: bytes) -> Path:
    """A sender proved to be a person: the message that was held is ham. For whoever serves the challenge.

    What one sender teaches in a day is bounded by it. Raises ReportError when too many reports wait, OSError when the
    disk says no.
    """
    return Spool(settings.spool_directory).put("ham", "challenge", sender, raw)


def read_report(path: Path) -> Report:
    """Read a report. Raises ReportError when it is none, UnreadableReportError when we may not read it, OSError when
    it can't be read.

    The folder may be another user's to write to, so a link, a pipe or an endless file must do no harm.
    """
    with os.fdopen(_opened(path), "rb") as file:
        octets = file.read(MAX_OCTETS + 1024)
    found = _LINE.match(octets)
    if found is None or found[2].decode() not in SOURCES:
        raise ReportError(f"{path}: no report: its first line is wrong")
    label = next(one for one in get_args(Label) if one == found[1].decode())
    return Report(label, found[2].decode(), found[3].decode(), octets[found.end() :], path)


def _opened(path: Path) -> int:
    """A report's file, open for reading. Raises as `read_report`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except PermissionError as error:
        raise UnreadableReportError(f"{path}: {error.strerror}") from None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise ReportError(f"{path}: no report: {error.strerror}") from None
        raise
    kind = os.fstat(descriptor).st_mode
    if stat.S_ISREG(kind):
        return descriptor
    os.close(descriptor)
    if stat.S_ISDIR(kind):  # somebody's, and not ours to remove
        raise UnreadableReportError(f"{path}: a folder")
    raise ReportError(f"{path}: no report: not a regular file")


def _is_readable(path: Path) -> bool:
    """Whether reading it would give a report, or show that it is none."""
    try:
        os.close(_opened(path))
    except UnreadableReportError:
        return False
    except (ReportError, OSError):
        return True
    return True
