"""The mail of `benchmarks/chaos`, where each copy of it belongs, and the count of where they are."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.real import Client, Envelope, Sent
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
_BATCH = 200
"""Messages that are sent before the next ones are made (beyond: nothing, they are sent after them)."""

Copy = tuple[int, str]
COLUMNS = ("once", "twice", "more", "tagged", "Junk", "held", "queued", "lost", "wrong")
BAD = ("queued", "lost", "wrong")


def batches(numbers: range, dice: random.Random) -> Iterator[list[Envelope]]:
    """Mail in batches: two in three are spam, for one to five recipients."""
    everybody = [f"{local}@{domain}" for domain in DOMAINS for local in MAILBOXES]
    for start in range(0, len(numbers), _BATCH):
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


@dataclass
class Found:
    """What lies about after all: in the mailboxes by copy and mark, in Postfix's queue, bounces."""

    boxes: dict[Copy, Counter[str]] = field(default_factory=dict)
    queued: int = 0
    bounces: list[bytes] = field(default_factory=list)

    def __add__(self, other: Found) -> Found:
        boxes = {
            copy: self.boxes.get(copy, Counter()) + other.boxes.get(copy, Counter())
            for copy in {**self.boxes, **other.boxes}
        }
        return Found(boxes, self.queued + other.queued, self.bounces + other.bounces)


def look(installation: Installation) -> Found:
    """What lies about on one host."""
    found = Found(queued=len(installation.postfix.mailq()), bounces=list(installation.postfix.bounces()))
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
                found.boxes.setdefault((int(number[1]), who), Counter())[kind] += 1
    return found


def account(
    found: Found, held: Sequence[Mapping[str, Any]], sent: Sequence[Sent]
) -> tuple[Counter[str], list[str]]:
    """The table, and what is bad about single copies. `held` is what `tamis quarantine list --json` shows."""
    kept = Counter((int(one["message_id"].strip("<>").partition("@")[0]), one["recipient"]) for one in held)
    table: Counter[str] = Counter({"queued": found.queued})
    bad = [f"never accepted: {one.replies}" for one in sent if not one.accepted]
    for one in sent:
        number = _number(one.envelope)
        for who in one.envelope.recipients:
            copy, wanted = (number, who), expected(number, who)
            marks = found.boxes.get(copy, Counter())
            copies = sum(marks.values()) + kept[copy]
            right = kept[copy] if wanted == "quarantine" else marks[wanted]
            table["once" if copies == 1 else "twice" if copies == 2 else "more" if copies else "lost"] += 1
            table["tagged"] += marks["tag"]
            table["Junk"] += marks["junk"]
            table["held"] += kept[copy]
            if copies != right:
                table["wrong"] += 1
            if copies != right or not copies:
                bad.append(f"{number} to {who}: wanted {wanted}, found {dict(marks)}, held {kept[copy]}")
    bad += [f"a bounce: {bounce[:300]!r}" for bounce in found.bounces]
    table["wrong"] += len(found.bounces)
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

    @property
    def is_good(self) -> bool:
        """Whether every copy is where it belongs."""
        return not self.bad and not any(self.table[name] for name in BAD)
