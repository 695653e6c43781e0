"""Pictures that are no image files: drawn with cells, characters or vectors, or cut into tiles.

What may be one is packed into octets that the reader of images takes (`tamis.services.files.drawn` draws them there).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from tamis.message.mail.references import data_of
from tamis.message.mail.sampling import Chance, sampled

if TYPE_CHECKING:
    from tamis.message.mail.html import Html
    from tamis.message.mail.part import Part

PAGE = b"%tamis-page\n"
"""Begins markup or text in which something is drawn."""
TILES = b"%tamis-tiles\n"
"""Begins images side by side: for each row its tiles, for each tile its length and octets."""

LEAST_BLOCKS = 60
"""Block characters, or cells, below which there is no QR code: the smallest has 21 modules a side."""
_PAGE_CHARACTERS = 1_048_576
"""Characters of markup or text that may draw something. Beyond: not drawn; `html_truncated`, `text_truncated`."""
_BLOCKS = re.compile("[\u2580-\u259f\u25a0\u25a1\u2b1b\u2b1c\u25fb\u25fc\u2800-\u28ff\U0001f7e5-\U0001f7eb]")
_HASH_LINE = re.compile(r"\n[#@X*%MW0 \t]{20}")
_HASHES = re.compile(r"(?:^[#@X*%MW0 \t]{20,}+\n){18}", re.MULTILINE)
_CELLS = re.compile(
    r"<(?:td|th|div|span|i|b|li|p|x)\b[^<>]{0,400}(?:background|bgcolor|class|fill)", re.IGNORECASE
)
_SHADOW = re.compile(r"box-shadow\s*:[^;\"}]{400}", re.IGNORECASE)
_SVG = re.compile(r"<svg\b", re.IGNORECASE)
_SVG_END = re.compile(r"</svg\s{0,9}>", re.IGNORECASE)
_SVG_CHARACTERS = 262_144  # of one drawing within a page; beyond: not drawn, `too_many_images`
_IMG = re.compile(
    r"<(?:img|image|v:imagedata)\b[^<>]{0,2000}?\bsrc\s*=\s*[\"']?([^\"'\s>]{1,1500000})|<(/tr|/div|br|/p|/table)\b",
    re.IGNORECASE,
)
_DRAWINGS = 6  # drawings of one message; beyond: by lot, `too_many_images`
_MOST_FOUND = 200  # of which they are drawn by lot; beyond: not drawn, `too_many_images`
_MOST_TILES = 24  # images that may be parts of one; beyond: not joined, `too_many_images`
_TILE_OCTETS = 2_097_152  # octets of all tiles together; beyond: not joined, `too_many_images`
_SVG_HEAD = 4096


def is_svg(octets: bytes) -> bool:
    """Whether a file is a drawing in SVG."""
    return b"<svg" in octets[:_SVG_HEAD].lower() and b"\0" not in octets[:_SVG_HEAD]


class Drawings(NamedTuple):
    """What may be drawn in a message, for the reader of images, and how many such things there are."""

    found: tuple[bytes, ...]
    number: int


_TOO_LARGE = b""
"""Stands for a drawing that is too large to be drawn."""


class Source(Protocol):
    """What of a message something may be drawn in."""

    @property
    def html(self) -> Sequence[Html]:
        """The pages."""

    @property
    def parts(self) -> Sequence[Part]:
        """The parts, texts among them."""

    @property
    def images(self) -> Sequence[Part]:
        """The images, which may be tiles."""


def drawings_in(mail: Source, lots: Chance) -> Drawings:
    """What may be drawn in a message: likely ones for certain, of many others some by lot."""
    found: dict[bytes, None] = {}
    missing = 0
    for octets in _found(mail):
        if octets == _TOO_LARGE or len(found) >= _MOST_FOUND:
            missing += 1
            if missing > _MOST_FOUND:
                break
        else:
            found[octets] = None
    chosen = sampled(list(found), _DRAWINGS, lots, sure=_DRAWINGS // 2)
    return Drawings(tuple(chosen), len(found) + missing)


def _found(mail: Source) -> Iterator[bytes]:
    for html in mail.html:
        source = html.source[:_PAGE_CHARACTERS]
        if _may_be_drawn(source):
            yield PAGE + source.encode("utf-8", "replace")
        for svg in _svgs(source):
            yield svg.encode("utf-8", "replace")
        yield from _embedded(source)
        if (tiles := _tiles(mail, source)) is not None:
            yield tiles
    for part in mail.parts:
        if part.content_type == "text/plain" and _may_be_drawn(part.text):
            yield PAGE + part.text[:_PAGE_CHARACTERS].encode("utf-8", "replace")
        elif (
            part.content_type == "image/svg+xml" or (part.filename or "").lower().endswith(".svg")
        ) and is_svg(part.payload):
            yield part.payload[:_PAGE_CHARACTERS]


def _svgs(source: str) -> Iterator[str]:
    """The drawings in SVG within a page."""
    at = 0
    while begin := _SVG.search(source, at):
        end = _SVG_END.search(source, begin.end(), begin.end() + _SVG_CHARACTERS)
        if end is None:
            if _SVG_END.search(source, begin.end()):
                yield ""
            at = begin.end() + _SVG_CHARACTERS
            continue
        yield source[begin.start() : end.end()]
        at = end.end()


def _may_be_drawn(text: str) -> bool:
    """Whether there is enough of what pictures are drawn with."""
    if not text.isascii() and len(_BLOCKS.findall(text)) >= LEAST_BLOCKS:
        return True
    cells = sum(1 for _, _ in zip(range(2 * LEAST_BLOCKS), _CELLS.finditer(text), strict=False))
    if cells >= 2 * LEAST_BLOCKS or ("box-" in text.lower() and _SHADOW.search(text)):
        return True
    # a pattern that begins with a line end is found far more quickly than the whole one, and most texts have none
    return bool(_HASH_LINE.search(text)) and bool(_HASHES.search(text))


def _embedded(source: str) -> Iterator[bytes]:
    """Images in data: URLs."""
    if "data:" not in source.lower():
        return
    for found in re.finditer(r"data:image/[a-z+.-]{2,20}[;,][^\"'\s>)]{60,1500000}", source, re.IGNORECASE):
        data = data_of(found[0])
        if data is not None and data[1]:
            yield data[1]


def _tiles(mail: Source, source: str) -> bytes | None:
    """The images that a page shows beside or below each other, if there are several."""
    if not mail.images and "data:" not in source.lower():
        return None
    by_id: dict[str, Part] = {}
    for part in mail.images:
        if content_id := part.headers.first("content-id"):
            by_id[content_id.strip().strip("<>").lower()] = part
    rows: list[list[bytes]] = [[]]
    number = size = 0
    for found in _IMG.finditer(source):
        if found[2]:
            if rows[-1]:
                rows.append([])
            continue
        octets = _shown(found[1], by_id)
        if not octets:
            continue
        number += 1
        size += len(octets)
        if number > _MOST_TILES or size > _TILE_OCTETS:
            return _TOO_LARGE
        rows[-1].append(octets)
    return packed_tiles([row for row in rows if row]) if number > 1 else None


def _shown(source: str, by_id: dict[str, Part]) -> bytes:
    if source[:4].lower() == "cid:":
        part = by_id.get(source[4:].lower())
        return part.payload if part is not None and not part.cut else b""
    data = data_of(source)
    return data[1] if data is not None else b""


def packed_tiles(rows: list[list[bytes]]) -> bytes:
    """Rows of images as the reader takes them."""
    out = [TILES]
    for row in rows:
        out += (len(tile).to_bytes(4, "big") + tile for tile in row)
        out.append(b"\xff\xff\xff\xff")
    return b"".join(out)
