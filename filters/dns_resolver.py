"""The resolver service: one for a process, on its event loop (tamis.services.DNS)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tamis.breaker import Breakers
from tamis.errors import LeftOutError, ServiceError
from tamis.filters.dns_cache import Cache, Key
from tamis.filters.dns_server import Server
from tamis.filters.dns_wire import Question, Reply, question
from tamis.services import Answer

MAX_IN_FLIGHT = 2000
"""Questions under way at once; more would only pile up behind servers that don't answer."""

_GROWTH = 1.5  # each pause before another attempt is longer than the one before
_MAX_CHAIN = 8


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
        self._under_way: dict[Key, asyncio.Task[Answer | ServiceError]] = {}

    async def query(self, name: str, rdtype: str) -> Answer:
        """The answer for a name and a type. A name that can't be in the DNS does not exist."""
        key = (name.lower().rstrip("."), rdtype)
        asked = question(*key)
        if asked is None or not key[0]:
            return Answer(key[0], rdtype, exists=False)
        loop = asyncio.get_running_loop()
        found = self._cache.get(key, loop.time())
        if found is None:
            task = self._under_way.get(key)
            if task is None:
                if len(self._under_way) >= MAX_IN_FLIGHT:
                    raise ServiceError("too many DNS questions are under way")
                task = self._under_way[key] = loop.create_task(self._resolve(key, asked))
            # whoever stops waiting must not stop it for the others; it ends by its own deadline
            found = await asyncio.shield(task)
        if isinstance(found, LeftOutError):
            raise LeftOutError(found.part, found.until, found.failures)
        if isinstance(found, ServiceError):
            raise ServiceError(str(found))
        return found

    async def queries(self, questions: Sequence[tuple[str, str]]) -> list[Answer | ServiceError]:
        """The answers to many questions asked at once, in order; those that got none as the error."""
        return list(await asyncio.gather(*(self._outcome(*one) for one in questions)))

    def close(self) -> None:
        """Close all sockets; another question opens them again."""
        for server in self._servers:
            server.close()
        self._servers.clear()

    async def _outcome(self, name: str, rdtype: str) -> Answer | ServiceError:
        try:
            return await self.query(name, rdtype)
        except ServiceError as error:
            return error

    async def _resolve(self, key: Key, asked: Question) -> Answer | ServiceError:
        name, rdtype = key
        found: Answer | ServiceError
        ttl: float | None = None
        try:
            async with asyncio.timeout(self._deadline):
                reply = await self._follow(asked)
            ttl = reply.ttl
            found = Answer(name, rdtype, reply.records, reply.exists, ttl or 0.0)
        except ServiceError as error:
            found = error
        except TimeoutError:
            found = self._all_left_out() or ServiceError(
                f"no answer for {rdtype} of {name} within {self._deadline:g} s"
            )
        finally:
            del self._under_way[key]
        if not isinstance(found, LeftOutError):  # which costs nothing to say again
            self._cache.put(key, found, asyncio.get_running_loop().time(), ttl)
        return found

    def _all_left_out(self) -> LeftOutError | None:
        """What to say while no server is asked; it is no failure of whom the question was about."""
        states = [one.breaker.state() for one in self._servers]
        if not states or not all(one.left_out_until for one in states):
            return None
        first = min(states, key=lambda one: one.left_out_until)
        part = first.part if len(states) == 1 else f"every DNS server ({len(states)})"
        return LeftOutError(part, first.left_out_until, first.failures_in_a_row)

    async def _follow(self, asked: Question) -> Reply:
        """The reply; where a server left an alias for us to follow, that of its target."""
        ttl: float | None = None
        for _ in range(_MAX_CHAIN):
            reply = await self._ask(asked)
            ttls = [one for one in (ttl, reply.ttl) if one is not None]
            ttl = min(ttls, default=None)
            following = question(reply.goes_on, asked.rdtype) if reply.goes_on else None
            if following is None:
                return Reply(reply.records, reply.exists, ttl if reply.ttl is not None else None)
            asked = following
        raise ServiceError(f"too long a chain of aliases to {asked.name}")

    async def _ask(self, asked: Question) -> Reply:
        """Ask server after server, a new attempt after each pause, while the earlier ones may still answer."""
        if not self._servers:
            self._servers = [Server(*address, self._breakers) for address in self._addresses]
        candidates = sorted((s for s in self._servers if s.is_usable()), key=lambda s: s.is_doubtful)
        problem = self._all_left_out() or ServiceError("no DNS server answers")
        waiting: dict[asyncio.Task[Reply], Server] = {}
        pause, number = self._retransmit, 0
        try:
            while candidates or waiting:
                server = candidates[number % len(candidates)] if candidates else None
                number += 1
                if server is not None:
                    waiting[asyncio.ensure_future(server.ask(asked))] = server
                done, _ = await asyncio.wait(
                    waiting, timeout=pause if server else None, return_when=asyncio.FIRST_COMPLETED
                )
                if not done and server is not None:
                    server.missed()
                    pause *= _GROWTH
                for task in done:
                    answered = waiting.pop(task)
                    error = task.exception()
                    if error is None:
                        return task.result()
                    if not isinstance(error, ServiceError):
                        raise error
                    problem = error
                    candidates = [one for one in candidates if one is not answered]
            raise problem
        finally:
            for task in waiting:
                task.cancel()
