"""What a child knows of its supervisor."""

from __future__ import annotations

import os
import time

from tamis.daemon.roles import Parent

SECONDS = 20.0


def test_a_parent_that_dies_before_its_child_looks_is_gone() -> None:
    """The pid is taken before the fork, so the child can't take whoever adopted it for its supervisor."""
    reader, writer = os.pipe()
    middle = os.fork()
    if middle == 0:
        parent = Parent(os.getpid(), lambda: None)
        if os.fork() == 0:
            until = time.monotonic() + SECONDS
            while os.getppid() == parent.pid and time.monotonic() < until:  # it dies before anybody looks
                time.sleep(0.001)
            os.write(writer, b"gone" if parent.is_gone() else b"there")
        os._exit(0)
    os.close(writer)
    os.waitpid(middle, 0)
    with os.fdopen(reader, "rb") as told:
        assert told.read() == b"gone"


def test_a_parent_that_lives_is_not_gone() -> None:
    assert not Parent(os.getppid(), lambda: None).is_gone()
