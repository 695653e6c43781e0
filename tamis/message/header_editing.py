"""Changing the header block of a raw message: octets that are not meant stay as they are. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

NewFields = tuple[tuple[str, str], ...]
"""Fields to be added: (name, value) from top to bottom."""

_EMPTY_LINE = re.compile(rb"\n\r?\n")
_FIELD = re.compile(rb"[^\n]*+(?:\n[ \t][^\n]*+)*+\n?")


def split_header(raw: bytes) -> tuple[bytes, bytes]:
    """The header block (with its last line end) and the rest, which begins with the empty line."""
    if raw.startswith((b"\r\n", b"\n")):
        return b"", raw
    empty = _EMPTY_LINE.search(raw)
    at = empty.start() + 1 if empty else len(raw)
    return raw[:at], raw[at:]


def fields_of(header: bytes) -> Iterator[tuple[str, bytes]]:
    """(lower-case name, raw octets with line end) of each field, continuation lines included.

    Lines end in LF; a bare CR is content.
    """
    for found in _FIELD.finditer(header):
        if field := found[0]:
            name, colon, _ = field.partition(b":")
            yield (name.strip().decode("ascii", "replace").lower() if colon else "", field)


def edit(
    raw: bytes,
    *,
    remove: Callable[[str, bytes], bool] = lambda name, value: False,
    insert: NewFields = (),
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
