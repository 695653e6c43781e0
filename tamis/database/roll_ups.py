"""Sums of what came and where it went, made message by message in memory and added to the store in one go.

    stories of a batch  -> Sums -> added to statistics_*, in the transaction that keeps the stories: each counts once
    a day of the history -> Sums -> the same, after the day's rows are gone (`tamis statistics rebuild`)

Both ways count the same: only what the history keeps is looked at, in the form in which it keeps it.
"""

from __future__ import annotations

import math
from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import cache, lru_cache

import numpy as np
from sqlalchemy.orm import Session

from tamis.contract.finding import Status
from tamis.database.connection import Database
from tamis.database.schema import Base
from tamis.database.statistics_schema import (
    DayRow,
    DomainRow,
    FilterRow,
    HourRow,
    LabelCountRow,
    PartnerRow,
    RuleCountRow,
    ScoreRow,
)
from tamis.judging.met_rules import NO_RULES, MetRules
from tamis.judging.metrics import BUCKETS
from tamis.judging.story import Told
from tamis.judging.verdict import SCORE
from tamis.message.address import domain_of, mailbox_of

LOCK = "statistics"
"""Of who adds to the sums or makes them anew."""

BIN = 0.5
"""Points of a step of the histogram of totals."""
_LOWEST, _HIGHEST = -100, 200
"""The outermost steps (beyond: totals are counted in these)."""

NOBODY = "<>"
"""The partner of what has no sender: bounces."""
OTHERS = ""
"""All partners that are not named."""
_MAX_PARTNER = 255
"""Characters of a partner's domain (beyond: it counts among the others)."""

WOULD = "would_"
"""Before the outcome of copies that are only observed."""

STOPPED = frozenset({"tag", "junk", "quarantine"})
"""Outcomes that a wanted message must not have."""
WANTED_STOPPED, UNWANTED_PASSED = "wanted_stopped", "unwanted_passed"
WANTED_PASSED, UNWANTED_STOPPED = "wanted_passed", "unwanted_stopped"
MISTAKES = (WANTED_STOPPED, UNWANTED_PASSED)
"""Kinds of copies whose verdict people contradicted; the two others are confirmed."""

ACTED, SPOKE, SHADOW, UNAVAILABLE, SKIPPED = "acted", "spoke", "shadow", "unavailable", "skipped"
MICROS = "micros"
_SKIPPED, _UNAVAILABLE = str(Status.SKIPPED), str(Status.UNAVAILABLE)
STEPS = tuple(f"step_{place}" for place in range(len(BUCKETS) + 1))
_LOOKS = (*STEPS, MICROS)


def observed_as(told: Told) -> str:
    """The outcome as it is counted: of what is only observed by itself."""
    return f"{WOULD}{told.outcome}" if told.observed else told.outcome


@dataclass(frozen=True, slots=True)
class CountedCopy:
    """A copy as the history keeps it; `wanted` is what people said of it, None when nobody did."""

    recipient: str
    mailbox: str
    domain: str
    told: Told
    wanted: bool | None = None

    @property
    def outcome(self) -> str:
        """As it is counted."""
        return observed_as(self.told)


@dataclass(frozen=True, slots=True)
class CountedMessage:
    """A message as the history keeps it: `looks` are filter and status of its findings, `seconds` their times, `rules`
    those that it met."""

    at: datetime
    side: str
    sender: str
    size: int
    looks: Sequence[tuple[str, str]]
    seconds: Sequence[float]
    copies: Sequence[CountedCopy]
    rules: MetRules = NO_RULES


def side_of(message: CountedMessage, copy: CountedCopy) -> str:
    """out for the author's copy of what went to somebody outside, in for all else, mail between our own included."""
    if message.side != "out" or not message.sender or copy.mailbox != mailbox_of(message.sender):
        return "in"
    return "in" if copy.mailbox == mailbox_of(copy.recipient) else "out"


def bin_of(score: float) -> int:
    """The step of the histogram in which a total is."""
    if not math.isfinite(score):
        return _HIGHEST if score > 0 else _LOWEST
    return max(_LOWEST, min(_HIGHEST, math.floor(score / BIN)))


def kind_of(outcome: str, wanted: bool) -> str:
    """What a person's word makes of a copy; "" where that says nothing of the verdict."""
    outcome = outcome.removeprefix(WOULD)
    if outcome in STOPPED:
        return WANTED_STOPPED if wanted else UNWANTED_STOPPED
    if outcome == "inbox":
        return WANTED_PASSED if wanted else UNWANTED_PASSED
    return ""


