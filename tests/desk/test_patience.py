"""A store that hangs: copies get their 451 in time, and nothing else waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest

from tamis.desk.lmtp import LMTPReply
from tamis.desk.patience import HANGS, Patience

DONE = LMTPReply(ok=True, text="done")


class Store:
    """One that hangs until `answer` is set; it counts who asks."""

    def __init__(self) -> None:
        self.answer = threading.Event()
        self.asked = 0
        self.under_way = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def take(self) -> LMTPReply:
        self.asked += 1
        self._loop.call_soon_threadsafe(self.under_way.set)
        assert self.answer.wait(60)
        return DONE


def running(test: Callable[[Store], Awaitable[None]]) -> None:
    async def run() -> None:
        store = Store()
        try:
            await test(store)
        finally:
            store.answer.set()

    asyncio.run(run())


def test_who_answers_is_waited_for() -> None:
    async def test(store: Store) -> None:
        store.answer.set()
        patience = Patience(2, 60)
        replies = await asyncio.gather(*(patience.reply(store.take) for _ in range(20)))
        assert set(replies) == {DONE}

    running(test)


def test_what_hangs_gets_its_answer_and_the_next_try_one_at_a_time(caplog: pytest.LogCaptureFixture) -> None:
    async def test(store: Store) -> None:
        patience = Patience(2, 0.05)
        first = await asyncio.gather(*(patience.reply(store.take) for _ in range(10)))
        assert set(first) == {HANGS}
        assert (
            store.asked <= 3
        )  # two at once, perhaps one that tried while only one of them had been given up
        assert [record.levelname for record in caplog.records] == ["ERROR"]
        store.answer.set()
        for _ in range(6000):  # until those have ended
            if await patience.reply(store.take) == DONE:
                break
            await asyncio.sleep(0.01)
        assert await patience.reply(store.take) == DONE

    caplog.set_level("ERROR")
    running(test)


def test_one_that_tries_is_enough() -> None:
    async def test(store: Store) -> None:
        patience = Patience(3, 0.05)
        assert await patience.reply(store.take) == HANGS
        slow = Patience(3, 60)
        slow._hanging = patience._hanging
        store.under_way.clear()
        trial = asyncio.create_task(slow.reply(store.take))
        await store.under_way.wait()
        assert await slow.reply(store.take) == HANGS  # at once
        store.answer.set()
        assert await trial == DONE

    running(test)


def test_an_error_goes_on() -> None:
    def take() -> LMTPReply:
        raise TimeoutError("of a socket")

    async def test(store: Store) -> None:
        patience = Patience(1, 60)
        with pytest.raises(TimeoutError, match="of a socket"):
            await patience.reply(take)
        store.answer.set()
        assert await patience.reply(store.take) == DONE

    running(test)
