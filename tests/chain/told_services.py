"""The outside services of a golden case, as its `[services.*]` tables tell: an answer, or an error."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from tamis.base.errors import QueueFullError, ServiceError
from tamis.contract.service_protocols import FileFacts, Services, SharedState, SpamScore, Virus
from tamis.services.files.attachments import AttachmentLooker


class ToldAntivirus:
    """Finds `signature`, or nothing."""

    def __init__(self, told: Mapping[str, Any] | None) -> None:
        self._told = told or {}
        self.engines: Sequence[str] = ("clamav",) if told is not None else ()

    async def scan(self, message: bytes, attachments: Sequence[tuple[str, bytes]]) -> Virus | None:
        raise_if_told(self._told)
        return Virus("clamav", self._told["signature"]) if "signature" in self._told else None


class ToldReader:
    """Reads `text`, `codes` and `links` in every image and document, and gives it the fingerprint `perceptual`."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        self._told = told

    async def read(self, files: Sequence[bytes], state: SharedState) -> list[FileFacts]:
        if self._told.get("full"):
            raise QueueFullError("the reading queue is full")
        raise_if_told(self._told)
        return [FileFacts(hashlib.sha256(octets).hexdigest(), **self._told) for octets in files]

    async def remembered(self, files: Sequence[bytes], state: SharedState) -> list[FileFacts]:
        return []


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
        reader=ToldReader(told.get("reader", {})),
        attachments=AttachmentLooker(),
        spamassassin=ToldSpamAssassin(told.get("spamassassin")),
    )
