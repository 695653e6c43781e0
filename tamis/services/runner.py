"""Where answers are waited for: one event loop a process, and bounded daemon threads for calls that take long."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections import Counter, deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Generic, TypeVar

from tamis.base.errors import ServiceError

log = logging.getLogger(__name__)

T = TypeVar("T")

MAX_HANGING = 16
"""Calls of one name that may be under way at once; more would pile up behind a hung service. Beyond: the filter is
unavailable."""


class TooManyHangingError(ServiceError):
    """MAX_HANGING calls of a name are under way and do not come back."""


class Runner:
    """One event loop in a daemon thread, started on first use (never before a fork)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._calls: deque[Callable[[], object]] = deque()
        self._woken = False

    def call(self, call: Callable[[], object], *, soon: bool = True) -> None:
        """Call a function on the loop, soon or with the next one that is, without waiting for it."""
        loop = self._running_loop()
        self._calls.append(call)
        if soon and not self._woken:  # else the loop has yet to take what waits, and takes this as well
            self._woken = True
            loop.call_soon_threadsafe(self._take)

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Awaited[T]:
        """Start a coroutine on the loop."""
        outcome: Awaited[T] = Awaited(self, coroutine)
        self.call(outcome.start)
        return outcome

    def _take(self) -> None:
        self._woken = False
        while self._calls:
            try:
                self._calls.popleft()()
            except Exception:
                log.exception("the loop goes on")

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            with self._lock:
                if self._loop is None:
                    loop = asyncio.new_event_loop()
                    threading.Thread(target=loop.run_forever, name="filters", daemon=True).start()
                    self._loop = loop
        return self._loop


class Awaited(Generic[T]):
    """What comes of a coroutine, for the one thread that waits for it; concurrent.futures costs four times as much."""

    def __init__(self, runner: Runner, coroutine: Coroutine[Any, Any, T]) -> None:
        self._runner = runner
        self._coroutine = coroutine
        self._task: asyncio.Task[T] | None = None
        self._done: queue.SimpleQueue[asyncio.Task[T]] = queue.SimpleQueue()

    def start(self) -> None:
        """On the loop: begin."""
        self._task = asyncio.get_running_loop().create_task(self._coroutine)
        self._task.add_done_callback(self._done.put)

    def wait(self, seconds: float) -> bool:
        """Whether it ends within this time; then `result` has what came of it."""
        try:
            self._done.put(self._done.get(timeout=seconds))
        except queue.Empty:
            return False
        return True

    def result(self) -> T:
        """What an ended coroutine returned; raises what it raised, asyncio's CancelledError if it was cancelled."""
        assert self._task is not None
        return self._task.result()

    def cancel(self) -> None:
        """Cancel it."""
        self._runner.call(self._cancel)

    def _cancel(self) -> None:
        assert self._task is not None
        self._task.cancel()


_lock = threading.Lock()
_hanging: Counter[str] = Counter()


def elsewhere(name: str, call: Callable[[], T], take: Callable[[T | Exception], None]) -> None:
    """On the loop: run a call that takes long in a daemon thread of its own, and hand its result, or what it raised, to
    `take`. Raises TooManyHangingError when `name` has too many.

    A thread can't be stopped from outside: who stops waiting leaves it behind, counted until it ends by itself.
    """
    loop = asyncio.get_running_loop()
    with _lock:
        if _hanging[name] >= MAX_HANGING:
            raise TooManyHangingError(f"{MAX_HANGING} calls of {name} are still under way")
        _hanging[name] += 1

    def work() -> None:
        result: T | Exception
        try:
            result = call()
        except Exception as error:  # noqa: BLE001 - handed over to who waits
            result = error
        except SystemExit as error:
            result = RuntimeError(f"SystemExit: {error}")
        finally:
            with _lock:
                _hanging[name] -= 1
        with suppress(RuntimeError):  # the loop was closed: nobody waits any more
            loop.call_soon_threadsafe(take, result)

    try:
        threading.Thread(target=work, name=f"filter-{name}", daemon=True).start()
    except RuntimeError:  # no thread to be had
        with _lock:
            _hanging[name] -= 1
        raise
