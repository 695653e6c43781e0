"""A store of a big site's month, made up: what `benchmarks/console` asks.

all but the newest -> rows made as History makes them -> inserted in bulk, statistics summed beside them
the newest MEASURED -> History.add (whose CPU is divided) -> the rest of the store is there already
held copies -> rows of the quarantine, a sixth of them with a sender who was asked
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, TypeVar
from unittest import mock

from sqlalchemy import func, insert, select

from tamis.contract.finding import Finding, Status
from tamis.database import history
from tamis.database.effective_labels import LabelSource
from tamis.database.history_rows import counted_message, owner_of, story_row, told_row
from tamis.database.roll_ups import Sums, counted
from tamis.database.schema import ChallengeRow, FindingRow, MessageRow, StoryRow, ToldRow
from tamis.judging.story import Story, Told, finding_content
from tamis.message.address import domain_of
from tamis.quarantine.records import new_id
from tamis.store import Store

DOMAINS, MAILBOXES, DAYS = 40, 4000, 30
DOMAIN, BUSY, QUIET = "domain7.example", "box7@domain7.example", "quiet@domain7.example"
MEASURED = 20_000
"""Verdicts that History.add keeps, so that its cost is measured in a store of the whole size."""
_BATCH = 5000
_LOOKS = 500
"""Sets of findings that messages have, each its own numbers."""
T = TypeVar("T")
Looks = Sequence[tuple[tuple[Finding, ...], tuple[int, ...]]]
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


def stories(verdicts: int, chance: random.Random, looks: Looks) -> Iterator[tuple[str, Story, Sequence[int]]]:
    """Messages with so many recipients in all, over a month, the oldest first, each with its findings' numbers."""
    now, made, number = datetime.now(UTC), 0, 0
    while made < verdicts:
        copies = min(1 + (number % 5 == 0), verdicts - made)
        at = now - timedelta(days=DAYS) * (1 - made / verdicts)
        findings, ids = chance.choice(looks)
        yield f"benchmark:{number}", story(number, at, copies, findings, chance), ids
        made += copies
        number += 1


def story(
    number: int, at: datetime, copies: int, findings: tuple[Finding, ...], chance: random.Random
) -> Story:
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
        *(findings, recipients, f"t{number}", subject, f"Somebody <{sender}>", "mx1"),
    )


def looks_of(chance: random.Random) -> tuple[Finding, ...]:
    """Findings as filters make them: most say nothing, a tenth says something of its own."""
    return tuple(_look(name, chance) for name in _FILTERS)


def _look(name: str, chance: random.Random) -> Finding:
    seconds = chance.expovariate(50)
    if name.endswith("7"):
        number = chance.randrange(10**9)
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


