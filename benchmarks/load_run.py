"""`benchmarks/load`: what Tamis and rspamd cost on the same load."""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.load_dns import zones
from benchmarks.measuring import (
    Instructions,
    corpus_paths,
    cpu_seconds,
    envelopes_of,
    resident_megabytes,
    settle,
    shown,
    spread,
    tree,
)
from benchmarks.rspamd import PrivateRspamd
from tamis.chain.registry import load_filters
from tamis.contract.filter import State
from tamis.models import compiled
from tests.real import Envelope, PrivateDNS, PrivatePostfix, PrivateRedis
from tests.real.support import private_directory
from tests.road.installation import Installation

WORKERS = 2
LESSONS = 250
"""Ham and spam that both systems learn before, none of it in the load."""

KINDS = ("ham", "spam")
_LEFT_OUT = {"antivirus", "antivirus_second", "spamassassin"}
_SHADOW = {"greylisting", "rate_limit"}
"""Examined like the others, but without effect: a message that is put off by them would cost next to nothing."""


def policy(*, knowledge: bool) -> dict[str, Any]:
    """Every filter examines every message, and each message stays in place with its headers, as with rspamd."""
    off = _LEFT_OUT if knowledge else _LEFT_OUT | {"knowledge"}
    states = {
        one.name: State.OFF if one.name in off else State.SHADOW if one.name in _SHADOW else State.ON
        for one in load_filters()
        if one.switchable
    }
    return {
        "outcome": "inbox",
        "examine_everything": True,
        "filters": {name: {"state": str(state)} for name, state in states.items()},
    }


@dataclass
class Side:
    """One system: its Postfix, and its processes by what they are. CPU is in ms a message, one value a round."""

    name: str
    postfix: PrivatePostfix
    parts: Mapping[str, Callable[[], Sequence[int]]]
    cpu: dict[str, list[float]] = field(default_factory=dict)
    """Of each part together with those before it."""
    dns: list[float] = field(default_factory=list)
    instructions: list[float] = field(default_factory=list)
    """Millions a message, of all its processes; none where the kernel does not count them."""
    rates: list[float] = field(default_factory=list)
    megabytes: float = 0.0

    def processes(self) -> list[int]:
        """All that are counted."""
        return [pid for pids in self.parts.values() for pid in pids()]

    def forget(self) -> None:
        """What was measured while everything warmed up."""
        self.cpu.clear()
        self.dns.clear()
        self.instructions.clear()
        self.rates.clear()

    def rows(self) -> Iterator[str]:
        """Lines of the table."""
        for name, values in self.cpu.items():
            yield f"{self.name + ': ' + name:<40}{shown(values):>22}"
        yield f"{self.name + ': the DNS server, asked by it':<40}{shown(self.dns):>22}"
        if self.instructions:
            yield f"{self.name + ': million instructions a message':<40}{shown(self.instructions):>22}"
        rate = f"{statistics.median(self.rates):.0f} messages/s"
        yield f"{self.name + ': rate and largest process':<40}{rate:>22}, {self.megabytes:.0f} MB"

    def to_dict(self) -> dict[str, Any]:
        """The figures."""
        names = ("name", "cpu", "dns", "instructions", "rates", "megabytes")
        return {name: getattr(self, name) for name in names}


def measure(side: Side, envelopes: Sequence[Envelope], sessions: int, dns: int) -> None:
    """Send one round's messages; time is read when all that follows from them is done."""
    settle(side.processes())
    before = {name: cpu_seconds(pids()) for name, pids in side.parts.items()}
    asked = cpu_seconds([dns])
    begun = time.monotonic()
    with Instructions(side.processes()) as executed:
        side.postfix.send_many(envelopes, sessions=sessions, attempts=1)
        side.rates.append(len(envelopes) / (time.monotonic() - begun))
        side.dns.append((cpu_seconds([dns]) - asked) / len(envelopes) * 1000)
        side.postfix.wait_idle(120)
        settle(side.processes())
    if executed.millions is not None:
        side.instructions.append(executed.millions / len(envelopes))
    total = 0.0
    for name, pids in side.parts.items():
        total += (cpu_seconds(pids()) - before[name]) / len(envelopes) * 1000
        side.cpu.setdefault(name, []).append(total)
    side.megabytes = max(side.megabytes, resident_megabytes(one.pid for one in tree(side.processes())))


