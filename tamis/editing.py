"""Changing the header block of a raw message: octets that are not meant stay as they are. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from tamis.plan import Headers

_EMPTY_LINE = re.compile(rb"\n\r?\n")


def split_header(raw: bytes) -> tuple[bytes, bytes]:
    """The header block (with its last line end) and the rest, which begins with the empty line."""
    if raw.startswith((b"\r\n", b"\n")):
        return b"", raw
    empty = _EMPTY_LINE.search(raw)
    at = empty.start() + 1 if empty else len(raw)
    return raw[:at], raw[at:]


def fields_of(header: bytes) -> Iterator[tuple[str, bytes]]:
    """(lower-case name, raw octets with line end) of each field, continuation lines included."""
    pending: list[bytes] = []
    for line in _lines(header):
        if pending and line[:1] not in (b" ", b"\t"):
            yield _named(b"".join(pending))
            pending = []
        pending.append(line)
    if pending:
        yield _named(b"".join(pending))


def edit(
    raw: bytes,
    *,
    remove: Callable[[str, bytes], bool] = lambda name, value: False,
    insert: Headers = (),
    subject: bytes | None = None,
) -> bytes:
    """The message without the fields that `remove` says (of a lower-case name and a value), with `insert` on top, whose
    values may be folded with LF, and with another Subject.

    A missing Subject is added. Line ends are those of the message's own header.
    """
    header, rest = split_header(raw)
    end = b"\r\n" if b"\r\n" in header or not header else b"\n"
    lines = [f"{name}: {value}\n".encode("ascii", "replace").replace(b"\n", end) for name, value in insert]
    new_subject = (
        b"" if subject is None else b"Subject: " + subject.replace(b"\r\n", b"\n").replace(b"\n", end) + end
    )
    for name, field in fields_of(header):
        if name == "subject" and subject is not None:
            lines.append(new_subject)
            new_subject = b""  # a second one is dropped: only the first is shown
        elif not remove(name, field.partition(b":")[2]):
            lines.append(field)
    if new_subject and lines and not lines[-1].endswith(b"\n"):
        lines.append(end)
    return b"".join(lines) + new_subject + rest


def _lines(header: bytes) -> Iterator[bytes]:
    """Lines that end in LF; a bare CR is content (bytes.splitlines would split there, and at form feeds)."""
    start = 0
    while start < len(header):
        at = header.find(b"\n", start)
        stop = len(header) if at < 0 else at + 1
        yield header[start:stop]
        start = stop


def _named(field: bytes) -> tuple[str, bytes]:
    name, colon, _ = field.partition(b":")
    return (name.strip().decode("ascii", "replace").lower() if colon else "", field)
