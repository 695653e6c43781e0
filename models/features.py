"""A message as numbers: views of distinct hashed features, the same on every machine.

A view is one way of looking (words of the body, pairs of header words, ...) with its own table of 2^bits
weights. A feature is present or not; present ones have the value weight / sqrt(features of the view), so
that long messages don't outvote short ones. Views that are learned together form an expert.

The two halves of a message are read by words (header, body) and by byte 4-grams (message as it came, header,
decoded text), which no spelling trick escapes (Goodman & Yih 2006; Sculley 2006); pairs at a distance catch
phrases (Siefkes et al. 2004).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from tamis.mail import Mail
from tamis.models import words
from tamis.models.hashing import (
    Buckets,
    Hashes,
    Octets,
    Positions,
    buckets,
    distinct,
    gram_hashes,
    octets_of,
    pairs,
)
from tamis.models.headers import ANYWHERE, Arrival, Home, SeenField, seen_fields
from tamis.models.words import Words

FEATURE_VERSION: Final = 2
"""Changes whenever any message may get other features; a model is good for one version only."""


@dataclass(frozen=True, slots=True)
class View:
    """One table: 2^`bits` weights from `offset` on; `weight` scales its features against its expert's others."""

    name: str
    bits: int
    weight: float
    offset: int


@dataclass(frozen=True, slots=True)
class Expert:
    """Views `first` to `last` - 1, learned together. `floor` is AdaGrad's epsilon, `share` the part in the mix."""

    name: str
    first: int
    last: int
    floor: float
    share: float


_LAYOUT: Final = (
    ("message", 0.003, 1.0, (("message 4-grams", 18, 1.0),)),
    ("header", 0.01, 0.5, (("header 4-grams", 18, 1.0),)),
    ("text", 0.01, 0.5, (("text 4-grams", 18, 1.0),)),
    (
        "header words",
        0.01,
        1.0,
        (
            ("header words", 17, 1.0),
            ("origins", 17, 1.0),
            ("header pairs", 18, 0.7),
            ("header shapes", 16, 1.0),
        ),
    ),
    (
        "body words",
        0.01,
        1.0,
        (
            ("body words", 17, 1.0),
            ("body words as written", 17, 1.0),
            ("body pairs", 19, 1.0),
            ("word shapes", 15, 1.0),
            ("body shapes", 14, 1.0),
            ("urls", 16, 1.0),
            ("markup", 16, 0.3),
            ("structure", 14, 1.0),
        ),
    ),
)
"""Name, floor, share and views (name, bits, weight) of each expert."""


def _laid_out() -> tuple[tuple[View, ...], tuple[Expert, ...]]:
    views: list[View] = []
    experts: list[Expert] = []
    offset = 0
    total = sum(share for _, _, share, _ in _LAYOUT)
    for name, floor, share, tables in _LAYOUT:
        first = len(views)
        for view, bits, weight in tables:
            views.append(View(view, bits, weight, offset))
            offset += 1 << bits
        experts.append(Expert(name, first, len(views), floor, share / total))
    return tuple(views), tuple(experts)


VIEWS, EXPERTS = _laid_out()
PLATFORM_SIZE: Final = VIEWS[-1].offset + (1 << VIEWS[-1].bits)
"""Weights over all views; behind them stand those of the domains' corrections."""
CORRECTION_BITS: Final = 19
TABLE_SIZE: Final = PLATFORM_SIZE + (1 << CORRECTION_BITS)
"""Weights of a model."""

_RAW_OCTETS = 3500
_RAW_HEADER_OCTETS = 2500
_HEADER_OCTETS = 5000
_TEXT_OCTETS = 8000
_HEADER_END = re.compile(rb"\r?\n\r?\n")
_HEADER_SEARCH = 262_144
_HEADER_DISTANCES = (1, 2)
_BODY_DISTANCES = (1, 2, 3, 4)


@dataclass(frozen=True, slots=True)
class Features:
    """The features of one message.

    `indices` (uint32) are places in the model's table, ascending, distinct, grouped by view; `counts` (intp) says how
    many belong to each of VIEWS.
    """

    indices: Buckets
    counts: Positions

    def scales(self) -> npt.NDArray[np.float64]:
        """The value of the features of each view; 0 for an empty one."""
        return np.where(self.counts > 0, _WEIGHTS / np.sqrt(np.maximum(self.counts, 1)), 0.0)


_WEIGHTS = np.array([view.weight for view in VIEWS])


@dataclass(frozen=True, slots=True)
class Grams:
    """The byte 4-grams of some octets."""

    octets: Octets

    def buckets(self, bits: int) -> Buckets:
        """The bucket of the 4-gram at each octet."""
        return gram_hashes(self.octets) >> np.uint32(32 - bits)


