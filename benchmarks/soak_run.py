"""`benchmarks/soak`: what many messages and faults leave behind in hours: memory, descriptors, threads, files, latency.

A folder holds the state directory and one line a batch of what was measured (samples.jsonl), so that a run that is
stopped goes on with the next batch when it is started again.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import psutil

from benchmarks.chaos_faults import FAULTS, Scene
from benchmarks.load_dns import zones
from benchmarks.measuring import corpus_paths, envelopes_of, settle, spread
from tests.real import Envelope, HarnessError, PrivateDNS, PrivatePostfix, Session, wait_until
from tests.real.daemon import Role
from tests.real.support import private_directory
from tests.road.installation import Installation
from tests.road.steady import Steady, percentile

ROLES: Sequence[Role] = ("supervisor", "workers", "desk", "background", "web")
_NEED_MORE = {
    *("disk full", "disk read-only"),  # a file system of their own
    *("worker dies at a stage", "desk dies at a stage", "background dies at a stage"),  # traps in the code
    *("transport line lost", "queue started anew", "shared state away"),
}
HAPPENING = tuple(sorted(set(FAULTS) - _NEED_MORE))
"""Faults of `benchmarks/chaos` that happen here."""
_KINDS = 2000
"""Messages of the corpus that are sent, again and again, each time with another id."""
_FIRST, _SHARE = 20, 0.5
"""Samples of a process from which on a line is fitted, and the share of them, the later ones, through which it goes."""


@dataclass
class Held:
    """What one process holds: megabytes (its own and its share of what several have), descriptors, threads."""

    megabytes: float
    descriptors: int
    threads: int


@dataclass
class Sample:
    """One batch: how many messages were sent before its end, in all runs; seconds of those sent without a fault."""

    run: int
    sent: int
    refused: int
    seconds: float
    latencies: Sequence[float]
    fault: str
    octets: int
    """Of the state directory."""
    held: dict[str, Held] = field(default_factory=dict)
    """By role and process id."""

    @classmethod
    def read(cls, line: str) -> Sample:
        """From a line of samples.jsonl."""
        told: dict[str, Any] = json.loads(line)
        return cls(**told | {"held": {name: Held(**one) for name, one in told["held"].items()}})


def slope(points: Sequence[tuple[float, float]]) -> float:
    """The least-squares line's rise for each unit."""
    return statistics.linear_regression(*zip(*points, strict=True)).slope


def growth(samples: Sequence[Sample], what: str) -> Mapping[str, tuple[float, int]]:
    """By role, the median over its processes of what each gains in 10,000 messages, by a line through the later half of
    its samples; and how many processes lived long enough for one."""
    lives: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for sample in samples:
        for name, held in sample.held.items():
            lives[f"{name} {sample.run}"].append((sample.sent / 10_000, getattr(held, what)))
    found: dict[str, list[float]] = defaultdict(list)
    for name, points in lives.items():
        if len(points) >= _FIRST:
            found[name.partition(" ")[0]].append(slope(points[int(len(points) * _SHARE) :]))
    return {role: (statistics.median(slopes), len(slopes)) for role, slopes in found.items()}


def held_by(daemon_pids: Mapping[str, Sequence[int]]) -> dict[str, Held]:
    """What the processes hold; those that end meanwhile are left out."""
    found: dict[str, Held] = {}
    for role, pids in daemon_pids.items():
        for pid in pids:
            with suppress(psutil.NoSuchProcess, OSError):
                process = psutil.Process(pid)
                megabytes = process.memory_full_info().pss / 1e6
                found[f"{role} {pid}"] = Held(megabytes, process.num_fds(), process.num_threads())
    return found


def numbered(envelopes: Sequence[Envelope], start: int) -> Iterator[Envelope]:
    """Messages for ever, each with a field that no other has."""
    for number, one in enumerate(cycle(envelopes), start):
        marked = b"X-Number: %d\r\n%b" % (number, one.message)
        yield Envelope(one.sender, one.recipients, marked, one.client)


