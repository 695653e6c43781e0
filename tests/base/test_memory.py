"""Heaps of a process with many threads."""

from __future__ import annotations

import subprocess
import sys

import pytest

_PROGRAM = """
import ctypes, sys, threading
from tamis.base.memory import bound_heaps
if sys.argv[1] == "bounded":
    bound_heaps()
all_hold = threading.Barrier(9)
def hold():
    held = bytearray(100_000)
    all_hold.wait()
threads = [threading.Thread(target=hold) for _ in range(8)]
for one in threads:
    one.start()
all_hold.wait()
for one in threads:
    one.join()
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
out = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, out)
libc.fflush(out)
"""


@pytest.mark.parametrize(("how", "is_one"), [("bounded", True), ("as it is", False)])
def test_threads_share_one_heap(how: str, is_one: bool) -> None:
    told = subprocess.run(
        [sys.executable, "-c", _PROGRAM, how], check=True, capture_output=True, text=True
    ).stdout
    assert (told.count("<heap nr=") == 1) is is_one
