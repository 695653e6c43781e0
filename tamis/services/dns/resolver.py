"""The resolver service: one for a process, on its event loop (tamis.contract.service_protocols.DNS)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from tamis.base.breaker import Breakers
from tamis.base.errors import LeftOutError, ServiceError, anew
from tamis.contract.questions import Take
from tamis.contract.service_protocols import DNS, Answer
from tamis.services.dns.cache import Cache, CacheKey
from tamis.services.dns.lookup import LookupUnderWay
from tamis.services.dns.server import DNSServer
from tamis.services.dns.wire import DNSReply, question

MAX_IN_FLIGHT = 2000
"""Questions under way at once; more would only pile up behind servers that don't answer. Beyond: they fail at once:
unavailable."""

_TICK = 0.1  # seconds; at most a quarter of the first pause
_CLOSED = "the DNS is not asked any more"


class Resolver(DNS):
    """Asks recursive DNS servers: concurrently, with retransmission, a shared cache, and one deadline a question.

    A question that is under way is asked once, however many wait for it.
    """

    def __init__(
        self,
        servers: Sequence[tuple[str, int]],
        *,
        retransmit: float = 0.4,
        deadline: float = 5.0,
        cache_entries: int = 10_000,
        breakers: Breakers | None = None,
    ) -> None:
        self._breakers = breakers or Breakers()
        self._addresses = tuple(servers)
        self._servers: list[DNSServer] = []
        self._retransmit = retransmit
        self._deadline = deadline
        self._cache = Cache(cache_entries)
        self._under_way: dict[CacheKey, LookupUnderWay] = {}
        self._ticks = False
        self._closes = False

    async def query(self, name: str, rdtype: str) -> Answer:
        """The answer for a name and a type. A name that can't be in the DNS does not exist."""
        (found,) = await self.queries(((name, rdtype),))
        if isinstance(found, ServiceError):
            raise anew(found)
        return found

    async def queries(self, questions: Sequence[tuple[str, str]]) -> list[Answer | ServiceError]:
        """The answers to many questions asked at once, in order; those that got none as the error."""
        gathered = _Gathered(len(questions))
        for place, (name, rdtype) in enumerate(questions):
            self.ask(name, rdtype, partial(gathered.take, place))
        return await gathered.complete()

    def known(self, name: str, rdtype: str) -> Answer | ServiceError | None:
        """What is remembered of a name and a type. In any thread."""
        return self._cache.get((name.lower().rstrip("."), rdtype), time.monotonic())

    def ask(self, name: str, rdtype: str, take: Take[Answer]) -> None:
        """Have an answer handed over: at once when it is known by now, else when it is there."""
        key = (name.lower().rstrip("."), rdtype)
        under_way = self._under_way.get(key)
        if under_way is not None:
            under_way.waiting.append(take)
            return
        now = time.monotonic()
        found = self._cache.get(key, now)
        if found is not None:
            take(found)
        elif not key[0] or (asked := question(*key)) is None:
            take(Answer(*key, exists=False))
        elif len(self._under_way) >= MAX_IN_FLIGHT:
            take(ServiceError("too many DNS questions are under way"))
        elif self._closes:
            take(ServiceError(_CLOSED))
        else:
            until = now + self._deadline
            lookup = LookupUnderWay(
                self._usable, asked, self._ended, retransmit=self._retransmit, until=until
            )
            lookup.waiting.append(take)
            self._under_way[key] = lookup
            lookup.begin(now)
            if not self._ticks:
                self._tick_while_needed()

    def close(self) -> None:
        """Close all sockets; who waits for an answer gets an error. Another question opens them again."""
        self._closes = True
        try:
            for one in tuple(self._under_way.values()):
                one.end(ServiceError(_CLOSED))
            for server in self._servers:
                server.close()
            self._servers.clear()
        finally:
            self._closes = False

    def _tick_while_needed(self) -> None:
        """One timer for all questions: most are answered long before theirs would be over."""
        if self._under_way and not self._ticks:
            self._ticks = True
            asyncio.get_running_loop().call_later(min(_TICK, self._retransmit / 4), self._tick)

    def _tick(self) -> None:
        self._ticks = False
        now = time.monotonic()
        for one in tuple(self._under_way.values()):
            if one.due <= now:
                one.paused(now)
        left_out = self._all_left_out()
        if left_out is not None:  # since they were asked: nothing is to be expected of them
            for one in tuple(self._under_way.values()):
                one.end(left_out)
        self._tick_while_needed()

    def _usable(self) -> Sequence[DNSServer]:
        """The servers that may be asked now, the doubtful ones last."""
        if not self._servers:
            self._servers = [DNSServer(*address, self._breakers) for address in self._addresses]
        if len(self._servers) == 1:
            return self._servers if self._servers[0].is_usable() else []
        usable = [one for one in self._servers if one.is_usable()]
        usable.sort(key=lambda one: one.is_doubtful)
        return usable

    def _ended(self, lookup: LookupUnderWay, reply: DNSReply | ServiceError) -> None:
        found: Answer | ServiceError
        key = lookup.name, lookup.rdtype
        if isinstance(reply, ServiceError):
            found, ttl = self._all_left_out() or reply, None
        else:
            ttl = reply.ttl
            found = Answer(*key, reply.records, reply.exists, ttl or 0.0)
        if not (isinstance(found, LeftOutError) or self._closes):  # what costs nothing to say again
            self._cache.put(key, found, time.monotonic(), ttl)
        del self._under_way[key]
        for take in lookup.waiting:
            take(found)

    def _all_left_out(self) -> LeftOutError | None:
        """What to say while no server is asked; it is no failure of whom the question was about."""
        if not self._servers or not all(one.breaker.is_left_out for one in self._servers):
            return None
        states = [one.breaker.state() for one in self._servers]
        first = min(states, key=lambda one: one.left_out_until)
        part = first.part if len(states) == 1 else f"every DNS server ({len(states)})"
        return LeftOutError(part, first.left_out_until, first.failures_in_a_row, first.reason)


class _Gathered:
    """The answers that one who awaits them waits for. Whoever stops waiting does not stop it for others."""

    __slots__ = ("_answers", "_complete", "_missing")

    def __init__(self, number: int) -> None:
        self._answers: list[Any] = [None] * number
        self._missing = number
        self._complete: asyncio.Future[None] | None = None

    def take(self, place: int, answer: Answer | Exception) -> None:
        self._answers[place] = answer
        self._missing -= 1
        if not self._missing and self._complete is not None and not self._complete.done():
            self._complete.set_result(None)

    async def complete(self) -> list[Answer | ServiceError]:
        if self._missing:
            self._complete = asyncio.get_running_loop().create_future()
            await self._complete
        return self._answers
