"""The words of a message: header words, origins, shapes, body words, URLs, markup and MIME structure.

Every function returns one `Words`: octets with the places of the words in them, so that hashing is one
vectorised pass and an explanation can go back from a hash to the word.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tamis.mail import Mail
from tamis.models.hashing import (
    MAX_OCTETS,
    Hashes,
    Octets,
    Positions,
    mix,
    octets_of,
    salted,
    spans,
    word_hashes,
)
from tamis.models.headers import SeenField

MAX_TEXT = 12_000
"""Characters of visible text that words are taken from."""
MAX_MARKUP = 20_000
"""Characters of HTML source that tags are taken from."""
MAX_URLS = 60
MAX_PARTS = 40
MAX_LISTED = 400
"""Words of a list that Python makes one by one (origins, shapes, URLs, structure)."""


def _octet_class(extra: bytes) -> npt.NDArray[np.bool_]:
    """Letters, digits, everything beyond ASCII (UTF-8), and `extra`."""
    inside = np.zeros(256, dtype=np.bool_)
    for first, last in ((48, 57), (65, 90), (97, 122), (128, 255)):
        inside[first : last + 1] = True
    inside[list(extra)] = True
    return inside


_WORD = _octet_class(b"$%!-_'")
_HEADER_WORD = _octet_class(b"-_$%!'=")
_LISTED = np.ones(256, dtype=np.bool_)
_LISTED[0] = False
_NEWLINE = 10


@dataclass(frozen=True, slots=True)
class Words:
    """Words in `octets[starts[i]:ends[i]]`, with their 64-bit `hashes`, in the message's order."""

    octets: Octets
    starts: Positions
    ends: Positions
    hashes: Hashes

    def word(self, index: int) -> str:
        """The word itself, for people."""
        return self.octets[self.starts[index] : self.ends[index]].tobytes().decode("utf-8", "replace")


# Han, kana and Hangul are written without spaces between words, or with long compounds: each character
# stands for itself, and the pairs of neighbours, which the bigrams are, for the words.
_UNSPACED = re.compile(r"([\u0e00-\u0e7f\u1100-\u11ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff])")
_INVISIBLE = re.compile("[\u00ad\u034f\u200b-\u200f\u2060\ufeff]")


def plain(text: str) -> str:
    """Text with one spelling for what looks the same: NFKC, lower case, no invisible characters.

    So an accented letter is the same word however it is coded, and full-width Latin is Latin.
    """
    if not text.isascii():
        text = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
        text = _UNSPACED.sub(r" \1 ", text)
    return text.lower()


def _of_text(text: str, inside: npt.NDArray[np.bool_]) -> Words:
    octets = octets_of(text.encode("utf-8", "replace"))
    starts, ends = spans(octets, inside)
    return Words(octets, starts, ends, word_hashes(octets, starts, ends))


def _of_list(words: Sequence[str]) -> Words:
    octets = octets_of("\0".join(words[:MAX_LISTED]).encode("utf-8", "replace"))
    starts, ends = spans(octets, _LISTED)
    return Words(octets, starts, ends, word_hashes(octets, starts, ends))


def header_words(fields: Sequence[SeenField]) -> tuple[Words, npt.NDArray[np.intp]]:
    """The words of every field, made different by the field's name; and each word's field number."""
    lines = "\n".join(f"{field.name} {plain(field.value)}" for field in fields)
    words = _of_text(lines[:MAX_TEXT], _HEADER_WORD)
    if not len(words.starts):
        return words, np.zeros(0, dtype=np.intp)
    line = np.cumsum(words.octets == _NEWLINE)[words.starts]
    first = np.searchsorted(line, line, side="left")
    hashes = salted(words.hashes, words.hashes[first])
    return Words(words.octets, words.starts, words.ends, hashes), line


