"""A quarantine with many messages: what people wait for on its pages, and expiry beside mail that comes in."""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select

from benchmarks.statistics_table import ROOT, SPAM
from tamis.database.schema import DetailsRow, MessageRow
from tamis.message.address import PLATFORM
from tamis.message.envelope import Envelope, Recipient
from tamis.message.mail import Mail
from tamis.quarantine.records import HeldMessage, HeldRecord, new_id
from tamis.store import Store
from tests.real import PrivatePostgres

DOMAINS = 50
MAILBOXES = 40  # in each domain
CHUNK = 2000
ROUNDS = 30
ROOM = 2_000
"""Messages that are held while nothing else happens, and again beside the expiry, to compare."""


def samples() -> Iterator[tuple[HeldMessage, bytes]]:
    """Spam of the corpus as the desk would hold it."""
    for folder in SPAM:
        for path in sorted((ROOT / "corpus" / "spamassassin" / folder).glob("*.txt"))[:500]:
            content = path.read_bytes()
            mail = Mail(content)
            sender = mail.headers.first("return-path") or "<offer@example.net>"
            held = HeldMessage(
                transaction=path.name,
                recipients=(Recipient("marie@example.com"),),
                mailbox="marie@example.com",
                envelope=Envelope(client_ip="192.0.2.7", helo="mail.example.net", sender=sender.strip("<> ")),
                header_from=mail.headers.first("from") or "",
                subject=mail.subject or "",
                message_id=mail.message_id or "",
                decided_by="score",
                because="the total reaches the limit",
                findings=[{"filter": "x", "status": "clear", "because": "", "facts": {}, "seconds": 0.0}]
                * 40,
            )
            yield held, content


def fill(store: Store, messages: int, expired: int) -> None:
    """`messages` rows over all mailboxes; the `expired` oldest are past their time."""
    known = [store.quarantine.hold(held, content) for held, content in samples()]
    dice, now = random.Random(1), datetime.now(UTC)
    names = [column.key for column in MessageRow.__table__.c]
    with store._database.read() as session:
        found = session.scalars(select(MessageRow).where(MessageRow.id.in_(known))).all()
        rows = [{name: getattr(row, name) for name in names} for row in found]
        details = session.scalars(select(DetailsRow).limit(1)).one()
        wide = {"record": details.record, "findings_body": details.findings_body}
    for start in range(0, messages, CHUNK):
        made, also = [], []
        for number in range(start, min(start + CHUNK, messages)):
            at = now - timedelta(days=30) * (1 - number / messages)
            mailbox = f"box{dice.randrange(MAILBOXES)}@domain{dice.randrange(DOMAINS)}.example.com"
            one: dict[str, Any] = {
                "id": new_id(at),
                "transaction": f"m{number}",
                "recipient": mailbox,
                "mailbox": mailbox,
            }
            one |= {"domain": mailbox.partition("@")[2], "held_at": at, "received_at": at}
            one["expires_at"] = now - timedelta(hours=1) if number < expired else now + timedelta(days=30)
            made.append(dice.choice(rows) | one)
            also.append({"id": one["id"], **wide})
        with store._database.write() as session:
            session.execute(insert(MessageRow), made)
            session.execute(insert(DetailsRow), also)


def median_ms(call: Callable[[], object], rounds: int = ROUNDS) -> dict[str, float]:
    """Milliseconds of one call: median and most of `rounds`."""
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        call()
        took.append((time.perf_counter() - began) * 1000)
    return {"median": round(statistics.median(took), 2), "most": round(max(took), 2)}


