"""Images and documents read in helper processes, each distinct one once while the shared state remembers it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import Any

from tamis.base.breaker import Breakers
from tamis.base.errors import QueueFullError, ServiceError
from tamis.contract.service_protocols import FileFacts, SharedState
from tamis.message.mail.drawings import PAGE, TILES, is_svg
from tamis.message.mail.part import is_pdf
from tamis.services.files.helper import HelperPool
from tamis.settings import ImageSettings

_KEEP_SECONDS = 14 * 86400.0
_VERSION = 3
_MEMORY = 512 * 1024 * 1024
"""Octets of memory of the process that reads. Beyond: unavailable: `image_text` says so."""
_POOL = HelperPool("reading", processes=1, waiting=3, memory=_MEMORY)
_GRACE_SECONDS = 2.0  # for starting a process, and for its own clock to end the reading first


class FileReader:
    """The reader of one process (tamis.contract.service_protocols.Reader)."""

    def __init__(self, settings: ImageSettings, breakers: Breakers | None = None) -> None:
        self._settings = settings
        self._breakers = breakers or Breakers()
        self._under_way: dict[str, asyncio.Future[FileFacts]] = {}

    async def read(self, files: Sequence[bytes], state: SharedState) -> list[FileFacts]:
        """See tamis.contract.service_protocols.Reader. A document that kills its reader costs images nothing.

        What another message is having read at this moment is waited for, so that a wave of the same image is one job.
        """
        keys = [self._key(octets) for octets in files]
        found = {key: facts for key in keys if (facts := await _remembered(key, state)) is not None}
        missing = {key: octets for key, octets in zip(keys, files, strict=True) if key not in found}
        others = {key: self._under_way[key] for key in missing if key in self._under_way}
        found |= await self._read_new({key: missing[key] for key in missing if key not in others}, state)
        for key, reading in others.items():
            found[key] = await asyncio.shield(reading)
        if missing and all(facts.lost for facts in found.values()):
            raise ServiceError(next(iter(found.values())).problem)
        return [found[key] for key in keys]

    async def _read_new(self, files: Mapping[str, bytes], state: SharedState) -> dict[str, FileFacts]:
        """Read files, and let those who wait for the same ones know."""
        loop = asyncio.get_running_loop()
        self._under_way |= {key: loop.create_future() for key in files}
        found: dict[str, FileFacts] = {}
        until = time.monotonic() + self._settings.seconds
        try:
            for kind in _Kind:
                group = {key: octets for key, octets in files.items() if _kind(octets) is kind}
                if not group:
                    continue
                try:
                    read = await self._read(list(group.values()), max(0.1, until - time.monotonic()))
                except QueueFullError:
                    raise
                except ServiceError as error:
                    read = [
                        FileFacts(hashlib.sha256(octets).hexdigest(), problem=str(error)[:200], lost=True)
                        for octets in group.values()
                    ]
                found |= zip(group, read, strict=True)
            for key, facts in found.items():
                if not facts.problem:  # what could not be read now may be readable later
                    await _remember(key, facts, state)
        finally:
            for key in files:
                reading = self._under_way.pop(key)
                if key in found:
                    reading.set_result(found[key])
                else:
                    reading.set_exception(QueueFullError("the reading that it waited for was given up"))
                    reading.exception()  # nobody has to wait for it
        return found

    async def remembered(self, files: Sequence[bytes], state: SharedState) -> list[FileFacts]:
        """See tamis.contract.service_protocols.Reader."""
        known = [await _remembered(self._key(octets), state) for octets in files]
        return [facts for facts in known if facts is not None]

    async def _read(self, files: list[bytes], seconds: float) -> list[FileFacts]:
        settings = self._settings
        request = {
            "seconds": seconds,
            "languages": settings.languages if settings.ocr else (),
            "pages": settings.pages,
        }
        answer = await asyncio.to_thread(
            _POOL.call,
            "reading",
            request,
            files,
            seconds=seconds + _GRACE_SECONDS,
            breakers=self._breakers,
        )
        return [FileFacts(**facts) for facts in answer["files"]]

    def _key(self, octets: bytes) -> str:
        reading = "+".join(self._settings.languages) if self._settings.ocr else "off"
        pages = f":{self._settings.pages}" if is_pdf(octets) else ""
        return f"read:{_VERSION}:{hashlib.sha256(octets).hexdigest()}{pages}:{reading}"[:200]


class _Kind(Enum):
    """What is read together; what kills its reader costs the others nothing."""

    IMAGE = auto()
    DRAWING = auto()
    DOCUMENT = auto()


def _kind(octets: bytes) -> _Kind:
    if octets.startswith((PAGE, TILES)) or is_svg(octets):
        return _Kind.DRAWING
    return _Kind.DOCUMENT if is_pdf(octets) else _Kind.IMAGE


async def _remembered(key: str, state: SharedState) -> FileFacts | None:
    try:
        value = await state.get(key)
        facts: dict[str, Any] | None = json.loads(value) if value else None
        return FileFacts(**facts) if facts else None
    except (ServiceError, ValueError, TypeError):  # no cache: it is read anew
        return None


async def _remember(key: str, facts: FileFacts, state: SharedState) -> None:
    try:
        await state.put(key, json.dumps(facts.to_dict()), _KEEP_SECONDS)
    except ServiceError:
        return
