"""`benchmarks/console`: what the console's pages ask for, in a store of many verdicts, against the bounds they keep to.

stories made up -> History.add (whose CPU is divided) -> each question, `--rounds` times -> 95th percentile, bound
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

from tamis.contract.finding import Finding, Status
from tamis.database import history
from tamis.database.effective_labels import LabelSource
from tamis.database.history_search import Wanted
from tamis.database.roll_ups import Sums, counted
from tamis.database.sums import Days
from tamis.judging.story import Story, Told
from tamis.people.rights import Reach
from tamis.store import Store
from tests.real import PrivatePostgres

DOMAINS, MAILBOXES, DAYS = 40, 4000, 30
PLATFORM = Reach(frozenset({"platform"}))
DOMAIN, BUSY, QUIET = "domain7.example", "box7@domain7.example", "quiet@domain7.example"
_BATCH = 5000
T = TypeVar("T")
_FILTERS = tuple(f"filter_{n}" for n in range(42))
_WORDS = (
    "devis",
    "facture",
    "réunion",
    "photos",
    "offer",
    "invoice",
    "commande",
    "rappel",
    "résultats",
    "voyage",
)


@dataclass(frozen=True)
class Figure:
    """A question's 95th percentile in milliseconds, and the bound that it is held against."""

    question: str
    p95: float
    bound: float


def stories(verdicts: int, chance: random.Random) -> Iterator[tuple[str, Story]]:
    """Messages with so many recipients in all, over a month, the oldest first."""
    now, made, number = datetime.now(UTC), 0, 0
    while made < verdicts:
        copies = min(1 + (number % 5 == 0), verdicts - made)
        at = now - timedelta(days=DAYS) * (1 - made / verdicts)
        yield f"benchmark:{number}", story(number, at, copies, chance)
        made += copies
        number += 1


def story(number: int, at: datetime, copies: int, chance: random.Random) -> Story:
    """One message: half of it is wanted, a third is held."""
    decided = chance.choice(_FILTERS)
    told = chance.choices(
        [
            Told("ham", "inbox", "", "", chance.uniform(-3, 7), 7.5, "filter_1=1.5"),
            Told("spam", "quarantine", decided, "because", 0.0, 7.5, f"{decided}=spam,filter_2=1(shadow)"),
            Told("spam", "junk", "score", "because", chance.uniform(7.5, 20), 7.5, "filter_1=3,filter_3=6"),
        ],
        [60, 30, 10],
    )[0]
    sender = f"a{chance.randint(0, 20_000)}@d{int(chance.paretovariate(1.1)) % 5000}.example.net"
    recipients = tuple((mailbox(chance), told) for _ in range(copies))
    if number == 11:
        recipients = ((QUIET, told),)
    looks = tuple(look(name, number, chance) for name in _FILTERS)
    login, sender = ("box", BUSY) if number % 20 == 0 else ("", sender)
    subject = f"{chance.choice(_WORDS)} {chance.choice(_WORDS)} {number}"
    return Story(
        *(
            at,
            f"Q{number:X}",
            sender,
            f"192.0.2.{number % 250}",
            "mx.example.net",
            login,
            f"<{number}@x>",
            20_000,
        ),
        *(looks, recipients, f"t{number}", subject, f"Somebody <{sender}>", "mx1"),
    )


def look(name: str, number: int, chance: random.Random) -> Finding:
    """A finding as filters make them: most say nothing, a tenth says something of its own of each message."""
    seconds = chance.expovariate(50)
    if name.endswith("7"):
        return Finding(name, Status.HIT, "{number}", {"number": number}, seconds)
    status = chance.choices([Status.CLEAR, Status.SKIPPED, Status.UNAVAILABLE], [80, 19, 1])[0]
    return Finding(name, status, "nothing", {}, seconds)


def mailbox(chance: random.Random) -> str:
    """Somebody's: some have far more mail than others."""
    number = int(chance.paretovariate(0.6)) % MAILBOXES
    return f"box{number}@domain{number % DOMAINS}.example"