def tamis(
    stack: ExitStack, dns: PrivateDNS, lessons: Mapping[str, Sequence[Path]], *, knowledge: bool
) -> Side:
    """Tamis with its embedded state, having learned."""
    socket = {"socket": f"unix:{private_directory('milter')}/milter", "socket_mode": "0666"}
    settings = {
        "milter": {**socket, "workers": WORKERS},
        "dns": {"servers": [dns.address]},
        "images": {"ocr": False},
    }
    installation = Installation(policy=policy(knowledge=knowledge), settings=settings)
    for kind, paths in lessons.items():
        installation.tamis("learn", kind, *map(str, paths))
    daemon = stack.enter_context(installation).daemon
    return Side(
        "Tamis",
        installation.postfix,
        {
            "workers with shared state": lambda: daemon.pids("workers"),
            "with history and desk": lambda: daemon.pids("background") + daemon.pids("desk"),
        },
    )


def rspamd(stack: ExitStack, dns: PrivateDNS, lessons: Mapping[str, Sequence[Path]]) -> Side:
    """rspamd with its Redis, having learned."""
    redis = stack.enter_context(PrivateRedis())
    server = stack.enter_context(PrivateRspamd(redis_port=redis.port, dns=dns.address, workers=WORKERS))
    for kind, paths in lessons.items():
        server.learn(kind, paths)
    postfix = stack.enter_context(PrivatePostfix(milter=server.milter))
    return Side("rspamd", postfix, {"workers": lambda: [server.pid], "with its Redis": lambda: [redis.pid]})


def report(sides: Sequence[Side]) -> Iterator[str]:
    """The table, and what it comes to."""
    yield f"{'CPU ms a message':<40}{'median (least-most)':>22}"
    for side in sides:
        yield from side.rows()
    ours, theirs = (list(side.cpu.values()) for side in sides)
    yield "Tamis in shares of rspamd with its Redis, round by round; half of the rounds are within the brackets:"
    for name, values in zip(sides[0].cpu, ours, strict=True):
        yield f"{name:<40}{ratios(values, theirs[-1]):>22}"


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """The median of the rounds' ratios, and the quartiles: a machine that is busy with other work slows both down."""
    found = [our / their for our, their in zip(ours, theirs, strict=True)]
    if len(found) < 2:
        return f"{found[0]:.2f}"
    first, median, third = statistics.quantiles(found, n=4, method="inclusive")
    return f"{median:.2f} ({first:.2f}-{third:.2f})"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100, help="messages a round, other ones in each")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--sessions", type=int, default=16)
    parser.add_argument("--no-knowledge", action="store_true", help="without the base that ships with Tamis")
    parser.add_argument(
        "--without-compiled", action="store_true", help="go on where the inner loops are numpy's"
    )
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if not compiled.used and not arguments.without_compiled:
        sys.exit(f"the inner loops are numpy's, which cost more: {compiled.WHY_NOT}")
    paths = corpus_paths()
    lessons = {kind: spread([p for p in paths[::2] if kind in p.parent.name], LESSONS) for kind in KINDS}
    load = envelopes_of(spread(paths[1::2], arguments.messages * (arguments.rounds + 1)))
    random.Random(1).shuffle(load)  # each round has of everything
    rounds = [load[at : at + arguments.messages] for at in range(0, len(load), arguments.messages)]
    with ExitStack() as stack:
        dns = stack.enter_context(PrivateDNS(zones(load)))
        sides = [
            tamis(stack, dns, lessons, knowledge=not arguments.no_knowledge),
            rspamd(stack, dns, lessons),
        ]
        for number, envelopes in enumerate(rounds):
            for side in sides if number % 2 else reversed(sides):
                measure(side, envelopes, arguments.sessions, dns.pid)
                print(f"round {number} of {len(rounds) - 1}: {side.name}", file=sys.stderr)
            if number == 0:  # compiling, connecting, first look-ups
                for side in sides:
                    side.forget()
    if arguments.json:
        print(json.dumps([side.to_dict() for side in sides], indent=2))
        return
    told = f"{arguments.messages} messages a round, {len(rounds) - 1} rounds, {arguments.sessions} sessions"
    print(f"{told}, {'without' if arguments.no_knowledge else 'with'} knowledge")
    print("\n".join(report(sides)))


if __name__ == "__main__":
    main()
