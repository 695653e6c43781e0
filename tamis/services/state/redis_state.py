"""The shared state in a Redis that all hosts share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from tamis.base.breaker import Breaker
from tamis.base.errors import ConfigError, ServiceError
from tamis.contract.service_protocols import MAX_KEY, MAX_MEMBERS, WINDOW_SLOTS, KeptValue, SharedState

T = TypeVar("T")

_CONNECTIONS = 16
_SENTINEL_CONNECTIONS = 256
"""Beyond, calls fail at once: the client's pool for Sentinels has no waiting."""

_NOW = """
local told = redis.call('TIME')
local now = tonumber(told[1]) + tonumber(told[2]) / 1000000
"""
_COUNT = (
    _NOW
    + """
local seconds, amount, slots = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
if amount ~= 0 then
    local width = seconds / slots
    local ends = string.format('%.6f', math.ceil((now + seconds) / width) * width)
    redis.call('HINCRBY', KEYS[1], ends, amount)
    redis.call('PEXPIRE', KEYS[1], math.ceil((seconds + width) * 1000))
end
local all, sum = redis.call('HGETALL', KEYS[1]), 0
for i = 1, #all, 2 do
    if tonumber(all[i]) > now then sum = sum + tonumber(all[i + 1])
    elseif amount ~= 0 then redis.call('HDEL', KEYS[1], all[i]) end
end
return sum
"""
)
_DISTINCT = (
    _NOW
    + """
local most, windows = tonumber(ARGV[1]), tonumber(ARGV[2])
local longest = 0
for i = 1, windows do longest = math.max(longest, tonumber(ARGV[2 + i])) end
if #ARGV > 2 + windows then
    redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - longest)
    local room = most - redis.call('ZCARD', KEYS[1])
    for i = 3 + windows, #ARGV do
        if redis.call('ZSCORE', KEYS[1], ARGV[i]) or room > 0 then
            room = room - redis.call('ZADD', KEYS[1], now, ARGV[i])
        end
    end
    redis.call('PEXPIRE', KEYS[1], math.ceil(longest * 1000))
end
local counts = {}
for i = 1, windows do
    counts[i] = redis.call('ZCOUNT', KEYS[1], string.format('(%.6f', now - tonumber(ARGV[2 + i])), '+inf')
end
return counts
"""
)
_KEPT, _COUNTS, _MEMBERS = "tamis:kept:", "tamis:count:", "tamis:set:"
"""One key may be of each kind at once, as in the embedded state."""


