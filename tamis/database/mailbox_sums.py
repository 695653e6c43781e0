"""What is counted by mailboxes, read by those who may see them: a table of many, or one of them.

Reach, Days -> rows by day and mailbox -> ranked in the database -> a page of MailboxCount
                                                                 -> what stands beside, of that page's mailboxes
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from itertools import groupby, islice
from typing import Any, Literal

from sqlalchemy import ColumnElement, Row, Select, and_, case, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from tamis.database.connection import Database
from tamis.database.counts import Days, MailboxCount
from tamis.database.roll_ups import MISTAKES, STOPPED
from tamis.database.schema import ChallengeRow, EntryRow, MessageRow
from tamis.database.seen_rows import seen
from tamis.database.statistics_schema import DayRow, LabelCountRow
from tamis.people.rights import Reach

_AT_ONCE = 500
"""Mailboxes that are asked for by name (beyond: all are read, which costs less then)."""

Rank = Literal["mailbox", "came", "held", "junk", "sent", "last"]
"""What mailboxes can be ranked by: fields of MailboxCount."""
_CAME = DayRow.side == "in"


class KeptMailboxSums:
    """The part of the statistics for mailboxes. Every method raises StoreError when the database can't answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def mailboxes(
        self, reach: Reach, days: Days, *, only: Sequence[str] = (), limit: int = 10_000
    ) -> list[MailboxCount]:
        """The mailboxes that had mail in these days, in alphabetical order; with `only`, of these mailboxes."""
        query = (
            select(
                DayRow.mailbox,
                DayRow.side,
                DayRow.outcome,
                DayRow.decided_by,
                func.max(DayRow.domain),
                func.max(DayRow.day),
                func.sum(DayRow.copies),
            )
            .where(*_of(reach, only), *during(DayRow.day, days))
            .group_by(DayRow.mailbox, DayRow.side, DayRow.outcome, DayRow.decided_by)
            .order_by(DayRow.mailbox)
        )
        with self._database.read() as session:
            by_mailbox = groupby(session.execute(query), key=lambda row: row[0])
            found = [_counted(name, rows) for name, rows in islice(by_mailbox, limit)]
            mistakes = _mistakes(session, reach, days, only)
        return [replace(one, mistakes=mistakes.get(one.mailbox, 0)) for one in found]

    def ranked(
        self, reach: Reach, days: Days, by: Rank, *, upwards: bool, start: int, limit: int
    ) -> tuple[list[str], int]:
        """A page of the mailboxes that had mail in these days, and how many there are in all, 0 on a page behind the
        last. Equal ranks are in alphabetical order, which `upwards` turns round as well."""
        rank, name = _RANKS[by], DayRow.mailbox
        query = (
            select(name, func.count().over())
            .where(*_of(reach), *during(DayRow.day, days))
            .group_by(name)
            .order_by(*((rank.asc(), name.desc()) if upwards else (rank.desc(), name.asc())))
        )
        with self._database.read() as session:
            found = session.execute(query.offset(start).limit(limit)).all()
        return [one for one, _ in found], found[0][1] if found else 0

    def courses(self, mailboxes: Sequence[str], days: Days) -> dict[str, dict[date, int]]:
        """Mailbox -> copies by day, of these mailboxes."""
        query = (
            select(DayRow.mailbox, DayRow.day, func.sum(DayRow.copies))
            .where(DayRow.mailbox.in_(mailboxes), *during(DayRow.day, days))
            .group_by(DayRow.mailbox, DayRow.day)
        )
        with self._database.read() as session:
            found = _nested(session, query)
        return {
            name: {date.fromordinal(day): copies for day, copies in by_day.items()}
            for name, by_day in found.items()
        }

    def quiet(self, reach: Reach, days: Days, limit: int = 1000) -> list[tuple[str, date]]:
        """Mailboxes that had mail before these days and none since, with their last day, the longest quiet first."""
        last = func.max(DayRow.day)
        query = (
            select(DayRow.mailbox, last)
            .where(seen(reach, DayRow.mailbox, DayRow.domain))
            .group_by(DayRow.mailbox)
            .having(last < days.first.toordinal())
            .order_by(last, DayRow.mailbox)
            .limit(limit)
        )
        with self._database.read() as session:
            return [(name, date.fromordinal(day)) for name, day in session.execute(query)]

    def questions_by_mailbox(
        self, reach: Reach, since: datetime, until: datetime, only: Sequence[str] = ()
    ) -> dict[str, tuple[int, int]]:
        """Mailbox -> senders of its held mail who were asked, and who answered, as far as that mail is known; with
        `only`, of these mailboxes."""
        answered = case((ChallengeRow.state.in_(("solved", "delivered")), ChallengeRow.id))
        query = (
            select(
                MessageRow.mailbox,
                func.count(ChallengeRow.id.distinct()),
                func.count(answered.distinct()),
            )
            .join(ChallengeRow, ChallengeRow.id == MessageRow.challenge)
            .where(
                MessageRow.challenge.is_not(None),  # as the index says it
                ChallengeRow.at >= since,
                ChallengeRow.at < until,
                ChallengeRow.reason == "",
                seen(reach, MessageRow.mailbox, MessageRow.domain),
                *_named(MessageRow.mailbox, only),
            )
            .group_by(MessageRow.mailbox)
        )
        with self._database.read() as session:
            return {name: (asked, told) for name, asked, told in session.execute(query)}

    def entries_of(self, mailboxes: Sequence[str]) -> dict[str, int]:
        """Mailbox -> entries of its own lists, of those that have any."""
        query = select(EntryRow.scope, func.count()).group_by(EntryRow.scope)
        these = _named(EntryRow.scope, mailboxes) or (EntryRow.scope.contains("@"),)
        with self._database.read() as session:
            found = dict(session.execute(query.where(*these)).all())
        return {name: found[name] for name in mailboxes if name in found}


