"""Work in threads that nobody waits for: threads are used again, and nothing of the work before is met there."""

from __future__ import annotations

import os
import threading
from concurrent.futures import Future
from contextvars import ContextVar

import pytest

from tamis.base import daemon_threads
from tamis.base.daemon_threads import MOST_IDLE, begun
from tests.real.support import wait_until

LEFT: ContextVar[str] = ContextVar("left", default="nothing")


def test_a_thread_is_used_again_with_nothing_of_the_work_before() -> None:
    def work() -> tuple[int, str, str]:
        found = LEFT.get()
        LEFT.set("something")
        return threading.get_ident(), threading.current_thread().name, found

    seen = []
    for name in ("one", "two"):
        seen.append(begun(name, work).result())
        wait_until(lambda: bool(daemon_threads._idle), timeout=30, what="the thread to wait")
    assert seen[0][0] == seen[1][0]
    assert [(name, left) for _, name, left in seen] == [("one", "nothing"), ("two", "nothing")]


def test_no_two_share_a_thread_and_only_so_many_wait() -> None:
    many = 2 * MOST_IDLE
    meeting = threading.Barrier(many + 1, timeout=60)
    before = threading.active_count()
    work = [begun("meeting", meeting.wait) for _ in range(many)]
    meeting.wait()
    assert {one.result() for one in work} < set(range(many + 1))
    most = before + MOST_IDLE + 8  # some may look at the same time
    wait_until(lambda: threading.active_count() <= most, timeout=60, what="the others to end")


def test_what_is_raised_is_raised_where_it_is_asked_for() -> None:
    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        begun("fails", fail).result()


def test_a_child_waits_for_none_of_its_parents_threads() -> None:
    """A fork has the thread that forked alone."""
    begun("before", lambda: None).result()
    wait_until(lambda: bool(daemon_threads._idle), timeout=30, what="the thread to wait")
    child = os.fork()
    if not child:
        code = 1
        try:
            done: Future[int] = begun("after", lambda: 7)
            code = 0 if done.result(timeout=30) == 7 else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