_IP = re.compile(r"(?<![\d.])(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_HOST = re.compile(r"(?:[a-z0-9_-]{1,63}\.){1,8}[a-z]{2,18}\b")
_ADDRESS = re.compile(r"([^\s<>\"',;:()\[\]]{1,64})@((?:[a-z0-9_-]{1,63}\.){1,8}[a-z]{2,18})")
_SHAPES = (
    (re.compile(r"[a-z]+"), "a"),
    (re.compile(r"[A-Z]+"), "A"),
    (re.compile(r"\d+"), "9"),
    (re.compile(r"[^\x00-\x7f]+"), "\u00e9"),
    (re.compile(r"\s+"), " "),
)
_SHAPED = frozenset(
    """from sender reply-to return-path subject date message-id content-type mime-version x-mailer user-agent
    to cc content-transfer-encoding x-priority references in-reply-to x-mimeole list-unsubscribe received""".split()
)


def shape(text: str) -> str:
    """A text's form: runs of letters, capitals, digits and others, each as one character."""
    for pattern, stand_in in _SHAPES:
        text = pattern.sub(stand_in, text)
    return text[:40]


def origins(fields: Sequence[SeenField]) -> Words:
    """Where the message says it comes from: address domains, host names and networks, by field."""
    words: list[str] = []
    for field in fields:
        name = field.name
        if "." not in field.value or len(words) >= MAX_LISTED:
            continue
        value = field.value.lower()
        for local, domain in _ADDRESS.findall(value)[:5]:
            words.append(f"{name}:@{domain}")
            words += (f"{name}:@{tail}" for tail in _tails(domain))
            words.append(f"{name}:{shape(local)}@")
        if name == "received" or "ip" in name:
            for a, b, c, d in _IP.findall(value)[:4]:
                words += (f"{name}:{a}.{b}.{c}.{d}", f"{name}:{a}.{b}.{c}", f"{name}:{a}.{b}", f"{name}:{a}")
        if name in ("received", "message-id", "list-id"):
            for host in _HOST.findall(value)[:6]:
                words.append(f"{name}:{host}")
                words += (f"{name}:{tail}" for tail in _tails(host))
    return _of_list(words)


def _tails(domain: str) -> list[str]:
    labels = domain.split(".")
    return [".".join(labels[-n:]) for n in range(min(3, len(labels) - 1), 0, -1)]


def shapes(fields: Sequence[SeenField]) -> Words:
    """The form of the header: shapes of values, the names' spelling and their order."""
    words: list[str] = []
    before = "^"
    for field in fields:
        words.append(f"{field.raw_name}")
        words.append(f"{before}>{field.name}")
        before = field.name
        if field.name in _SHAPED:
            form = shape(field.value)
            words.append(f"{field.name}={form}")
            words.append(f"{field.name}={form[:8]}")
            words.append(f"{field.name}#{min(len(field.value) // 10, 20)}")
    return _of_list(words)


def body_words(text: str) -> Words:
    """The words of the visible text, which `plain` has made of one spelling."""
    return _of_text(text, _WORD)


_PATH_WORD = re.compile(r"[a-z0-9]{1,30}")


def url_words(mail: Mail) -> Words:
    """Hosts, their domains, shapes and the words of paths."""
    words: list[str] = []
    for url in mail.urls[:MAX_URLS]:
        host = url.host
        words.append(f"host:{host}")
        words += (f"host:{tail}" for tail in _tails(host))
        words.append(f"hostshape:{shape(host)}")
        words.append(f"scheme:{url.scheme}/{url.source}")
        path = url.raw.partition("://")[2].partition("/")[2][:200]
        words.append(f"pathshape:{shape(path)[:20]}")
        words += (f"path:{word}" for word in _PATH_WORD.findall(path.lower())[:12])
    return _of_list(words)


_TAG = re.compile(r"<\s*(/?[a-z!][a-z0-9]{0,15})([^<>]{0,300})", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"([a-z-]{1,20})\s*=\s*[\"']?([^\s\"'>]{0,24})", re.IGNORECASE)


def markup_words(mail: Mail) -> Words:
    """HTML tags and their attributes, as written."""
    words: list[str] = []
    for html in mail.html[:4]:
        for tag, attributes in _TAG.findall(html.source[:MAX_MARKUP]):
            if len(words) >= MAX_LISTED:
                break
            words.append(f"<{tag}")
            if attributes:
                for name, value in _ATTRIBUTE.findall(attributes)[:6]:
                    words.append(f"<{tag.lower()} {name}")
                    words.append(f"{name.lower()}={value.lower()}")
    return _of_list(words)


def structure_words(mail: Mail) -> Words:
    """MIME structure: types in their order, charsets, encodings, attachment names and sizes."""
    words: list[str] = []
    for container in mail.containers[:MAX_PARTS]:
        words.append(f"container:{container.depth}:{container.content_type}")
        words.append(f"boundary:{shape(container.boundary)}")
    before = "^"
    for part in mail.parts[:MAX_PARTS]:
        words.append(f"part:{part.depth}:{part.content_type}")
        words.append(f"order:{before}>{part.content_type}")
        before = part.content_type
        words.append(f"charset:{part.charset}")
        words.append(f"encoding:{part.encoding}:{part.content_type}")
        words.append(f"size:{part.content_type}:{part.size.bit_length()}")
        name = part.filename
        if name:
            words.append(f"file:{name.lower()[:60]}")
            words.append(f"fileshape:{shape(name)}")
            words.append(f"suffix:{name.lower().rpartition('.')[2][:10]}")
        if part.disposition:
            words.append(f"disposition:{part.disposition}:{part.content_type}")
    words.append(f"parts:{min(len(mail.parts), MAX_PARTS)}")
    words.append(f"html:{len(mail.html)}")
    words.append(f"urls:{len(mail.urls).bit_length()}")
    words.append(f"length:{len(mail.text).bit_length()}")
    return _of_list(words)
