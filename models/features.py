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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from tamis.message.mail import Mail
from tamis.models import compiled
from tamis.models import text_views as texts
from tamis.models import word_tokens as words
from tamis.models.hashing import Buckets, Positions, distinct, gram_hashes, halves, neighbours, pairs
from tamis.models.header_tokens import ANYWHERE, Arrival, Home, SeenField, seen_fields
from tamis.models.text_views import Text, Words

FEATURE_VERSION: Final = 2
"""Changes whenever what features stand for does; a model is good for one version only.

That reading gets better, so that some messages have a few others, leaves it as it is (docs/statistics.md says how
many); golden hashes tell the two apart."""


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
_HEADER_END = re.compile(rb"\n\r?\n")
_HEADER_SEARCH = 262_144
_HEADER: Final = 0
"""The number of the header's text, whose words are told by the first of their line."""
_WORDS: Final = {
    "header words": (_HEADER, 0),
    "origins": (1, 0),
    "header pairs": (_HEADER, 2),
    "header shapes": (2, 0),
    "body words": (3, 0),
    "body words as written": (4, 0),
    "body pairs": (3, 4),
    "word shapes": (5, 0),
    "body shapes": (6, 0),
    "urls": (7, 0),
    "markup": (8, 0),
    "structure": (9, 0),
}
"""The number of a view's text, and how far apart the words of a pair may be; 0 where words are seen one by one. The
other views, which come first, are of the 4-grams of sections, one each."""


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


class Grams(NamedTuple):
    """The byte 4-grams of some octets, as the hash of the one at each octet."""

    octets: bytes
    hashes: Buckets


class HashedWords(NamedTuple):
    """Words, or pairs of words, as their hashes; `numbers` has, for each, those of the words it stands for."""

    hashes: Buckets
    numbers: tuple[Positions, ...]


Look = Grams | HashedWords


class Looks(NamedTuple):
    """What each of VIEWS sees of a message, in their order: first 4-grams, then words and pairs of `words`.

    The first bits of a hash are the bucket of its feature. `lines` numbers the lines of the header's words, which
    are the first.
    """

    views: list[Look]
    words: Words
    lines: Positions


class Octets(NamedTuple):
    """What is hashed of a message: sections for 4-grams, and texts for words, as many as VIEWS need."""

    sections: tuple[bytes, ...]
    texts: tuple[Text, ...]


def octets_of(mail: Mail, arrival: Arrival | None, home: Home, seen_text: str) -> Octets:
    """What is hashed of a message; arguments as for `extract`."""
    fields = seen_fields(mail, arrival, home)
    block = _header_block(fields)
    sections = (
        (block[:_RAW_HEADER_OCTETS] + b"\n\n" + _raw_body(mail.raw))[:_RAW_OCTETS],
        block[:_HEADER_OCTETS],
        _decoded(mail),
    )
    header = texts.spelled(words.header_lines(fields)).lower()
    text = mail.text[: words.MAX_TEXT]
    if seen_text:
        text = f"{text}\n{seen_text[: words.MAX_TEXT]}"
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    (origins, shapes, *others), form = words.listed(
        (
            words.origins(fields),
            words.shapes(fields),
            words.body_shapes(text),
            words.url_words(mail),
            words.markup_words(mail),
            words.structure_words(mail),
        ),
        text[: words.MAX_FORM],
    )
    written = texts.spelled(f"{words.subject_of(fields)}\n{text}")
    return Octets(
        sections,
        (
            Text.of(header, texts.HEADER_WORD),
            origins,
            shapes,
            Text.of(written.lower(), texts.WORD),
            Text.of(written, texts.WORD),
            form,
            *others,
        ),
    )


def looks(mail: Mail, arrival: Arrival | None, home: Home, seen_text: str) -> Looks:
    """Look at a message."""
    return _looks(octets_of(mail, arrival, home, seen_text))


def _looks(octets: Octets) -> Looks:
    read = texts.read(octets.texts)
    lines = texts.salted_by_line(read)
    return Looks([*_grams(octets.sections), *_hashed(read, lines)], read, lines)


def _grams(sections: Sequence[bytes]) -> list[Grams]:
    hashes = gram_hashes(b"".join(sections))
    found: list[Grams] = []
    start = 0
    for octets in sections:
        found.append(Grams(octets, hashes[start : max(start, start + len(octets) - 3)]))
        start += len(octets)
    return found


def _hashed(read: Words, lines: Positions) -> Iterator[HashedWords]:
    """The words of each text, and the pairs of header and body, in the order of their views."""
    hashes = halves(read.hashes)
    for text, reach in _WORDS.values():
        start, stop = read.bounds[text : text + 2]
        if reach:
            first, second = neighbours(start, stop, range(1, reach + 1))
            if text == _HEADER:
                within = lines[first] == lines[second]
                first, second = first[within], second[within]
            yield HashedWords(halves(pairs(read.hashes, first, second)), (first, second))
        else:
            yield HashedWords(hashes[start:stop], (np.arange(start, stop),))


_SHIFTS = np.array([32 - view.bits for view in VIEWS], dtype=np.uint32)
_OFFSETS = np.array([view.offset for view in VIEWS], dtype=np.uint32)
_BOUNDS = np.array([*(view.offset for view in VIEWS), PLATFORM_SIZE], dtype=np.uint32)
_ROWS = np.array(
    [(*_WORDS.get(view.name, (number, 0)), view.bits, view.offset) for number, view in enumerate(VIEWS)],
    dtype=np.uint32,
).tobytes()
"""VIEWS as the extension takes them."""


def extract(
    mail: Mail, *, arrival: Arrival | None = None, home: Home = ANYWHERE, seen_text: str = ""
) -> Features:
    """The features of a message. Never raises on whatever content; work is bounded whatever its size.

    `arrival` is what the SMTP dialogue said, for a message at the door; a stored message has it in its header.
    `home` is the site, whose traces are left out. `seen_text` is text that was read in images.
    """
    return features_of(octets_of(mail, arrival, home, seen_text))


def features_of(octets: Octets) -> Features:
    """The features that octets have, whatever they are."""
    if compiled.used:
        places, numbers = compiled.loops.places(octets.sections, octets.texts, _ROWS)
        return Features(np.frombuffer(places, np.uint32), np.frombuffer(numbers, np.intp))
    return _placed([look.hashes for look in _looks(octets).views])


def _placed(found: Sequence[Buckets]) -> Features:
    """The features that the hashes of all views stand for."""
    counts = [len(hashes) for hashes in found]
    values = np.concatenate(found)
    values >>= _SHIFTS.repeat(counts)
    values += _OFFSETS.repeat(counts)
    # Experts apart, because that is faster; their views stand one after the other.
    start = 0
    for expert in EXPERTS:
        stop = start + sum(counts[expert.first : expert.last])
        values[start:stop].sort()
        start = stop
    indices = distinct(values)
    ends = indices.searchsorted(_BOUNDS)
    return Features(indices, ends[1:] - ends[:-1])


def _header_block(fields: Sequence[SeenField]) -> bytes:
    return "\n".join([f"{raw_name}: {value}" for _, raw_name, value in fields]).encode("utf-8", "replace")


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
