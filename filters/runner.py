"""Where waiting filters run: one event loop a process, and bounded daemon threads for blocking calls."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from tamis.errors import ServiceError

T = TypeVar("T")

MAX_HANGING = 16
"""Blocking calls of one filter that may be under way at once; more would pile up behind a hung service."""


class TooManyHangingError(ServiceError):
    """A filter has MAX_HANGING calls under way that do not come back."""


class Runner:
    """One event loop in a daemon thread, started on first use (never before a fork)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Start a coroutine on the loop; the future's cancel() cancels it there."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._running_loop())

    def call(self, callback: Callable[..., object], *arguments: object) -> None:
        """Call a function on the loop soon, without waiting for it."""
        self._running_loop().call_soon_threadsafe(callback, *arguments)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                loop = asyncio.new_event_loop()
                threading.Thread(target=loop.run_forever, name="filters", daemon=True).start()
                self._loop = loop
            return self._loop


_lock = threading.Lock()
_hanging: Counter[str] = Counter()


async def in_thread(name: str, call: Callable[[], T | Awaitable[T]]) -> T:
    """Run a blocking call in a daemon thread of its own. Raises TooManyHangingError when `name` has too many.

    A thread can't be stopped from outside: when the awaiting task is cancelled the thread is left behind,
    counted until it ends by itself.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[T | Awaitable[T]] = loop.create_future()
    with _lock:
        if _hanging[name] >= MAX_HANGING:
            raise TooManyHangingError(f"{MAX_HANGING} calls of {name} are still under way")
        _hanging[name] += 1

    def settle(result: T | Awaitable[T] | None, error: BaseException | None) -> None:
        if outcome.cancelled():
            return
        if error is not None:
            outcome.set_exception(error)
        else:
            outcome.set_result(result)  # type: ignore[arg-type]

    def work() -> None:
        result: T | Awaitable[T] | None = None
        error: BaseException | None = None
        try:
            result = call()
        except BaseException as raised:  # noqa: BLE001 - handed over to the task that waits
            error = raised
        finally:
            with _lock:
                _hanging[name] -= 1
        loop.call_soon_threadsafe(settle, result, error)

    try:
        threading.Thread(target=work, name=f"filter-{name}", daemon=True).start()
    except RuntimeError:  # no thread to be had
        with _lock:
            _hanging[name] -= 1
        raise
    result = await outcome
    return await result if isinstance(result, Awaitable) else result
