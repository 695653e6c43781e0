"""Addresses in a PDF document's objects, wherever they stand: on any page, in forms, actions, scripts.

PDFium tells those of annotations on the pages that are read; this looks at the objects themselves, packed ones too
(ISO 32000-2 7.5.7). Runs in a helper process only.
"""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from tamis.message.mail.sampling import some_of

_STREAM = re.compile(rb"\bstream\r?\n")
_MOST_STREAMS = 2000  # packed streams of one document; beyond: not unpacked; `links_left_out`
_STREAM_OCTETS = 1_048_576  # octets of one stream, unpacked; beyond: not looked at; `links_left_out`
_ALL_OCTETS = 16_777_216  # octets of all streams, unpacked; beyond: not looked at; `links_left_out`
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
_MOST = 5000  # addresses of one document; beyond: by lot, `links_left_out`
_LOTS = random.SystemRandom()


class PdfLinks(NamedTuple):
    """The addresses in a document, each once, and whether a bound cut any off."""

    found: list[str]
    cut: bool


def pdf_links(octets: bytes) -> PdfLinks:
    """What a document leads to."""
    room = _Room(_ALL_OCTETS)
    some = some_of(dict.fromkeys(_every_link(octets, room)), _MOST, _LOTS)
    return PdfLinks(some.items, some.is_cut or room.cut)


def _every_link(octets: bytes, room: _Room) -> Iterator[str]:
    for piece in _pieces(octets, room):
        for match in _ADDRESS.finditer(piece):
            link = _text(match)
            if _LINK.match(link) and not link.startswith(_NOISE):
                yield link


@dataclass(slots=True)
class _Room:
    """Octets that may still be unpacked, and whether some were not."""

    octets: int
    cut: bool = False


def _pieces(octets: bytes, room: _Room) -> Iterator[bytes]:
    yield octets
    for number, stream in enumerate(_STREAM.finditer(octets)):
        if number >= _MOST_STREAMS or room.octets <= 0:
            room.cut = True
            return
        inflater = zlib.decompressobj()
        try:
            packed = memoryview(octets)[stream.end() :][:_STREAM_OCTETS]  # what is not unpacked is copied
            content = inflater.decompress(packed, min(room.octets, _STREAM_OCTETS))
        except zlib.error:
            continue
        room.octets -= len(content)
        room.cut |= not inflater.eof and (bool(inflater.unconsumed_tail) or len(packed) == _STREAM_OCTETS)
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
