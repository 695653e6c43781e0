"""`benchmarks/hostile`: what attacks cost other people's mail."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.load_dns import zones
from benchmarks.measuring import corpus_paths, envelopes_of, spread
from tests.hostile import ATTACKS, TARPIT
from tests.real import Client, Envelope, PrivateDNS, PrivatePostfix, Session
from tests.real.scanners import SilentServer
from tests.real.support import private_directory
from tests.real.tarpit import SilentDNS, TarpitDNS
from tests.road.installation import Installation
from tests.road.steady import Steady, percentile
from tests.road.test_hostile import ATTACKED, policy, settings

MESSAGES = 400
"""Ordinary ones, sent again and again: what is remembered of them is what is remembered of a site's usual mail."""
WARM_SECONDS = 10.0
FINDING_OUT = 15.0
"""Seconds in which a daemon finds out that a server is dead: shown apart."""


@dataclass
class Measured:
    """Ordinary mail's seconds under one attack, and the attack's own; `without` is ordinary mail's without Tamis."""

    name: str
    ordinary: list[float] = field(default_factory=list)
    hostile: list[float] = field(default_factory=list)
    without: list[float] = field(default_factory=list)
    refused: int = 0

    def row(self, quiet: Measured) -> str:
        """A line of the table."""
        own = f"{median(self.hostile):.1f} ({max(self.hostile):.1f})" if self.hostile else "-"
        shown = [f"{median(self.ordinary) * 1000:.0f}", *_beside(self.ordinary, quiet.ordinary)]
        if self.without:
            shown += _beside(self.without, quiet.without)
        more = f"  {self.refused} not accepted" if self.refused else ""
        figures = "".join(f"{text:>9}" for text in shown)
        return f"{self.name:<36}{len(self.hostile):>5} {own:>14}{len(self.ordinary):>7}{figures}{more}"


def _beside(seconds: list[float], quiet: list[float]) -> tuple[str, str]:
    """The 99th percentile in ms, and how often that of quiet goes into it."""
    p99 = percentile(seconds, 0.99)
    return f"{p99 * 1000:.0f}", f"{p99 / percentile(quiet, 0.99):.2f}"


class Attackers:
    """Sessions that send one hostile message again and again."""

    def __init__(self, postfix: PrivatePostfix, name: str, sessions: int, into: Measured) -> None:
        sender = f"sender@{TARPIT}" if "tarpit" in name else "attacker@example.net"
        self._envelope = Envelope(sender, (ATTACKED,), ATTACKS[name](), Client("198.51.100.7"))
        self._port = postfix.port
        self._into = into
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._send, daemon=True) for _ in range(sessions)]

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    def _send(self) -> None:
        with Session(self._port) as session:
            while not self._done.is_set():
                begun = time.monotonic()
                replies = session.transact(self._envelope)
                self._into.hostile.append(time.monotonic() - begun)
                self._into.refused += sum(not one.accepted for one in replies.values())


def ordinary(postfix: PrivatePostfix, letters: Iterator[Envelope], rate: float, seconds: float) -> Measured:
    """A stretch of ordinary mail."""
    found = Measured("")
    with Steady(postfix.port, letters, rate) as steady:
        time.sleep(seconds)
    found.ordinary = steady.seconds
    found.refused = sum(not one.accepted for one in steady.replies)
    return found


def attacked(postfix: PrivatePostfix, name: str, letters: Iterator[Envelope], arguments: Any) -> Measured:
    """The same while an attack goes on."""
    into = Measured(name)
    with Attackers(postfix, name, arguments.attackers, into):
        found = ordinary(postfix, letters, arguments.rate, arguments.seconds)
    into.ordinary, into.refused = found.ordinary, into.refused + found.refused
    postfix.wait_idle(120)
    return into


def installed(stack: ExitStack, servers: Sequence[str], clamd: str = "") -> Installation:
    """Everything on, on a unix socket as docs/operations.md has it."""
    rules = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "rules.toml"
    made = settings(rules, clamd or "inet:127.0.0.1:9", [*servers])
    if not clamd:
        del made["antivirus"]
    socket = {"socket": f"unix:{private_directory('milter')}/milter", "socket_mode": "0666"}
    made["milter"] = {**socket, "workers": 2}
    return stack.enter_context(Installation(policy=policy(), settings=made))


def attacks(
    names: Sequence[str], letters: Iterator[Envelope], dns: PrivateDNS, arguments: Any
) -> list[Measured]:
    """Quiet and each attack in turn."""
    results: list[Measured] = []
    quiet = Measured("quiet")
    with ExitStack() as stack:
        tarpit = stack.enter_context(TarpitDNS(dns.port, TARPIT))
        bare = stack.enter_context(PrivatePostfix())
        postfix = installed(stack, [tarpit.address]).postfix
        ordinary(postfix, letters, arguments.rate, WARM_SECONDS)
        for name in names:  # quiet stretches between them, since other work of the machine comes and goes
            quiet.ordinary += ordinary(postfix, letters, arguments.rate, arguments.seconds).ordinary
            quiet.without += ordinary(bare, letters, arguments.rate, arguments.seconds / 2).ordinary
            result = attacked(postfix, name, letters, arguments)
            result.without = attacked(bare, name, letters, arguments).ordinary
            results.append(result)
            print(result.row(quiet), file=sys.stderr)
    return [quiet, *results]


def conditions(letters: Iterator[Envelope], dns: PrivateDNS, arguments: Any) -> Iterator[Measured]:
    """Services that are dead from the start: while it is found out, and then."""
    for name in ("20 dead DNS servers", "a clamd that never answers"):
        with ExitStack() as stack:
            dead = stack.enter_context(SilentDNS(20)) if "DNS" in name else [dns.address]
            clamd = "" if "DNS" in name else stack.enter_context(SilentServer()).inet
            installation = installed(stack, dead, clamd)
            for when, seconds in (("found out", FINDING_OUT), ("then", 3 * arguments.seconds)):
                found = ordinary(installation.postfix, letters, arguments.rate, seconds)
                found.name = f"{name}, {when}"
                yield found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each attack")
    parser.add_argument("--rate", type=float, default=8.0, help="ordinary messages a second")
    parser.add_argument("--attackers", type=int, default=4, help="sessions that attack")
    parser.add_argument("--only", action="append", help="an attack's name; may be given again")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    names = arguments.only or [*ATTACKS]
    envelopes = envelopes_of(spread([p for p in corpus_paths() if "ham" in p.parent.name], MESSAGES))
    letters = cycle(envelopes)
    with PrivateDNS(zones(envelopes)) as dns:
        results = attacks(names, letters, dns, arguments)
        if not arguments.only:
            results += conditions(letters, dns, arguments)
    if arguments.json:
        print(json.dumps([asdict(one) for one in results], indent=2))
        return
    print(f"{'':<36}{'hostile':>20}{'ordinary: Tamis':>34}{'Postfix alone':>18}")
    heads = ("p50 ms", "p99 ms", "of quiet", "p99 ms", "of quiet")
    print(f"{'':<36}{'n':>5}{'s (most)':>15}{'n':>7}" + "".join(f"{head:>9}" for head in heads))
    for one in results:
        print(one.row(results[0]))


if __name__ == "__main__":
    main()
