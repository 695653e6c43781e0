"""The shared state on both of its backends: the same tests run on SQLite and on a real Redis."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tamis.contract.service_protocols import SharedState
from tamis.services.state.redis_state import RedisState
from tamis.services.state.sqlite_state import SQLiteState
from tests.real import PrivateRedis

Opener = Callable[[], SharedState]
"""Makes another client of the same state."""

_NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def redis() -> Iterator[PrivateRedis]:
    """A Redis for all tests, which must leave it running."""
    with PrivateRedis() as running:
        yield running


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=pytest.mark.real)])
def another(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    """Opens an empty state as often as it is called."""
    if request.param == "sqlite":
        return lambda: SQLiteState(tmp_path / "state.sqlite", wait=5)
    server: PrivateRedis = request.getfixturevalue("redis")
    url = server.url.removesuffix("/0") + f"/{next(_NUMBERS) % 16}"

    async def empty() -> None:
        state = RedisState(url, wait=5)
        await state._redis.flushdb()
        await state.close()

    asyncio.run(empty())
    return lambda: RedisState(url, wait=5)
