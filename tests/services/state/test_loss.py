"""A state that is lost: an error within a bound, and back as soon as it is."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
from contextlib import suppress
from pathlib import Path

import pytest

from tamis.base.breaker import Breaker
from tamis.base.breaker_limits import BreakerLimits
from tamis.base.errors import ConfigError, LeftOutError, ServiceError
from tamis.services.state.redis_state import RedisState
from tamis.services.state.sqlite_state import SQLiteState
from tests.real import PrivateRedis, PrivateSentinel, wait_until


def test_a_file_that_another_holds(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"

    async def test() -> None:
        patient, state = SQLiteState(path, wait=60), SQLiteState(path, wait=0.3)
        await patient.put("a", "v", 60)
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(ServiceError):
            await state.put("a", "w", 60)  # it would wait as long as the holder does
        holder.execute("ROLLBACK")
        holder.close()
        await patient.put("a", "w", 60)
        assert await patient.get("a") == "w"
        while True:
            with suppress(ServiceError):  # a busy machine
                await state.put("a", "x", 60)
                break
        assert await patient.get("a") == "x"
        await state.close()
        await patient.close()

    asyncio.run(test())


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    async def test() -> None:
        state = SQLiteState(tmp_path / "run" / "state.sqlite", wait=30)
        with pytest.raises(ServiceError):
            await state.get("a")
        (tmp_path / "run").mkdir()
        assert await state.get("a") is None
        await state.close()

    asyncio.run(test())


def test_a_file_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    path.write_bytes(b"no database" * 1000)

    async def test() -> None:
        state = SQLiteState(path, wait=30)
        with pytest.raises(ServiceError):
            await state.count("a", 60)
        path.unlink()
        assert await state.count("a", 60) == 1
        await state.close()

    asyncio.run(test())


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    state = SQLiteState(tmp_path / "state.sqlite")
    asyncio.run(state.put("a", "v", 60))
    modes = {one.name: one.stat().st_mode & 0o777 for one in tmp_path.iterdir()}
    assert modes == dict.fromkeys(
        ("state.sqlite", "state.sqlite.lock", "state.sqlite-wal", "state.sqlite-shm"), 0o600
    )
    asyncio.run(state.close())


@pytest.mark.real
def test_a_redis_that_is_restarted() -> None:
    async def test(server: PrivateRedis) -> None:
        state = RedisState(server.url, wait=30)
        await asyncio.gather(*(state.put(str(n), "v", 60) for n in range(8)))
        server.stop()
        for _ in range(3):
            with pytest.raises(ServiceError):
                await state.get("1")
        server.start()
        assert await state.count("n", 60) == 1  # scripts are loaded again, stale connections replaced
        assert [await state.get(str(n)) for n in range(8)] == [None] * 8
        await state.close()

    with PrivateRedis() as server:
        asyncio.run(test(server))


def test_a_redis_that_accepts_and_never_answers() -> None:
    async def test(port: int) -> None:
        breaker = Breaker("shared state", BreakerLimits(failures=2), clock=lambda: 0.0)
        state = RedisState(f"redis://127.0.0.1:{port}/0", wait=0.3, breaker=breaker)
        for _ in range(2):
            with pytest.raises(ServiceError, match="within"):
                await state.get("a")  # it waits for ever otherwise
        with pytest.raises(LeftOutError, match=r"shared state left out until .* after 2 failures"):
            state.get("a").send(None)  # at its first step: it waits for nothing
        await state.close()

    with socket.create_server(("127.0.0.1", 0)) as silent:
        asyncio.run(test(silent.getsockname()[1]))


def test_a_url_that_is_none() -> None:
    with pytest.raises(ConfigError, match=r"state\.url"):
        RedisState("http://192.0.2.1")


@pytest.mark.real
def test_the_replica_takes_over_by_sentinel() -> None:
    """What it had by then is known; the state is lost in between, and back without a restart."""
    with (
        PrivateRedis() as master,
        PrivateRedis(of=master) as replica,
        PrivateSentinel(master) as sentinel,
        asyncio.Runner() as loop,
    ):
        state, second = RedisState(sentinel.url, wait=10), RedisState(replica.url, wait=10)

        def puts(key: str) -> bool:
            with suppress(ServiceError):
                loop.run(state.put(key, "w", 600))
                return True
            return False

        assert puts("before")
        wait_until(lambda: loop.run(second.get("before")) == "w", timeout=30, what="replication")
        master.stop()
        assert not puts("meanwhile")
        wait_until(lambda: puts("after"), timeout=60, what="the replica to take over")
        assert [loop.run(state.get("before")), loop.run(second.get("after"))] == ["w", "w"]
        loop.run(state.close())
        loop.run(second.close())


@pytest.mark.parametrize(
    "url",
    [
        "sentinel://127.0.0.1:1",
        "sentinel://127.0.0.1/tamis",
        "sentinel://127.0.0.1:0/tamis",
        "sentinel://127.0.0.1:1,/tamis",
        "sentinel://127.0.0.1:1/tamis?database=1",
        "sentinel://127.0.0.1:1/tamis?db=x",
    ],
)
def test_an_address_of_no_sentinel(url: str) -> None:
    with pytest.raises(ConfigError, match=r"state\.url"):
        RedisState(url)