def label_of(wanted: bool | None) -> str:
    """As `statistics_scores` has it."""
    return "" if wanted is None else "wanted" if wanted else "unwanted"


def is_scored(told: Told) -> bool:
    """Whether no filter decided: the total did."""
    return told.decided_by in ("", SCORE)


@lru_cache(maxsize=8192)
def _spoken(spoke: str, decided_by: str) -> tuple[tuple[str, str], ...]:
    """(filter, what) of `Told.spoke`."""
    found: dict[tuple[str, str], None] = {}
    for one in spoke.split(","):
        name, is_whole, effect = one.partition("=")
        if is_whole:
            found[name, SHADOW if effect.endswith("(shadow)") else SPOKE] = None
    if decided_by:
        found[decided_by, ACTED] = None
    return tuple(found)


def met_by(rules: MetRules, told: Told) -> Sequence[tuple[str, str]]:
    """(filter, rule) of those that a copy met: some depend on what other filters' findings mean to its recipient."""
    if not rules.open:
        return rules.met
    return rules.for_whom({name for name, what in _spoken(told.spoke, told.decided_by) if what != SHADOW})


Key = tuple[str | int, ...]


class Sums:
    """What a number of messages adds to the tables. A key's parts are in the order of the table's primary key, and
    behind it whatever else the row says."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self.days: dict[Key, list[int]] = {}
        """(*key, domain) -> [copies, octets]"""
        self.domains: dict[Key, list[int]] = {}
        self.hours: defaultdict[Key, int] = defaultdict(int)
        self.partners: defaultdict[Key, int] = defaultdict(int)
        self.scores: defaultdict[Key, int] = defaultdict(int)
        self.labels: defaultdict[Key, int] = defaultdict(int)
        """(*key, domain) -> copies"""
        self._filters: defaultdict[tuple[int, str, str], defaultdict[str, int]] = defaultdict(_counts)
        """(day, domain, what) -> filter -> copies"""
        self._rules: defaultdict[tuple[int, str, str], defaultdict[tuple[str, str], int]] = defaultdict(
            _pairs
        )
        """(day, domain, label) -> (filter, rule) -> copies"""
        self._seconds: defaultdict[int, defaultdict[str, array[float]]] = defaultdict(_times)
        """day -> filter -> how long each of its looks took"""
        self._skipped: defaultdict[tuple[int, str], int] = defaultdict(int)

    @property
    def filters(self) -> dict[Key, int]:
        """(day, domain, filter, what) -> copies, or, of domain "", messages."""
        found: dict[Key, int] = {
            (day, domain, name, what): copies
            for (day, domain, what), filters in self._filters.items()
            for name, copies in filters.items()
        }
        for day, looks in self._seconds.items():
            for name, seconds in looks.items():
                for what, number in zip(_LOOKS, _summed(seconds), strict=True):
                    if number:
                        found[day, "", name, what] = number
        for (day, name), number in self._skipped.items():
            found[day, "", name, SKIPPED] = number
        return found

    @property
    def rules(self) -> dict[Key, int]:
        """(day, domain, filter, rule, label) -> copies."""
        return {
            (day, domain, *rule, label): copies
            for (day, domain, label), rules in self._rules.items()
            for rule, copies in rules.items()
        }

    def add(self, message: CountedMessage) -> None:
        """Count a message in everything but the hours."""
        day = message.at.astimezone(self._zone).toordinal()
        partner = _partner(domain_of(message.sender), message.sender)
        in_domain: dict[str, int] = {}
        for copy in message.copies:
            told, outcome, domain = copy.told, copy.outcome, copy.domain
            side = side_of(message, copy)
            _twice(self.days, (day, copy.mailbox, side, outcome, told.decided_by, domain), message.size)
            _twice(self.domains, (day, domain, side, outcome, told.decided_by), message.size)
            with_whom = partner if side == "in" else _partner(domain_of(copy.recipient), copy.recipient)
            self.partners[day, domain, side, with_whom, outcome] += 1
            for name, what in _spoken(told.spoke, told.decided_by):
                self._filters[day, domain, what][name] += 1
            if is_scored(told):
                label = label_of(copy.wanted)
                self.scores[day, domain, bin_of(told.score), told.decision, label] += 1
            if copy.wanted is not None and (kind := kind_of(outcome, copy.wanted)):
                self.labels[day, copy.mailbox, told.decided_by, kind, domain] += 1
            if message.rules:
                counts = self._rules[day, domain, label_of(copy.wanted)]
                for rule in met_by(message.rules, told):
                    counts[rule] += 1
            in_domain[domain] = in_domain.get(domain, 0) + 1
        self._add_looks(day, message, in_domain)

    def add_hours(self, message: CountedMessage) -> None:
        """Count a message in its hour."""
        hour = int(message.at.timestamp()) // 3600
        for copy in message.copies:
            side = side_of(message, copy)
            self.hours[hour, copy.domain, side, copy.outcome, copy.told.decided_by] += 1

    def _add_looks(self, day: int, message: CountedMessage, in_domain: Mapping[str, int]) -> None:
        looks = self._seconds[day]  # a message has some forty findings: this loop is what the statistics cost
        unavailable: list[str] = []
        for (name, status), seconds in zip(message.looks, message.seconds, strict=True):
            if status == _SKIPPED:
                self._skipped[day, name] += 1
                continue
            if status == _UNAVAILABLE:
                unavailable.append(name)
            looks[name].append(seconds)
        if not unavailable:
            return
        for domain, copies in (*in_domain.items(), ("", 1)):
            filters = self._filters[day, domain, UNAVAILABLE]
            for name in unavailable:
                filters[name] += copies

    def write(self, database: Database, session: Session) -> None:
        """Add all of it to what the store has. The transaction must have LOCK, and have read people's words after that:
        those who add, who speak, and who count a day anew would miss each other."""
        for table, twice in ((DayRow, self.days), (DomainRow, self.domains)):
            add_to(database, session, table, twice)
        for one, sums in (
            (HourRow, self.hours),
            (FilterRow, self.filters),
            (PartnerRow, self.partners),
            (ScoreRow, self.scores),
            (LabelCountRow, self.labels),
            (RuleCountRow, self.rules),
        ):
            add_to(database, session, one, {key: (count,) for key, count in sums.items()})


_ADDED = ("copies", "octets")


def _counts() -> defaultdict[str, int]:
    return defaultdict(int)


def _times() -> defaultdict[str, array[float]]:
    return defaultdict(lambda: array("d"))


def _summed(seconds: array[float]) -> list[int]:
    """The numbers of _LOOKS: how many looks were within each step, and microseconds in all."""
    taken = np.frombuffer(seconds, dtype=np.float64)
    steps = np.bincount(np.searchsorted(BUCKETS, taken), minlength=len(STEPS))
    return [*steps.tolist(), int((taken * 1e6).astype(np.int64).sum())]


def _pairs() -> defaultdict[tuple[str, str], int]:
    return defaultdict(int)


def add_to(
    database: Database, session: Session, table: type[Base], sums: Mapping[Key, Sequence[int]]
) -> None:
    """Add sums to a table of them, in the order of their keys."""
    if sums:
        rows = [(*key, *sums[key]) for key in sorted(sums)]
        session.connection().exec_driver_sql(_adding(table, "?" if database.is_sqlite else "%s"), rows)


@cache
def _adding(table: type[Base], mark: str) -> str:
    """The statement that adds to a table, as its driver takes it: thousands of rows go through it each second, to which
    SQLAlchemy would add as much time as the database takes."""
    whole, here = table.__table__, table.__tablename__
    key = [one.name for one in whole.primary_key]
    added = [name for name in _ADDED if name in whole.columns]
    names = [*key, *(one.name for one in whole.columns if one.name not in (*key, *added)), *added]
    return (
        f"INSERT INTO {here} ({', '.join(_quoted(names))}) VALUES ({', '.join([mark] * len(names))}) "  # noqa: S608
        f"ON CONFLICT ({', '.join(_quoted(key))}) DO UPDATE SET "
        + ", ".join(f"{name} = {here}.{name} + excluded.{name}" for name in added)
    )


def _quoted(names: Iterable[str]) -> list[str]:
    return [f'"{name}"' for name in names]


def _twice(sums: dict[Key, list[int]], key: Key, octets: int) -> None:
    both = sums.get(key)
    if both is None:
        sums[key] = [1, octets]
    else:
        both[0] += 1
        both[1] += octets


def _partner(domain: str, address: str) -> str:
    if not address:
        return NOBODY
    return domain if len(domain) <= _MAX_PARTNER else OTHERS


def counted(messages: Iterable[CountedMessage], zone: tzinfo) -> Sums:
    """The sums of messages, hours included."""
    sums = Sums(zone)
    for one in messages:
        sums.add(one)
        sums.add_hours(one)
    return sums
