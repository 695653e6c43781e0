"""The words of a message: header words, origins, shapes, body words, URLs, markup and MIME structure.

Words of a text are a `Words`: octets with the places of the words in them, so that hashing is one vectorised pass and
an explanation can go back from a hash to the word. What is put together word by word is a list, and `hashed` makes
`Words` of all lists of a message at once.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from tamis.mail import Mail
from tamis.models.hashing import (
    MAX_OCTETS,
    Hashes,
    Octets,
    Positions,
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
"""URLs that words are taken from."""
MAX_PARTS = 40
"""MIME parts, and as many containers, that words are taken from."""
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
_CAPITAL = np.zeros(256, dtype=np.bool_)
_CAPITAL[65:91] = True
_BEYOND_ASCII = 128
_NEWLINE = 10
_QUOTE = "\n>"


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


# Thai, Han, kana and Hangul are written without spaces between words, or with long compounds: each character
# stands for itself, and the pairs of neighbours, which the bigrams are, for the words.
_UNSPACED = re.compile(
    r"([\u0e00-\u0e7f\u1100-\u11ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff])"
)
_INVISIBLE = re.compile("[\u00ad\u034f\u200b-\u200f\u2060\ufeff]")


def spelled(text: str) -> str:
    """Text with one spelling for what looks the same: NFKC (Unicode Annex 15), no invisible characters.

    So an accented letter is the same letter however it is coded, and full-width Latin is Latin.
    """
    if text.isascii():
        return text
    return _UNSPACED.sub(r" \1 ", _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)))


def _of_text(text: str, inside: npt.NDArray[np.bool_]) -> Words:
    return _of_octets(octets_of(text.encode("utf-8", "replace")), inside)


def _of_octets(octets: Octets, inside: npt.NDArray[np.bool_]) -> Words:
    starts, ends = spans(octets, inside)
    return Words(octets, starts, ends, word_hashes(octets, starts, ends))


def hashed(lists: Sequence[Sequence[str]]) -> list[Words]:
    """Lists of words, the first MAX_LISTED of each, hashed in one pass: each costs more than a hundred words."""
    texts = ["\0".join(words[:MAX_LISTED]).encode("utf-8", "replace") for words in lists]
    joined = b"\0".join(texts)
    if len(joined) > MAX_OCTETS:
        return [_of_octets(octets_of(text), _LISTED) for text in texts]
    whole = _of_octets(octets_of(joined), _LISTED)
    bounds = [0, *np.searchsorted(whole.starts, np.cumsum([len(text) + 1 for text in texts])).tolist()]
    return [
        Words(whole.octets, whole.starts[first:last], whole.ends[first:last], whole.hashes[first:last])
        for first, last in pairwise(bounds)
    ]


def header_words(fields: Sequence[SeenField]) -> tuple[Words, Positions]:
    """The words of every field, made different by the field's name; and the number of each word's field."""
    lines = "\n".join(f"{field.name} {field.value}" for field in fields)[:MAX_TEXT]
    words = _of_text(spelled(lines).lower(), _HEADER_WORD)
    if not len(words.starts):
        return words, words.starts
    line = np.cumsum(words.octets == _NEWLINE)[words.starts]
    first = np.searchsorted(line, line, side="left")
    return Words(words.octets, words.starts, words.ends, salted(words.hashes, words.hashes[first])), line


# What each octet looks like: capitals, small letters, digits, beyond ASCII; the rest stand for themselves.
_LOOKS = bytes(
    0x41 if 65 <= o <= 90 else 0x61 if 97 <= o <= 122 else 0x39 if 48 <= o <= 57 else 0x7F if o >= 128 else o
    for o in range(256)
)
_SHAPE = 40
_SHAPED_TEXT = 200


def _collapsed(text: str) -> Octets:
    """What the characters of a text look like, runs of the same drawn into one."""
    looks = octets_of(text.encode("utf-8", "replace").translate(_LOOKS))
    if len(looks) < 2:
        return looks
    keep = np.ones(len(looks), dtype=np.bool_)
    np.not_equal(looks[1:], looks[:-1], out=keep[1:])
    keep |= looks == _NEWLINE
    return looks[keep]


def shapes_of(texts: Sequence[str]) -> list[str]:
    """The form of each text: runs of capitals, small letters, digits and others as one character each."""
    joined = "\n".join(text[:_SHAPED_TEXT].replace("\n", " ") for text in texts)
    found = _collapsed(joined).tobytes().decode("ascii").split("\n")
    return [form[:_SHAPE] for form in found[: len(texts)]]


_IP = re.compile(r"(?<![\d.])(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_NOT_HOST = re.compile(r"[^a-z0-9._-]+")
_TOP_LEVEL = re.compile(r"[a-z]{2,18}")
_NOT_LOCAL = re.compile(r"[\s<>\"',;:()\[\]]")
_MAX_LOCAL = 64
_DOMAIN = re.compile(r"(?:[a-z0-9_-]{1,63}\.){1,8}[a-z]{2,18}")
_SHAPED_NAMES = """
    from sender reply-to return-path subject date message-id content-type mime-version x-mailer user-agent
    to cc content-transfer-encoding x-priority references in-reply-to x-mimeole list-unsubscribe received
