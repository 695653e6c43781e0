"""One DNS server as it is asked: UDP over a pool of sockets, TCP for what is truncated, and its health.

Questions go by callbacks, not by tasks: a message asks dozens, and a task each would cost more than all the rest. So
would a turn of the loop for each answer: a server that knows them sends all within a moment, and is looked at then.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress

from tamis.base.breaker import FAILURES, Breakers
from tamis.base.breaker_limits import BreakerLimits
from tamis.base.errors import ServiceError
from tamis.services.dns.wire import WireQuestion, answers, is_truncated, number_of, question

POOL = 8
"""Sockets open to one server, each with a port of the kernel's choice."""
USES = 64
"""Queries of one socket; then another port takes its place (RFC 5452 9.2)."""
IN_A_ROW = 16
"""Queries within SOON that go by one socket. It is drawn by lot again then: who wants to forge an answer must guess as
much as if each had a port of its own choice, and fewer sockets are looked at for what has come."""
PROBE_SECONDS = 1.0
LIMITS = BreakerLimits(failures=8, pause=2.0, longest=2.0)
"""Others than the site's: a probe costs no message anything, so it may come soon and often."""

SOON = 0.002
"""Seconds after a question in which most answers have come; for those that have not the loop listens."""

_TCP_AT_ONCE = 16
_PROBES = 2  # one datagram may get lost
_LARGEST = 4096
"""Octets of a datagram: more than the 1232 that a question allows. Beyond: cut, and asked by TCP."""
_AT_ONCE = 64  # datagrams read from one socket before others have their turn

Answered = Callable[["Attempt", bytes | ServiceError], None]
"""Called once on the loop with the octets of the whole answer, or what went wrong, unless that was cancelled."""


def _unforeseeable() -> Iterator[int]:
    """32-bit numbers of the kernel's, drawn by the hundred: nobody must guess ids and ports (RFC 5452)."""
    while True:
        yield from struct.unpack("!128I", os.urandom(512))


class Attempt:
    """A question on its way to one server."""

    __slots__ = ("_number", "_socket", "_task", "_told", "asked", "server")

    def __init__(self, server: DNSServer, asked: WireQuestion, told: Answered) -> None:
        self.server, self.asked = server, asked
        self._told: Answered | None = told
        self._socket: _Socket | None = None
        self._number = 0
        self._task: asyncio.Task[None] | None = None

    def cancel(self) -> None:
        """Nobody waits for this one any more."""
        self._told = None
        if self._socket is not None:
            self._socket.forget(self._number)
        if self._task is not None:
            self._task.cancel()

    def sent(self, by: _Socket, number: int) -> None:
        """It is on its way."""
        self._socket, self._number = by, number

    def received(self, octets: bytes) -> None:
        """The server answered; where the answer was too long, ask for it again over TCP."""
        self._socket = None
        self.server.breaker.answered()
        if is_truncated(octets):
            self._task = asyncio.get_running_loop().create_task(self._over_tcp())
        else:
            self._tell(octets)

    def failed(self, error: OSError) -> None:
        """The kernel says that it can't be."""
        self._socket = None
        self._tell(self.server.failed(error))

    async def _over_tcp(self) -> None:
        try:
            octets = await self.server.over_tcp(self.asked)
        except ServiceError as error:
            self._tell(error)
        except (OSError, EOFError) as error:
            self._tell(ServiceError(f"DNS server {self.server}: {error}"))
        else:
            self._tell(octets)

    def _tell(self, outcome: bytes | ServiceError) -> None:
        told, self._told = self._told, None
        if told is not None:
            told(self, outcome)


class _Socket:
    """A connected socket: the kernel passes on only what comes from the server itself."""

    def __init__(self, host: str, port: int, loop: asyncio.AbstractEventLoop) -> None:
        """Raises OSError."""
        self.uses = 0
        self._waiting: dict[int, Attempt] = {}
        self._retired = False
        self._listening = False
        self._loop = loop
        family, kind, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST
        )[0]
        self._socket = socket.socket(family, kind)
        self._socket.setblocking(False)
        try:
            self._socket.connect(address)
        except OSError:
            self._socket.close()
            raise

    @property
    def is_waiting(self) -> bool:
        """Whether an answer may come."""
        return bool(self._waiting)

    def send(self, attempt: Attempt, number: int) -> None:
        """Send a question with this id, or the next one that is free. Raises OSError."""
        self.uses += 1
        while number in self._waiting:
            number = (number + 1) % 65536
        message = attempt.asked.message(number)
        try:
            try:
                self._socket.send(message)
            except ConnectionRefusedError:
                if self._waiting:
                    raise
                self._socket.send(message)  # that was about a question for which nobody waits any more
        except BlockingIOError:  # no room for it now: as good as lost on the way
            pass
        except OSError as error:  # it is told once, and of those that were sent before
            self._loop.call_soon(self._fail, error)
            raise
        self._waiting[number] = attempt
        attempt.sent(self, number)

    def forget(self, number: int) -> None:
        """Nobody waits for this answer any more."""
        self._waiting.pop(number, None)
        self._rest_if_done()

    def retire(self) -> None:
        """Close as soon as nobody waits any more."""
        self._retired = True
        self._listen()

    def close(self) -> None:
        """Close now; whoever waits waits for nothing."""
        self._waiting.clear()
        self.retire()

    def look(self) -> None:
        """Take what has come, and listen for what has not."""
        self._take()
        self._listen()

    def _listen(self) -> None:
        if self._waiting and not self._listening:
            self._listening = True
            self._loop.add_reader(self._socket.fileno(), self._take)
        self._rest_if_done()

    def _take(self) -> None:
        receive = self._socket.recv
        for _ in range(_AT_ONCE):
            if not self._waiting:
                break
            try:
                octets = receive(_LARGEST)
            except BlockingIOError:
                break
            except OSError as error:  # nobody listens there: an ICMP message said so
                self._fail(error)
                return
            number = number_of(octets)
            attempt = self._waiting.get(number) if number is not None else None
            if number is not None and attempt is not None and answers(octets, attempt.asked):
                del self._waiting[number]
                attempt.received(octets)
        self._rest_if_done()

    def _fail(self, error: OSError) -> None:
        waiting, self._waiting = self._waiting, {}
        for attempt in waiting.values():
            attempt.failed(error)
        self._rest_if_done()

    def _rest_if_done(self) -> None:
        if self._waiting:
            return
        if self._listening:
            self._listening = False
            self._loop.remove_reader(self._socket.fileno())
        if self._retired:
            self._socket.close()


