"""Messages from files, folders, Maildirs, mboxes and standard input, one after the other."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

_FROM_LINE = re.compile(rb"^From (?![ \t]*:)[^\r\n]*\r?\n", re.MULTILINE)
"""Not the field, which may have white space before its colon (RFC 5322 4.5.8)."""
_MAX_OCTETS = 256 * 1024 * 1024


def read_messages(source: str) -> Iterator[tuple[str, bytes]]:
    """(name, octets) of each message in `source`: a file, a folder (with what is below it), an mbox, or "-".

    A file that begins with a "From " line is an mbox (RFC 4155) when another such line follows an empty one,
    and otherwise a message with that line taken off. Raises FileNotFoundError and other OSErrors.
    """
    if source == "-":
        yield from _split(source, sys.stdin.buffer.read(_MAX_OCTETS))
        return
    path = Path(source)
    for file in sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]:
        if file.stat().st_size > _MAX_OCTETS:
            click.echo(f"tamis: {file}: larger than {_MAX_OCTETS // 1024**2} MiB, left out", err=True)
            continue
        yield from _split(str(file), file.read_bytes())


def _split(name: str, octets: bytes) -> Iterator[tuple[str, bytes]]:
    if not _FROM_LINE.match(octets):
        yield name, octets
        return
    starts = [
        found.start()
        for found in _FROM_LINE.finditer(octets)
        if found.start() == 0 or octets.endswith((b"\n\n", b"\n\r\n"), 0, found.start())
    ]
    for number, (start, stop) in enumerate(zip(starts, [*starts[1:], len(octets)], strict=True), 1):
        message = octets[octets.find(b"\n", start) + 1 : stop]
        if len(starts) == 1:
            yield name, message
        else:
            yield f"{name}:{number}", re.sub(rb"^>(>*From )", rb"\1", message, flags=re.MULTILINE)
