"""Whether messages are nearly the same: spam varies a word, a name, a number with every copy.

    visible text -> words, without quotes and numbers -> distinct ones       -> hashes -> the smallest of them
                                                      -> runs of three       -> hashes -> the smallest of them
    little text: words and names of images, and the HTML's tags in runs of twelve
    amounts of money, attachments -> one number: what must be the same

Two sketches tell how many of their words and runs two texts share, for the smallest hashes of both together are a
random choice among all (Broder's bottom-k sketch): exact for up to SKETCH of them, else within about 0.06.

What a template has in common is not the message: two receipts, two newsletters, two answers above one quote differ in
whole lines. So copies of a mailing differ in few words at all, or in words that stand alone among equal ones.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from itertools import islice
from typing import Final
from urllib.parse import urlsplit

from tamis.message.mail.checksums import plain_words
from tamis.message.mail.mail import Mail

ALIKE: Final = 0.7
"""The likeness from which on two messages are copies of one mailing."""
SKETCH: Final = 64
"""SmallestHashes of a sketch, of words and of runs each."""
LEAST: Final = 40
"""Runs below which messages are not compared: greetings and signatures are alike by themselves."""
FEW: Final = 8
"""Distinct words that only one of two copies has, whatever their order: four of each."""
_ONE_WORD = 2
"""The same where little stands above a signature or a message that is answered: one word is another one."""
_APART: Final = 3.0
"""Runs that differ for each word that does, from which on those words stand apart: of a changed line fewer do."""

_WORD_RUN = 3
_TAG_RUN = 12
_LEAST_NAMED = 5  # words and images of a message with little text; with fewer, one form tells nothing
_CHARACTERS = 8_000  # characters of text that are compared; beyond: they change nothing
_WORDS = 1_000  # words that are compared; beyond: they change nothing
_MARKUP = 64_000  # characters of HTML whose tags are compared; beyond: they change nothing
_TAGS = 2_000  # tags that are compared; beyond: they change nothing
_IMAGES = 50  # images whose names are compared; beyond: they change nothing
_AMOUNTS = 100  # amounts of money that must be the same; beyond: they change nothing
_PARTS = 200  # attachments that must be the same; beyond: they change nothing
_QUOTED = re.compile(r"(?m)^[ \t]*>.*$")
_ENDS = re.compile(
    r"(?m)^(?:--[ ]?"  # a signature (RFC 3676 4.3)
    r"|-{3,} ?(?:original message|forwarded message|message d'origine|message transf\S{1,4}r\S{1,2}"
    r"|urspr\S{1,3}ngliche nachricht|mensaje original|messaggio originale|mensagem original) ?-{3,}"
    r"|_{20,})[ \t]*$",
    re.IGNORECASE,
)
"""Below such a line stands a signature or the message that is answered."""
_WORD = re.compile(r"(?<![^\W_])[^\W\d_]++(?![^\W_])")
"""Letters alone: what has digits as well is a code, and other in every copy."""
_AMOUNT = re.compile(r"(?<![\d.,])\d{1,9}(?:[.,' ]\d{3}){0,4}[.,]\d\d(?![\d.,]*\d)")
_TAG = re.compile(r"</?[A-Za-z][A-Za-z0-9]{0,15}")
_IMAGE = re.compile(r"""<img\b[^<>]{0,400}?\bsrc\s?=\s?["']?(https?:[^"'<>\s]{1,300})""", re.IGNORECASE)
_UNSPACED = 8
"""Letters beyond ASCII from which a word is a sentence of a script without blanks, and taken in pairs."""
_BITS = 0xFFFFFFFF
_SPREAD = 0x9E3779B1  # of Fibonacci hashing: CRC-32 alone is smaller for some runs than for others
_VERSION = 2
_HEAD = struct.Struct(">BBIHHB")
_VALUE = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class SmallestHashes:
    """The smallest hashes of some things, ascending, and how many distinct ones there were."""

    smallest: tuple[int, ...]
    total: int

    @classmethod
    def of(cls, things: Iterable[str]) -> SmallestHashes:
        """The spread is one to one, so distinct CRCs stay distinct."""
        crcs = {zlib.crc32(one.encode("utf-8", "replace")) for one in things}
        return cls(tuple(sorted([crc * _SPREAD & _BITS for crc in crcs])[:SKETCH]), len(crcs))

    def shared(self, other: SmallestHashes) -> float:
        """The share of all things of both that both have, 0 to 1; 1 where there are none."""
        mine, others = set(self.smallest), set(other.smallest)
        both = sorted(mine | others)
        if self.total > SKETCH or other.total > SKETCH:  # beyond it one of them may be cut
            both = both[:SKETCH]
        return sum(value in mine and value in others for value in both) / len(both) if both else 1.0

    def differing(self, other: SmallestHashes) -> float:
        """How many things only one of them has, as far as the share tells."""
        shared = self.shared(other)
        return (self.total + other.total) * (1 - shared) / (1 + shared)


class SketchOf(IntEnum):
    """What a sketch is made of."""

    TEXT = 0
    """The author's words, and runs of them."""
    QUOTING = 1
    """The same with what stands below them, of which they are the smaller part."""
    FORM = 2
    """Little text with the names of images, and runs of tags."""


@dataclass(frozen=True, slots=True)
class Sketch:
    """What is compared of a message; `same` is of all that must be the same."""

    made_of: SketchOf
    same: int
    words: SmallestHashes
    runs: SmallestHashes


def sketch_of(mail: Mail) -> Sketch | None:
    """The sketch of what a reader sees of a message; None where there is too little of it.

    Quotes, numbers and what stands below a signature's line are left out; where too little is left, what stands there
    counts. Where the text has fewer than LEAST runs the HTML's form is compared as well, and must be as alike.
    """
    displayed = _QUOTED.sub("", mail.displayed[:_CHARACTERS])
    end = _ENDS.search(displayed)
    tried = {SketchOf.TEXT: displayed[: end.start()] if end else displayed, SketchOf.QUOTING: displayed}
    for made_of, part in tried.items():
        text = plain_words(part, _CHARACTERS)
        words = _words(text)
        runs = SmallestHashes.of(_runs(words, _WORD_RUN))
        if runs.total >= LEAST:
            return Sketch(made_of, _same(text, mail), SmallestHashes.of(words), runs)
    form = SmallestHashes.of(_runs(list(_tags(mail)), _TAG_RUN))
    named = SmallestHashes.of([*words, *_images(mail)])
    if form.total >= LEAST and named.total >= _LEAST_NAMED:
        return Sketch(SketchOf.FORM, _same(text, mail), named, form)
    return None


def likeness(one: Sketch | None, other: Sketch | None) -> float:
    """How alike two messages are, 0 to 1: the share of their words in common where few differ, else that of their runs
    where words differ that stand apart; with little text the smaller of both. 0 for what is no copy of one mailing."""
    if one is None or other is None or one.made_of is not other.made_of or one.same != other.same:
        return 0.0
    words, runs = one.words.shared(other.words), one.runs.shared(other.runs)
    if one.made_of is SketchOf.FORM:
        return min(words, runs)
    differing = one.words.differing(other.words)
    if one.made_of is SketchOf.QUOTING:
        return words if differing <= _ONE_WORD else 0.0
    if differing <= FEW:
        return words
    return runs if one.runs.differing(other.runs) >= _APART * differing else 0.0


def _runs(things: list[str], length: int) -> Iterator[str]:
    return map(" ".join, zip(*(things[at:] for at in range(length)), strict=False))


def _same(text: str, mail: Mail) -> int:
    """Amounts of money, which tell one receipt from the next, and what is attached."""
    parts = (part.payload for part in mail.parts_beside_text[:_PARTS])
    amounts = sorted({found[0] for found in islice(_AMOUNT.finditer(text), _AMOUNTS)})
    return zlib.crc32(repr((amounts, sorted(zlib.crc32(payload) for payload in parts))).encode())


def _tags(mail: Mail) -> Iterator[str]:
    found = (tag[0].lower() for html in mail.html[:1] for tag in _TAG.finditer(html.source[:_MARKUP]))
    return islice(found, _TAGS)


def _images(mail: Mail) -> Iterator[str]:
    """Words of the paths of images elsewhere; what has digits is a number or a tracking code."""
    for html in mail.html[:1]:
        for found in islice(_IMAGE.finditer(html.source[:_MARKUP]), _IMAGES):
            yield from (f"image:{name.lower()}" for name in _WORD.findall(_path(found[1])))


def _path(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


def _words(text: str) -> list[str]:
    found = _WORD.findall(text)
    if not text.isascii():
        found = [piece for word in found for piece in _pieces(word)]
    return found[:_WORDS]


def _pieces(word: str) -> list[str]:
    if len(word) <= _UNSPACED or word.isascii():
        return [word]
    return [word[at : at + 2] for at in range(0, len(word), 2)]


def written(sketch: Sketch) -> str:
    """A sketch as text, without blanks."""
    words, runs = sketch.words, sketch.runs
    head = _HEAD.pack(_VERSION, sketch.made_of, sketch.same, words.total, runs.total, len(words.smallest))
    values = (*words.smallest, *runs.smallest)
    return base64.b64encode(head + b"".join(map(_VALUE.pack, values))).decode("ascii")


def read(text: str) -> Sketch | None:
    """What `written` wrote; None for anything else."""
    try:
        octets = base64.b64decode(text, validate=True)
        version, made_of, same, words, runs, cut = _HEAD.unpack_from(octets)
        values = tuple(value for (value,) in _VALUE.iter_unpack(octets[_HEAD.size :]))
        if version != _VERSION or max(cut, len(values) - cut) > SKETCH:
            return None
        return Sketch(
            SketchOf(made_of), same, SmallestHashes(values[:cut], words), SmallestHashes(values[cut:], runs)
        )
    except (binascii.Error, ValueError, struct.error):
        return None