def during(column: InstrumentedAttribute[int], days: Days) -> tuple[ColumnElement[bool], ...]:
    """That a day is one of these."""
    return column >= days.first.toordinal(), column <= days.last.toordinal()


def sum_if(
    condition: ColumnElement[bool], column: InstrumentedAttribute[int] = DayRow.copies
) -> ColumnElement[int]:
    """The sum of the rows that meet a condition."""
    return func.sum(case((condition, column), else_=0))


def _named(column: InstrumentedAttribute[str], names: Sequence[str]) -> tuple[ColumnElement[bool], ...]:
    """That a mailbox is one of these, as far as a database is faster by it."""
    return (column.in_(names),) if 0 < len(names) <= _AT_ONCE else ()


_RANKS: Mapping[Rank, ColumnElement[Any] | InstrumentedAttribute[str]] = {
    "mailbox": DayRow.mailbox,
    "came": sum_if(_CAME),
    "held": sum_if(and_(_CAME, DayRow.outcome == "quarantine")),
    "junk": sum_if(and_(_CAME, DayRow.outcome == "junk")),
    "sent": sum_if(DayRow.side == "out"),
    "last": func.max(DayRow.day),
}


def _of(reach: Reach, only: Sequence[str] = ()) -> tuple[ColumnElement[bool], ...]:
    return seen(reach, DayRow.mailbox, DayRow.domain), *_named(DayRow.mailbox, only)


def _counted(name: str, rows: Iterable[Row[str, str, str, str, str, int, int]]) -> MailboxCount:
    """Of the rows of one mailbox."""
    sums, caught = Counter[str](), Counter[str]()
    domain, last = "", 0
    for _, side, outcome, decided_by, domain_here, day, copies in rows:
        domain, last = domain_here, max(last, day)
        sums[side] += int(copies)
        if side == "in":
            sums[outcome] += int(copies)
            if outcome in STOPPED:
                caught[decided_by] += int(copies)
    return MailboxCount(
        *(name, domain, sums["in"], sums["quarantine"], sums["junk"], sums["out"]),
        date.fromordinal(last),
        caught,
    )


def _mistakes(session: Session, reach: Reach, days: Days, only: Sequence[str]) -> dict[str, int]:
    query = (
        select(LabelCountRow.mailbox, func.sum(LabelCountRow.copies))
        .where(
            seen(reach, LabelCountRow.mailbox, LabelCountRow.domain),
            *_named(LabelCountRow.mailbox, only),
            *during(LabelCountRow.day, days),
            LabelCountRow.kind.in_(MISTAKES),
        )
        .group_by(LabelCountRow.mailbox)
    )
    return {name: int(copies) for name, copies in session.execute(query)}


def _nested(session: Session, query: Select[*tuple[Any, ...]]) -> dict[str, dict[Any, int]]:
    found: dict[str, dict[Any, int]] = {}
    for outer, inner, number in session.execute(query):
        found.setdefault(outer, {})[inner] = int(number)
    return found
