"""`benchmarks/chaos`: is any copy lost, doubled, or somewhere else than its recipient's policy says?"""

from __future__ import annotations

import argparse
import json
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.chaos_faults import SENDERS, Chaos, Scene
from tests.real import Client, Envelope, PrivatePostgres, PrivateRedis, Sent, wait_until
from tests.real.support import private_directory
from tests.real.world import WORLD, ask_the_world, nothing_exists
from tests.road.installation import Installation, ham, spam

DOMAINS = {"example.com": "inbox", "example.org": "tag", "a.example": "junk", "b.example": "quarantine"}
"""What is done with spam in each domain."""
MAILBOXES = ("anna", "marie", "paul", "zoe")
POLICY = {
    "filters": {"cyrillic": {"state": "on"}, "knowledge": {"state": "off"}},
    "challenge": "off",
    "domains": {domain: {"outcome": outcome} for domain, outcome in DOMAINS.items()},
}
_STRANGER = Client("192.0.2.7")
_DISK = "256m"
_BATCH = 200
"""Messages that are sent before the next ones are made (beyond: nothing, they are sent after them)."""

Copy = tuple[int, str]
COLUMNS = ("once", "twice", "more", "tagged", "Junk", "held", "queued", "lost", "wrong")
BAD = ("queued", "lost", "wrong")


@contextmanager
def scene(store: str) -> Iterator[Scene]:
    """An installation whose state lies on a small disk of its own, with traps in its processes."""
    disk, traps = private_directory("disk"), private_directory("traps")
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "tamis-chaos", str(disk)], check=True)
    (disk / "state").mkdir()
    try:
        with ExitStack() as stack:
            stack.enter_context(nothing_exists())
            settings: dict[str, object] = {
                "state_directory": str(disk / "state"),
                "platform": {"domains": sorted(DOMAINS)},
                "milter": {"workers": 2, "drain": 2.0},
            }
            postgres = redis = None
            if store == "postgresql":
                postgres, redis = stack.enter_context(PrivatePostgres()), stack.enter_context(PrivateRedis())
                settings |= {"store": {"url": postgres.url}, "state": {"url": redis.url}}
            installation = stack.enter_context(
                Installation(
                    policy=POLICY,
                    settings=settings,
                    daemon={"module": "tests.road.faulty", "environment": {"TAMIS_TRAPS": str(traps)}},
                    domains=sorted(DOMAINS),
                    main={"default_transport": "world"},
                    master=WORLD,
                    mailboxes=[f"{local}@{domain}" for domain in DOMAINS for local in MAILBOXES],
                )
            )
            ask_the_world(installation.postfix)
            table = installation.postfix.parameter("transport_maps")
            installation.postfix.postconf(transport_maps=f"{table} {SENDERS}")
            installation.postfix.reload()
            yield Scene(installation, disk, traps, postgres, redis)
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def batches(messages: int, dice: random.Random) -> Iterator[list[Envelope]]:
    """Mail in batches: two in three are spam, for one to five recipients."""
    everybody = [f"{local}@{domain}" for domain in DOMAINS for local in MAILBOXES]
    numbers = range(1, messages + 1)
    for start in range(0, messages, _BATCH):
        yield [
            Envelope(
                "sender@example.net",
                tuple(dice.sample(everybody, dice.randint(1, 5))),
                spam(number) if is_spam(number) else ham(number),
                _STRANGER,
            )
            for number in numbers[start : start + _BATCH]
        ]


def is_spam(number: int) -> bool:
    """Whether a message is one."""
    return number % 3 != 0


def expected(number: int, recipient: str) -> str:
    """Where the copy belongs: inbox, tag, junk or quarantine."""
    return DOMAINS[recipient.partition("@")[2]] if is_spam(number) else "inbox"


def delivered(installation: Installation) -> dict[Copy, Counter[str]]:
    """What lies in the mailboxes: how many copies, and as what they are marked."""
    found: dict[Copy, Counter[str]] = {}
    for domain in DOMAINS:
        for local in MAILBOXES:
            who = f"{local}@{domain}"
            for message in installation.postfix.maildir(who):
                head = message.partition(b"\n\n")[0]
                number = re.search(rb"(?m)^Message-ID: <(\d+)@example\.net>", head)
                if number is None:
                    continue
                tagged = re.search(rb"(?m)^Subject: SPAM:", head) is not None
                flagged = re.search(rb"(?m)^X-Spam-Flag: YES", head) is not None
                kind = "tag" if tagged else "junk" if flagged else "inbox"
                found.setdefault((int(number[1]), who), Counter())[kind] += 1
    return found


