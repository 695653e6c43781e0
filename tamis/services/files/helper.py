"""Helper processes: what unpacks and decodes hostile files runs outside the worker, bounded in time and memory.

A pool keeps a few processes for the jobs of `helper_main`. A call blocks, so it belongs into a thread. A process that
is late is killed with everything it started; one that dies costs its job an answer and nothing else.
"""

from __future__ import annotations

import atexit
import json
import os
import selectors
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import tamis
from tamis.base.breaker import Breakers
from tamis.base.errors import QueueFullError, ServiceError

_LENGTH = struct.Struct("!I")
_MAX_REPLY = 8 * 1024 * 1024  # octets of a helper's answer; beyond: unavailable: the helper is ended
_CHUNK = 65_536
_HOME = Path(tamis.__file__).parent.parent  # where `-m` finds the same code as this process runs


class _LostError(ServiceError):
    """The process ended before it answered."""


class HelperPool:
    """At most `processes` helpers with `memory` octets of address space each, and `waiting` calls that wait for one.

    Nothing starts before the first call, so a pool may be made before a fork and is each process's own after it.
    """

    def __init__(self, name: str, *, processes: int, waiting: int, memory: int) -> None:
        self._name = name
        self._processes = processes
        self._room = threading.BoundedSemaphore(processes + waiting)
        self._turn = threading.BoundedSemaphore(processes)
        self._memory = memory
        self._idle: list[_Helper] = []
        self._lock = threading.Lock()
        atexit.register(self.close)

    def close(self) -> None:
        """End the helpers that wait for work; the next call starts others."""
        with self._lock:
            idle, self._idle = self._idle, []
        for helper in idle:
            helper.kill()

    def call(
        self,
        job: str,
        request: Mapping[str, Any],
        blobs: Sequence[bytes] = (),
        *,
        seconds: float,
        breakers: Breakers | None = None,
    ) -> dict[str, Any]:
        """A job's answer. Raises QueueFullError at once, or ServiceError when there is none within `seconds`.

        A process that is late or dies counts against the pool's breaker; what a job says of its files does not.
        """
        until = time.monotonic() + seconds
        breaker = (breakers or Breakers()).part(f"{self._name} helpers", checked=True)
        if not self._room.acquire(blocking=False):
            raise QueueFullError(f"the {self._name} queue is full")
        try:
            if not self._turn.acquire(timeout=seconds):
                raise QueueFullError(f"no {self._name} process was free within {seconds:g} s")
            try:
                with breaker.call() as call:
                    if call.is_trial:  # files that kill a helper must not make all helpers look dead
                        self._call({"job": "ready"}, (), until)
                        call.passed()
                    answer = self._call({**request, "job": job}, blobs, until)
            finally:
                self._turn.release()
        finally:
            self._room.release()
        if "failed" in answer:
            raise ServiceError(f"{self._name}: {answer['failed']}")
        return answer

    def _call(self, request: Mapping[str, Any], blobs: Sequence[bytes], until: float) -> dict[str, Any]:
        with self._lock:
            helper = self._idle.pop() if self._idle else None
        if helper is not None:  # it may have left after its idle time: then a fresh one answers
            with suppress(_LostError):
                return self._ask(helper, request, blobs, until)
        return self._ask(_Helper(self._memory), request, blobs, until)

    def _ask(
        self, helper: _Helper, request: Mapping[str, Any], blobs: Sequence[bytes], until: float
    ) -> dict[str, Any]:
        try:
            answer = helper.ask(request, blobs, until)
        except BaseException:
            helper.kill()
            raise
        with self._lock:
            self._idle.append(helper)
        return answer


class _Helper:
    """One process and its pipes."""

    def __init__(self, memory: int) -> None:
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own module, no shell
                [sys.executable, "-m", "tamis.services.files.helper_main", str(memory)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # so that what it starts can be killed with it
                cwd=_HOME,
                env=os.environ | {"OMP_THREAD_LIMIT": "1", "OMP_NUM_THREADS": "1", "LC_ALL": "C.UTF-8"},
            )
        except OSError as error:
            raise ServiceError(f"no helper process: {error}") from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._write = self._process.stdin.fileno()
        self._read = self._process.stdout.fileno()
        for descriptor in (self._write, self._read):
            os.set_blocking(descriptor, False)

    def ask(self, request: Mapping[str, Any], blobs: Sequence[bytes], until: float) -> dict[str, Any]:
        """Send a request, wait for its answer."""
        head = json.dumps({**request, "sizes": [len(blob) for blob in blobs]}).encode()
        try:
            for piece in (_LENGTH.pack(len(head)) + head, *blobs):
                self._send(piece, until)
            (size,) = _LENGTH.unpack(self._receive(_LENGTH.size, until))
            if size > _MAX_REPLY:
                raise ServiceError("a helper process answered too much")
            answer = json.loads(self._receive(size, until))
        except (OSError, ValueError) as error:
            raise _LostError(f"a helper process is lost: {error}") from error
        assert isinstance(answer, dict)
        return answer

    def _send(self, octets: bytes, until: float) -> None:
        view = memoryview(octets)
        while view:
            self._wait(self._write, selectors.EVENT_WRITE, until)
            view = view[os.write(self._write, view[:_CHUNK]) :]

    def _receive(self, size: int, until: float) -> bytes:
        octets = bytearray()
        while len(octets) < size:
            self._wait(self._read, selectors.EVENT_READ, until)
            more = os.read(self._read, size - len(octets))
            if not more:
                raise _LostError("a helper process ended before it answered")
            octets += more
        return bytes(octets)

    @staticmethod
    def _wait(descriptor: int, event: int, until: float) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, event)
            if not selector.select(max(0.0, until - time.monotonic())):
                raise ServiceError("a helper process was late and was ended")

    def kill(self) -> None:
        """End the process and what it started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):  # what was not written needs no flushing
                    pipe.close()
        self._process.wait()
