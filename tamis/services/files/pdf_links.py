"""Addresses in a PDF document's objects, wherever they stand: on any page, in forms, actions, scripts.

PDFium tells those of annotations on the pages that are read; this looks at the objects themselves, packed ones too
(ISO 32000-2 7.5.7). Runs in a helper process only.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator

_STREAM = re.compile(rb"/FlateDecode.{0,600}?\bstream\r?\n|\bstream\r?\n", re.DOTALL)
_MOST_STREAMS = 2000  # packed streams of one document; beyond: not unpacked
_STREAM_OCTETS = 1_048_576  # octets of one stream, unpacked; beyond: not looked at
_ALL_OCTETS = 16_777_216  # octets of all streams, unpacked; beyond: not looked at
_ADDRESS = re.compile(
    rb"/(?:URI|F|UF)\s{0,9}(?:\(((?:[^()\\]|\\.){4,4000})\)|<([0-9A-Fa-f\s]{8,8000})>)"
    rb"|((?:https?|ftp|file)://[^\s()<>\"'\\]{4,2000})",
    re.IGNORECASE | re.DOTALL,
)
_OF_INTEREST = (b"/URI", b"/JS", b"/Launch", b"/GoToR", b"/SubmitForm", b"http", b"launchURL", b"getURL")
_ESCAPE = re.compile(rb"\\([0-7]{1,3}|\r?\n|.)", re.DOTALL)
_PLAIN = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}
_LINK = re.compile(r"(?:https?|ftp|file):|www\.|\\\\", re.IGNORECASE)
_NOISE = (
    "http://ns.adobe.com/",
    "http://www.w3.org/",
    "http://purl.org/",
    "http://www.aiim.org/",
    "http://iptc.org/",
)
_MOST = 100  # addresses of one document; beyond: left out


def pdf_links(octets: bytes) -> list[str]:
    """The addresses, each once."""
    found: dict[str, None] = {}
    for piece in _pieces(octets):
        for match in _ADDRESS.finditer(piece):
            link = _text(match)
            if _LINK.match(link) and not link.startswith(_NOISE):
                found[link] = None
                if len(found) >= _MOST:
                    return list(found)
    return list(found)


def _pieces(octets: bytes) -> Iterator[bytes]:
    yield octets
    room = _ALL_OCTETS
    for number, stream in enumerate(_STREAM.finditer(octets)):
        if number >= _MOST_STREAMS or room <= 0:
            return
        try:
            content = zlib.decompressobj().decompress(
                memoryview(octets)[stream.end() :], min(room, _STREAM_OCTETS)
            )
        except zlib.error:
            continue
        room -= len(content)
        if any(word in content for word in _OF_INTEREST):
            yield content


def _text(match: re.Match[bytes]) -> str:
    if match[3]:
        return match[3].decode("latin-1")
    if match[2]:
        digits = re.sub(rb"\s", b"", match[2])
        octets = bytes.fromhex(digits[: len(digits) // 2 * 2].decode())
    else:
        octets = _ESCAPE.sub(_unescaped, match[1])
    if octets.startswith(b"\xfe\xff"):
        return octets[2:].decode("utf-16-be", "replace").strip()
    return octets.decode("utf-8", "replace").strip()


def _unescaped(match: re.Match[bytes]) -> bytes:
    told = match[1]
    if told.isdigit():
        return bytes([int(told, 8) & 255]) if not told.strip(b"01234567") else told
    return b"" if told.endswith(b"\n") else _PLAIN.get(told, told)
