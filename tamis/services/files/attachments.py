"""What is in a message's attachments: looked at once in a helper process, for every filter that asks."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

from tamis.base.breaker import Breakers
from tamis.contract.filter import Message
from tamis.message.chosen_files import chosen
from tamis.message.mail import LIMITS, Link, Mail, Part, Url
from tamis.message.mail.destinations import urls_of
from tamis.services.files.helper import HelperPool
from tamis.services.runner import in_thread

SECONDS = 8.0
"""Seconds that the look at one message's attachments may take. Beyond: the filter is unavailable."""

_POOL = HelperPool("attachment", processes=2, waiting=16, memory=768 * 1024 * 1024)
_LOCK = threading.Lock()
_SEEN: WeakKeyDictionary[Mail, Sequence[Mapping[str, Any]]] = WeakKeyDictionary()

FoundFile = Mapping[str, Any]
"""One file: `path` (names from the attachment down), `kind` (MIME type by content), `size`, `sha256` ('' when it was
not read to its end), `risks`, `links` (the addresses in it, but those that `Mail.urls` has)."""


def inspect(mail: Mail, breakers: Breakers | None = None) -> Sequence[FoundFile]:
    """Every attachment and, within bounds, every member of an archive. Blocks; raises ServiceError."""
    with _LOCK:
        known = _SEEN.get(mail)
    if known is not None:
        return known
    parts = chosen(mail, mail.limits.files)
    if not parts:
        return ()
    blobs = [part.payload for part in parts]
    files = [[_name(part), not part.cut] for part in parts]
    answer = _POOL.call("attachments", {"files": files}, blobs, seconds=SECONDS, breakers=breakers)
    objects: Sequence[FoundFile] = answer["objects"]
    with _LOCK:
        _SEEN[mail] = objects
    return objects


async def inspected(message: Message) -> Sequence[FoundFile]:
    """The same for a filter on the event loop."""
    known = _SEEN.get(message.mail)
    if known is not None:
        return known
    return await in_thread("attachments", lambda: inspect(message.mail, message.services.breakers))


def _name(part: Part) -> str:
    """A part's name; a page that is shown as the message's text is no file, whatever its name."""
    if part.content_type == "text/html" and part.disposition != "attachment":
        return ""
    return part.filename or ""


def links_in(files: Sequence[FoundFile]) -> Iterator[Url]:
    """The addresses that were found within files, as URLs of the source "file"."""
    for file in files:
        for link in file["links"]:
            for url in urls_of(Link(link, "", "a"), None, LIMITS):
                yield replace(url, source="file")


def shown_path(file: FoundFile) -> str:
    """A file's place for people: "letter.zip > invoice.pdf.exe"."""
    return " > ".join(str(name) or "(no name)" for name in file["path"])[:300]