class Meter:
    """Divides the CPU of `History.add`: what the statistics take of it."""

    def __init__(self) -> None:
        self.counting = 0.0
        self.all = 0.0

    def add(self, store: Store, batch: list[tuple[str, Story]], here: Mapping[str, str]) -> None:
        """`History.add`, measured."""
        count, write = counted, Sums.write

        def summed(*arguments: Any) -> Sums:
            return self._timed(count, *arguments)

        def written(*arguments: Any) -> None:
            self._timed(write, *arguments)

        began = time.process_time()
        with mock.patch.object(history, "counted", summed), mock.patch.object(Sums, "write", written):
            store.history.add(batch, here)
        self.all += time.process_time() - began

    def _timed(self, call: Callable[..., T], *arguments: Any) -> T:
        began = time.process_time()
        try:
            return call(*arguments)
        finally:
            self.counting += time.process_time() - began

    @property
    def more(self) -> float:
        """What the statistics add to the rest, as a share of it."""
        return self.counting / (self.all - self.counting)


def fill(store: Store, verdicts: int, meter: Meter) -> None:
    """So many verdicts, and people's words on some."""
    here = {
        f"box{n}@domain{n % DOMAINS}.example": f"box{n}@domain{n % DOMAINS}.example" for n in range(MAILBOXES)
    }
    here[QUIET] = QUIET
    batch: list[tuple[str, Story]] = []
    for one in stories(verdicts, random.Random(12)):
        batch.append(one)
        if len(batch) == _BATCH:
            meter.add(store, batch, here)
            batch.clear()
    meter.add(store, batch, here)
    for number in range(0, 2000, 7):
        for who in (BUSY, QUIET):
            store.labels.say(f"t{number}", who, number % 2 == 0, LabelSource.RELEASE, who)


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
        read.filters(reach, month)
        read.latencies(month)
        read.scores(reach, month)
        read.questions(reach, since, now)
        read.partners(reach, month, limit=5)

    def mailboxes() -> None:
        found = read.mailboxes(domain, month)
        read.questions_by_mailbox(domain, since, now)
        read.entries_of([one.mailbox for one in found])
        read.quiet(domain, month, 50)

    def one_mailbox() -> None:
        own = Reach(frozenset({BUSY}))
        read.mailboxes(own, month, only=BUSY)
        read.by_day(own, month)

    find = store.history.find
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
        "how hosts are": (store.healths.all, 20),
    }


def timed(ask: Callable[[], object], rounds: int) -> float:
    """The 95th percentile of so many times, in milliseconds."""
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        ask()
        taken.append(1000 * (time.perf_counter() - began))
    return sorted(taken)[max(0, -(-95 * rounds // 100) - 1)]


def main() -> None:
    """Fill, ask, print, and say by the exit status whether all bounds are kept."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--verdicts", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--postgresql", action="store_true")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    meter = Meter()
    with ExitStack() as stack:
        if arguments.postgresql:
            url = stack.enter_context(PrivatePostgres()).create_database("console")
        else:
            url = f"sqlite:///{Path(stack.enter_context(tempfile.TemporaryDirectory())) / 'tamis.sqlite'}"
        store = stack.enter_context(Store(url))
        store.migrate()
        fill(store, arguments.verdicts, meter)
        figures = [
            Figure(name, timed(ask, arguments.rounds), bound)
            for name, (ask, bound) in questions(store).items()
        ]
    if arguments.json:
        told = {
            "verdicts": arguments.verdicts,
            "rounds": arguments.rounds,
            "postgresql": arguments.postgresql,
        }
        told |= {"figures": [asdict(one) for one in figures], "statistics_add": meter.more}
        sys.stdout.write(json.dumps(told, indent=2) + "\n")
    else:
        sys.stdout.write("\n".join(lines(arguments.verdicts, figures, meter)) + "\n")
    sys.exit(any(one.p95 > one.bound for one in figures))


def lines(verdicts: int, figures: list[Figure], meter: Meter) -> Iterator[str]:
    """The table."""
    yield f"{verdicts:,} verdicts"
    yield f"{'question':<34}{'95 % within ms':>15}{'bound':>9}"
    for one in figures:
        yield f"{one.question:<34}{one.p95:>15.1f}{one.bound:>9.0f}{'' if one.p95 <= one.bound else '  NOT KEPT'}"
    yield f"the statistics add {100 * meter.more:.1f} % to the CPU of History.add"


if __name__ == "__main__":
    main()
