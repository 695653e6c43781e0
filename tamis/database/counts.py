"""What is counted, in the forms in which pages, API and commands read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from tamis.judging.metrics import BUCKETS


@dataclass(frozen=True, slots=True)
class Days:
    """Days from the first to the last, both included."""

    first: date
    last: date

    @classmethod
    def until(cls, last: date, number: int) -> Days:
        """So many days, the last of them this one."""
        return cls(last - timedelta(days=number - 1), last)

    @property
    def number(self) -> int:
        """How many they are."""
        return (self.last - self.first).days + 1

    @property
    def before(self) -> Days:
        """As many days that end before these begin."""
        return Days.until(self.first - timedelta(days=1), self.number)

    def __iter__(self) -> Iterator[date]:
        return (self.first + timedelta(days=one) for one in range(self.number))


@dataclass(frozen=True, slots=True)
class DayCount:
    """Copies of a day; `outcome` begins with would_ where they were only observed, and octets are theirs."""

    day: date
    side: str
    outcome: str
    copies: int
    octets: int


@dataclass(frozen=True, slots=True)
class HourCount:
    """Copies of an hour, which begins at `at`."""

    at: datetime
    side: str
    outcome: str
    decided_by: str
    copies: int


@dataclass(frozen=True, slots=True)
class DeciderCount:
    """Copies by outcome and by the filter that decided: "score" when the total did, "" when nothing counted against
    the message."""

    side: str
    outcome: str
    decided_by: str
    copies: int


@dataclass(frozen=True, slots=True)
class FilterCount:
    """What a filter did, in copies: it decided, spoke (points or an effect), would have spoken in shadow, had no
    answer."""

    filter: str
    acted: int = 0
    spoke: int = 0
    shadow: int = 0
    unavailable: int = 0


@dataclass(frozen=True, slots=True)
class Latency:
    """How long a filter took on the whole platform: messages by `BUCKETS`, the last of which is open; microseconds."""

    filter: str
    messages: Sequence[int]
    micros: int
    unavailable: int
    skipped: int = 0
    """Messages about which it was not asked."""

    @property
    def looked(self) -> int:
        """Messages at which it looked, or tried to."""
        return sum(self.messages)

    def within(self, share: float = 0.95) -> float:
        """Seconds within which it was done with that share of the messages; inf for more than the longest step."""
        wanted, upto = share * self.looked, 0
        for end, number in zip((*BUCKETS, float("inf")), self.messages, strict=True):
            upto += number
            if upto >= wanted:
                return end
        return float("inf")


@dataclass(frozen=True, slots=True)
class PartnerCount:
    """Copies exchanged with a domain: "<>" are bounces, "" all that are not named."""

    partner: str
    copies: int
    held: int
    last: date


@dataclass(frozen=True, slots=True)
class ScoreCount:
    """Copies that no filter decided whose total lies between `low` and `low` + 0.5 points; `label` is wanted, unwanted
    or ""."""

    low: float
    decision: str
    label: str
    copies: int


@dataclass(frozen=True, slots=True)
class LabelCount:
    """Copies about which people spoke: see tamis.database.roll_ups.kind_of."""

    decided_by: str
    kind: str
    copies: int


@dataclass(frozen=True, slots=True)
class RuleCount:
    """Copies that met a rule; of `wanted` and `unwanted` people said so."""

    filter: str
    rule: str
    copies: int
    wanted: int
    unwanted: int


@dataclass(frozen=True, slots=True)
class MailboxCount:
    """A mailbox in numbers of copies: what came and went, by outcome (`came` has what is observed as well)."""

    mailbox: str
    domain: str
    came: int
    held: int
    junk: int
    sent: int
    last: date
    """The last day with mail."""
    caught_by: Mapping[str, int] = field(default_factory=dict)
    mistakes: int = 0


@dataclass(frozen=True, slots=True)
class Questions:
    """What became of held mail's senders: asked, answered, delivered since; why the others were not."""

    asked: int
    answered: int
    delivered: int
    not_asked: Mapping[str, int]
