"""Keeping the statistics: what is old goes, seldom partners become "others", and days are counted anew from the
history."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from tamis.database.connection import Database
from tamis.database.effective_labels import words_on
from tamis.database.roll_ups import LOCK, OTHERS, CountedCopy, CountedMessage, Key, Sums, add_to
from tamis.database.schema import FindingRow, StoryRow, ToldRow
from tamis.database.statistics_schema import (
    DayRow,
    DomainRow,
    FilterRow,
    HourRow,
    LabelCountRow,
    LabelRow,
    PartnerRow,
    RuleCountRow,
    ScoreRow,
)
from tamis.database.statistics_zone import tell_zone, zone_in
from tamis.judging.met_rules import MetRules, met_rules, together
from tamis.judging.story import Told, finding_from

HOURS_KEPT = 8
"""Days whose hours are kept."""
NAMED_PARTNERS = 200
"""Domains whose names are kept of a day, side and domain; all others are one."""

_ByDay = type[DayRow | DomainRow | FilterRow | PartnerRow | ScoreRow | LabelCountRow | RuleCountRow]
_BY_DAY: tuple[_ByDay, ...] = (
    *(DayRow, DomainRow, FilterRow, PartnerRow, ScoreRow, LabelCountRow, RuleCountRow),
)
_AT_ONCE = 500
_TOLD = ("decision", "outcome", "decided_by", "because", "score", "required", "spoke", "observed")


class StatisticsUpkeep:
    """The part of the store that keeps sums. Every method raises StoreError when the database can't answer."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._looks: dict[int, tuple[str, str]] = {}
        self._rules: dict[int, MetRules] = {}

    def expire(self, now: datetime, *, days: int) -> None:
        """Forget what is older than that, a day at a time; of days that are over, name the most frequent partners."""
        with self._database.read() as session:
            zone = zone_in(session)
        today = now.astimezone(zone).toordinal()
        for table in _BY_DAY:
            while (oldest := self._oldest(table)) is not None and oldest < today - days:
                with self._database.write() as session:
                    session.execute(delete(table).where(table.day == oldest))
        with self._database.write() as session:
            session.execute(delete(LabelRow).where(LabelRow.at < now - timedelta(days=days)))
            hour = int(now.timestamp()) // 3600 - 24 * HOURS_KEPT
            session.execute(delete(HourRow).where(HourRow.hour < hour))
        for day in range(today - HOURS_KEPT, today):
            with self._database.write() as session:
                self._database.lock(session, LOCK)
                _fold(self._database, session, day)

    def rebuild(self, now: datetime, zone: tzinfo) -> Iterator[tuple[date, bool]]:
        """Count the days that the history has anew, the newest first: each day, and whether it was done.

        Each is a transaction of its own, in which nothing is added to the sums. The oldest day of the history may have
        lost messages already: it stays as it was, if more were counted then than the history has.
        """
        with self._database.read() as session:
            oldest = session.scalar(select(func.min(StoryRow.at)))
        with self._database.write() as session:
            tell_zone(self._database, session, zone)
        if oldest is None:
            return
        today, first = (one.astimezone(zone).date() for one in (now, oldest))
        self._rebuild_hours(max(oldest, now - timedelta(days=HOURS_KEPT)), now)
        for back in range((today - first).days + 1):
            day = today - timedelta(days=back)
            yield day, self._rebuild_day(day, zone, whole=day > first, over=back > 0)

    def _oldest(self, table: _ByDay) -> int | None:
        with self._database.read() as session:
            return session.scalar(select(func.min(table.day)))

    def _rebuild_day(self, day: date, zone: tzinfo, *, whole: bool, over: bool) -> bool:
        start, end = (datetime.combine(one, time.min, zone) for one in (day, day + timedelta(days=1)))
        number = day.toordinal()
        with self._database.write() as session:
            self._database.lock(session, LOCK)
            sums = Sums(zone)
            for message in self._messages(session, start, end):
                sums.add(message)
            if not whole:
                counted = session.scalar(select(func.sum(DomainRow.copies)).where(DomainRow.day == number))
                if (counted or 0) > sum(copies for copies, _ in sums.domains.values()):
                    return False
            for table in _BY_DAY:
                session.execute(delete(table).where(table.day == number))
            sums.write(self._database, session)
            if over:
                _fold(self._database, session, number)
        return True

    def _rebuild_hours(self, oldest: datetime, now: datetime) -> None:
        """All whole hours since then, a day at a time."""
        first, last = (int(one.timestamp()) // 3600 for one in (oldest, now))
        for start in range(first + 1, last + 1, 24):
            end = min(start + 24, last + 1)
            with self._database.write() as session:
                self._database.lock(session, LOCK)
                sums = Sums(UTC)
                for message in self._messages(
                    session, *(datetime.fromtimestamp(h * 3600, UTC) for h in (start, end))
                ):
                    sums.add_hours(message)
                session.execute(delete(HourRow).where(HourRow.hour >= start, HourRow.hour < end))
                sums.write(self._database, session)

    def _messages(self, session: Session, start: datetime, end: datetime) -> Iterator[CountedMessage]:
        """The history's messages of a time, as they were counted when they came."""
        numbers = session.scalars(
            select(StoryRow.id).where(StoryRow.at >= start, StoryRow.at < end).order_by(StoryRow.id)
        ).all()
        for begin in range(0, len(numbers), _AT_ONCE):
            yield from self._part(session, numbers[begin : begin + _AT_ONCE])

    def _part(self, session: Session, numbers: Sequence[int]) -> Iterator[CountedMessage]:
        connection = session.connection()  # rows as they are: nothing here wants the ORM's care
        columns = ("id", "at", "side", "sender", "size", "findings", "seconds", "transaction")
        rows = connection.execute(
            select(*(getattr(StoryRow, name) for name in columns)).where(StoryRow.id.in_(numbers))
        ).all()
        said = words_on(session, [row.transaction for row in rows])
        copies: dict[int, list[CountedCopy]] = {}
        transactions = {row.id: row.transaction for row in rows}
        told = connection.execute(
            select(
                ToldRow.message,
                ToldRow.recipient,
                ToldRow.mailbox,
                ToldRow.domain,
                *(getattr(ToldRow, name) for name in _TOLD),
            )
            .where(ToldRow.message.in_(numbers))
            .order_by(ToldRow.message, ToldRow.place)
        )
        for message, recipient, mailbox, domain, *rest in told:
            wanted = said.get((transactions[message], mailbox))
            copies.setdefault(message, []).append(
                CountedCopy(recipient, mailbox, domain, Told(*rest), wanted)
            )
        for row in rows:
            findings = array("I", row.findings)
            looks = self._looks_of(session, findings)
            seconds = array("f", row.seconds)
            rules = together(self._rules[one] for one in findings if one in self._rules)
            yield CountedMessage(
                row.at, row.side, row.sender, row.size, looks, seconds, copies.get(row.id, ()), rules
            )

    def _looks_of(self, session: Session, findings: Sequence[int]) -> list[tuple[str, str]]:
        missing = {one for one in findings if one not in self._looks}
        if missing:
            query = select(FindingRow.id, FindingRow.content).where(FindingRow.id.in_(missing))
            for number, content in session.connection().execute(query):
                found = finding_from(bytes(content))
                self._looks[number] = (found.filter, found.status)
                if rules := met_rules([found]):
                    self._rules[number] = rules
        return [self._looks[one] for one in findings]


def _fold(database: Database, session: Session, day: int) -> None:
    """Keep the names of a day's most frequent partners; in alphabetical order where they are equal."""
    by = (PartnerRow.domain, PartnerRow.side)
    many = (
        select(*by)
        .where(PartnerRow.day == day, PartnerRow.partner != OTHERS)
        .group_by(*by)
        .having(func.count(PartnerRow.partner.distinct()) > NAMED_PARTNERS)
    )
    for domain, side in session.execute(many).all():
        here = (PartnerRow.day == day, PartnerRow.domain == domain, PartnerRow.side == side)
        rest = (
            select(PartnerRow.partner)
            .where(*here, PartnerRow.partner != OTHERS)
            .group_by(PartnerRow.partner)
            .order_by(func.sum(PartnerRow.copies).desc(), PartnerRow.partner)
            .offset(NAMED_PARTNERS)
            .limit(2**31)
        )
        names = session.scalars(rest).all()
        sums: dict[Key, tuple[int, ...]] = {}
        for begin in range(0, len(names), _AT_ONCE):
            these = (*here, PartnerRow.partner.in_(names[begin : begin + _AT_ONCE]))
            for outcome, copies in session.execute(
                select(PartnerRow.outcome, func.sum(PartnerRow.copies))
                .where(*these)
                .group_by(PartnerRow.outcome)
            ):
                key: Key = (day, domain, side, OTHERS, outcome)
                sums[key] = (sums.get(key, (0,))[0] + int(copies),)
            session.execute(delete(PartnerRow).where(*these))
        add_to(database, session, PartnerRow, sums)
