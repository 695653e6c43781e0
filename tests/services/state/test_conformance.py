"""What every backend of the shared state must do."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tamis.base.errors import ServiceError
from tamis.contract.service_protocols import MAX_KEY, MAX_MEMBERS, SharedState
from tamis.contract.state_keys import hashed
from tamis.services.state.opening import Observed
from tamis.services.state.sqlite_state import SQLiteState

Opener = Callable[[], SharedState]


def run(another: Opener, test: Callable[[SharedState], Awaitable[None]]) -> None:
    async def inside() -> None:
        state = another()
        try:
            await test(state)
        finally:
            await state.close()

    asyncio.run(inside())


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await condition():  # noqa: ASYNC110 - it is the backend's clock that is waited for
            await asyncio.sleep(0.02)


def test_values_come_back_until_they_expire(another: Opener) -> None:
    async def test(state: SharedState) -> None:
        assert await state.get("a") is None
        await state.put("a", "é\n'\0", 60)
        assert await state.get("a") == "é\n'\0"
        await state.put("a", "other", 60)
        assert await state.get("a") == "other"
        await state.drop("a")
        assert await state.get("a") is None
        await state.put("short", "x", 0.2)
        await until(lambda: _gone(state, "short"))

    run(another, test)


async def _gone(state: SharedState, key: str) -> bool:
    return await state.get(key) is None


def test_only_one_is_the_first(another: Opener) -> None:
    async def test(state: SharedState) -> None:
        other = another()
        won = await asyncio.gather(
            *(one.put_new("door", str(n), 60) for n, one in enumerate((state, other) * 10))
        )
        assert sum(won) == 1
        assert await state.get("door") == str(won.index(True))
        await state.put("old", "x", 0.1)
        await until(lambda: _gone(state, "old"))
        assert await state.put_new("old", "y", 60)
        await other.close()

    run(another, test)


def test_counts_add_up_and_slide(another: Opener) -> None:
    async def test(state: SharedState) -> None:
        assert await state.count("n", 60, 0) == 0
        assert [await state.count("n", 60), await state.count("n", 60, 5)] == [1, 6]
        other = another()
        assert await other.count("n", 60, 0) == 6
        await other.close()
        assert await state.count("brief", 0.3, 2) == 2
        await until(lambda: _empty(state, "brief"))
        await state.drop("n")
        assert await state.count("n", 60, 0) == 0

    run(another, test)


async def _empty(state: SharedState, key: str) -> bool:
    return await state.count(key, 0.3, 0) == 0


def test_distinct_members_are_counted_once(another: Opener) -> None:
    async def test(state: SharedState) -> None:
        assert await state.distinct("s", ["a", "b", "a"], 60) == 2
        assert await state.distinct("s", ["b", "c"], 60) == 3
        assert await state.distinct("s", [], 60) == 3
        assert await state.distinct("other", ["a"], 60) == 1

    run(another, test)


def test_one_set_serves_several_windows(another: Opener) -> None:
    async def test(state: SharedState) -> None:
        assert await state.distinct_within("s", ["a"], (0.3, 60)) == (1, 1)
        await asyncio.sleep(0.35)
        assert await state.distinct_within("s", ["b"], (0.3, 60)) == (1, 2)
        # in one call: between two, the short window may end
        assert await state.distinct_within("s", ["a", "b"], (0.3, 60)) == (2, 2)

    run(another, test)


def test_a_set_is_bounded(another: Opener) -> None:
    async def test(state: SharedState) -> None:
        for start in range(0, MAX_MEMBERS + 2000, 1000):
            number = await state.distinct("s", [str(n) for n in range(start, start + 1000)], 60)
        assert number == MAX_MEMBERS
        assert await state.distinct("s", ["0"], 60) == MAX_MEMBERS

    run(another, test)


def test_a_key_may_be_of_each_kind(another: Opener) -> None:
    async def test(state: SharedState) -> None:
        await state.put("k", "v", 60)
        assert (await state.count("k", 60), await state.distinct("k", ["m"], 60)) == (1, 1)
        assert await state.get("k") == "v"
        await state.drop("k")
        assert (await state.count("k", 60, 0), await state.distinct("k", [], 60)) == (0, 0)

    run(another, test)


def test_values_are_found_by_prefix(another: Opener) -> None:
    async def test(state: SharedState) -> None:
        for key in ("b:2", "b:1", "b*:3", "c:1"):
            await state.put(key, f"v {key}", 60)
        found = await state.find("b:")
        assert [(one.key, one.value) for one in found] == [("b:1", "v b:1"), ("b:2", "v b:2")]
        assert all(50 < one.seconds <= 60 for one in found)
        assert [one.key for one in await state.find("b*")] == ["b*:3"]
        assert len(await state.find("b", limit=1)) == 1

    run(another, test)


def test_a_key_that_is_too_long_is_refused(another: Opener) -> None:
    async def test(state: SharedState) -> None:
        await state.put("k" * MAX_KEY, "v", 60)
        with pytest.raises(ServiceError):
            await state.get("k" * (MAX_KEY + 1))

    run(another, test)


def test_many_at_once_lose_nothing(another: Opener) -> None:
    async def test(state: SharedState) -> None:
        clients = [state, another(), another()]
        await asyncio.gather(*(clients[n % 3].count("n", 600) for n in range(600)))
        assert await state.count("n", 600, 0) == 600
        for one in clients[1:]:
            await one.close()

    run(another, test)


def test_processes_count_together(another: Opener) -> None:
    context = multiprocessing.get_context("fork")
    state = another()  # made before the fork, as a worker's is
    processes = [context.Process(target=_count_fifty, args=(state,)) for _ in range(3)]
    for one in processes:
        one.start()
    for one in processes:
        one.join(60)
    assert [one.exitcode for one in processes] == [0, 0, 0]

    async def test(fresh: SharedState) -> None:
        assert await fresh.count("n", 600, 0) == 150

    run(another, test)


def _count_fifty(state: SharedState) -> None:
    async def work() -> None:
        for _ in range(50):
            await state.count("n", 600)

    asyncio.run(work())


def test_a_look_from_outside_changes_nothing(another: Opener) -> None:
    async def test(state: SharedState) -> None:
        await state.put("a", "v", 60)
        await state.count("n", 60, 3)
        await state.distinct("s", ["m"], 60)
        seen = Observed(state)
        await seen.put("a", "w", 60)
        await seen.drop("a")
        assert await seen.put_new("a", "w", 60) is False
        assert await seen.put_new("new", "w", 60) is True
        assert await seen.count("n", 60) == 3
        assert await seen.distinct("s", ["k"], 60) == 1
        assert await seen.distinct_within("s", ["k"], (60,)) == (1,)
        assert [one.value for one in await seen.find("")] == ["v"]

    run(another, test)


def test_the_file_stays_within_its_bound(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"

    async def test(state: SharedState) -> None:
        for start in range(0, 20_000, 500):
            await asyncio.gather(
                *(state.put(f"k{n}", "x" * 500, 600 + n) for n in range(start, start + 500)),
            )
        assert await state.get("k19999") is not None
        assert await state.get("k0") is None

    run(lambda: SQLiteState(path, wait=10, max_octets=4 << 20), test)
    assert path.stat().st_size <= 4 << 20


def test_many_entries_of_one_kind_push_out_none_of_another(tmp_path: Path) -> None:
    """What expires soonest is not what there is too much of: waiting times of greylisting end long before what senders
    have earned."""
    path = tmp_path / "state.sqlite"

    async def test(state: SharedState) -> None:
        assert isinstance(state, SQLiteState)
        for number in range(300):
            await state.put(f"grey:{number}", "1", 600)
            await state.count(f"rate:{number}", 600)
            await state.distinct(f"sum:{number}", ["m"], 600)
        for start in range(0, 20_000, 500):
            many = (
                state.put(hashed("sender:", str(n)), "x" * 500, 90_000) for n in range(start, start + 500)
            )
            await asyncio.gather(*many)
        assert all([await state.get(f"grey:{n}") for n in range(300)])
        assert [await state.count(f"rate:{n}", 600, 0) for n in range(300)] == [1] * 300
        assert [await state.distinct(f"sum:{n}", [], 600) for n in range(300)] == [1] * 300
        assert state._connection is not None
        for table in ("kept", "counts", "members"):
            there = f"SELECT count(*) FROM {table} WHERE key LIKE ?"
            counted = state._connection.execute("SELECT kind, number FROM kinds WHERE part = ?", (table,))
            assert all(
                state._connection.execute(there, (f"{kind}%",)).fetchone() == (number,)
                for kind, number in counted.fetchall()
            )

    run(lambda: SQLiteState(path, wait=10, max_octets=4 << 20), test)
    assert path.stat().st_size <= 4 << 20


def test_a_file_of_before_is_counted_when_it_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"

    async def fill(state: SharedState) -> None:
        for number in range(5):
            await state.put(f"grey:{number}", "1", 600)

    async def look(state: SharedState) -> None:
        assert isinstance(state, SQLiteState)
        await state.put("grey:0", "2", 600)
        await state.put("grey:new", "1", 600)
        await state.drop("grey:1")
        assert state._connection is not None
        assert state._connection.execute("SELECT * FROM kinds").fetchall() == [("kept", "grey:", 5)]

    run(lambda: SQLiteState(path, wait=10), fill)
    with contextlib.closing(sqlite3.connect(path)) as before:
        for table in ("kept", "counts", "members"):
            before.execute(f"DROP TRIGGER {table}_insert")
            before.execute(f"DROP TRIGGER {table}_delete")
        before.execute("DROP TABLE kinds")
    run(lambda: SQLiteState(path, wait=10), look)


def test_expired_rows_leave_the_file(tmp_path: Path) -> None:
    async def test(state: SharedState) -> None:
        assert isinstance(state, SQLiteState)
        await asyncio.gather(*(state.put(f"k{n}", "x", 0.05) for n in range(500)))
        await asyncio.sleep(0.1)
        state._next_sweep = 0
        await state.get("k1")
        assert state._connection is not None
        assert state._connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)

    run(lambda: SQLiteState(tmp_path / "state.sqlite", wait=5), test)
