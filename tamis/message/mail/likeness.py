"""Whether messages are nearly the same: spam varies a word, a name, a number with every copy.

    visible text -> words         -> runs of three  -> hashes -> the smallest of them: the sketch
    little text: the HTML's tags  -> runs of twelve -> hashes -> the smallest of them

Two sketches tell how many of their runs two texts share, for the smallest hashes of both together are a random choice
among all runs (Broder's bottom-k sketch): exact for texts of up to SKETCH runs, else within about 0.06.
"""

from __future__ import annotations

import base64
import re
import struct
import zlib
from collections.abc import Iterator
from itertools import islice

from tamis.message.mail.checksums import plain_words
from tamis.message.mail.mail import Mail

Sketch = tuple[int, ...]
"""The smallest hashes of a text's runs of words, or of an HTML part's runs of tags, ascending; () for too little."""

SKETCH = 64
"""Hashes of a sketch."""
LEAST = 40
"""Runs below which messages are not compared: greetings and signatures are alike by themselves."""

_WORD_RUN = 3
_TAG_RUN = 12
_CHARACTERS = 8_000  # characters of text that are compared; beyond: they change nothing
_WORDS = 1_000  # words that are compared; beyond: they change nothing
_MARKUP = 64_000  # characters of HTML whose tags are compared; beyond: they change nothing
_TAGS = 2_000  # tags that are compared; beyond: they change nothing
_QUOTED = re.compile(r"(?m)^[ \t]*>.*$")
_WORD = re.compile(r"[^\W\d_]+")
_TAG = re.compile(r"</?[A-Za-z][A-Za-z0-9]{0,15}")
_UNSPACED = 8
"""Letters beyond ASCII from which a word is a sentence of a script without blanks, and taken in pairs."""
_BITS = 0xFFFFFFFF
_SPREAD = 0x9E3779B1  # of Fibonacci hashing: CRC-32 alone is smaller for some runs than for others
_PACKED = struct.Struct(">I")


def sketch_of(mail: Mail) -> Sketch:
    """The sketch of what a reader sees of a message, lines quoted behind ">" and numbers left out; of one with too
    little text, an image say, that of its structure."""
    text = plain_words(_QUOTED.sub("", mail.displayed[:_CHARACTERS]), _CHARACTERS)
    return _sketch(_words(text), _WORD_RUN) or _sketch(list(_tags(mail)), _TAG_RUN)


def _sketch(words: list[str], length: int) -> Sketch:
    if len(words) - length + 1 < LEAST:
        return ()
    runs = map(" ".join, zip(*(words[at:] for at in range(length)), strict=False))
    crcs = {zlib.crc32(run.encode("utf-8", "replace")) for run in runs}
    if len(crcs) < LEAST:  # the spread is one to one
        return ()
    return tuple(sorted([crc * _SPREAD & _BITS for crc in crcs])[:SKETCH])


def _tags(mail: Mail) -> Iterator[str]:
    found = (tag[0].lower() for html in mail.html[:1] for tag in _TAG.finditer(html.source[:_MARKUP]))
    return islice(found, _TAGS)


def _words(text: str) -> list[str]:
    found = _WORD.findall(text)
    if not text.isascii():
        found = [piece for word in found for piece in _pieces(word)]
    return found[:_WORDS]


def _pieces(word: str) -> list[str]:
    if len(word) <= _UNSPACED or word.isascii():
        return [word]
    return [word[at : at + 2] for at in range(0, len(word), 2)]


def likeness(one: Sketch, other: Sketch) -> float:
    """The share of their runs that two texts have in common, 0 to 1; 0 where one of them has too little text."""
    if not one or not other:
        return 0.0
    known = (
        slice(SKETCH) if SKETCH in (len(one), len(other)) else slice(None)
    )  # beyond it one of them may be cut
    mine, others = set(one), set(other)
    both = sorted(mine | others)[known]
    return sum(value in mine and value in others for value in both) / len(both)


def written(sketch: Sketch) -> str:
    """A sketch as text."""
    return base64.b64encode(b"".join(map(_PACKED.pack, sketch))).decode("ascii")


def read(text: str) -> Sketch:
    """What `written` wrote; () for anything else."""
    try:
        octets = base64.b64decode(text, validate=True)
        return tuple(value for (value,) in _PACKED.iter_unpack(octets))[:SKETCH]
    except (ValueError, struct.error):
        return ()