@dataclass
class _Bulk:
    """Rows that wait to be inserted together."""

    store: Store
    here: Mapping[str, str]
    held: int
    """Copies that may still go into the quarantine."""
    number: int
    messages: list[dict[str, Any]] = field(default_factory=list)
    told: list[dict[str, Any]] = field(default_factory=list)
    counted: list[Any] = field(default_factory=list)
    quarantined: list[dict[str, Any]] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)

    def add(self, name: str, one: Story, ids: Sequence[int]) -> None:
        """Keep one message, as `History.add` does."""
        self.number += 1
        row = story_row(name, one, ids) | {"id": self.number}
        rows = [
            told_row(self.number, place, who, told, owner_of(one, who, self.here))
            for place, (who, told) in enumerate(one.recipients)
        ]
        self.messages.append(row)
        self.told += rows
        self.counted.append(counted_message(row, one, iter(rows), {}))
        for place, (who, told) in enumerate(one.recipients):
            if told.outcome == "quarantine" and self.held:
                self.held -= 1
                self._hold(one, place, who, told)
        if len(self.messages) >= _BATCH:
            self.write()

    def _hold(self, one: Story, place: int, who: str, told: Told) -> None:
        asked = new_id(one.at) if self.held % 6 == 0 else None
        if asked is not None:
            self.asked.append(_challenge(asked, self.held // 6, one, who))
        self.quarantined.append(
            {
                "id": new_id(one.at),
                "transaction": f"{one.transaction}/{place}",
                "recipient": who,
                "mailbox": who,
                "domain": domain_of(who),
                "sender": one.sender,
                "header_from": one.header_from,
                "subject": one.subject,
                "search": f"{one.sender} {one.header_from} {one.subject}".casefold(),
                "message_id": one.message_id,
                "client_ip": one.client_ip,
                "helo": one.helo,
                "size": one.size,
                "received_at": one.at,
                "held_at": one.at,
                "expires_at": one.at + timedelta(days=2 * DAYS),
                "state": "held",
                "decided_by": told.decided_by,
                "because": told.because,
                "score": told.score,
                "required": told.required,
                "challenge": asked,
            }
        )

    def write(self) -> None:
        """Insert what waits."""
        with self.store._database.write() as session:
            for table, rows in (
                (StoryRow, self.messages),
                (ToldRow, self.told),
                (ChallengeRow, self.asked),
                (MessageRow, self.quarantined),
            ):
                if rows:
                    session.connection().execute(insert(table), rows)
            counted(self.counted, UTC).write(self.store._database, session)
        for waiting in (self.messages, self.told, self.counted, self.asked, self.quarantined):
            waiting.clear()


def _challenge(name: str, number: int, one: Story, who: str) -> dict[str, Any]:
    return {
        "id": name,
        "transaction": f"{one.transaction}/{number}",
        "domain": domain_of(who),
        "sender": one.sender,
        "sender_domain": domain_of(one.sender),
        "transport": "mail",
        "state": ("asked", "asked", "solved", "delivered")[number % 4],
        "reason": "",
        "authenticated": False,
        "whitelisted": False,
        "proof": "",
        "language": "en",
        "attempts": 0,
        "at": one.at,
        "sent_at": one.at,
        "expires_at": one.at + timedelta(days=2 * DAYS),
    }


def _known_looks(store: Store, chance: random.Random) -> Looks:
    """Sets of findings, and the numbers that the store has them by."""
    sets = [looks_of(chance) for _ in range(_LOOKS)]
    contents = sorted({finding_content(one) for looks in sets for one in looks})
    today = datetime.now(UTC).toordinal()
    rows = [
        {
            "id": number,
            "digest": hashlib.sha256(content).digest()[:16],
            "content": content,
            "last_day": today,
        }
        for number, content in enumerate(contents, 1)
    ]
    with store._database.write() as session:
        session.connection().execute(insert(FindingRow), rows)
        if not store._database.is_sqlite:
            for table in (FindingRow, StoryRow):
                _skip_numbers(session, table, 10_000_000)
    numbers = {content: number for number, content in enumerate(contents, 1)}
    return [(looks, tuple(numbers[finding_content(one)] for one in looks)) for looks in sets]


def _skip_numbers(session: Any, table: type[FindingRow | StoryRow], number: int) -> None:
    """Numbers that History.add gives out are beyond those that were given here."""
    session.execute(select(func.setval(func.pg_get_serial_sequence(table.__tablename__, "id"), number)))


def _with_own_looks(one: Story, chance: random.Random) -> Story:
    """With findings that no other message has, as each new one has some."""
    return replace(one, findings=looks_of(chance))


def fill(store: Store, verdicts: int, held: int, meter: Meter) -> None:
    """So many verdicts, so many held copies, and people's words on some."""
    here = {
        f"box{n}@domain{n % DOMAINS}.example": f"box{n}@domain{n % DOMAINS}.example" for n in range(MAILBOXES)
    }
    here[QUIET] = QUIET
    chance = random.Random(12)
    bulk = _Bulk(store, here, held, 0)
    made = stories(verdicts, chance, _known_looks(store, chance))
    for name, one, ids in islice(made, max(0, int((verdicts - MEASURED) / 1.2))):
        bulk.add(name, one, ids)
    bulk.write()
    while batch := [(name, _with_own_looks(one, chance)) for name, one, _ in islice(made, _BATCH)]:
        meter.add(store, batch, here)
    for number in range(0, 2000, 7):
        for who in (BUSY, QUIET):
            store.labels.say(f"t{number}", who, number % 2 == 0, LabelSource.RELEASE, who)
    if not store._database.is_sqlite:
        with store._database.connect() as connection:
            connection.exec_driver_sql("ANALYZE")  # as PostgreSQL does by itself before long
