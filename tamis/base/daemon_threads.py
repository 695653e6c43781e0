"""Work that the process does not wait for when it ends."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import Context
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")
_Given = tuple[str, Callable[[], Any], Future[Any]]

MOST_IDLE = 64
"""Threads that wait for the next work: it begins in a third of the time that a new thread takes. Beyond: they end."""

_idle: list[SimpleQueue[_Given]] = []
"""What the waiting threads read, the last one that was busy last."""
os.register_at_fork(after_in_child=_idle.clear)  # a child has none of these threads


def begun(name: str, work: Callable[[], T]) -> Future[T]:
    """Work under way in a thread of Python's own that nothing else uses meanwhile. A pool's would be joined at the end
    of the process, however long it hangs.

    So it may be cut off at any moment, and must stand that.
    """
    outcome: Future[T] = Future()
    try:
        given = _idle.pop()
    except IndexError:
        given = SimpleQueue()
        threading.Thread(target=_serve, args=(given,), daemon=True).start()
    given.put((name, work, outcome))
    return outcome


def _serve(given: SimpleQueue[_Given]) -> None:
    thread, idle = threading.current_thread(), _idle
    while True:
        _do(thread, *given.get())
        if len(idle) >= MOST_IDLE:
            return
        thread.name = "idle"
        idle.append(given)


def _do(thread: threading.Thread, name: str, work: Callable[[], T], outcome: Future[T]) -> None:
    thread.name = name
    try:
        outcome.set_result(Context().run(work))  # nothing of the work before it
    except BaseException as error:  # noqa: BLE001 - raised again where the result is asked for
        outcome.set_exception(error)