class RedisState(SharedState):
    """The state in the Redis at `url`, or in the master that Sentinels name.

    A call is answered or fails within `wait` seconds, and the next connects anew. Raises ConfigError when `url` is
    none of a Redis.
    """

    def __init__(self, url: str, *, wait: float = 2.0, breaker: Breaker | None = None) -> None:
        self._wait = wait
        self._breaker = breaker or Breaker("Redis")
        try:
            self._redis, *self._sentinels = (_by_sentinels if url.startswith("sentinel:") else _client)(
                url, wait
            )
        except ValueError as error:
            raise ConfigError("settings", "state.url", str(error)) from error
        self._count = self._redis.register_script(_COUNT)
        self._distinct = self._redis.register_script(_DISTINCT)

    async def get(self, key: str) -> str | None:
        """See SharedState."""
        value = await self._ask(key, lambda: self._redis.get(_KEPT + key))
        return None if value is None else str(value)

    async def put(self, key: str, value: str, seconds: float) -> None:
        """See SharedState."""
        await self._ask(key, lambda: self._redis.set(_KEPT + key, value, px=_milliseconds(seconds)))

    async def put_new(self, key: str, value: str, seconds: float) -> bool:
        """See SharedState."""
        return bool(
            await self._ask(
                key, lambda: self._redis.set(_KEPT + key, value, px=_milliseconds(seconds), nx=True)
            )
        )

    async def drop(self, key: str) -> None:
        """See SharedState."""
        await self._ask(key, lambda: self._redis.unlink(_KEPT + key, _COUNTS + key, _MEMBERS + key))

    async def count(self, key: str, seconds: float, amount: int = 1) -> int:
        """See SharedState."""
        args: list[str | int] = [repr(float(seconds)), amount, WINDOW_SLOTS]
        return int(await self._ask(key, lambda: self._count(keys=[_COUNTS + key], args=args)))

    async def distinct_within(
        self, key: str, members: Sequence[str], windows: Sequence[float]
    ) -> tuple[int, ...]:
        """See SharedState."""
        args: list[str | int] = [MAX_MEMBERS, len(windows), *(repr(float(one)) for one in windows), *members]
        return tuple(await self._ask(key, lambda: self._distinct(keys=[_MEMBERS + key], args=args)))

    async def find(self, prefix: str, limit: int = 1000) -> list[KeptValue]:
        """See SharedState."""
        return await self._ask(prefix, lambda: self._found(prefix, limit))

    async def _found(self, prefix: str, limit: int) -> list[KeptValue]:
        pattern = _KEPT + "".join(f"\\{c}" if c in "*?[]\\^" else c for c in prefix) + "*"
        names: list[str] = []
        async for name in self._redis.scan_iter(match=pattern, count=1000):
            names.append(name)
            if len(names) >= limit:
                break
        pipeline = self._redis.pipeline(transaction=False)
        for name in names:
            pipeline.get(name)
            pipeline.pttl(name)
        answers = await pipeline.execute()
        return sorted(
            KeptValue(name.removeprefix(_KEPT), value, left / 1000)
            for name, value, left in zip(names, answers[::2], answers[1::2], strict=True)
            if value is not None
        )

    async def close(self) -> None:
        """See SharedState."""
        for one in (self._redis, *self._sentinels):
            await one.aclose(close_connection_pool=True)

    async def _ask(self, key: str, call: Callable[[], Awaitable[T]]) -> T:
        if len(key) > MAX_KEY:
            raise ServiceError(f"a key of {len(key)} characters is too long")
        with self._breaker.call():
            try:
                async with asyncio.timeout(self._wait):
                    return await call()
            except TimeoutError:
                raise ServiceError(f"no answer from Redis within {self._wait} s") from None
            except (RedisError, OSError) as error:
                raise ServiceError(f"Redis can't answer: {' '.join(str(error).split())[:200]}") from error


def _client(url: str, wait: float) -> tuple[Redis, ...]:
    pool = BlockingConnectionPool.from_url(
        url, max_connections=_CONNECTIONS, timeout=wait, decode_responses=True, **_connection(wait)
    )
    return (Redis(connection_pool=pool),)


def _by_sentinels(url: str, wait: float) -> tuple[Redis, ...]:
    """The server that Sentinels call the master of a service, asked anew whenever a connection to it is made; and they.

    sentinel://[[USER]:PASSWORD@]HOST:PORT[,HOST:PORT...]/SERVICE[?db=N&sentinel_password=...]. A Sentinel that does not
    answer costs a part of `wait` only, so that the next one is asked within it.
    """
    parts = urlsplit(url)
    login, _, places = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    given = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
    sentinels = [_host_and_port(place) for place in places.split(",")]
    service = parts.path.strip("/")
    if not service or set(given) - {"db", "sentinel_password"}:
        raise ValueError(
            "must be sentinel://HOST:PORT,HOST:PORT/SERVICE, with db= and sentinel_password= if wanted"
        )
    shared = _connection(wait / (len(sentinels) + 1))
    own = {"password": given["sentinel_password"]} if "sentinel_password" in given else {}
    manager = Sentinel(  # type: ignore[no-untyped-call] # redis-py gives it no types
        sentinels,
        sentinel_kwargs={**shared, **own},
        **_connection(wait),
        decode_responses=True,
        db=int(given.get("db", 0)),
        **({"username": unquote(user) or None, "password": unquote(password)} if login else {}),
    )
    master: Redis = manager.master_for(service, max_connections=_SENTINEL_CONNECTIONS)
    return (master, *manager.sentinels)


def _connection(wait: float) -> dict[str, Any]:
    """How a connection is made: a restart of Redis may have closed the one that is there."""
    return {"socket_timeout": wait, "socket_connect_timeout": wait, "retry": Retry(NoBackoff(), 1)}


def _host_and_port(place: str) -> tuple[str, int]:
    host, _, port = place.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"{place!r} is no HOST:PORT of a Sentinel")
    return host.strip("[]"), int(port)


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
