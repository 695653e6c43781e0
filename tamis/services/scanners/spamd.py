"""A client for SpamAssassin's spamd (its protocol, SPAMC/1.5, is in spamd/PROTOCOL of SpamAssassin).

Our own: the one kept library leaves its connection open when it is cancelled, and reads without a bound.
"""

from __future__ import annotations

import asyncio
import re

from tamis.base.breaker import Breakers
from tamis.base.errors import ServiceError
from tamis.contract.service_protocols import SpamScore
from tamis.services.scanners.clamd import connection
from tamis.settings import SpamAssassinSettings

_TRIAL_SECONDS = 2.0
_MAX_ANSWER = 65_536  # octets of an answer; beyond: the filter is unavailable
_STATUS = re.compile(r"SPAMD/[0-9.]+ 0 ")
_SPAM = re.compile(
    r"^Spam:\s*(?:True|False|Yes|No)\s*;\s*(-?[0-9]{1,6}(?:\.[0-9]+)?)\s*/\s*(-?[0-9]{1,6}(?:\.[0-9]+)?)\s*$",
    re.MULTILINE | re.IGNORECASE,
)
_RULE = re.compile(r"[A-Za-z0-9_]{1,80}")


class Spamd:
    """One spamd (tamis.contract.service_protocols.SpamAssassin)."""

    def __init__(self, settings: SpamAssassinSettings, breakers: Breakers | None = None) -> None:
        self._settings = settings
        self._breaker = (breakers or Breakers()).part("spamd", checked=True)

    async def score(self, message: bytes) -> SpamScore | None:
        """See tamis.contract.service_protocols.SpamAssassin."""
        settings = self._settings
        if not settings.socket:
            return None
        if len(message) > settings.max_size:
            raise ServiceError(f"{len(message)} octets are more than spamd is asked about")
        try:
            await self._breaker.try_again(self._ping)
            with self._breaker.call() as call:
                async with asyncio.timeout(settings.seconds):
                    if call.is_trial:  # mail that takes minutes must not make a good spamd look dead
                        await self._ping()
                        call.passed()
                    return _parsed(await self._ask(_question(message)))
        except TimeoutError:
            raise ServiceError(f"spamd gave no answer within {settings.seconds:g} s") from None
        except (OSError, EOFError) as error:
            raise ServiceError(f"spamd: {error}"[:200]) from error

    async def _ping(self) -> None:
        async with asyncio.timeout(_TRIAL_SECONDS):
            answer = await self._ask(b"PING SPAMC/1.5\r\n\r\n")
        if not _STATUS.match(answer.decode("ascii", "replace")):
            raise ServiceError("spamd does not answer a PING")

    async def _ask(self, question: bytes) -> bytes:
        async with connection(self._settings.socket) as (reader, writer):
            writer.write(question)
            await writer.drain()
            answer = b""
            while len(answer) < _MAX_ANSWER and (more := await reader.read(_MAX_ANSWER)):
                answer += more
            return answer


def _question(message: bytes) -> bytes:
    return b"SYMBOLS SPAMC/1.5\r\nContent-length: %d\r\n\r\n" % len(message) + message


def _parsed(answer: bytes) -> SpamScore:
    text = answer[:_MAX_ANSWER].decode("ascii", "replace")
    head, _, body = text.partition("\r\n\r\n")
    found = _SPAM.search(head)
    if not _STATUS.match(head) or found is None:
        raise ServiceError(f"unexpected answer of spamd {head[:100]!r}")
    return SpamScore(float(found[1]), float(found[2]), tuple(_RULE.findall(body)))
