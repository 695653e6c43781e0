"""Ordinary mail at a steady rate, while something else happens: how long each message took, from MAIL to the reply."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from tests.real import Envelope, Reply, Session


@dataclass
class Steady:
    """Sends `rate` messages a second over as many connections as that takes; those that are late are not made up for.

    Each message has its own time to begin, whatever became of those before it (an open loop), so a daemon that stalls
    is seen by all messages that fall into the stall.
    """

    port: int
    envelopes: Iterator[Envelope]
    rate: float
    sessions: int = 12
    replies: list[Reply] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._begun = time.monotonic()
        self._next = 0
        self._threads = [threading.Thread(target=self._send, daemon=True) for _ in range(self.sessions)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    def since(self, mark: int = 0) -> list[float]:
        """Seconds of the messages that ended after `mark` others had."""
        with self._lock:
            return self.seconds[mark:]

    def _send(self) -> None:
        with Session(self.port) as session:
            while not self._done.is_set():
                with self._lock:
                    due = self._begun + self._next / self.rate
                    self._next += 1
                    envelope = next(self.envelopes)
                if self._done.wait(max(0.0, due - time.monotonic())):
                    return
                replies = session.transact(envelope)
                with self._lock:
                    self.replies += replies.values()
                    self.seconds.append(time.monotonic() - due)


def percentile(values: list[float], share: float) -> float:
    """The value that this share (0-1) of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
