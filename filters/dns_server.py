"""One DNS server as it is asked: UDP over a pool of sockets, TCP for what is truncated, and its health."""

from __future__ import annotations

import asyncio
import secrets
import struct
from contextlib import suppress
from typing import cast

from tamis.breaker import FAILURES, Breakers, Limits
from tamis.errors import ServiceError
from tamis.filters.dns_wire import Question, Reply, answers, is_truncated, number_of, question, read

POOL = 8
"""Sockets open to one server, each with a port of the kernel's choice."""
USES = 64
"""Queries of one socket; then another port takes its place (RFC 5452 9.2)."""
PROBE_SECONDS = 1.0
LIMITS = Limits(failures=8, pause=2.0, longest=2.0)
"""Others than the site's: a probe costs no message anything, so it may come soon and often."""

_TCP_AT_ONCE = 16
_PROBES = 2  # one datagram may get lost


class _Socket(asyncio.DatagramProtocol):
    """A connected socket: the kernel passes on only what comes from the server itself."""

    def __init__(self) -> None:
        self.uses = 0
        self._waiting: dict[int, tuple[Question, asyncio.Future[bytes]]] = {}
        self._retired = False
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)  # which 3.11's is by its look only

    def datagram_received(self, data: bytes, addr: object) -> None:
        entry = self._waiting.get(number) if (number := number_of(data)) is not None else None
        if entry is not None and answers(data, entry[0]) and not entry[1].done():
            entry[1].set_result(data)

    def error_received(self, exc: Exception) -> None:
        """Nobody listens there (an ICMP message said so)."""
        for _, future in self._waiting.values():
            if not future.done():
                future.set_exception(exc)

    async def ask(self, asked: Question) -> bytes:
        self.uses += 1
        number = secrets.randbelow(65536)
        while number in self._waiting:
            number = secrets.randbelow(65536)
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[number] = (asked, future)
        try:
            assert self._transport is not None
            self._transport.sendto(asked.message(number))
            return await future
        finally:
            del self._waiting[number]
            self._close_if_done()

    def retire(self) -> None:
        """Close as soon as nobody waits any more."""
        self._retired = True
        self._close_if_done()

    def _close_if_done(self) -> None:
        if self._retired and not self._waiting and self._transport is not None:
            self._transport.close()


class Server:
    """One server: its sockets, and whether it is worth asking.

    Queries that go unanswered may be the fault of the names' own servers, so its breaker is a checked one, and a
    probe that every server can answer is the trial: a sender who points names at dead servers can't make ours look
    dead.
    """

    def __init__(self, host: str, port: int, breakers: Breakers) -> None:
        self.host, self.port = host, port
        self.breaker = breakers.part(f"DNS server {self}", checked=True, limits=LIMITS)
        self._sockets: list[_Socket] = []
        self._tcp = asyncio.Semaphore(_TCP_AT_ONCE)
        self._probe: asyncio.Task[None] | None = None

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_doubtful(self) -> bool:
        """Whether its last query went without an answer."""
        return self.breaker.is_doubtful

    def is_usable(self) -> bool:
        """Whether it may be asked; one that is left out is probed now and then instead."""
        if not self.breaker.is_left_out:
            return True
        self._probe_if_due()
        return False

    def missed(self) -> None:
        """A query got no answer in its time."""
        self.breaker.failed("no answer in time")
        self._probe_if_due()

    async def ask(self, asked: Question) -> Reply:
        """Ask once, over TCP if the answer is truncated. Raises ServiceError; waits for ever if nothing comes."""
        return read(await self._octets(asked), asked)

    def close(self) -> None:
        """Close the sockets."""
        for one in self._sockets:
            one.retire()
        self._sockets.clear()
        if self._probe is not None:
            self._probe.cancel()

    async def _octets(self, asked: Question) -> bytes:
        try:
            octets = await (await self._socket()).ask(asked)
            self.breaker.answered()
            return await self._over_tcp(asked) if is_truncated(octets) else octets
        except ConnectionRefusedError as error:
            self.breaker.failed("nothing listens there", certain=True)
            raise ServiceError(f"nothing listens at {self}") from error
        except (OSError, EOFError) as error:
            raise ServiceError(f"DNS server {self}: {error}") from error

    async def _socket(self) -> _Socket:
        if len(self._sockets) < POOL:
            _, made = await asyncio.get_running_loop().create_datagram_endpoint(
                _Socket, remote_addr=(self.host, self.port)
            )
            self._sockets.append(made)
        chosen = secrets.choice(self._sockets)
        if chosen.uses >= USES:
            self._sockets.remove(chosen)
            chosen.retire()
            return await self._socket()
        return chosen

    async def _over_tcp(self, asked: Question) -> bytes:
        async with self._tcp:
            reader, writer = await asyncio.open_connection(self.host, self.port)
            try:
                number = secrets.randbelow(65536)
                message = asked.message(number)
                writer.write(struct.pack("!H", len(message)) + message)
                (length,) = struct.unpack("!H", await reader.readexactly(2))
                octets = await reader.readexactly(length)
            finally:
                writer.close()
        if number_of(octets) != number or not answers(octets, asked):
            raise ServiceError(f"DNS server {self} answered another question over TCP")
        return octets

    def _probe_if_due(self) -> None:
        if self.breaker.is_trial_due:
            self._probe = asyncio.get_running_loop().create_task(self._probed())

    async def _probed(self) -> None:
        """Ask for the root's name servers, which a resolver has at hand; a refusal is an answer too."""
        root = question("", "NS")
        assert root is not None
        with suppress(*FAILURES), self.breaker.call():
            for attempt in range(_PROBES):
                try:
                    async with asyncio.timeout(PROBE_SECONDS):
                        await self._octets(root)
                        return
                except (TimeoutError, ServiceError):
                    if attempt == _PROBES - 1:
                        raise
