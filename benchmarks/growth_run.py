"""`benchmarks/growth`: what a message, a change and memory cost as lists, policies and recipients grow.

As in the daemon, one process reads the snapshot and forks those that serve; another one, with the store, publishes.
"""

from __future__ import annotations

import gc
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import click
from sqlalchemy import insert

from tamis.chain.registry import load_filters
from tamis.chain.road import Road
from tamis.contract.lists import Colour, Subject
from tamis.contract.service_protocols import Services
from tamis.database.list_entries import NewEntry, changed
from tamis.database.schema import EntryRow, OverrideRow
from tamis.installation.publishing import Publisher
from tamis.installation.site_loading import SiteSource
from tamis.judging.site import Site
from tamis.message.address import PLATFORM
from tamis.message.envelope import Envelope, Recipient
from tamis.message.mail import Mail
from tamis.services.runner import Runner
from tamis.store import Store

PROCESSES = 4
"""Beside the one that publishes: two workers, the desk, the pages."""
_NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
_MESSAGES = 60
_AT_ONCE = 20_000
_RAW = (
    b"From: Ann <ann@example.net>\r\nTo: user0@d0.example.com\r\nSubject: The minutes of our meeting\r\n"
    b"Message-ID: <%d@example.net>\r\nDate: Sun, 01 Mar 2026 12:00:00 +0000\r\n\r\n"
    + b"Here are the minutes that you asked for, with all that was said.\r\n"
    * 40
)


@dataclass(frozen=True)
class Row:
    """One size, and what it costs."""

    entries: int
    policies: int
    first_seconds: float
    """CPU to publish everything for the first time."""
    list_change: float
    """CPU milliseconds of all processes for one more list entry, the median."""
    list_change_process: float
    """The most of it in one process that serves: no message in it waits longer."""
    policy_change: float
    policy_change_process: float
    message: Mapping[int, float]
    """CPU milliseconds of a message by its number of recipients."""
    look_up: float
    """CPU microseconds for one message's questions to the lists."""
    megabytes: float
    """PSS of all processes together, after the messages and the changes."""
    private: float
    """Megabytes that one of them has for itself alone."""


class Serving:
    """A forked process that takes up changes and examines, as it is told."""

    def __init__(self, source: SiteSource, site: Site) -> None:
        self._pipe, theirs = Pipe()
        self.pid = os.fork()
        if self.pid == 0:
            self._pipe.close()
            _serve(theirs, source, site)
            os._exit(0)
        theirs.close()

    def __call__(self, what: str, *arguments: Any) -> Any:
        """Have something done, and wait for what comes of it."""
        self._pipe.send((what, *arguments))
        return self._pipe.recv()

    def end(self) -> None:
        """Have it end."""
        self._pipe.send(("end",))
        os.waitpid(self.pid, 0)


def _serve(pipe: Connection, source: SiteSource, site: Site) -> None:
    runner = Runner()
    while True:
        what, *arguments = pipe.recv()
        began = time.process_time()
        if what == "take up":
            site = source.fresh(site) or site
            pipe.send((site.revision, time.process_time() - began))
        elif what == "messages":
            recipients, number = arguments
            for at in range(number):
                _examine(site, runner, recipients, at)
            pipe.send((time.process_time() - began) / number)
        elif what == "look up":
            pipe.send(_look_up(site))
        elif what == "memory":
            gc.collect()
            pipe.send(_memory(os.getpid()))
        else:
            return


def _examine(site: Site, runner: Runner, recipients: Sequence[str], number: int) -> None:
    told = Envelope(
        client_ip="192.0.2.7",
        helo="mail.example.net",
        sender="ann@example.net",
        recipients=tuple(map(Recipient, recipients)),
        received_at=_NOW,
    )
    way = Road(site, runner, Services())
    way.end_of_message(told, Mail(_RAW % number))


def _look_up(site: Site, times: int = 2000) -> float:
    told = Envelope(client_ip="192.0.2.7", sender="ann@news.example.net", received_at=_NOW)
    mail, scopes = Mail(_RAW % 1), frozenset({PLATFORM, "d0.example.com", "user0@d0.example.com"})
    site.lists.matches(told, mail, scopes)
    began = time.process_time()
    for _ in range(times):
        site.lists.matches(told, mail, scopes)
    return (time.process_time() - began) / times


