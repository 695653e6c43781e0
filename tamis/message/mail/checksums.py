"""One number for all copies of a mailing: S23 counts by it, marks by hand (S8b) name a content by it.

The sum is of what a reader sees, so that nothing unseen tells copies apart: hidden words, white space, invisible and
look-alike characters, the alternative that is not shown. `shown_letters` is what it is made of; a fingerprint of
messages that are nearly the same has to begin with the same letters.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from tamis.message.address import address_key
from tamis.message.mail.mail import Mail
from tamis.message.mail.visible import canonical, skeleton

VERSION = "2"
"""What a sum begins with: sums that are made otherwise never meet."""

_CHARACTERS = 262_144
"""Characters of visible text that the sum is made of. Beyond: they change nothing."""
_MAX_PARTS = 200  # parts that the sum is made of; beyond: they change nothing
_ADDRESSES = 10  # authors that the sum is made of; beyond: they change nothing
_FEW_LETTERS = 40
"""Letters of visible text below which the hosts of links count as well: the text is in an image then, or is a link."""
_FORMER_OCTETS = 262_144
"""Octets of a text in which line ends and trailing blanks don't count in the former sum. Beyond: they count: the sum is
another."""


def checksum(mail: Mail, *, tag: str = "") -> str:
    """The sum of a message: the version, a dot, 160 bits as 40 hexadecimal digits.

    It covers the authors, the subject, the visible text and each part that is no text. `tag` is what we may have put
    before the subject.
    """
    total = hashlib.blake2b(digest_size=20)
    for text in _shown(mail, tag):
        total.update(text.encode("utf-8", "surrogateescape") + b"\0")
    for part in mail.parts_beside_text[:_MAX_PARTS]:
        total.update(part.content_type.encode("utf-8", "surrogateescape") + b"\0")
        total.update(hashlib.blake2b(part.payload, digest_size=20).digest())
    return f"{VERSION}.{total.hexdigest()}"


def _shown(mail: Mail, tag: str) -> Iterator[str]:
    yield ",".join(address_key(one.address) for one in mail.from_addresses[:_ADDRESSES])
    yield _letters((mail.subject or "").removeprefix(tag))
    letters = shown_letters(mail)
    yield letters
    if len(letters) < _FEW_LETTERS:
        yield " ".join(sorted({url.host for url in mail.urls}))


def shown_letters(mail: Mail) -> str:
    """The visible text without white space, case and accents, look-alikes as what they look like."""
    return _letters(mail.displayed)


def _letters(text: str) -> str:
    return "".join(plain_words(text, _CHARACTERS).split())


def plain_words(text: str, most: int) -> str:
    """The first `most` characters of a text without case and accents, look-alikes as what they look like."""
    return skeleton(canonical(text, lambda whole: whole[:most])).casefold()


def former_checksum(mail: Mail, *, tag: str = "") -> str:
    """The sum that version 0.2 made, over each part's octets: marks of that time are found by it until they end."""
    total = hashlib.blake2b(digest_size=20)
    authors = ",".join(address_key(a.address) for a in mail.from_addresses[:_ADDRESSES])
    subject = (mail.subject or "").removeprefix(tag)
    for text in (authors, " ".join(subject.split())):
        total.update(text.encode("utf-8", "surrogateescape") + b"\0")
    for part in mail.parts[:_MAX_PARTS]:
        total.update(part.content_type.encode("utf-8", "surrogateescape") + b"\0")
        payload = part.payload
        if part.content_type.startswith("text/"):
            head = payload[:_FORMER_OCTETS]
            total.update(b"\n".join(line.rstrip() for line in head.splitlines()).rstrip())
            payload = payload[_FORMER_OCTETS:]
        total.update(payload)
        total.update(b"\0")
    return total.hexdigest()
