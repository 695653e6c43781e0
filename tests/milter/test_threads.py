"""libmilter moves a session from one of its threads to another: filters run in threads that are Python's own.

A session's callbacks are tried through libmilter itself, with what NumPy and others call inside
(`PyGILState_Ensure`): in libmilter's own threads that waits for ever, or ends the process.
"""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tamis.milter.worker import _apart
from tests.real import wait_until
from tests.real.support import REPOSITORY

SESSIONS, MESSAGES = 12, 2

SERVER = """
import ctypes, sys, threading
import Milter, milter
from tamis.milter import worker

ensure, release = ctypes.pythonapi.PyGILState_Ensure, ctypes.pythonapi.PyGILState_Release
ensure.restype, release.argtypes = ctypes.c_int, [ctypes.c_int]

class Session(Milter.Base):
    def __init__(self, *_):
        super().__init__()
    def _run(self, *_):
        if type(threading.current_thread()) is not threading.Thread:
            return Milter.TEMPFAIL  # a thread that Python has only met
        release(ensure())
        return Milter.CONTINUE
    envfrom_bytes = envrcpt_bytes = eom = _run
    def header(self, name, value):
        return Milter.CONTINUE

worker.Session = Session
worker._register()
milter.setconn("unix:" + sys.argv[1])
milter.main()
"""


def packet(to: socket.socket, command: bytes, data: bytes = b"") -> None:
    to.sendall(struct.pack("!I", len(data) + 1) + command + data)


def answer(of: socket.socket) -> bytes:
    (length,) = struct.unpack("!I", _octets(of, 4))
    return _octets(of, length)


def _octets(of: socket.socket, number: int) -> bytes:
    found = b""
    while len(found) < number:
        more = of.recv(number - len(found))
        assert more, "the connection was closed: the process has ended"
        found += more
    return found


def connects(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return path.exists() and probe.connect_ex(str(path)) == 0


def test_what_runs_filters_may_ask_for_the_interpreter(tmp_path: Path) -> None:
    path = tmp_path / "milter"
    server = subprocess.Popen([sys.executable, "-c", SERVER, str(path)], cwd=REPOSITORY)
    with ExitStack() as stack:
        stack.callback(server.wait)
        stack.callback(server.kill)
        wait_until(lambda: connects(path), timeout=60, what="the milter's socket")
        sessions = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(SESSIONS)]
        for one in sessions:
            one.settimeout(60)  # beyond: the process hangs
            one.connect(str(path))
            packet(one, b"O", struct.pack("!III", 6, 0x1FF, 0))
            assert answer(one)[:1] == b"O"
        steps = [(b"C", b"mail.example.net\0004\0\x19192.0.2.7\0")]
        steps += [(b"M", b"<paul@example.net>\0"), (b"R", b"<marie@example.com>\0"), (b"E", b"")] * MESSAGES
        for command, data in steps:  # all at the same step, so that threads change hands
            for one in sessions:
                packet(one, command, data)
            for one in sessions:
                assert answer(one) == b"c", command


def test_a_failure_reaches_who_asked() -> None:
    def fail() -> int:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        _apart(fail)
