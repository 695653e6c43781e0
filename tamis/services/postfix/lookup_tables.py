"""Postfix's lookup tables, asked by its own tool, so that every type is known that this Postfix knows (postmap(1))."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Collection, Mapping
from pathlib import Path

from tamis.base.errors import ServiceError
from tamis.services.postfix.listeners import program

_BY_PATTERN = frozenset({"regexp", "pcre", "cidr", "tcp", "socketmap"})
"""Types that are asked for whole addresses only, never for parts of one (DICT_FLAG_FIXED in Postfix's sources)."""
_MAX_KEY = 1_000
"""Characters of a key. Beyond: not asked, the address is no alias; Postfix's own limit for an address is lower."""
_FILE = re.compile(r"/[^\s,{}]+")


FileStamp = tuple[int, int, int] | None
"""When a file was changed, its size and its inode; None where there is none."""


def split_maps(maps: str) -> list[str]:
    """The tables of a list such as transport_maps; blanks and commas inside braces belong to a table."""
    tables, depth, current = [], 0, ""
    for character in maps:
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth == 0 and character in ", \t":
            tables.append(current)
            current = ""
        else:
            current += character
    return [table for table in (*tables, current) if table]


def takes_parts(table: str) -> bool:
    """Whether a table is asked for parts of an address as well."""
    return table.partition(":")[0] not in _BY_PATTERN


def files_of(tables: Collection[str]) -> tuple[Path, ...]:
    """The files behind some tables, with their compiled forms: when one of them changes, answers may."""
    names = [name for table in tables for name in _FILE.findall(table)]
    return tuple(Path(name + ending) for name in names for ending in ("", ".db", ".lmdb", ".cdb"))


def stamp(path: Path) -> FileStamp:
    """By what a file's change is noticed."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def ask(directory: Path, table: str, keys: Collection[str], *, seconds: float = 20.0) -> Mapping[str, str]:
    """What a table says of the keys that it has. Raises ServiceError when it can't be asked.

    `proxy:` is left out: only Postfix's own processes and root may ask its proxy, and behind it stands the same table.
    """
    direct = re.sub(r"(?<!\w)proxy:", "", table)
    asked = [key for key in keys if key.isprintable() and 0 < len(key) <= _MAX_KEY]
    if not asked:
        return {}
    try:
        done = subprocess.run(  # noqa: S603 - a fixed program, no shell
            [program("postmap"), "-c", str(directory), "-q", "-", direct],
            input="".join(f"{key}\n" for key in asked).encode("utf-8", "surrogateescape"),
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ServiceError(f"{table} does not answer within {seconds:g} s") from None
    except OSError as error:
        raise ServiceError(f"postmap: {error}") from error
    said = done.stderr.decode("utf-8", "replace")
    if done.returncode < 0 or "fatal:" in said:
        last = said.strip().splitlines()[-1:] or [f"signal {-done.returncode}"]
        raise ServiceError(f"{table}: {last[0].removeprefix('postmap: ')}")
    lines = done.stdout.decode("utf-8", "surrogateescape").split("\n")
    return dict(line.split("\t", 1) for line in lines if "\t" in line)