"""
_SHAPED = frozenset(_SHAPED_NAMES.split())
_HOSTED = frozenset({"received", "message-id", "list-id"})


def addresses_in(text: str, limit: int) -> Iterator[tuple[str, str]]:
    """Local part and domain of the first addresses in lower-case text."""
    at = text.find("@")
    while at >= 0 and limit:
        domain = _DOMAIN.match(text, at + 1)
        if domain:
            local = _NOT_LOCAL.split(text[max(0, at - _MAX_LOCAL) : at].removesuffix("\n"))[-1]
            if local:
                yield local, domain[0]
        limit -= 1
        at = text.find("@", at + 1)


def origins(fields: Sequence[SeenField]) -> list[str]:
    """Where the message says it comes from: address domains, host names and networks, by field."""
    words: list[str] = []
    owners: list[str] = []
    locals_: list[str] = []
    for field in fields:
        name = field.name
        if "." not in field.value or len(words) >= MAX_LISTED:
            continue
        value = field.value.lower()
        for local, domain in addresses_in(value, 5):
            words.append(f"{name}:@{domain}")
            words += (f"{name}:@{tail}" for tail in _tails(domain))
            owners.append(name)
            locals_.append(local)
        if name == "received" or "ip" in name:
            for a, b, c, d in _IP.findall(value)[:4]:
                words += (f"{name}:{a}.{b}.{c}.{d}", f"{name}:{a}.{b}.{c}", f"{name}:{a}.{b}", f"{name}:{a}")
        if name in _HOSTED:
            hosts = [host for host in _NOT_HOST.split(value) if "." in host]
            for host in hosts[:6]:
                if _TOP_LEVEL.fullmatch(host.rpartition(".")[2]):
                    words.append(f"{name}:{host}")
                    words += (f"{name}:{tail}" for tail in _tails(host))
    words += (f"{name}:{form}@" for name, form in zip(owners, shapes_of(locals_), strict=False))
    return words


def _tails(domain: str) -> list[str]:
    labels = domain.split(".")
    return [".".join(labels[-n:]) for n in range(min(3, len(labels) - 1), 0, -1)]


def shapes(fields: Sequence[SeenField]) -> list[str]:
    """The form of the header: shapes of values, the names' spelling and their order."""
    words: list[str] = []
    before = "^"
    shaped = [field for field in fields if field.name in _SHAPED]
    for field in fields:
        words.append(field.raw_name)
        words.append(f"{before}>{field.name}")
        before = field.name
    for field, form in zip(shaped, shapes_of([field.value for field in shaped]), strict=False):
        words.append(f"{field.name}={form}")
        words.append(f"{field.name}={form[:8]}")
        words.append(f"{field.name}#{min(len(field.value) // 10, 20)}")
    return words


def body_words(text: str) -> Words:
    """The words of text that `spelled` has given one spelling."""
    return _of_text(text, _WORD)


