"""The outside services of a golden case, as its `[services.*]` tables tell: an answer, or an error."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from tamis.errors import ServiceError
from tamis.services import ImageFacts, Services, SharedState, SpamScore, Virus


class ToldAntivirus:
    """Finds `signature`, or nothing."""

    def __init__(self, told: Mapping[str, Any] | None) -> None:
        self._told = told or {}
        self.engines: Sequence[str] = ("clamav",) if told is not None else ()

    async def scan(self, message: bytes, attachments: Sequence[tuple[str, bytes]]) -> Virus | None:
        raise_if_told(self._told)
        return Virus("clamav", self._told["signature"]) if "signature" in self._told else None


class ToldImages:
    """Reads `text` and `codes` in every image, and gives it the fingerprint `perceptual`."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        self._told = told

    async def read(self, images: Sequence[bytes], state: SharedState) -> list[ImageFacts]:
        raise_if_told(self._told)
        return [ImageFacts(hashlib.sha256(octets).hexdigest(), **self._told) for octets in images]


class ToldSpamAssassin:
    """Says `score` of `required`, with `rules`."""

    def __init__(self, told: Mapping[str, Any] | None) -> None:
        self._told = told

    async def score(self, message: bytes) -> SpamScore | None:
        if self._told is None:
            return None
        raise_if_told(self._told)
        return SpamScore(self._told["score"], self._told["required"], tuple(self._told["rules"]))


def raise_if_told(told: Mapping[str, Any]) -> None:
    """A service that is down."""
    if "error" in told:
        raise ServiceError(told["error"])


def told_services(told: Mapping[str, Any]) -> Services:
    """Services that say what a case tells."""
    return Services(
        first_antivirus=ToldAntivirus(told.get("antivirus")),
        second_antivirus=ToldAntivirus(told.get("antivirus_second")),
        images=ToldImages(told.get("images", {})),
        spamassassin=ToldSpamAssassin(told.get("spamassassin")),
    )
