"""`benchmarks/road`: what Tamis costs on the way through Postfix."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.measuring import (
    ROOT,
    corpus_paths,
    cpu_seconds,
    envelopes_of,
    resident_megabytes,
    shown,
    spread,
)
from tamis.chain.registry import load_filters
from tests.real import Envelope, PrivatePostfix, wait_until
from tests.real.support import private_directory
from tests.road.installation import Installation
from tests.road.test_corpus import POLICY

CHUNK = 250  # messages between two looks at the processes' CPU time


@dataclass
class Measured:
    """One set-up's figures: `cpu` is CPU ms a message in the filter's processes, one value a chunk."""

    name: str
    cpu: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    rss: float = 0.0

    def row(self) -> str:
        """A line of the table."""
        rss = f"{self.rss:.0f}" if self.rss else "-"
        return f"{self.name:<22}{shown(self.cpu):>22}{statistics.median(self.rates):>10.0f}{rss:>10}"


SetUp = tuple[Measured, PrivatePostfix, Callable[[], Sequence[int]]]


@contextmanager
def noop() -> Iterator[tuple[str, int]]:
    """A running no-op milter: (its socket, its pid)."""
    path = private_directory("noop") / "milter"
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.noop_milter", f"unix:{path}"], cwd=ROOT)
    try:
        wait_until(path.exists, timeout=20, what="the no-op milter")
        path.chmod(0o666)
        yield f"unix:{path}", process.pid
    finally:
        process.kill()
        process.wait()


_FIRST = {
    "ip_whitelist",
    "sender_whitelist",
    "ip_blacklist",
    "sender_blacklist",
    "missing_sender",
    "same_address",
}
_FIRST |= {"empty", "cyrillic", "sinograms", "score_tags", "malformed"}
_OTHERS = [one for one in load_filters() if one.name not in _FIRST and one.switchable]

BASIC: dict[str, Any] = {
    **POLICY,
    "filters": {**POLICY["filters"], **{one.name: {"state": "off"} for one in _OTHERS}},
}
"""Lists, envelope, script and form: nothing that asks a service or looks into attachments."""


def tamis(policy: dict[str, Any]) -> Installation:
    """An installation on a unix socket, with dead DNS servers and no scanner."""
    socket = {"socket": f"unix:{private_directory('milter')}/milter", "socket_mode": "0666"}
    return Installation(policy=policy, settings={"milter": socket})


def set_ups(stack: ExitStack) -> list[SetUp]:
    """The three Postfixes, all running; idle ones cost nothing."""
    bare = stack.enter_context(PrivatePostfix())
    socket, pid = stack.enter_context(noop())
    empty = stack.enter_context(PrivatePostfix(milter=socket))
    basic, whole = stack.enter_context(tamis(BASIC)), stack.enter_context(tamis(POLICY))
    return [
        (Measured("no milter"), bare, list),
        (Measured("empty pymilter"), empty, lambda: [pid]),
        (Measured("Tamis, basic filters"), basic.postfix, lambda: basic.daemon.pids("workers")),
        (Measured("Tamis, whole chain"), whole.postfix, lambda: whole.daemon.pids("workers")),
    ]


def measure(one: SetUp, envelopes: Sequence[Envelope], sessions: int) -> None:
    """Send the messages through one set-up, chunk by chunk."""
    measured, postfix, processes = one
    begun = time.monotonic()
    for start in range(0, len(envelopes), CHUNK):
        chunk = envelopes[start : start + CHUNK]
        pids = processes()
        before = cpu_seconds(pids)
        sent = postfix.send_many(chunk, sessions=sessions)
        assert all(s.accepted for s in sent)
        if pids:
            measured.cpu.append((cpu_seconds(pids) - before) / len(chunk) * 1000)
    measured.rates.append(len(envelopes) / (time.monotonic() - begun))
    measured.rss = resident_megabytes(processes())
    postfix.wait_idle(120)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=2000, help="messages a round, spread over the corpus")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sessions", type=int, default=16)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    envelopes = envelopes_of(spread(corpus_paths(), arguments.messages))
    with ExitStack() as stack:
        all_set_ups = set_ups(stack)
        for round_number in range(arguments.rounds):
            for one in all_set_ups:
                measure(one, envelopes, arguments.sessions)
                print(f"round {round_number + 1}: {one[0].name}", file=sys.stderr)
    if arguments.json:
        print(json.dumps([asdict(one[0]) for one in all_set_ups], indent=2))
        return
    print(f"{len(envelopes)} messages a round, {arguments.rounds} rounds, {arguments.sessions} sessions")
    print(f"{'':<22}{'CPU ms (least-most)':>22}{'msg/s':>10}{'RSS MB':>10}")
    for measured, _, _ in all_set_ups:
        print(measured.row())


if __name__ == "__main__":
    main()
