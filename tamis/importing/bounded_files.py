"""Files of other programs, read within bounds: what is too much or no text is refused with file and line."""

from __future__ import annotations

import fnmatch
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tamis.base.errors import ConfigError

MAX_OCTETS = 16 * 1024 * 1024  # of all files of one import together; beyond: refused
MAX_LINE = 64 * 1024  # characters of a line; beyond: refused
MAX_LINES = 300_000  # of all files together; beyond: refused
MAX_FILES = 1000  # beyond: refused


@dataclass(slots=True)
class ReadingBudget:
    """What one import may still read."""

    octets: int = MAX_OCTETS
    lines: int = MAX_LINES
    files: int = MAX_FILES
    names: list[str] = field(default_factory=list)
    """The files that were read."""

    def text(self, path: Path) -> str:
        """A file's text. Raises ConfigError."""
        self.files -= 1
        if self.files < 0:
            raise ConfigError(str(path), "", f"more than {MAX_FILES} files")
        try:
            # not blocking: a FIFO in the folder must not hold us up
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise ConfigError(str(path), "", "no regular file")
                octets = file.read(self.octets + 1)
        except OSError as error:
            raise ConfigError(str(path), "", f"can't be read: {error.strerror or error}") from None
        self.octets -= len(octets)
        if self.octets < 0:
            raise ConfigError(str(path), "", f"larger than {MAX_OCTETS} octets with what was read before it")
        self.names.append(str(path))
        return self.checked(str(path), octets)

    def checked(self, source: str, octets: bytes) -> str:
        """Octets as text; what is no UTF-8 is taken as Latin-1, as these programs do. Raises ConfigError."""
        if (at := octets.find(b"\0")) >= 0:
            raise ConfigError(f"{source}:{_line_of(octets, at)}", "", "a NUL octet: this is no text")
        try:
            text = octets.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = octets.decode("latin-1")
        text = text.replace("\r\n", "\n")
        self.lines -= text.count("\n") + 1
        if self.lines < 0:
            raise ConfigError(source, "", f"more than {MAX_LINES} lines with what was read before it")
        for number, line in enumerate(text.split("\n"), 1):
            if len(line) > MAX_LINE:
                raise ConfigError(f"{source}:{number}", "", f"a line of more than {MAX_LINE} characters")
        return text


def below(folder: Path, pattern: str = "*") -> Iterator[Path]:
    """The files of a folder that a pattern fits, by name; none where there is no such folder. Raises ConfigError."""
    try:
        paths = sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise ConfigError(str(folder), "", f"can't be read: {error.strerror or error}") from None
    yield from (path for path in paths if fnmatch.fnmatchcase(path.name, pattern))


def _line_of(octets: bytes, at: int) -> int:
    return octets.count(b"\n", 0, at) + 1
