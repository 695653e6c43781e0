"""TNEF, Outlook's winmail.dat ([MS-OXTNEF]): the attachments and the text within. Runs in a helper process only.

Our own, since the one Python library for it has had no release since 2021, and all that is wanted here is a walk over
lengths, in bounds.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from tamis.services.files.members import Member

MAGIC = b"\x78\x9f\x3e\x22"
"""What a TNEF stream begins with."""

_HEADER = struct.Struct("<BHHI")  # level, name, type, length; the checksum of two octets follows the data
_MOST = 20_000  # attributes and properties; beyond: `not_read`
_BODY, _DATA, _TITLE, _RENDER, _ATTACHMENT, _MESSAGE = 0x800C, 0x800F, 0x8010, 0x9002, 0x9005, 0x9003
_LONG_NAME, _SHORT_NAME, _OBJECT, _TEXT, _RTF, _HTML = 0x3707, 0x3704, 0x3701, 0x1000, 0x1009, 0x1013
_FIXED = {0x02: 4, 0x03: 4, 0x04: 4, 0x05: 8, 0x06: 8, 0x07: 8, 0x0A: 4, 0x0B: 4, 0x14: 8, 0x40: 8, 0x48: 16}
_BYTES = frozenset({0x0D, 0x1E, 0x1F, 0x102})
_MULTIPLE = 0x1000
_GUID = 16
_NAMED = 0x8000


def members(octets: bytes) -> Iterator[Member]:
    """The attachments, the text as "body.txt", "body.rtf" or "body.html"; raises ValueError on what is no TNEF."""
    if not octets.startswith(MAGIC):
        raise ValueError("no TNEF")
    at = 6
    name, data = "", b""
    for _ in range(_MOST):
        if at + _HEADER.size > len(octets):
            break  # the end
        _, attribute, _, length = _HEADER.unpack_from(octets, at)
        at += _HEADER.size
        value = octets[at : at + length]
        at += length + 2
        if attribute == _RENDER:  # begins the next attachment
            if data:
                yield Member(name, data)
            name, data = "", b""
        elif attribute == _TITLE:
            name = name or _text(value)
        elif attribute == _DATA:
            if data:
                yield Member(name, data)
            data = value
        elif attribute == _BODY:
            yield Member("body.txt", value)
        elif attribute in {_ATTACHMENT, _MESSAGE}:
            for prop, content in _properties(value):
                if attribute == _ATTACHMENT and prop == _LONG_NAME:
                    name = _text(content) or name
                elif attribute == _ATTACHMENT and prop == _SHORT_NAME:
                    name = name or _text(content)
                elif attribute == _ATTACHMENT and prop == _OBJECT:
                    # a message or an OLE object behind its interface's GUID
                    yield Member(name or "object", content[_GUID:])
                elif prop in {_TEXT, _RTF, _HTML} and attribute == _MESSAGE:
                    yield from _body(prop, content)
    else:
        raise ValueError("too many attributes")
    if data:
        yield Member(name, data)


def _body(prop: int, content: bytes) -> Iterator[Member]:
    if prop == _RTF:
        yield Member("body.rtf", _decompressed(content))
    else:
        yield Member("body.html" if prop == _HTML else "body.txt", content, is_body=True)


def _text(octets: bytes) -> str:
    if octets[1::2].count(0) > len(octets) // 4:
        return octets.decode("utf-16-le", "replace").rstrip("\0")
    return octets.split(b"\0")[0].decode("cp1252", "replace")


def _properties(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """MAPI properties ([MS-OXTNEF] 2.1.3.4): those of octets or text."""
    at = 4
    for _ in range(_MOST):
        if at + 4 > len(octets):
            return
        kind, prop = struct.unpack_from("<HH", octets, at)
        at += 4
        if prop >= _NAMED:  # a named property: GUID, then a number or a name
            at += _GUID
            named, length = _number(octets, at), _number(octets, at + 4)
            at += 8 + (_padded(length) if named else 0)
        plain = kind & ~_MULTIPLE
        number = 1
        if kind & _MULTIPLE or plain in _BYTES:
            number = _number(octets, at)
            at += 4
        for _ in range(min(number, _MOST)):
            if plain in _FIXED:
                at += _FIXED[plain]
            elif plain in _BYTES:
                length = _number(octets, at)
                yield prop, octets[at + 4 : at + 4 + length]
                at += 4 + _padded(length)
            else:
                return
            if at > len(octets):
                return
    raise ValueError("too many properties")


def _number(octets: bytes, at: int) -> int:
    """Four octets, as far as they are there: an offset of the sender's own may lie anywhere."""
    return int.from_bytes(octets[at : at + 4], "little")


def _padded(length: int) -> int:
    return length + -length % 4


_RTF_PREFIX = (
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor "
    b"MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par "
    b"\\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"
)
_RTF_WINDOW = 4096
_MOST_RTF = 4 * 1024 * 1024  # octets of unpacked RTF; beyond: `not_read`


def _decompressed(octets: bytes) -> bytes:
    """RTF as Outlook compresses it ([MS-OXRTFCP] 2.2)."""
    if len(octets) < 16 or octets[8:12] == b"MELA":
        return octets[16:]
    window = bytearray(_RTF_PREFIX.ljust(_RTF_WINDOW, b"\0"))
    write = len(_RTF_PREFIX)
    out = bytearray()
    at = 16
    while at < len(octets) and len(out) < _MOST_RTF:
        control = octets[at]
        at += 1
        for bit in range(8):
            if at >= len(octets):
                break
            if not control >> bit & 1:
                out.append(octets[at])
                window[write] = octets[at]
                write = (write + 1) % _RTF_WINDOW
                at += 1
                continue
            if at + 1 >= len(octets):
                at += 1
                break
            reference = octets[at] << 8 | octets[at + 1]
            at += 2
            read = reference >> 4
            if read == write:
                return bytes(out)
            for _ in range((reference & 15) + 2):
                octet = window[read]
                out.append(octet)
                window[write] = octet
                read = (read + 1) % _RTF_WINDOW
                write = (write + 1) % _RTF_WINDOW
    if at < len(octets):
        raise ValueError("too much RTF")
    return bytes(out)
