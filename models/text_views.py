"""Texts and the words in them, hashed in one pass over all texts of a message.

A text is octets and the class of those that words are made of. What a text looks like is its form: runs of capitals,
small letters, digits and others as one character each.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from tamis.message.unseen import IGNORED
from tamis.models import compiled
from tamis.models.hashing import MAX_OCTETS, Hashes, Positions, salted, spans, word_hashes

_SHAPE = 40
_SHAPED_TEXT = 200
_NEWLINE = 10


def _letters_and(others: bytes) -> bytes:
    """The class of letters, digits, everything beyond ASCII (UTF-8), and `others`."""
    return bytes(octet >= 128 or chr(octet).isalnum() or octet in others for octet in range(256))


WORD = _letters_and(b"$%!-_'")
"""The class of the body's words; a class has 1 for each octet within and 0 for the others, for `bytes.translate`."""
HEADER_WORD = _letters_and(b"-_$%!'=")
"""The class of the header's words."""
LISTED = bytes(octet != 0 for octet in range(256))
"""The class of words that NUL ends."""
NOT_SPACE = bytes(octet not in b"\t\n\r " for octet in range(256))
"""The class of words between white space."""


class Text(NamedTuple):
    """At most MAX_OCTETS octets; words are the runs of those `inside` a class."""

    octets: bytes
    inside: bytes

    @classmethod
    def of(cls, text: str, inside: bytes) -> Text:
        """The beginning of a text, in UTF-8."""
        return cls(text.encode("utf-8", "replace")[:MAX_OCTETS], inside)


class Words(NamedTuple):
    """Words in `octets[starts[i]:ends[i]]`, with their 64-bit `hashes`, in order; those of the text numbered t are
    the words from `bounds[t]` to `bounds[t + 1]` - 1."""

    octets: bytes
    starts: Positions
    ends: Positions
    hashes: Hashes
    bounds: list[int]

    def word(self, index: int) -> str:
        """The word itself, for people."""
        return self.octets[self.starts[index] : self.ends[index]].decode("utf-8", "replace")


def read(texts: Sequence[Text]) -> Words:
    """The words of texts."""
    octets = b"\0".join([text.octets for text in texts])
    starts, ends = spans(b"\0".join([text.octets.translate(text.inside) for text in texts]))
    bounds = [0, *accumulate(len(text.octets) + 1 for text in texts)]
    return Words(
        octets, starts, ends, word_hashes(octets, starts, ends), starts.searchsorted(bounds).tolist()
    )


def salted_by_line(words: Words) -> Positions:
    """Make the words of the first text different by the first of their line; the numbers of their lines."""
    count = words.bounds[1]
    starts = words.starts[:count]
    end = int(words.ends[count - 1]) if count else 0
    breaks = (np.frombuffer(words.octets, np.uint8, end) == _NEWLINE).nonzero()[0]
    lines: Positions = breaks.searchsorted(starts)
    firsts = np.zeros(len(breaks) + 1, dtype=np.intp)
    firsts[1:] = starts.searchsorted(breaks)
    words.hashes[:count] = salted(words.hashes[:count], words.hashes[firsts[lines]])
    return lines


# Thai, Han, kana and Hangul are written without spaces between words, or with long compounds: each character
# stands for itself, and the pairs of neighbours, which the bigrams are, for the words.
_UNSPACED = re.compile(
    r"[\u0e00-\u0e7f\u1100-\u11ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]+"
)
_INVISIBLE = re.compile(f"[{IGNORED}]")


def spelled(text: str) -> str:
    """Text with one spelling for what looks the same: NFKC (Unicode Annex 15), no invisible characters.

    So an accented letter is the same letter however it is coded, and full-width Latin is Latin.
    """
    if text.isascii():
        return text
    plain = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
    return _UNSPACED.sub(lambda run: f" {'  '.join(run[0])} ", plain)


# What each octet looks like: capitals, small letters, digits, beyond ASCII; the rest stand for themselves.
_LOOKS = bytes(
    0x41 if 65 <= o <= 90 else 0x61 if 97 <= o <= 122 else 0x39 if 48 <= o <= 57 else 0x7F if o >= 128 else o
    for o in range(256)
)


def forms_of(texts: Sequence[str], whole: str) -> tuple[list[str], bytes]:
    """The form of each text in at most 40 characters, and the form of a `whole` text with all its lines."""
    lines = [text[:_SHAPED_TEXT].replace("\n", " ") for text in texts]
    looks = "\n".join([*lines, whole]).encode("utf-8", "replace").translate(_LOOKS)
    *forms, form = _squeezed(looks).decode("ascii").split("\n", len(lines))
    return [one[:_SHAPE] for one in forms], form.encode("ascii")


def _squeezed(octets: bytes) -> bytes:
    """Octets without those that are like the one before; each newline is kept."""
    if compiled.used:
        return compiled.loops.squeezed(octets)
    looks = np.frombuffer(octets, np.uint8)
    keep = looks == _NEWLINE
    keep[:1] = True
    keep[1:] |= looks[1:] != looks[:-1]
    kept: bytes = looks[keep].tobytes()
    return kept