@dataclass(frozen=True, slots=True)
class Listed:
    """Words, each a feature; `lines` numbers the header fields they stand in."""

    words: Words
    lines: Positions | None = None

    def buckets(self, bits: int) -> Buckets:
        """The bucket of each word."""
        return buckets(self.words.hashes, bits)

    def named(self) -> Iterator[tuple[Hashes, tuple[Positions, ...]]]:
        """The hashes, and the numbers of the words that each stands for."""
        yield self.words.hashes, (np.arange(len(self.words.hashes)),)


@dataclass(frozen=True, slots=True)
class Paired:
    """Pairs of words at some distances, within one line where `lines` numbers them."""

    words: Words
    distances: tuple[int, ...]
    lines: Positions | None = None

    def buckets(self, bits: int) -> Buckets:
        """The bucket of each pair."""
        found = [hashes for hashes, _ in self.named()]
        return buckets(np.concatenate(found), bits) if found else np.zeros(0, dtype=np.uint32)

    def named(self) -> Iterator[tuple[Hashes, tuple[Positions, ...]]]:
        """The hashes of each distance, and the numbers of the two words that each stands for."""
        for distance in self.distances:
            if len(self.words.hashes) <= distance:
                return
            hashes = pairs(self.words.hashes, distance)
            first = np.arange(len(hashes))
            if self.lines is not None:
                first = np.flatnonzero(self.lines[:-distance] == self.lines[distance:])
                hashes = hashes[first]
            yield hashes, (first, first + distance)


Look = Grams | Listed | Paired


def looks(mail: Mail, arrival: Arrival | None, home: Home, seen_text: str) -> Iterator[Look]:
    """What each of VIEWS sees of a message, in their order."""
    fields = seen_fields(mail, arrival, home)
    block = _header_block(fields)
    yield Grams(octets_of((block[:_RAW_HEADER_OCTETS] + b"\n\n" + _raw_body(mail.raw))[:_RAW_OCTETS]))
    yield Grams(octets_of(block[:_HEADER_OCTETS]))
    yield Grams(octets_of(_decoded(mail)))
    header, lines = words.header_words(fields)
    text = mail.text[: words.MAX_TEXT]
    if seen_text:
        text = f"{text}\n{seen_text[: words.MAX_TEXT]}"
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    shaped, form = words.body_shapes(text)
    origins, shapes, forms, urls, markup, structure = words.hashed(
        [
            words.origins(fields),
            words.shapes(fields),
            form,
            words.url_words(mail),
            words.markup_words(mail),
            words.structure_words(mail),
        ]
    )
    yield Listed(header, lines)
    yield Listed(origins)
    yield Paired(header, _HEADER_DISTANCES, lines)
    yield Listed(shapes)
    subject = words.subject_of(fields)
    written = words.spelled(f"{subject}\n{text}")
    body = words.body_words(written.lower())
    yield Listed(body)
    yield Listed(words.body_words(written))
    yield Paired(body, _BODY_DISTANCES)
    yield Listed(shaped)
    yield Listed(forms)
    yield Listed(urls)
    yield Listed(markup)
    yield Listed(structure)


_BOUNDS = np.array([*(view.offset for view in VIEWS), PLATFORM_SIZE], dtype=np.uint32)


def extract(
    mail: Mail, *, arrival: Arrival | None = None, home: Home = ANYWHERE, seen_text: str = ""
) -> Features:
    """The features of a message. Never raises on whatever content; work is bounded whatever its size.

    `arrival` is what the SMTP dialogue said, for a message at the door; a stored message has it in its header.
    `home` is the site, whose traces are left out. `seen_text` is text that was read in images.
    """
    found = [
        look.buckets(view.bits) + np.uint32(view.offset)
        for view, look in zip(VIEWS, looks(mail, arrival, home, seen_text), strict=True)
    ]
    indices = distinct(np.concatenate(found))
    return Features(indices, np.diff(np.searchsorted(indices, _BOUNDS)))


def _header_block(fields: Iterable[SeenField]) -> bytes:
    return "\n".join(f"{field.raw_name}: {field.value}" for field in fields).encode("utf-8", "replace")


def _raw_body(raw: bytes) -> bytes:
    """The first octets of the body as it came, with LF lines: enough for the 4-grams of the message."""
    end = _HEADER_END.search(raw, 0, _HEADER_SEARCH)
    if end is None:
        return b""
    return raw[end.end() : end.end() + 2 * _RAW_OCTETS].replace(b"\r\n", b"\n")[:_RAW_OCTETS]


def _decoded(mail: Mail) -> bytes:
    """Decoded text parts, plain ones first, then HTML as written: markup tells as much as words."""
    pieces: list[str] = []
    room = _TEXT_OCTETS
    for kind in ("text/plain", "text/html"):
        for part in mail.parts[: words.MAX_PARTS]:
            if room <= 0:
                break
            if part.content_type == kind:
                piece = part.text[: 2 * room].replace("\r\n", "\n")[:room]
                pieces.append(piece)
                room -= len(piece) + 1
    return "\n".join(pieces).encode("utf-8", "replace")[:_TEXT_OCTETS]
