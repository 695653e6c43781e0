"""A client for clamd (clamd(8)): content is sent over its socket, a signature or nothing comes back.

Our own, since no kept library speaks to unix sockets on an event loop: the protocol is one command and one answer.
"""

from __future__ import annotations

import asyncio
import re
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial

from tamis.base.breaker import Breakers
from tamis.base.errors import LeftOutError, ServiceError
from tamis.contract.service_protocols import Virus
from tamis.settings import AntivirusEngine, AntivirusSettings, SocketAddress

_HARMLESS = b"nothing\n"
_TRIAL_SECONDS = 2.0
_CHUNK = 65_536
_LENGTH = struct.Struct("!I")
_MAX_ANSWER = 4096  # octets of an answer; beyond: the engine is unavailable
_FOUND = re.compile(r"(?:[^:]*: )?(?P<signature>\S.*) FOUND", re.DOTALL)
_MAX_SIGNATURE = 200


class Engines:
    """The clamds of one pass, asked one after the other (tamis.contract.service_protocols.Antivirus)."""

    def __init__(
        self,
        settings: AntivirusSettings,
        engines: Sequence[AntivirusEngine],
        breakers: Breakers | None = None,
    ) -> None:
        self._settings = settings
        self._breakers = breakers or Breakers()
        self._engines = tuple(engines)
        self.engines: Sequence[str] = tuple(one.name for one in engines)

    async def scan(self, message: bytes, attachments: Sequence[tuple[str, bytes]]) -> Virus | None:
        """See the Antivirus service. The time is shared fairly: a silent engine leaves some for the next."""
        items = [("message", message), *attachments]
        loop = asyncio.get_running_loop()
        until = loop.time() + self._settings.seconds
        trouble: list[str] = []
        for number, engine in enumerate(self._engines):
            share = (until - loop.time()) / (len(self._engines) - number)
            breaker = self._breakers.part(f"clamd {engine.name}", checked=True)
            try:
                self._check_sizes(items)
                await breaker.try_again(partial(self._check, engine))
                with breaker.call() as call:
                    async with asyncio.timeout(share):
                        if call.is_trial:  # files that take minutes must not make a good scanner look dead
                            await self._check(engine)
                            call.passed()
                        for where, octets in items:
                            signature = await self._ask(engine, octets)
                            if signature is not None:
                                return Virus(engine.name, signature, where)
            except TimeoutError:
                trouble.append(f"{engine.name} gave no answer in time")
            except LeftOutError as error:
                trouble.append(str(error))
            except (OSError, ServiceError) as error:
                trouble.append(f"{engine.name}: {error}")
        if trouble:
            raise ServiceError("; ".join(trouble)[:300])
        return None

    async def _check(self, engine: AntivirusEngine) -> None:
        async with asyncio.timeout(_TRIAL_SECONDS):
            await self._ask(engine, _HARMLESS)

    def _check_sizes(self, items: Sequence[tuple[str, bytes]]) -> None:
        largest = max(len(octets) for _, octets in items)
        if largest > self._settings.max_size:
            raise ServiceError(f"{largest} octets are more than is scanned ({self._settings.max_size})")

    async def _ask(self, engine: AntivirusEngine, octets: bytes) -> str | None:
        """One stream's signature, or None."""
        async with connection(engine.socket) as (reader, writer):
            answering = asyncio.ensure_future(reader.read(_MAX_ANSWER))
            try:
                writer.write(b"zINSTREAM\0")
                for start in range(0, len(octets), _CHUNK):
                    if answering.done():  # it has heard enough: too large, or shutting down
                        break
                    chunk = octets[start : start + _CHUNK]
                    writer.write(_LENGTH.pack(len(chunk)) + chunk)
                    await writer.drain()
                writer.write(_LENGTH.pack(0))
                with suppress(ConnectionError):
                    await writer.drain()
                return _signature(await answering)
            finally:
                answering.cancel()


@asynccontextmanager
async def connection(socket: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to a socket of the settings, closed whatever happens."""
    address = SocketAddress.parse(socket)
    if address.path:
        reader, writer = await asyncio.open_unix_connection(address.path)
    else:
        reader, writer = await asyncio.open_connection(address.host, address.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()  # close() would wait for ever for a peer that does not read


def _signature(answer: bytes) -> str | None:
    text = answer.rstrip(b"\0\r\n").decode("utf-8", "replace")
    if text.endswith(" OK") or text == "OK":
        return None
    found = _FOUND.fullmatch(text)
    if found is None:
        raise ServiceError(f"unexpected answer {text[:100]!r}")
    return "".join(c if c.isprintable() else "?" for c in found["signature"][:_MAX_SIGNATURE])
