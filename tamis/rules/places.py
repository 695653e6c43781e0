"""Where rules look: the parts of a message as octets for the engine, bounded.

What is for reading (`subject`, `text`) is looked at as readers see it, each way if they differ: see
tamis.message.mail.visible.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from tamis.message.mail.limits import LIMITS
from tamis.message.mail.sampling import excerpt
from tamis.message.mail.visible import looks, skeletons, spelled

if TYPE_CHECKING:
    from tamis.message.mail import Mail

PLACES = (
    *("subject", "text", "skeleton", "hidden", "written", "headers", "raw", "urls", "attachments"),
    *("files", "defects", "display", "field_names", "head", "html", "letter", "link_text", "shape"),
)
"""Beside these, "header:NAME" is one field. "files" is text that was read in images and documents; "defects" are the
kinds of what is wrong, a line each; "head" is From, To and Subject as they were written, encoded words and all;
"letter" is the subject and the beginning of the text, without quoted lines, and of what invitations and cards say."""

MAX_OCTETS = LIMITS.searched_octets
"""Octets of one place that are looked at. Beyond: its beginning, its end and a piece that nobody can foresee;
`long_text`, `long_header`."""

LETTER_CHARACTERS = 4000
"""Of the text that are the letter, and as many of invitations and cards. Beyond: left to rules over the text: they see
the whole."""

_MOST_CHARACTERS = 8 * MAX_OCTETS  # of all values of a place; beyond: cut before the excerpt is taken
_HEAD = ("from", "to", "subject")
_FIELD_PLACE = "header:"
_QUOTED = re.compile(r"(?m)^[ \t]*>.*$")
_FIELD = re.compile(r"header:[a-z0-9!#$%&'*+.^_`|~-]{1,76}")


def is_place(name: str) -> bool:
    """Whether rules can look there."""
    return name in PLACES or _FIELD.fullmatch(name) is not None


def octets(mail: Mail, place: str) -> tuple[bytes, ...]:
    """What stands at a place, each way if readers see it in several; several values are lines."""
    if place == "raw":
        found: tuple[bytes, ...] = (mail.raw,)
    elif place in _WAYS:
        found = _encoded(_WAYS[place](mail))
    else:
        field = place.removeprefix(_FIELD_PLACE)
        values = [*(_VALUES[place](mail) if field == place else mail.headers.all(field))]
        text = "\n".join(values)
        whole = text if len(text) < _MOST_CHARACTERS else "\n".join(_bounded(values))
        found = (whole.encode("utf-8", "replace"),)
    if max(map(len, found), default=0) <= MAX_OCTETS:
        return found
    return tuple(
        one if len(one) <= MAX_OCTETS else excerpt(one, MAX_OCTETS, mail.chance(place)) for one in found
    )


def _subjects(mail: Mail) -> Iterator[str]:
    """The subject as it looks; of several, each: programs differ in which one they show."""
    for subject in mail.headers.all("subject") or ("",):
        yield from looks(subject)


def _encoded(texts: Iterable[str]) -> tuple[bytes, ...]:
    return tuple(text.encode("utf-8", "replace") for text in dict.fromkeys(texts))


def seen_octets(mail: Mail, place: str) -> tuple[bytes, ...]:
    """What stands at a place of the images and documents: patterns over text hold for theirs as well."""
    text = mail.seen.text
    texts: Iterable[str] = ()
    if place in ("text", "files", "letter"):
        texts = [text, *looks(text)]
    elif place == "skeleton":
        texts = (way for look in looks(text) for way in skeletons(look))
    elif place == "urls":
        texts = ["\n".join(url.raw for url in mail.seen.urls)]
    return tuple(one[:MAX_OCTETS] for one in _encoded(texts))


def shape(mail: Mail) -> str:
    """The MIME tree's containers, then its leaves, in their order: "multipart/mixed text/plain application/pdf"."""
    kinds = [one.content_type for one in mail.containers]
    kinds += [one.content_type + ";attachment" * (one.disposition == "attachment") for one in mail.parts]
    return " ".join(kinds)


def _bounded(values: Iterable[str]) -> Iterator[str]:
    room = _MOST_CHARACTERS
    for value in values:
        yield value[:room]
        room -= len(value) + 1
        if room <= 0:
            return


def _letter(mail: Mail) -> str:
    text = mail.text[:LETTER_CHARACTERS]
    if mail.card_text:
        text = f"{text}\n{mail.card_text[:LETTER_CHARACTERS]}"
    return f"{mail.subject or ''}\n{_QUOTED.sub('', text) if '>' in text else text}"


def _spelled(mail: Mail) -> tuple[str, ...]:
    subject = mail.subject or ""
    return tuple(
        look
        for text in (subject, mail.text)
        if (whole := spelled(text))
        for look in looks(whole[:MAX_OCTETS])
    )


_WAYS: Mapping[str, Callable[[Mail], Iterable[str]]] = MappingProxyType(
    {
        "text": lambda mail: mail.visible,
        "subject": _subjects,
        "letter": lambda mail: looks(_letter(mail)),
        "skeleton": lambda mail: (
            way for text in (*_subjects(mail), *mail.visible, *_spelled(mail)) for way in skeletons(text)
        ),
    }
)
"""Places that readers may see in several ways: each way."""

_VALUES: Mapping[str, Callable[[Mail], Iterable[str]]] = MappingProxyType(
    {
        "headers": lambda mail: [f"{field.name}: {field.value}" for field in mail.headers],
        "written": lambda mail: [mail.text],
        "hidden": lambda mail: [mail.hidden],
        "urls": lambda mail: [url.raw for url in mail.urls if url not in mail.seen.urls],
        "attachments": lambda mail: [part.filename or "" for part in mail.attachments],
        "files": lambda mail: (),
        "defects": lambda mail: sorted({str(defect.kind) for defect in mail.defects}),
        "display": lambda mail: [one.display for one in mail.from_addresses],
        "field_names": lambda mail: [" ".join(field.name for field in mail.headers)],
        "head": lambda mail: [
            f"{field.name}: {field.unfolded}" for name in _HEAD for field in mail.headers.fields_of(name)
        ],
        "html": lambda mail: [html.source[:MAX_OCTETS] for html in mail.html],
        "link_text": lambda mail: [url.text for url in mail.urls if url.text],
        "shape": lambda mail: [shape(mail)],
    }
)
"""The values at the other places, of which all are lines."""
