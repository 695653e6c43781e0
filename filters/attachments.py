"""What is in a message's attachments: looked at once in a helper process, for every filter that asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from tamis.filter import Message
from tamis.filters.helper import HelperPool
from tamis.filters.runner import in_thread
from tamis.mail import Mail

SECONDS = 8.0
"""How long the look at one message's attachments may take."""

MAX_ATTACHMENTS = 100
_POOL = HelperPool("attachment", processes=2, waiting=16, memory=768 * 1024 * 1024)
_SEEN: WeakKeyDictionary[Mail, Sequence[Mapping[str, Any]]] = WeakKeyDictionary()

FileFacts = Mapping[str, Any]
"""One file: `path` (names from the attachment down), `kind` (MIME type by content), `size`, `sha256` ('' when it was
not read to its end), `risks`."""


async def inspect(message: Message) -> Sequence[FileFacts]:
    """Every attachment and, within bounds, every member of an archive. Raises ServiceError."""
    known = _SEEN.get(message.mail)
    if known is None:
        known = _SEEN[message.mail] = await in_thread("attachments", lambda: _looked_into(message))
    return known


def _looked_into(message: Message) -> Sequence[FileFacts]:
    parts = message.mail.attachments[:MAX_ATTACHMENTS]
    blobs = [part.payload for part in parts]
    files = [[part.filename or "", not part.cut] for part in parts]
    answer = _POOL.call(
        "attachments", {"files": files}, blobs, seconds=SECONDS, breakers=message.services.breakers
    )
    objects: Sequence[FileFacts] = answer["objects"]
    return objects


def shown_path(file: FileFacts) -> str:
    """A file's place for people: "letter.zip > invoice.pdf.exe"."""
    return " > ".join(str(name) or "(no name)" for name in file["path"])[:300]
