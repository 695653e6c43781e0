"""bogofilter under the same protocol: score every message, then train on its label, a process a call."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tamis.models.corpora import Place


@dataclass(slots=True)
class BogofilterRun:
    """Scores in the stream's order; CPU milliseconds of each call; resident set for the largest message; its store."""

    scores: list[float] = field(default_factory=list)
    score_ms: list[float] = field(default_factory=list)
    train_ms: list[float] = field(default_factory=list)
    resident_kib: int = 0
    store_octets: int = 0


def install() -> str:
    """Have bogofilter, from Debian if need be; returns its version."""
    if shutil.which("bogofilter") is None:
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        subprocess.run(
            ["apt-get", "install", "-y", "-qq", "bogofilter"], check=True, stdout=subprocess.DEVNULL
        )
    shown = subprocess.run(["bogofilter", "-V"], check=True, capture_output=True, text=True).stdout
    return shown.split("\n", 1)[0].rpartition(" ")[2]


def run(places: Sequence[Place]) -> BogofilterRun:
    """Run a stream of single-message files with an empty word list at first."""
    result = BogofilterRun()
    with tempfile.TemporaryDirectory() as folder:
        # An empty word list: without one bogofilter scores nothing.
        subprocess.run(["bogoutil", "-l", f"{folder}/wordlist.db"], check=True, input=b"")
        for place in places:
            name = str(place.path)
            said, milliseconds = _call(["bogofilter", "-C", "-d", folder, "-TT", "-I", name])
            result.scores.append(float(said))
            result.score_ms.append(milliseconds)
            flag = "-s" if place.spam else "-n"
            _, milliseconds = _call(["bogofilter", "-C", "-d", folder, flag, "-I", name])
            result.train_ms.append(milliseconds)
        largest = max(places, key=lambda place: place.path.stat().st_size)
        result.resident_kib = _resident_kib(
            ["bogofilter", "-C", "-d", folder, "-TT", "-I", str(largest.path)]
        )
        result.store_octets = sum(file.stat().st_size for file in Path(folder).iterdir())
    return result


_SMALL = "import os, sys; p = os.spawnvp(os.P_NOWAIT, sys.argv[1], sys.argv[1:]); print(os.wait4(p, 0)[2].ru_maxrss)"


def _resident_kib(command: list[str]) -> int:
    """The greatest resident set of a process in KiB.

    Linux counts what the parent had in memory before exec, so a small parent starts it.
    """
    small = [sys.executable, "-S", "-E", "-c", _SMALL]
    shown = subprocess.run([*small, *command], check=True, capture_output=True, text=True).stdout
    return int(shown.split()[-1])


def _call(command: list[str]) -> tuple[str, float]:
    """What a process printed, and the CPU milliseconds it took."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1, 2):  # spam, ham, unsure
        raise subprocess.CalledProcessError(process.returncode, command)
    return said.strip(), 1000 * (used.ru_utime + used.ru_stime)
