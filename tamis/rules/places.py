"""Where rules look: the parts of a message as octets for the engine, bounded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tamis.message.mail.limits import LIMITS
from tamis.message.mail.sampling import excerpt

if TYPE_CHECKING:
    from tamis.message.mail import Mail

PLACES = ("subject", "headers", "text", "raw", "urls", "attachments", "files", "defects")
"""Beside these, "header:NAME" is one field. "files" is text that was read in images and documents; "defects" are the
kinds of what is wrong, a line each."""

MAX_OCTETS = LIMITS.searched_octets
"""Octets of one place that are looked at. Beyond: its beginning, its end and a piece that nobody can foresee."""

_FIELD = re.compile(r"header:[a-z0-9!#$%&'*+.^_`|~-]{1,76}")


def is_place(name: str) -> bool:
    """Whether rules can look there."""
    return name in PLACES or _FIELD.fullmatch(name) is not None


def octets(mail: Mail, place: str) -> bytes:
    """What stands at a place; several values are lines."""
    found = (
        mail.raw if place == "raw" else "\n".join(_bounded(_values(mail, place))).encode("utf-8", "replace")
    )
    return found if len(found) <= MAX_OCTETS else excerpt(found, MAX_OCTETS, mail.chance(place))


def seen_octets(mail: Mail, place: str) -> bytes:
    """What stands at a place of the images and documents: patterns over text hold for theirs as well."""
    if place in ("text", "files"):
        return mail.seen.text.encode("utf-8", "replace")[:MAX_OCTETS]
    if place == "urls":
        return "\n".join(url.raw for url in mail.seen.urls).encode("utf-8", "replace")[:MAX_OCTETS]
    return b""


def _values(mail: Mail, place: str) -> Iterator[str]:
    if place == "subject":
        yield mail.subject or ""
    elif place == "headers":
        yield from (f"{field.name}: {field.value}" for field in mail.headers)
    elif place == "text":
        yield mail.text
    elif place == "urls":
        yield from (url.raw for url in mail.urls if url not in mail.seen.urls)
    elif place == "attachments":
        yield from (part.filename or "" for part in mail.attachments)
    elif place == "defects":
        yield from sorted({str(defect.kind) for defect in mail.defects})
    elif place != "files":
        yield from mail.headers.all(place.removeprefix("header:"))


def _bounded(values: Iterator[str]) -> Iterator[str]:
    room = 8 * MAX_OCTETS
    for value in values:
        yield value[:room]
        room -= len(value) + 1
        if room <= 0:
            return
