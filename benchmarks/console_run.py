"""`benchmarks/console`: the console's pages and what they ask for, in a store of many verdicts, against their bounds.

a store of a month (console_store) -> each question to the store, each page over HTTP (console_pages), `--rounds` times
                                   -> 95th percentile by the clock, bound, mean and 95th percentile of the CPU time
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from benchmarks.console_pages import pages
from benchmarks.console_store import BUSY, DAYS, DOMAIN, QUIET, Meter, fill
from benchmarks.measuring import cpu_seconds
from tamis.database.counts import Days
from tamis.database.history_search import Wanted
from tamis.people.rights import Reach
from tamis.store import Store
from tests.real import PrivatePostgres

PLATFORM = Reach(frozenset({"platform"}))


@dataclass(frozen=True)
class Figure:
    """A question's 95th percentile in milliseconds, the bound that it is held against, and the mean and the 95th
    percentile of the CPU time in this process and in PostgreSQL, which a busy machine stretches less than the clock."""

    question: str
    p95: float
    bound: float
    cpu: float
    cpu_p95: float


def questions(store: Store) -> dict[str, tuple[Callable[[], object], float]]:
    """What is asked, each with its bound in milliseconds."""
    month = Days.until(datetime.now(UTC).date(), DAYS)
    since, now = datetime.now(UTC) - timedelta(days=DAYS), datetime.now(UTC)
    domain = Reach(frozenset({DOMAIN}))
    read = store.statistics

    def overview(reach: Reach) -> None:
        for days in (month, month.before):
            read.by_day(reach, days)
            read.by_decider(reach, days)
        read.labels(reach, month)
        if reach is PLATFORM:  # as the page asks
            read.latencies(month)
        else:
            read.filters(reach, month)
        read.scores(reach, month)
        read.questions(reach, since, now)
        read.partners(reach, month, limit=5)

    def mailboxes() -> None:
        names, _ = read.ranked(domain, month, "came", upwards=False, start=0, limit=50)
        read.mailboxes(domain, month, only=names)
        read.questions_by_mailbox(domain, since, now, names)
        read.entries_of(names)
        read.courses(names, month)
        read.quiet(domain, month, 50)

    def one_mailbox() -> None:
        own = Reach(frozenset({BUSY}))
        read.mailboxes(own, month, only=[BUSY])
        read.by_day(own, month)

    find, held = store.history.find, store.quarantine.list
    week = now - timedelta(days=7)
    return {
        "Overview, platform, 30 days": (lambda: overview(PLATFORM), 150),
        "Overview, a domain, 30 days": (lambda: overview(domain), 150),
        "table of mailboxes, a domain": (mailboxes, 150),
        "one mailbox": (one_mailbox, 150),
        "24 hours, platform": (lambda: read.by_hour(PLATFORM, now - timedelta(days=1), now), 150),
        "newest 50 of a quiet mailbox": (lambda: find(Wanted(scope=QUIET)), 20),
        "by sender": (lambda: find(Wanted(sender="a77@d1.example.net")), 30),
        "by a sender that is nobody": (lambda: find(Wanted(sender="nobody@nowhere.example")), 30),
        "by a sender's domain": (lambda: find(Wanted(sender="d3.example.net")), 30),
        "by queue id": (lambda: find(Wanted(queue_id="Q1F")), 10),
        "by words of the subject": (lambda: find(Wanted(subject="devis facture")), 50),
        "newest 50, platform, 7 days": (lambda: find(Wanted(reach=PLATFORM, since=week)), 50),
        "newest 50, a domain, 7 days": (lambda: find(Wanted(reach=domain, since=week)), 50),
        "a story": (lambda: store.history.get(77, PLATFORM), 100),
        "held, platform": (lambda: held(limit=101, reach=PLATFORM), 100),
        "held, a domain": (lambda: held(limit=101, reach=domain), 100),
        "held, a domain, by words": (lambda: held(limit=101, reach=domain, text="devis"), 100),
        "how hosts are": (store.healths.all, 20),
    }


def timed(
    name: str, ask: Callable[[], object], bound: float, rounds: int, server: Callable[[], float]
) -> Figure:
    """What so many times of asking took, after a first one; `server` says PostgreSQL's CPU seconds so far."""
    ask()
    taken, busy = [], []
    for _ in range(rounds):
        worked = server() + time.process_time()  # in this order: to ask for the server's costs, too
        began = time.perf_counter()
        ask()
        taken.append(1000 * (time.perf_counter() - began))
        busy.append(1000 * (time.process_time() + server() - worked))
    return Figure(name, _p95(taken), bound, sum(busy) / rounds, _p95(busy))


def _p95(taken: Sequence[float]) -> float:
    return sorted(taken)[max(0, -(-95 * len(taken) // 100) - 1)]


def main() -> None:
    """Fill, ask, print, and say by the exit status whether all bounds are kept."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--verdicts", type=int, default=1_000_000)
    parser.add_argument("--held", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--postgresql", action="store_true")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    meter = Meter()
    with ExitStack() as stack:
        server: Callable[[], float] = float
        if arguments.postgresql:
            postgres = stack.enter_context(PrivatePostgres())
            url, pids = postgres.create_database("console"), [postgres.pid]
            server = partial(cpu_seconds, pids)
        else:
            url = f"sqlite:///{Path(stack.enter_context(tempfile.TemporaryDirectory())) / 'tamis.sqlite'}"
        store = stack.enter_context(Store(url))
        store.migrate()
        began = time.monotonic()
        fill(store, arguments.verdicts, arguments.held, meter)
        sys.stderr.write(f"filled in {time.monotonic() - began:.0f} s\n")
        asked = questions(store) | stack.enter_context(pages(url))
        figures = [timed(name, ask, bound, arguments.rounds, server) for name, (ask, bound) in asked.items()]
    if arguments.json:
        told = {
            "verdicts": arguments.verdicts,
            "rounds": arguments.rounds,
            "postgresql": arguments.postgresql,
        }
        told |= {"figures": [asdict(one) for one in figures], "statistics_add": meter.more}
        sys.stdout.write(json.dumps(told, indent=2) + "\n")
    else:
        sys.stdout.write("\n".join(lines(arguments.verdicts, arguments.held, figures, meter)) + "\n")
    sys.exit(any(one.p95 > one.bound for one in figures))


def lines(verdicts: int, held: int, figures: list[Figure], meter: Meter) -> Iterator[str]:
    """The table."""
    yield f"{verdicts:,} verdicts, {held:,} held"
    yield f"{'question':<42}{'95 % within ms':>15}{'bound':>9}{'CPU ms':>9}{'95 %':>9}"
    for one in figures:
        kept = "" if one.p95 <= one.bound else "  NOT KEPT"
        yield f"{one.question:<42}{one.p95:>15.1f}{one.bound:>9.0f}{one.cpu:>9.1f}{one.cpu_p95:>9.1f}{kept}"
    yield f"the statistics add {100 * meter.more:.1f} % to the CPU of History.add"


if __name__ == "__main__":
    main()
