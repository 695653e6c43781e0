"""What a Proxmox Mail Gateway leaves: its rule database as text, and /etc/pmg, alone or in a backup of both."""

from __future__ import annotations

import gzip
import io
import re
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from tamis.base.errors import ConfigError
from tamis.importing.bounded_files import ReadingBudget
from tamis.importing.gathering import Line

MAX_UNPACKED = 256 * 1024 * 1024  # octets of a backup, unpacked; beyond: refused
MAX_MEMBERS = 20_000  # files of a backup; beyond: refused
MAX_ROWS = 300_000  # rows of the rule database; beyond: refused
RULE_DATABASE = "Proxmox_ruledb.sql"
CONFIGURATION = "config_backup.tar"
_COPY = re.compile(r"^COPY (?:public\.)?\"?(\w+)\"? \(([^)]*)\) FROM stdin;$")
_ESCAPED = re.compile(r"\\([bfnrtv\\])")
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\"}


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table: its columns by name, NULL as ""."""

    line: Line
    values: dict[str, str]

    def __getitem__(self, name: str) -> str:
        return self.values.get(name, "")


@dataclass(slots=True)
class PmgInput:
    """What was found: rows by table, and the text of files below /etc/pmg by their names from there."""

    tables: dict[str, list[Row]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    others: list[Line] = field(default_factory=list)
    """Lines of the database and files of which nothing is read, as the report names them."""


def read_dump(path: Path, budget: ReadingBudget) -> PmgInput:
    """A backup (`pmgbackup`), a folder like /etc/pmg or an unpacked backup, or the rule database alone.

    Raises ConfigError on anything broken, or larger than the bounds.
    """
    found = PmgInput()
    if path.is_dir():
        _of_folder(path, found, budget)
    elif path.suffix == ".sql":
        _rows(budget.text(path), path.name, found)
    else:
        _of_backup(path, found, budget)
    if not found.tables and not found.files:
        raise ConfigError(str(path), "", "no rule database and nothing of /etc/pmg in it")
    return found


def _of_folder(folder: Path, found: PmgInput, budget: ReadingBudget) -> None:
    root = folder / "etc" / "pmg" if (folder / "etc" / "pmg").is_dir() else folder
    waiting = [root]
    while waiting:
        try:
            paths = sorted(waiting.pop().iterdir())
        except OSError as error:
            raise ConfigError(str(folder), "", f"can't be read: {error.strerror or error}") from None
        for path in paths:
            name = path.relative_to(root).as_posix()
            if path.is_symlink():
                found.others.append(Line(name, "(a link)"))
            elif path.is_dir():
                waiting.append(path)
            elif path.name == RULE_DATABASE:
                _rows(budget.text(path), path.name, found)
            elif path.name == CONFIGURATION:
                with path.open("rb") as file:
                    _of_configuration(file.read(MAX_UNPACKED + 1), found, budget)
            else:
                _file(name, path, found, budget)


def _file(name: str, path: Path, found: PmgInput, budget: ReadingBudget) -> None:
    if is_text(name):
        found.files[name] = budget.text(path)
    else:
        found.others.append(Line(name, "(the file)"))


def is_text(name: str) -> bool:
    """Whether a file of /etc/pmg is one that is read: keys and certificates are none."""
    return name in (
        "pmg.conf",
        "domains",
        "mynetworks",
        "transport",
        "tls_policy",
        "dkim/domains",
        "user.conf",
    )


class _Bounded(io.RawIOBase):
    """A stream that refuses to be longer than the bound."""

    def __init__(self, inner: gzip.GzipFile | io.BufferedReader, source: str) -> None:
        self._inner, self._left, self._source = inner, MAX_UNPACKED, source

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        octets = self._inner.read(min(size, 1 << 20) if size >= 0 else 1 << 20)
        self._left -= len(octets)
        if self._left < 0:
            raise ConfigError(self._source, "", f"larger than {MAX_UNPACKED} octets when unpacked")
        return octets


def _of_backup(path: Path, found: PmgInput, budget: ReadingBudget) -> None:
    try:
        with path.open("rb") as file:
            magic = file.read(2)
            file.seek(0)
            inner = gzip.GzipFile(fileobj=file) if magic == b"\x1f\x8b" else file
            for name, octets in _members(_Bounded(inner, str(path)), str(path)):
                if name == RULE_DATABASE:
                    _rows(budget.checked(name, octets), name, found)
                elif name == CONFIGURATION:
                    _of_configuration(octets, found, budget)
                else:
                    found.others.append(Line(name, "(the file)"))
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise ConfigError(str(path), "", f"no backup that can be read: {error}") from None


def _of_configuration(octets: bytes, found: PmgInput, budget: ReadingBudget) -> None:
    for name, content in _members(io.BytesIO(octets), CONFIGURATION):
        inner = name.removeprefix("etc/pmg/")
        if inner != name and is_text(inner):
            found.files[inner] = budget.checked(inner, content)
        else:
            found.others.append(Line(inner, "(the file)"))


def _members(stream: io.RawIOBase | io.BytesIO, source: str) -> Iterator[tuple[str, bytes]]:
    """The regular files of an archive; nothing is written, so names can't lead anywhere."""
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for number, member in enumerate(archive):
            if number >= MAX_MEMBERS:
                raise ConfigError(source, "", f"more than {MAX_MEMBERS} files")
            if member.size > MAX_UNPACKED:
                raise ConfigError(source, "", f"a file of more than {MAX_UNPACKED} octets")
            content = archive.extractfile(member) if member.isfile() else None
            if content is not None:
                yield str(PurePosixPath(member.name)).removeprefix("/"), content.read()


def _rows(text: str, source: str, found: PmgInput) -> None:
    """The COPY blocks of a dump. Raises ConfigError where one is broken."""
    rows = 0
    table, columns, began = "", [""], ""
    for number, raw in enumerate(text.split("\n"), 1):
        line = Line(f"{source}:{number}", raw)
        if not table:
            if begin := _COPY.match(raw):
                table, began = begin[1].lower(), line.place
                columns = [one.strip(' "').lower() for one in begin[2].split(",")]
                found.tables.setdefault(table, [])
            elif raw.strip():
                found.others.append(line)
            continue
        if raw == "\\.":
            table = ""
            continue
        cells = raw.split("\t")
        if len(cells) != len(columns):
            raise ConfigError(line.place, "", f"{len(cells)} columns of {table}, not {len(columns)}")
        rows += 1
        if rows > MAX_ROWS:
            raise ConfigError(line.place, "", f"more than {MAX_ROWS} rows")
        values = {name: _cell(cell) for name, cell in zip(columns, cells, strict=True)}
        found.tables[table].append(Row(line, values))
    if table:
        raise ConfigError(began, "", f"the rows of {table} have no end")


def _cell(text: str) -> str:
    """A cell of COPY's text format; bytea in hexadecimal digits is text, too."""
    if text == "\\N":
        return ""
    plain = _ESCAPED.sub(lambda found: _ESCAPES[found[1]], text)
    if plain.startswith("\\x"):
        try:
            return bytes.fromhex(plain[2:]).decode("utf-8", "replace")
        except ValueError:
            return plain
    return re.sub(
        r"\\(\d{3}|\\)", lambda found: "\\" if found[1] == "\\" else chr(int(found[1], 8) & 255), plain
    )
