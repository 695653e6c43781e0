"""Where a message's processor time goes (see benchmarks/where).

A clock is put around the functions that do a part, by the kernel's processor time of their thread; it adds some tenths
of a millisecond to the sum. The DNS server is another process.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import click

from benchmarks.made_up_dns import MadeUpDNS
from benchmarks.measuring import ROOT
from benchmarks.same_run import ChancyWorld, configuration, learn, messages
from tamis.base.derived import derived
from tamis.chain import road
from tamis.chain.examination import Examination
from tamis.chain.inquiry import FilterLook, Inquiry, Kind, kind_of
from tamis.chain.open_services import open_services
from tamis.chain.registry import load_filters
from tamis.contract.filter import Filter
from tamis.judging.site import Site
from tamis.judging.stored_policy import Snapshot
from tamis.judging.story import Remembered, to_line
from tamis.message.envelope import Envelope, Recipient
from tamis.message.mail import Mail
from tamis.models.site_model import SiteModel
from tamis.rules.book import RuleBook
from tamis.services.runner import Runner
from tamis.settings import SettingsFile

_WARM = 100

GROUPS: Mapping[str, tuple[str, ...]] = {
    "filters: statistics": ("statistics",),
    "filters: authentication": ("spf", "dkim", "arc", "dmarc"),
    "filters: lists in the DNS, names of hosts": (
        *("dnsbl", "uribl", "helo", "reverse_dns", "sender_mx", "missing_sender", "lookalike_domain"),
    ),
    "filters: rules": ("keywords", "keyword_exceptions", "rule_logic", "knowledge"),
    "filters: lists of the site": (
        *("ip_whitelist", "ip_blacklist", "sender_whitelist", "sender_blacklist", "authenticated_whitelist"),
        *("automatic_whitelist", "authenticated_automatic_whitelist"),
    ),
}
"""Filters by what they do."""
_READING = "reading the message"
_OTHER_FILTERS = "filters: others"
_ELSE = "running filters, and the rest"
_THREADS = {"filters": "event loop, DNS client", "state": "shared state's thread"}
"""Threads by the beginning of their names, and what they do beside the parts."""


def part_of(one: Filter[Any]) -> str:
    """The part that a filter belongs to."""
    return next((part for part, names in GROUPS.items() if one.name in names), _OTHER_FILTERS)


class Clock:
    """Seconds of processor time by part. A part within another is not counted for the outer one."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._own = threading.local()
        self._in_parts: dict[str, float] = defaultdict(float)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """What is done in this thread now is of a part."""
        stack = self._own.__dict__.setdefault("stack", [])
        self._charge(stack)
        stack.append(name)
        try:
            yield
        finally:
            self._charge(stack)
            stack.pop()

    def _charge(self, stack: list[str]) -> None:
        now = time.thread_time()
        if stack:
            spent = now - self._own.since
            self.seconds[stack[-1]] += spent
            self._in_parts[threading.current_thread().name] += spent
        self._own.since = now

    def wrapped(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """A function as a part."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.part(name):
                return call(*args, **kwargs)

        return timed

    def forget(self) -> None:
        """What was measured so far."""
        self.seconds.clear()
        self._in_parts.clear()
        self._before = _of_threads()

    def rest_of_threads(self) -> None:
        """Count what other threads did outside of parts."""
        for name, spent in _of_threads().items():
            self.seconds[_THREADS[name]] += spent - self._before.get(name, 0.0) - self._in_parts[name]


def _of_threads() -> dict[str, float]:
    """Processor time of the other threads that are counted, by their names."""
    return {
        one.name: time.clock_gettime(time.pthread_getcpuclockid(one.ident))
        for one in threading.enumerate()
        if one.name in _THREADS and one.ident is not None
    }


def take_the_time(clock: Clock, filters: Sequence[Filter[Any]]) -> None:
    """Put the clock around the parts, for the rest of this process."""
    places: list[tuple[str, Any, str]] = [
        (_READING, Mail, "__init__"),
        (_READING, Mail, "addresses"),
        ("filters: statistics", SiteModel, "read"),
        ("filters: rules", RuleBook, "match"),
        ("judging", road, "judge_each"),
        ("headers", road, "common_headers"),
        ("headers", road, "authentication_results"),
        ("handing over to the event loop", Runner, "call"),
        ("waiting for the event loop", Examination, "_await"),
    ]
    for part, owner, name in places:
        setattr(owner, name, clock.wrapped(part, getattr(owner, name)))
    for one in filters:
        if kind_of(type(one)) is Kind.PLAIN:
            setattr(one, "examine", clock.wrapped(part_of(one), one.examine))  # noqa: B010 - of this instance alone
    advance, derive = Inquiry._advance, derived.__get__

    def advanced(look: Inquiry, answers: list[Any] | None) -> None:
        with clock.part(part_of(look.filter) if isinstance(look, FilterLook) else _OTHER_FILTERS):
            advance(look, answers)

    def derive_timed(self: derived[Any], instance: object, owner: type) -> Any:
        if not type(instance).__module__.startswith("tamis.message"):
            return derive(self, instance, owner)
        with clock.part(_READING):
            return derive(self, instance, owner)

    setattr(Inquiry, "_advance", advanced)  # noqa: B010 - mypy takes it for a mistake
    setattr(derived, "__get__", derive_timed)  # noqa: B010


def _serve(told: Connection) -> None:
    with MadeUpDNS(ChancyWorld()) as dns:
        told.send(dns.address)
        told.recv()


@contextmanager
def _made_up_dns() -> Iterator[str]:
    """The address of a DNS server in a process of its own."""
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,))
    server.start()
    try:
        yield ours.recv()
    finally:
        ours.send("over")
        server.join()


@dataclass(frozen=True)
class Household:
    """One process that examines, as a worker does."""

    site: Site
    services: Any
    clock: Clock
    runner: Runner = field(default_factory=Runner)

    def examine(self, number: int, asked: Mapping[str, Any], raw: bytes) -> None:
        """All that is done with one message, but for the session with Postfix."""
        told = Envelope(
            client_ip=asked["ip"],
            helo=asked["helo"],
            sender=asked["sender"],
            login=asked["login"],
            recipients=tuple(map(Recipient, asked["recipients"])),
            received_at=datetime(2026, 3, 1, 12, 0, tzinfo=UTC) + timedelta(seconds=number),
        )
        way = road.Road(self.site, self.runner, self.services)
        way.mail_from(replace(told, recipients=()))
        mail = Mail(raw)
        examined = way.end_of_message(told, mail)
        message_id = mail.message_id or ""
        with self.clock.part("story"):
            to_line(told, examined.findings, examined.judged, Remembered(message_id, mail.size))


def measure(number: int, rounds: int) -> tuple[Mapping[str, float], int]:
    """Seconds by what was done, and how many messages were examined."""
    asked = [one for one in messages(number) if "corpus" in one["path"]]
    raws = [Path(one["path"]).read_bytes() for one in asked]
    raws = [raw.partition(b"\n")[2] if raw.startswith(b"From ") else raw for raw in raws]
    clock = Clock()
    with tempfile.TemporaryDirectory(prefix="tamis-where-") as made, _made_up_dns() as dns:
        folder = Path(made)
        config = configuration(folder, dns)
        (folder / "state").mkdir()
        learn(ROOT, config)
        file = SettingsFile(config, config.read_text())
        filters = load_filters()
        household = Household(Site.build(file, filters, Snapshot()), open_services(file.settings), clock)
        take_the_time(clock, filters)
        for at in range(min(_WARM, len(asked))):
            household.examine(at, asked[at], raws[at])
        clock.forget()
        for at in range(rounds * len(asked)):
            one = at % len(asked)
            with clock.part(_ELSE):
                household.examine(_WARM + at, asked[one], raws[one])
        clock.rest_of_threads()
    return clock.seconds, rounds * len(asked)


def table(seconds: Mapping[str, float], number: int) -> Iterator[str]:
    """The lines, the dearest part first."""
    total = sum(seconds.values())
    yield "| part | CPU ms a message | share |"
    yield "|---|---|---|"
    for part, spent in sorted(seconds.items(), key=lambda one: -one[1]):
        yield f"| {part} | {spent / number * 1000:.3f} | {spent / total:.1%} |"
    yield f"| **all** | {total / number * 1000:.3f} | |"


@click.command()
@click.option("--messages", "number", default=500, help="Messages of the corpus.")
@click.option("--rounds", default=3, help="Times that each is examined.")
@click.option("--json", "as_json", is_flag=True)
def main(number: int, rounds: int, *, as_json: bool) -> None:
    """Measure and print."""
    seconds, examined = measure(number, rounds)
    if as_json:
        click.echo(json.dumps({part: spent / examined * 1000 for part, spent in seconds.items()}, indent=2))
    else:
        click.echo("\n".join(table(seconds, examined)))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
