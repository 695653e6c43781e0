"""Images read in helper processes, each distinct one once while the shared state remembers it."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from typing import Any

from tamis.breaker import Breakers
from tamis.errors import ServiceError
from tamis.filters.helper import HelperPool
from tamis.services import ImageFacts, SharedState
from tamis.settings import ImageSettings

_KEEP_SECONDS = 14 * 86400.0
_VERSION = 1
_MEMORY = 512 * 1024 * 1024
_POOL = HelperPool("OCR", processes=1, waiting=3, memory=_MEMORY)


class ImageReader:
    """The reader of one process (tamis.services.Images)."""

    def __init__(self, settings: ImageSettings, breakers: Breakers | None = None) -> None:
        self._settings = settings
        self._breakers = breakers or Breakers()

    async def read(self, images: Sequence[bytes], state: SharedState) -> list[ImageFacts]:
        """See tamis.services.Images."""
        keys = [self._key(octets) for octets in images]
        found = {key: facts for key in keys if (facts := await self._remembered(key, state)) is not None}
        missing = {key: octets for key, octets in zip(keys, images, strict=True) if key not in found}
        if missing:
            for key, facts in zip(missing, await self._read(list(missing.values())), strict=True):
                found[key] = facts
                if not facts.problem:  # what could not be read now may be readable later
                    await self._remember(key, facts, state)
        return [found[key] for key in keys]

    async def _read(self, images: list[bytes]) -> list[ImageFacts]:
        settings = self._settings
        request = {
            "seconds": settings.seconds,
            "languages": settings.languages if settings.ocr else (),
        }
        answer = await asyncio.to_thread(
            _POOL.call,
            "images",
            request,
            images,
            seconds=settings.seconds + _GRACE_SECONDS,
            breakers=self._breakers,
        )
        return [ImageFacts(**facts) for facts in answer["images"]]

    def _key(self, octets: bytes) -> str:
        reading = "+".join(self._settings.languages) if self._settings.ocr else "off"
        return f"image:{_VERSION}:{hashlib.sha256(octets).hexdigest()}:{reading}"[:200]

    @staticmethod
    async def _remembered(key: str, state: SharedState) -> ImageFacts | None:
        try:
            value = await state.get(key)
            facts: dict[str, Any] | None = json.loads(value) if value else None
            return ImageFacts(**facts) if facts else None
        except (ServiceError, ValueError, TypeError):  # no cache: it is read anew
            return None

    @staticmethod
    async def _remember(key: str, facts: ImageFacts, state: SharedState) -> None:
        try:
            await state.put(key, json.dumps(facts.to_dict()), _KEEP_SECONDS)
        except ServiceError:
            return


_GRACE_SECONDS = 2.0  # for starting a process, and for its own clock to end the reading first