def account(installation: Installation, sent: Sequence[Sent]) -> tuple[Counter[str], list[str]]:
    """The table, and what is bad about single copies."""
    boxes = delivered(installation)
    held = Counter(
        (int(one["message_id"].strip("<>").partition("@")[0]), one["recipient"])
        for one in installation.held()
    )
    queued = len(installation.postfix.mailq())
    table: Counter[str] = Counter({"queued": queued})
    bad: list[str] = []
    for one in sent:
        number = _number(one.envelope)
        for who in one.envelope.recipients:
            copy, wanted = (number, who), expected(number, who)
            marks = boxes.get(copy, Counter())
            copies = sum(marks.values()) + held[copy]
            right = held[copy] if wanted == "quarantine" else marks[wanted]
            table["once" if copies == 1 else "twice" if copies == 2 else "more" if copies else "lost"] += 1
            table["tagged"] += marks["tag"]
            table["Junk"] += marks["junk"]
            table["held"] += held[copy]
            if copies != right:
                table["wrong"] += 1
            if copies != right or not copies:
                bad.append(f"{number} to {who}: wanted {wanted}, found {dict(marks)}, held {held[copy]}")
    bad += [f"a bounce: {bounce[:300]!r}" for bounce in installation.postfix.bounces()]
    table["wrong"] += len(installation.postfix.bounces())
    return table, bad


def _number(envelope: Envelope) -> int:
    found = re.search(rb"<(\d+)@example\.net>", envelope.message)
    assert found is not None
    return int(found[1])


@dataclass
class Run:
    """What came of some messages: counts as in COLUMNS, the faults that happened, what is bad about single copies."""

    messages: int = 0
    copies: int = 0
    seconds: float = 0.0
    table: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    bad: list[str] = field(default_factory=list)

    def __add__(self, other: Run) -> Run:
        return Run(
            self.messages + other.messages,
            self.copies + other.copies,
            self.seconds + other.seconds,
            self.table + other.table,
            self.faults + other.faults,
            self.bad + other.bad,
        )

    def __str__(self) -> str:
        lines = (
            f"{self.messages} messages, {self.copies} copies, {self.faults.total()} faults, {self.seconds:.0f} s",
            "".join(f"{name:>8}" for name in COLUMNS),
            "".join(f"{self.table[name]:>8}" for name in COLUMNS),
            ", ".join(f"{name} {count}" for name, count in sorted(self.faults.items())),
            *self.bad[:50],
        )
        return "\n".join(lines)


def run(arguments: argparse.Namespace, messages: int, seed: int) -> Run:
    """One installation: send, break, mend, count."""
    begun = time.monotonic()
    sent: list[Sent] = []
    with scene(arguments.store) as place:
        installation = place.installation
        with Chaos(place, seed, arguments.at_once) as chaos:
            for batch in batches(messages, random.Random(seed)):
                chaos.check()
                sent += installation.postfix.send_many(
                    batch, sessions=arguments.sessions, attempts=10_000, retry_delay=0.3
                )
                print(f"seed {seed}: {len(sent)} sent, {chaos.happened.total()} faults", file=sys.stderr)
        for trap in place.traps.iterdir():
            trap.unlink()
        _wait_until_empty(installation)
        table, bad = account(installation, sent)
        bad += [f"never accepted: {one.replies}" for one in sent if not one.accepted]
        if bad and arguments.logs:
            logs = arguments.logs / str(seed)
            logs.mkdir(parents=True, exist_ok=True)
            (logs / "postfix.log").write_text(installation.postfix.log())
            (logs / "tamis.log").write_text(installation.daemon.log())
    copies = sum(len(one.envelope.recipients) for one in sent)
    return Run(len(sent), copies, time.monotonic() - begun, table, chaos.happened, bad)


def main() -> int:
    """Run, and print the sum."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=int, default=1, help="share the messages among so many runs, by seed")
    parser.add_argument("--at-once", type=int, default=2, help="faults at the same time")
    parser.add_argument("--sessions", type=int, default=8)
    parser.add_argument("--store", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--logs", type=Path, help="where to leave the logs if something is bad")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    total = Run()
    for seed in range(arguments.seed, arguments.seed + arguments.runs):
        total += run(arguments, arguments.messages // arguments.runs, seed)
        if arguments.runs > 1:
            print(f"up to seed {seed}: {total}", file=sys.stderr)
    print(json.dumps(asdict(total), indent=2) if arguments.json else total)
    return int(bool(total.bad) or any(total.table[name] for name in BAD))


def _wait_until_empty(installation: Installation) -> None:
    """Everything is well again: whatever waits is delivered now."""

    def empty() -> bool:
        installation.postfix.flush()
        return not installation.postfix.mailq()

    wait_until(empty, timeout=300, what="the queue to empty", detail=installation.daemon.failure_report)


if __name__ == "__main__":
    sys.exit(main())
