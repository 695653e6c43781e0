"""The resolver service: one for a process, on its event loop (tamis.services.DNS)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from tamis.breaker import Breakers
from tamis.errors import LeftOutError, ServiceError
from tamis.filters.dns_cache import Cache, Key
from tamis.filters.dns_lookup import Lookup
from tamis.filters.dns_server import Server
from tamis.filters.dns_wire import Reply, question
from tamis.services import Answer

MAX_IN_FLIGHT = 2000
"""Questions under way at once; more would only pile up behind servers that don't answer."""

Take = Callable[[Answer | ServiceError], None]


class Resolver:
    """Asks recursive DNS servers: concurrently, with retransmission, a shared cache, and one deadline a question.

    A question that is under way is asked once, however many wait for it. Not for use from other threads.
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
        self._servers: list[Server] = []
        self._retransmit = retransmit
        self._deadline = deadline
        self._cache = Cache(cache_entries)
        self._under_way: dict[Key, list[Take]] = {}

    async def query(self, name: str, rdtype: str) -> Answer:
        """The answer for a name and a type. A name that can't be in the DNS does not exist."""
        (found,) = await self.queries(((name, rdtype),))
        if isinstance(found, LeftOutError):
            raise LeftOutError(found.part, found.until, found.failures, found.reason)
        if isinstance(found, ServiceError):
            raise ServiceError(str(found))
        return found

    async def queries(self, questions: Sequence[tuple[str, str]]) -> list[Answer | ServiceError]:
        """The answers to many questions asked at once, in order; those that got none as the error."""
        gathered = _Gathered(len(questions))
        for place, (name, rdtype) in enumerate(questions):
            self._find((name.lower().rstrip("."), rdtype), partial(gathered.take, place))
        return await gathered.all()

    def close(self) -> None:
        """Close all sockets; another question opens them again."""
        for server in self._servers:
            server.close()
        self._servers.clear()

    def _find(self, key: Key, take: Take) -> None:
        """Have an answer handed over: at once when it is known, else when it is there."""
        loop = asyncio.get_running_loop()
        found = self._cache.get(key, loop.time())
        if found is not None:
            take(found)
            return
        waiting = self._under_way.get(key)
        if waiting is not None:
            waiting.append(take)
            return
        asked = question(*key)
        if asked is None or not key[0]:
            take(Answer(*key, exists=False))
        elif len(self._under_way) >= MAX_IN_FLIGHT:
            take(ServiceError("too many DNS questions are under way"))
        else:
            self._under_way[key] = [take]
            until = loop.time() + self._deadline
            ended = partial(self._ended, key)
            Lookup(self._usable, asked, ended, retransmit=self._retransmit, until=until)

    def _usable(self) -> list[Server]:
        """The servers that may be asked now, the doubtful ones last."""
        if not self._servers:
            self._servers = [Server(*address, self._breakers) for address in self._addresses]
        usable = [one for one in self._servers if one.is_usable()]
        return sorted(usable, key=lambda one: one.is_doubtful) if len(usable) > 1 else usable

    def _ended(self, key: Key, reply: Reply | ServiceError) -> None:
        found: Answer | ServiceError
        if isinstance(reply, ServiceError):
            found, ttl = self._all_left_out() or reply, None
        else:
            ttl = reply.ttl
            found = Answer(*key, reply.records, reply.exists, ttl or 0.0)
        if not isinstance(found, LeftOutError):  # which costs nothing to say again
            self._cache.put(key, found, asyncio.get_running_loop().time(), ttl)
        for take in self._under_way.pop(key):
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
    """The answers that one who asks waits for. Whoever stops waiting does not stop it for others."""

    def __init__(self, number: int) -> None:
        self._answers: list[Answer | ServiceError | None] = [None] * number
        self._missing = number
        self._complete: asyncio.Future[None] | None = None

    def take(self, place: int, answer: Answer | ServiceError) -> None:
        self._answers[place] = answer
        self._missing -= 1
        if not self._missing and self._complete is not None and not self._complete.done():
            self._complete.set_result(None)

    async def all(self) -> list[Answer | ServiceError]:
        if self._missing:
            self._complete = asyncio.get_running_loop().create_future()
            await self._complete
        return [one for one in self._answers if one is not None]