_MEASURED = 6000
_NOT_SPACE = np.ones(256, dtype=np.bool_)
_NOT_SPACE[[9, 10, 13, 32]] = False


def body_shapes(text: str) -> tuple[Words, list[str]]:
    """The form of the visible text: the shape of each word; capitals, quotes and lengths of the whole."""
    head = text[:_MEASURED]
    form = _collapsed(head)
    shaped = _of_octets(form, _NOT_SPACE)
    words: list[str] = []
    for local, domain in addresses_in(head.lower(), 8):
        words += (f"mail:@{domain}", f"mail:{local}@")
    lines = text.split("\n")
    octets = octets_of(head.encode("utf-8", "replace"))
    capitals = int(_CAPITAL[octets].sum())
    foreign = int((octets >= _BEYOND_ASCII).sum())
    first, last = shapes_of((lines[0][:60], lines[-1][-60:]))
    words += (
        f"quoted:{(text.count(_QUOTE) + text.startswith('>')).bit_length()}",
        f"lines:{len(lines).bit_length()}",
        f"width:{len(text) // len(lines) // 8}",
        f"first:{first[:20]}",
        f"last:{last[:20]}",
        f"capitals:{10 * capitals // max(1, len(octets))}",
        f"exclamations:{head.count('!').bit_length()}",
        f"foreign:{foreign.bit_length()}",
        f"length:{len(text).bit_length()}",
    )
    return shaped, words


_PATH_WORD = re.compile(r"[a-z0-9]{1,30}")


def url_words(mail: Mail) -> list[str]:
    """Hosts, their domains, shapes and the words of paths."""
    words: list[str] = []
    forms: list[str] = []
    for url in mail.urls[:MAX_URLS]:
        host = url.host
        words.append(f"host:{host}")
        words += (f"host:{tail}" for tail in _tails(host))
        words.append(f"scheme:{url.scheme}/{url.source}")
        path = url.raw.partition("://")[2].partition("/")[2][:_SHAPED_TEXT]
        forms += (host, path)
        words += (f"path:{word}" for word in _PATH_WORD.findall(path.lower())[:12])
    for number, form in enumerate(shapes_of(forms)):
        words.append(f"pathshape:{form[:20]}" if number % 2 else f"hostshape:{form}")
    return words


_TAG = re.compile(r"<\s*(/?[a-z!][a-z0-9]{0,15})([^<>]{0,300})", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"([a-z-]{1,20})\s*=\s*[\"']?([^\s\"'>]{0,24})", re.IGNORECASE)


def markup_words(mail: Mail) -> list[str]:
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
    return words


def structure_words(mail: Mail) -> list[str]:
    """MIME structure: types in their order, charsets, encodings, boundaries, attachment names and sizes."""
    words: list[str] = []
    forms: list[str] = []
    for container in mail.containers[:MAX_PARTS]:
        words.append(f"container:{container.depth}:{container.content_type}")
        forms.append(f"boundary:{container.boundary}")
    before = "^"
    for part in mail.parts[:MAX_PARTS]:
        kind = part.content_type
        words += (f"part:{part.depth}:{kind}", f"order:{before}>{kind}", f"charset:{part.charset}")
        words += (f"encoding:{part.encoding}:{kind}", f"size:{kind}:{part.size.bit_length()}")
        before = kind
        name = part.filename
        if name:
            words += (f"file:{name.lower()[:60]}", f"suffix:{name.lower().rpartition('.')[2][:10]}")
            forms.append(f"file:{name}")
        if part.disposition:
            words.append(f"disposition:{part.disposition}:{kind}")
    words += (f"shape:{form}" for form in shapes_of(forms))
    words.append(f"parts:{min(len(mail.parts), MAX_PARTS)}")
    words.append(f"html:{len(mail.html)}")
    words.append(f"urls:{len(mail.urls).bit_length()}")
    return words


def subject_of(fields: Sequence[SeenField]) -> str:
    """The subject as the learner sees it, "" when there is none."""
    return next((field.value for field in fields if field.name == "subject"), "")