class Soak:
    """One run over a folder."""

    def __init__(self, folder: Path, batch: int, rate: float, fault_every: float) -> None:
        self._file = folder / "samples.jsonl"
        self._state = folder / "state"
        self._batch, self._rate, self._fault_every = batch, rate, fault_every
        lines = self._file.read_text().splitlines() if self._file.exists() else []
        self.samples = [Sample.read(line) for line in lines]
        self._run = self.samples[-1].run + 1 if self.samples else 1
        self._dice = random.Random(f"soak {self._run}")
        self._state.mkdir(parents=True, exist_ok=True)

    def go(self, messages: int, minutes: float) -> None:
        """Send until there are so many messages in all runs, or the time is over."""
        until = time.monotonic() + minutes * 60
        load = envelopes_of(spread(corpus_paths(), _KINDS))
        sent = self.samples[-1].sent if self.samples else 0
        with ExitStack() as stack:
            dns = stack.enter_context(PrivateDNS(zones(load)))
            settings = {
                "state_directory": str(self._state),
                "milter": {"workers": 2},
                "dns": {"servers": [dns.address]},
            }
            installation = stack.enter_context(Installation(policy={"outcome": "inbox"}, settings=settings))
            scene = Scene(installation, self._state.parent, private_directory("traps"))
            endless = numbered(load, sent)
            next_fault = time.monotonic() + self._fault_every
            while sent < messages and time.monotonic() < until:
                fault = ""
                if time.monotonic() >= next_fault:
                    fault, next_fault = self._dice.choice(HAPPENING), time.monotonic() + self._fault_every
                sample = self._sent(scene, islice(endless, self._batch), sent, fault)
                sent = sample.sent
                self.samples.append(sample)
                with self._file.open("a") as file:
                    file.write(json.dumps(asdict(sample)) + "\n")
                print(f"{sent} sent, {sample.seconds:.0f} s {fault}", file=sys.stderr)

    def _sent(self, scene: Scene, envelopes: Iterator[Envelope], before: int, fault: str) -> Sample:
        """A batch, at the rate or as fast as the machine is, with what it left behind."""
        postfix = scene.installation.postfix
        begun = time.monotonic()
        batch = list(envelopes)
        with ExitStack() as stack:
            if fault:
                stack.enter_context(FAULTS[fault](scene, self._dice))
            latencies, refused = send(postfix, batch, self._rate)
        if fault:
            wait_until(lambda: _takes(postfix, batch[0]), timeout=120, what="mail to be taken again")
        postfix.wait_idle(300)
        _empty(postfix)
        pids = _pids(scene.installation)
        settle([pid for some in pids.values() for pid in some], timeout=5.0)
        octets = sum(one.stat().st_size for one in self._state.rglob("*") if one.is_file())
        return Sample(
            self._run,
            before + len(batch),
            refused,
            time.monotonic() - begun,
            () if fault else [round(one, 4) for one in latencies],
            fault,
            octets,
            held_by(pids),
        )


def send(postfix: PrivatePostfix, batch: Sequence[Envelope], rate: float) -> tuple[list[float], int]:
    """Seconds from when each was due to its reply, and how many were not taken at once."""
    with Steady(postfix.port, cycle(batch), rate) as sending:
        wait_until(lambda: len(sending.since()) >= len(batch), timeout=600, what="a batch to be sent")
    return sending.seconds[: len(batch)], sum(not one.accepted for one in sending.replies)


def _takes(postfix: PrivatePostfix, one: Envelope) -> bool:
    with Session(postfix.port) as session:
        return all(reply.accepted for reply in session.transact(one).values())


def _pids(installation: Installation) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for role in ROLES:
        with suppress(HarnessError, ValueError):
            found[role] = installation.daemon.pids(role)
    return found


def _empty(postfix: PrivatePostfix) -> None:
    """Mail that was delivered is of no further use."""
    for one in (postfix.directory / "mail").rglob("new/*"):
        one.unlink(missing_ok=True)


def report(samples: Sequence[Sample]) -> Iterator[str]:
    """What it comes to."""
    faults = Counter(one.fault for one in samples if one.fault)
    yield (
        f"{samples[-1].sent} messages in {sum(one.seconds for one in samples) / 60:.0f} minutes,"
        f" {samples[-1].run} runs, {faults.total()} faults, {sum(one.refused for one in samples)} answers 4xx meanwhile"
    )
    yield ", ".join(f"{name} {count}" for name, count in sorted(faults.items()))
    yield "least squares over the later half of each process's samples, for 10,000 messages; processes:"
    for what in ("megabytes", "descriptors", "threads"):
        for role, (gained, number) in growth(samples, what).items():
            last = next(
                h for s in reversed(samples) for name, h in s.held.items() if name.startswith(f"{role} ")
            )
            yield f"{what + ' of ' + role:<28}{gained:>+9.2f}{number:>5}   at the end {getattr(last, what):.1f}"
    later = [(one.sent / 10_000, one.octets / 1e6) for one in samples[len(samples) // 2 :]]
    yield f"{'state directory, MB':<28}{slope(later):>+9.2f}       at the end {later[-1][1]:.1f}"
    quiet = [one for sample in samples for one in sample.latencies]
    many = min(10_000, len(quiet) // 2)
    for name, some in (("first", quiet[:many]), ("last", quiet[-many:])):
        yield f"p50 and p99 of the {name} {many}: {_ms(some, 0.5)} and {_ms(some, 0.99)} ms"


def _ms(seconds: Sequence[float], share: float) -> int:
    return round(percentile(list(seconds), share) * 1000)


def main() -> None:
    """Go on, and report all of the folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="state and samples; one that exists is gone on with")
    parser.add_argument("--messages", type=int, default=1_000_000, help="in all runs together")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="of this run")
    parser.add_argument("--batch", type=int, default=200, help="messages between two measurements")
    parser.add_argument("--rate", type=float, default=20.0, help="messages a second")
    parser.add_argument("--faults-every", type=float, default=180.0, help="seconds")
    arguments = parser.parse_args()
    soak = Soak(arguments.folder.absolute(), arguments.batch, arguments.rate, arguments.faults_every)
    with suppress(KeyboardInterrupt):
        soak.go(arguments.messages, arguments.minutes)
    print("\n".join(report(soak.samples)))


if __name__ == "__main__":
    main()