class DNSServer:
    """One server: its sockets, and its breaker, which says whether it is worth asking.

    Unanswered questions may be the fault of the names' own servers, so a probe that every server can answer decides: a
    sender who points names at dead servers can't make ours look dead.
    """

    def __init__(self, host: str, port: int, breakers: Breakers) -> None:
        self.host, self.port = host, port
        self.breaker = breakers.part(f"DNS server {self}", checked=True, limits=LIMITS)
        self._sockets: list[_Socket] = []
        self._retired: list[_Socket] = []
        self._chosen: _Socket | None = None
        self._in_a_row = 0
        self._chances = _unforeseeable()
        self._tcp = asyncio.Semaphore(_TCP_AT_ONCE)
        self._probe: asyncio.Task[None] | None = None
        self._looks = False

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

    def failed(self, error: OSError) -> ServiceError:
        """The query could not be sent; returns the error for its waiters."""
        if not isinstance(error, ConnectionRefusedError):
            return ServiceError(f"DNS server {self}: {error}")
        self.breaker.failed("nothing listens there", certain=True)
        return ServiceError(f"nothing listens at {self}")

    def ask(self, asked: WireQuestion, told: Answered) -> Attempt:
        """Ask once, over TCP if the answer is truncated. What comes of it is told later; nothing, if nothing comes."""
        attempt = Attempt(self, asked, told)
        chance = next(self._chances)
        try:
            if self._chosen is None or self._in_a_row == IN_A_ROW:
                self._chosen, self._in_a_row = self._drawn_socket(chance >> 16), 0
            self._in_a_row += 1
            self._chosen.send(attempt, chance & 0xFFFF)
        except OSError as error:
            asyncio.get_running_loop().call_soon(attempt.failed, error)
        if not self._looks:
            self._looks = True
            asyncio.get_running_loop().call_later(SOON, self._look)
        return attempt

    def _look(self) -> None:
        self._looks, self._chosen = False, None
        for one in [one for one in self._sockets if one.is_waiting]:
            one.look()

    async def over_tcp(self, asked: WireQuestion) -> bytes:
        """The whole reply. Raises ServiceError, OSError or EOFError."""
        async with self._tcp:
            reader, writer = await asyncio.open_connection(self.host, self.port)
            try:
                number = next(self._chances) & 0xFFFF
                message = asked.message(number)
                writer.write(struct.pack("!H", len(message)) + message)
                (length,) = struct.unpack("!H", await reader.readexactly(2))
                octets = await reader.readexactly(length)
            finally:
                writer.close()
        if number_of(octets) != number or not answers(octets, asked):
            raise ServiceError(f"DNS server {self} answered another question over TCP")
        return octets

    def close(self) -> None:
        """Close the sockets, and ask nothing more by itself."""
        for one in (*self._sockets, *self._retired):
            one.close()
        self._sockets.clear()
        self._retired.clear()
        self._chosen = None
        if self._probe is not None:
            self._probe.cancel()

    def _drawn_socket(self, chance: int) -> _Socket:
        if len(self._sockets) < POOL:
            self._sockets.append(_Socket(self.host, self.port, asyncio.get_running_loop()))
            return self._sockets[-1]
        place = chance % POOL
        if self._sockets[place].uses >= USES:
            old, fresh = self._sockets[place], _Socket(self.host, self.port, asyncio.get_running_loop())
            old.retire()
            self._retired = [one for one in (*self._retired, old) if one.is_waiting]
            self._sockets[place] = fresh
        return self._sockets[place]

    def _probe_if_due(self) -> None:
        if self.breaker.is_trial_due and (self._probe is None or self._probe.done()):
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

    async def _octets(self, asked: WireQuestion) -> bytes:
        """An answer of whatever content. Raises ServiceError; waits for ever if nothing comes."""
        outcome: asyncio.Future[bytes | ServiceError] = asyncio.get_running_loop().create_future()
        attempt = self.ask(asked, lambda _, told: outcome.set_result(told))
        try:
            told = await outcome
        finally:
            attempt.cancel()
        if isinstance(told, ServiceError):
            raise told
        return told
