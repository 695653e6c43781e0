"""Files within text, as some senders' programs write them and readers' programs show them: uuencode and yEnc."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from typing import NamedTuple

# POSIX uuencode: "begin", the file's mode, its name; Outlook decodes it in any text.
_BEGIN = re.compile(rb"^begin(-base64)?[ \t]++[0-7]{3,4}[ \t]++([^\r\n]{1,255})\r?\n", re.MULTILINE)
_END = re.compile(rb"^(?:end|====)[ \t]*+\r?$", re.MULTILINE)
_YBEGIN = re.compile(rb"^=ybegin [^\r\n]{0,200}\bname=([^\r\n]{1,255})\r?\n", re.MULTILINE)
_YPART = re.compile(rb"=ypart [^\r\n]{0,200}\r?\n")
_YEND = re.compile(rb"^=yend\b", re.MULTILINE)
_YESCAPE = re.compile(rb"=(.)", re.DOTALL)
_YENC = bytes((octet - 42) % 256 for octet in range(256))
_UU = bytes(range(0x20, 0x61))
_AS_UU = bytes(octet if octet in _UU else 0x20 for octet in range(256))
_LINE_OCTETS = 45


class EmbeddedFile(NamedTuple):
    """A file within text: the name that it is given there, and what is in it."""

    name: str
    octets: bytes


def has_files(octets: bytes) -> bool:
    """Whether text may have files within; cheap."""
    return b"begin" in octets and (_BEGIN.search(octets) or _YBEGIN.search(octets)) is not None


def embedded_files(octets: bytes) -> Iterator[EmbeddedFile]:
    """The files within text, in linear time; one that does not end goes on to the end of the text."""
    at = 0
    while found := _BEGIN.search(octets, at):
        end = _END.search(octets, found.end())
        at = end.end() if end else len(octets)
        body = octets[found.end() : end.start() if end else len(octets)]
        yield EmbeddedFile(_name(found[2]), _base64(body) if found[1] else _uu_lines(body))
    at = 0
    while found := _YBEGIN.search(octets, at):
        end = _YEND.search(octets, found.end())
        at = end.end() if end else len(octets)
        body = octets[found.end() : end.start() if end else len(octets)]
        yield EmbeddedFile(_name(found[1]), _yenc_lines(body))


def decode_uuencode(octets: bytes) -> bytes:
    """What a uuencoded content stands for; with no "begin" it is taken for its lines alone, if it has any."""
    found = next(embedded_files(octets), None)
    return (found.octets if found else _uu_lines(octets)) or octets


def decode_yenc(octets: bytes) -> bytes:
    """What a yEnc content stands for."""
    found = next(embedded_files(octets), None)
    return (found.octets if found else b"") or octets


def _name(octets: bytes) -> str:
    return octets.strip().decode("utf-8", "replace")


def _uu_lines(octets: bytes) -> bytes:
    out: list[bytes] = []
    for line in octets.splitlines():
        if not line or line[0] not in _UU:
            continue
        length = (line[0] - 32) & 63
        if not length or length > _LINE_OCTETS + 18:
            continue
        # Blanks at the end get lost on the way; what is no letter of the encoding counts as a blank.
        letters = (length + 2) // 3 * 4
        try:
            out.append(binascii.a2b_uu(line[: 1 + letters].ljust(1 + letters).translate(_AS_UU)))
        except binascii.Error:
            continue
    return b"".join(out)


def _base64(octets: bytes) -> bytes:
    try:
        return binascii.a2b_base64(octets)
    except binascii.Error:
        return b""


def _yenc_lines(octets: bytes) -> bytes:
    part = _YPART.match(octets)
    body = octets[part.end() if part else 0 :].replace(b"\r", b"").replace(b"\n", b"")
    return _YESCAPE.sub(lambda found: bytes([(found[1][0] - 64) % 256]), body).translate(_YENC)
