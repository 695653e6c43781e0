"""Kinds of mail by their form: what lists, shops, machines and people send is not equally often taken for spam.

A kind is read from a message's features, so that it is the same at the door and for a lesson of long ago, of which
nothing else is kept. It is told by names of header fields that anybody can write: whoever dresses spam up as another
kind gets what ham of that kind gets, and no more.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import numpy as np

from tamis.models import text_views as texts
from tamis.models.features import VIEWS, Features
from tamis.models.hashing import Buckets, halves
from tamis.models.text_views import Text


class MailKind(StrEnum):
    """In the order in which they are looked for."""

    AUTOMATIC = "automatic"
    """Sent by a program to one person: bounces, absence notices (RFC 3834)."""
    LIST = "list"
    """Through a mailing list (RFC 2919)."""
    BULK = "bulk"
    """To many, who can unsubscribe (RFC 2369)."""
    ANSWER = "answer"
    """It says that it answers a message."""
    MADE = "made"
    """None of these, in HTML or several parts: receipts, notices, newsletters without a list header."""
    PLAIN = "plain"
    """None of these, in plain text: first letters of people."""


_SIGNS: Final = (
    (
        MailKind.AUTOMATIC,
        ("auto-submitted auto-replied", "auto-submitted auto-generated", "auto-submitted auto-notified"),
    ),
    (
        MailKind.AUTOMATIC,
        ("content-type report", "content-type report-type=delivery-status", "precedence auto_reply"),
    ),
    (MailKind.LIST, ("list-id", "list-post", "mailing-list", "precedence list")),
    (MailKind.BULK, ("list-unsubscribe", "precedence bulk", "precedence junk")),
    (MailKind.ANSWER, ("in-reply-to", "references", "subject re")),
    (
        MailKind.MADE,
        ("content-type html", "content-type multipart", "content-type mixed", "content-type alternative"),
    ),
)
"""Words of the header, after the name of their field; the name alone says that there is such a field."""


def _places() -> tuple[Buckets, list[MailKind]]:
    lines = [(kind, sign) for kind, signs in _SIGNS for sign in signs]
    octets = "\n".join(sign for _, sign in lines).encode()
    read = texts.read([Text(octets, texts.HEADER_WORD)])
    of_line = texts.salted_by_line(read)
    last = [int(np.flatnonzero(of_line == line)[-1]) for line in range(len(lines))]
    places = (halves(read.hashes[last]) >> np.uint32(32 - _VIEW.bits)) + np.uint32(_VIEW.offset)
    return places, [kind for kind, _ in lines]


_NUMBER: Final = next(number for number, view in enumerate(VIEWS) if view.name == "header words")
_VIEW: Final = VIEWS[_NUMBER]
_PLACES, _KINDS = _places()


def kind_of(features: Features) -> MailKind:
    """The kind of a message. Another word may fall into a sign's place, of one message in some hundred."""
    start = int(features.counts[:_NUMBER].sum())
    words = features.indices[start : start + int(features.counts[_NUMBER])]
    if not len(words):
        return MailKind.PLAIN
    at = np.minimum(words.searchsorted(_PLACES), len(words) - 1)
    found = np.flatnonzero(words[at] == _PLACES)
    return _KINDS[int(found[0])] if len(found) else MailKind.PLAIN
