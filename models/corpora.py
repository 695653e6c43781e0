"""Labelled mail on disk: index files, single messages, folders, Maildirs and mboxes, as one stream.

Nothing is read before it is needed but the mboxes' separators, so that a stream of 100,000 messages is a list
of places.
"""

from __future__ import annotations

import errno
import mmap
import random
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tamis.base.errors import TamisError
from tamis.message.mail import Mail

MAX_OCTETS = 4 * 1024 * 1024
"""Octets of one message that are read; the rest is as when a site cuts mail at its examination bound."""

# A separator is preceded by an empty line, has a date, and is followed by a header field: a "From " at the
# beginning of a line of text is none (RFC 4155, and what programs make of it).
_SEPARATOR = re.compile(
    rb"(?:\A|(?<=\n\n)|(?<=\n\r\n))From [^\n]{0,300}\d\d:\d\d[^\n]{0,60}\n(?=[!-9;-~]{1,80}[ \t]*:)"
)
_MAILDIR = ("cur", "new")


class CorpusError(TamisError):
    """A corpus that can't be used: names the file, the line where there is one, and what is wrong."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a labelled message lies: octets `start` to `end` of a file; `end` is -1 for its end."""

    path: Path
    spam: bool
    start: int = 0
    end: int = -1

    @property
    def name(self) -> str:
        """The message's name: its file, and its offset in an mbox of several."""
        return f"{self.path}:{self.start}" if self.start else str(self.path)

    def read(self) -> Mail:
        """The message. Raises OSError when it can't be read."""
        if not stat.S_ISREG(self.path.stat().st_mode):  # reading a pipe would wait for ever
            raise OSError(errno.EINVAL, "not a regular file", str(self.path))
        with self.path.open("rb") as file:
            size = (file.seek(0, 2) if self.end < 0 else self.end) - self.start
            file.seek(self.start)
            raw = file.read(min(size, MAX_OCTETS))
        if raw.startswith(b"From "):
            line = raw.find(b"\n") + 1
            raw, size = raw[line:], size - line
        return Mail(raw, complete=len(raw) == size, size=size)


def indexed(index: Path) -> list[Place]:
    """The messages of an index: a label and a path relative to the index per line, as in the TREC corpora.

    Raises CorpusError on a line that is neither, or an index that can't be read. Message files are not looked at.
    """
    try:
        lines = index.read_text("utf-8", "surrogateescape").splitlines()
    except OSError as error:
        raise CorpusError(f"{index}: {error.strerror}") from None
    places: list[Place] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        label, _, path = line.strip().partition(" ")
        if label.lower() not in ("ham", "spam") or not path.strip():
            raise CorpusError(f"{index}, line {number}: not 'ham PATH' or 'spam PATH': {line[:80]!r}")
        places.append(Place(index.parent / path.strip(), label.lower() == "spam"))
    return places


def found(paths: Iterable[Path], *, spam: bool) -> list[Place]:
    """The messages in files, folders (with theirs), Maildirs and mboxes, in a fixed order.

    Raises CorpusError for a path that is not there; a file that can't be read is left to `Place.read`.
    """
    places: list[Place] = []
    for path in paths:
        if not path.exists():
            raise CorpusError(f"{path}: no such file or folder")
        for file in _files(path):
            places += _messages(file, spam=spam)
    return places


def shuffled(places: list[Place], seed: int) -> list[Place]:
    """The messages in a random order that the seed determines, on every machine."""
    order = list(places)
    random.Random(seed).shuffle(order)  # noqa: S311 # nothing secret
    return order


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    if (path / "cur").is_dir():
        # Of a Maildir only cur and new hold messages; its folders are Maildirs whose names begin with a dot.
        for name in _MAILDIR:
            yield from sorted(file for file in (path / name).glob("*") if file.is_file())
        children = [
            child for child in path.iterdir() if child.is_dir() and child.name not in (*_MAILDIR, "tmp")
        ]
        for child in sorted(children):
            yield from _files(child)
        return
    for child in sorted(path.iterdir()):
        if child.is_dir() and not child.is_symlink():
            yield from _files(child)
        elif child.is_file() and not child.name.startswith("."):
            yield child


def _messages(path: Path, *, spam: bool) -> list[Place]:
    try:
        with path.open("rb") as file:
            if file.read(5) != b"From ":
                return [Place(path, spam)]
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as octets:
                starts = [match.start() for match in _SEPARATOR.finditer(octets)]
                size = len(octets)
    except OSError:
        return [Place(path, spam)]
    if len(starts) < 2:
        return [Place(path, spam)]
    return [Place(path, spam, start, end) for start, end in zip(starts, [*starts[1:], size], strict=True)]