def _memory(pid: int) -> tuple[float, float]:
    """(PSS, private) in megabytes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    return kilobytes["Pss"] / 1024, (kilobytes["Private_Clean"] + kilobytes["Private_Dirty"]) / 1024


def fill(store: Store, entries: int, policies: int) -> None:
    """Put list entries and policies into the store."""
    rows = (
        {
            "scope": PLATFORM if n % 4 else f"d{n % 5000}.example.com",
            "colour": "white" if n % 3 else "black",
            "subject": "sender" if n % 5 else "ip",
            "pattern": f"person{n}@sub{n % 997}.example.org"
            if n % 5
            else f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}",
            "origin": "manual",
            "author": "root",
            "note": "",
            "created": _NOW,
            "expires": None,
            "hits": 0,
        }
        for n in range(entries)
    )
    overrides = (
        {"scope": f"d{n}.example.com", "key": key, "value": value, "author": "root", "at": _NOW}
        for n in range(policies)
        for key, value in (
            ("required", 5 + n % 40 / 10),
            ("filters.keywords.state", "shadow" if n % 2 else "on"),
        )
    )
    with store._database.write() as session:
        changed(session)
        for table, these in ((EntryRow, rows), (OverrideRow, overrides)):
            waiting: Iterator[dict[str, Any]] = iter(these)
            while chunk := [row for row, _ in zip(waiting, range(_AT_ONCE), strict=False)]:
                session.execute(insert(table), chunk)


@contextmanager
def processes(source: SiteSource, site: Site) -> Iterator[list[Serving]]:
    """Those that serve, forked from this one as the supervisor does it."""
    gc.collect()
    gc.freeze()
    made = [Serving(source, site) for _ in range(PROCESSES)]
    try:
        yield made
    finally:
        for one in made:
            one.end()
        gc.unfreeze()


def measure(entries: int, policies: int, recipients: Sequence[int], changes: int) -> Row:
    """One size."""
    with tempfile.TemporaryDirectory(prefix="tamis-growth-") as made:
        folder = Path(made)
        config = folder / "tamis.toml"
        config.write_text(f'state_directory = "{folder}"\nrun_directory = "{folder}"\n')
        with Store(f"sqlite:///{folder}/tamis.sqlite") as store:
            store.migrate()
            fill(store, entries, policies)
        source = SiteSource(config, load_filters())
        snapshot = source.file.settings.snapshot_file
        first = _in_a_child(lambda: _publish(folder, snapshot))
        site = source.read()
        with processes(source, site) as serving, Store(f"sqlite:///{folder}/tamis.sqlite") as store:
            publisher = Publisher(snapshot, store)
            publisher.publish()

            def change(does: Callable[[int], Any]) -> tuple[float, float]:
                sums, most = [], 0.0
                for number in range(changes):
                    does(number)
                    began = time.process_time()
                    publisher.publish()
                    spent = time.process_time() - began
                    taken = [one("take up") for one in serving]
                    assert {revision for revision, _ in taken} == {store.revision()}
                    sums.append(spent + sum(seconds for _, seconds in taken))
                    most = max(most, *(seconds for _, seconds in taken))
                return statistics.median(sums) * 1000, most * 1000

            one_more = NewEntry(colour=Colour.BLACK, subject=Subject.SENDER, pattern="x.example")
            lists = change(lambda n: store.lists.add([_numbered(one_more, n)]))
            policy = change(
                lambda n: store.overrides.set(
                    f"d{n}.example.com", "required", 3 + n / 100, by="root", check=_good
                )
            )
            messages: dict[int, float] = {}
            for many in recipients:
                to = [f"user{n}@d{n}.example.com" for n in range(many)]
                serving[0]("messages", to, 5)
                messages[many] = (
                    statistics.median(serving[0]("messages", to, _MESSAGES // 3) for _ in range(3)) * 1000
                )
            look_up = statistics.median(serving[0]("look up") for _ in range(3)) * 1e6
            memory = [one("memory") for one in serving]
    return Row(
        entries,
        policies,
        first,
        *lists,
        *policy,
        messages,
        look_up,
        sum(pss for pss, _ in memory),
        statistics.median(private for _, private in memory),
    )


def _numbered(entry: NewEntry, number: int) -> NewEntry:
    return NewEntry(colour=entry.colour, subject=entry.subject, pattern=f"n{number}.{entry.pattern}")


def _good(*_: object) -> None:
    """Any setting is good."""


def _publish(folder: Path, snapshot: Path) -> None:
    with Store(f"sqlite:///{folder}/tamis.sqlite") as store:
        Publisher(snapshot, store).publish()


def _in_a_child(does: Callable[[], None]) -> float:
    """CPU seconds of something that is done in a process of its own."""
    pid = os.fork()
    if pid == 0:
        does()
        os._exit(0)
    _, status, used = os.wait4(pid, 0)
    assert status == 0
    return used.ru_utime + used.ru_stime


def table(rows: Sequence[Row], recipients: Sequence[int]) -> Iterator[str]:
    """The lines."""
    heads = [f"message to {many}, ms" for many in recipients]
    yield (
        "| entries | policies | first, s | list change, ms | most in one | policy change, ms | most in one | "
        + " | ".join(heads)
        + " | lists, us | PSS, MB | private each, MB |"
    )
    yield "|" + "---:|" * (10 + len(recipients))
    for one in rows:
        cells = [
            f"{one.entries:,}",
            f"{one.policies:,}",
            f"{one.first_seconds:.2f}",
            *(f"{x:.1f}" for x in (one.list_change, one.list_change_process)),
            *(f"{x:.1f}" for x in (one.policy_change, one.policy_change_process)),
            *(f"{one.message[many]:.1f}" for many in recipients),
            f"{one.look_up:.0f}",
            f"{one.megabytes:.0f}",
            f"{one.private:.0f}",
        ]
        yield "| " + " | ".join(cells) + " |"


@click.command()
@click.option("--entries", multiple=True, type=int, default=(1_000, 100_000, 1_000_000))
@click.option("--policies", multiple=True, type=int, default=(100, 10_000))
@click.option("--recipients", multiple=True, type=int, default=(1, 50, 200))
@click.option("--changes", default=20)
@click.option("--json", "as_json", is_flag=True)
def main(
    entries: Sequence[int], policies: Sequence[int], recipients: Sequence[int], changes: int, *, as_json: bool
) -> None:
    """Measure and print: entries with the fewest policies, then policies with the fewest entries."""
    sizes = [(many, min(policies)) for many in entries] + [(min(entries), many) for many in policies[1:]]
    rows = [measure(*size, recipients, changes) for size in sizes]
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        click.echo("\n".join(table(rows, recipients)))


if __name__ == "__main__":
    main()
