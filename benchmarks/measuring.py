"""What the measurements have in common: messages of the corpus, processor time of processes, medians."""

from __future__ import annotations

import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self, TypeVar

import psutil

from tests.real import Envelope
from tests.road.test_corpus import envelope

ROOT = Path(__file__).resolve().parents[1]

_T = TypeVar("_T")

_QUIET = 0.02  # processor seconds in _PAUSE from which on processes are still at work
_PAUSE = 0.5


def corpus_paths() -> list[Path]:
    """Every message of the SpamAssassin corpus; the program ends where there is none."""
    paths = sorted((ROOT / "corpus" / "spamassassin").glob("*/*.txt"))
    if not paths:
        sys.exit("no corpus: run scripts/fetch-corpus")
    return paths


def spread(messages: Sequence[_T], number: int) -> list[_T]:
    """So many of them, from all over."""
    step = max(1, len(messages) // number)
    return list(messages[::step][:number])


def envelopes_of(paths: Iterable[Path]) -> list[Envelope]:
    """Messages with the senders and clients that their headers give."""
    return [envelope(number, path) for number, path in enumerate(paths)]


def tree(pids: Iterable[int]) -> list[psutil.Process]:
    """Processes and all that descend from them."""
    roots = [psutil.Process(pid) for pid in pids]
    return list({one.pid: one for root in roots for one in (root, *root.children(recursive=True))}.values())


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of processes and of all that descend from them, those that have ended included."""
    total = 0.0
    for one in tree(pids):
        try:
            total += sum(one.cpu_times()[:4])
        except psutil.NoSuchProcess:
            continue
    return total


class Instructions:
    """Counts what processes execute while the context lasts, where perf(1) and the kernel do that: on many virtual
    machines they don't, and `millions` stays None."""

    def __init__(self, pids: Iterable[int], event: str = "instructions") -> None:
        self.millions: float | None = None
        self._event = event
        self._pids = ",".join(str(one.pid) for one in tree(pids))
        self._perf: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        if shutil.which("perf"):
            command = ["perf", "stat", "-x", ";", "-e", self._event, "-p", self._pids]
            self._perf = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_: object) -> None:
        if self._perf is None:
            return
        self._perf.send_signal(signal.SIGINT)
        told = self._perf.communicate()[1]
        counted = next((line for line in told.splitlines() if self._event in line), "").partition(";")[0]
        self.millions = float(counted) / 1e6 if counted.replace(".", "").isdecimal() else None


def resident_megabytes(pids: Iterable[int]) -> float:
    """The largest resident set among processes."""
    return max((psutil.Process(pid).memory_info().rss / 1e6 for pid in pids), default=0.0)


def settle(pids: Sequence[int], timeout: float = 60.0) -> None:
    """Wait until processes have done what they do after the mail has gone on."""
    until = time.monotonic() + timeout
    before = cpu_seconds(pids)
    while time.monotonic() < until:
        time.sleep(_PAUSE)
        now = cpu_seconds(pids)
        if now - before < _QUIET:
            return
        before = now


def shown(values: Sequence[float]) -> str:
    """Median and, in brackets, the least and the most."""
    if not values:
        return "-"
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"