def looks(store: Store) -> dict[str, dict[str, float]]:
    """What a page waits for."""
    quarantine = store.quarantine
    mailbox, domain = "box7@domain7.example.com", "domain7.example.com"
    page = quarantine.list(PLATFORM, limit=50)
    deep = quarantine.list(PLATFORM, limit=20_000)[-1].id
    some = iter(quarantine.list(PLATFORM, limit=200))

    def deliver(record: HeldRecord, content: bytes) -> str:
        assert content
        return ""

    return {
        "list, platform": median_ms(lambda: quarantine.list(PLATFORM, limit=50)),
        "list, platform, 20,000 down": median_ms(lambda: quarantine.list(PLATFORM, limit=50, before=deep)),
        "list, domain": median_ms(lambda: quarantine.list(domain, limit=50)),
        "list, mailbox": median_ms(lambda: quarantine.list(mailbox, limit=50)),
        "count, mailbox": median_ms(lambda: quarantine.count(mailbox)),
        "count, domain": median_ms(lambda: quarantine.count(domain)),
        "count, platform": median_ms(quarantine.count),
        "search, mailbox": median_ms(lambda: quarantine.list(mailbox, text="mortgage")),
        "search, domain": median_ms(lambda: quarantine.list(domain, text="mortgage")),
        "search, platform": median_ms(lambda: quarantine.list(PLATFORM, text="mortgage")),
        "search, platform, nothing found": median_ms(
            lambda: quarantine.list(PLATFORM, text="no such words anywhere"), rounds=5
        ),
        "show": median_ms(lambda: quarantine.get(page[0].id)),
        "preview (content)": median_ms(lambda: quarantine.content(page[0].id)),
        "release": median_ms(lambda: quarantine.release(next(some).id, "benchmark", deliver)),
        "delete": median_ms(lambda: quarantine.delete(next(some).id, "benchmark")),
    }


def holding(store: Store, stop: Callable[[], bool]) -> list[float]:
    """Milliseconds of each `hold`, one after the other until `stop`."""
    took: list[float] = []
    kept = list(samples())
    while not stop():
        held, content = kept[len(took) % len(kept)]
        again = HeldMessage(
            **{n: getattr(held, n) for n in HeldMessage.__dataclass_fields__}
            | {"transaction": f"new {len(took)} {time.time()}"}
        )
        began = time.perf_counter()
        store.quarantine.hold(again, content)
        took.append((time.perf_counter() - began) * 1000)
    return took


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of the values lie."""
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 2)


def expiry(store: Store) -> dict[str, float]:
    """An expiry of everything that is over, beside mail that comes in."""
    quiet_left = iter(range(ROOM))
    quiet = holding(store, lambda: next(quiet_left, None) is None)
    done = threading.Event()
    count: list[int] = []

    def expire() -> None:
        count.append(store.expiry.run())
        done.set()

    began = time.perf_counter()
    threading.Thread(target=expire, daemon=True).start()
    beside = holding(store, done.is_set)
    return {
        "expired": count[0],
        "seconds": round(time.perf_counter() - began, 1),
        "held meanwhile": len(beside),
        "hold ms, quiet, median": percentile(quiet, 0.5),
        "hold ms, quiet, p99": percentile(quiet, 0.99),
        "hold ms, beside, median": percentile(beside, 0.5),
        "hold ms, beside, p99": percentile(beside, 0.99),
    }


@contextmanager
def stores(*, postgresql: bool) -> Iterator[list[tuple[str, str]]]:
    """(name, URL) of each store to measure."""
    with tempfile.TemporaryDirectory() as folder:
        found = [("SQLite", f"sqlite:///{Path(folder) / 'tamis.sqlite'}")]
        if not postgresql:
            yield found
            return
        with PrivatePostgres() as server:
            yield [*found, ("PostgreSQL", server.url)]


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--messages", type=int, default=200_000)
    options.add_argument("--expire", type=int, default=100_000)
    options.add_argument("--postgresql", action="store_true")
    options.add_argument("--json", action="store_true")
    chosen = options.parse_args()
    result: dict[str, object] = {"messages": chosen.messages}
    with stores(postgresql=chosen.postgresql) as found:
        for name, url in found:
            with Store(url) as store:
                store.migrate()
                fill(store, chosen.messages, chosen.expire)
                if name == "PostgreSQL":
                    with store._database.engine.connect().execution_options(
                        isolation_level="AUTOCOMMIT"
                    ) as connection:
                        connection.exec_driver_sql("ANALYZE")  # autovacuum would, a minute later
                looked, expired = looks(store), expiry(store)
            result[name] = {"ms": looked, "expiry": expired}
            if chosen.json:
                continue
            print(f"{name}, {chosen.messages:,} messages: ms, median (most)")
            for what, ms in looked.items():
                print(f"    {what:<34} {ms['median']:8.2f} ({ms['most']:.2f})")
            for what, value in expired.items():
                print(f"    {what:<34} {value:8g}")
    if chosen.json:
        print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
