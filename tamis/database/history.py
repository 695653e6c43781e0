"""The history in the store: findings of every message, each distinct one once, and what came of each recipient."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import Select, case, delete, func, insert, select
from sqlalchemy.orm import Session

from tamis.contract.finding import Finding, Status
from tamis.database.connection import Database, clean
from tamis.database.effective_labels import words_on
from tamis.database.history_rows import (
    TOLD,
    counted_message,
    findings_of,
    owner_of,
    story_of,
    story_row,
    told_row,
)
from tamis.database.history_search import (
    ANY,
    Wanted,
    conditions,
    copy_is_seen,
    is_seen,
    least_since,
    named,
    newest,
    of_recipient,
)
from tamis.database.roll_ups import LOCK, counted
from tamis.database.schema import CopyRow, FindingRow, StoryRow, ToldRow
from tamis.database.seen_rows import seen
from tamis.database.statistics_schema import LabelRow
from tamis.database.statistics_zone import tell_zone
from tamis.judging.other_verdict import OtherVerdict
from tamis.judging.story import Story, Told, finding_content
from tamis.people.rights import Reach

EXPIRE_BATCH = 2000
_BATCH = 500
_KNOWN = 50_000  # findings whose ids are remembered between imports
_UNDER_WAY = 10_000
"""Ids that others may have taken for messages that they have not written yet."""
_HOURS = 500
"""Hours of which the least id is remembered; beyond: all are read anew."""
_HEAD = (
    *("queue_id", "sender", "client_ip", "helo", "login", "message_id", "size"),
    *("transaction", "subject", "header_from", "host"),
)


@dataclass(frozen=True, slots=True)
class SentAgain:
    """A copy that went to Postfix a second time, changed or released."""

    queue_id: str
    recipient: str
    at: datetime


class Exchanged(NamedTuple):
    """A copy that a mailbox got, or that it sent: `side` is in or out, `outcome` where it went."""

    side: str
    sender: str
    recipient: str
    outcome: str
    at: datetime


@dataclass(frozen=True, slots=True)
class KeptStory:
    """A message of the history, with its number, the recipients that were asked for, and the copies that we sent back
    to Postfix, where they are shown."""

    id: int
    story: Story
    copies: tuple[SentAgain, ...] = ()
    locked: int = 0
    """Mailboxes that got it and would be shown if they were not locked."""

    def to_dict(self, *, findings: bool) -> dict[str, Any]:
        """A form that JSON can hold."""
        one = self.story
        head = {name: getattr(one, name) for name in _HEAD}
        head["side"] = one.side
        recipients = [{"recipient": who} | asdict(told) for who, told in one.recipients]
        told: dict[str, Any] = {"id": self.id, "at": one.at.isoformat(), **head, "recipients": recipients}
        if findings:
            copies = [asdict(copy) | {"at": copy.at.isoformat()} for copy in self.copies]
            told["copies"] = copies
            told["findings"] = [f.to_dict() | {"text": f.text()} for f in one.findings]
        return told

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> KeptStory:
        """From what the API tells of one: of findings, their sentences. Raises KeyError or ValueError on anything
        else."""
        findings = (
            Finding(one["filter"], Status(one["status"]), "{text}", {"text": one["text"]}, one["seconds"])
            for one in data.get("findings", ())
        )
        recipients = ((one["recipient"], Told(*(one[name] for name in TOLD))) for one in data["recipients"])
        story = Story(
            at=datetime.fromisoformat(data["at"]),
            findings=tuple(findings),
            recipients=tuple(recipients),
            **{name: data[name] for name in _HEAD},
        )
        copies = (
            SentAgain(one["queue_id"], one["recipient"], datetime.fromisoformat(one["at"]))
            for one in data.get("copies", ())
        )
        return cls(data["id"], story, tuple(copies))


@dataclass(frozen=True, slots=True)
class Packed:
    """One recipient of a stored message, as replay reads it: findings by their ids; `author` is the envelope sender of
    what an authenticated user sent, None for all other mail."""

    message: int
    recipient: str
    findings: bytes
    author: str | None
    told: Told


@dataclass(frozen=True, slots=True)
class Compared:
    """One recipient of a stored message of which another filter said something."""

    message: int
    at: datetime
    sender: str
    recipient: str
    other: OtherVerdict
    told: Told


class History:
    """The history part of the store. Every method raises StoreError when the database can't answer."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._zone = ""
        self._known: dict[bytes, tuple[int, int]] = {}  # digest -> id, last day that the store knows of
        self._least: dict[
            datetime, tuple[int, int]
        ] = {}  # hour -> least id since, greatest id when that was read

    def add(
        self,
        stories: Sequence[tuple[str, Story]],
        mailboxes: Mapping[str, str] = MappingProxyType({}),
        zone: tzinfo = UTC,
    ) -> int:
        """Keep messages, each with the name of its record; those kept already are left out. How many are new.

        `mailboxes` says whose mail the addresses get that are here; the statistics' days are those of `zone`.
        """
        count = 0
        for start in range(0, len(stories), _BATCH):
            count += self._add(stories[start : start + _BATCH], mailboxes, zone)
        return count

    def _add(self, stories: Sequence[tuple[str, Story]], mailboxes: Mapping[str, str], zone: tzinfo) -> int:
        with self._database.write() as session:
            names = [name for name, _ in stories]
            there = set(session.scalars(select(StoryRow.record).where(StoryRow.record.in_(names))))
            fresh = [(name, one) for name, one in stories if name not in there]
            if not fresh:
                return 0
            contents = [[finding_content(f) for f in one.findings] for _, one in fresh]
            days: dict[bytes, int] = {}
            for (_, one), seen in zip(fresh, contents, strict=True):
                day = one.at.toordinal()
                for content in seen:
                    days[content] = max(day, days.get(content, 0))
            ids = self._finding_ids(session, days)
            rows = [
                story_row(name, one, (ids[content] for content in seen))
                for (name, one), seen in zip(fresh, contents, strict=True)
            ]
            numbers = session.scalars(
                insert(StoryRow).returning(StoryRow.id, sort_by_parameter_order=True), rows
            )
            told = [
                told_row(number, place, recipient, what, owner_of(one, recipient, mailboxes))
                for number, (_, one) in zip(numbers.all(), fresh, strict=True)
                for place, (recipient, what) in enumerate(one.recipients)
            ]
            if told:
                session.execute(insert(ToldRow), told)
            self._database.lock(session, LOCK)
            self._tell_zone(session, zone)
            said = words_on(session, [row["transaction"] for row in rows])
            owners = iter(told)
            counted(
                (counted_message(row, one, owners, said) for row, (_, one) in zip(rows, fresh, strict=True)),
                zone,
            ).write(self._database, session)
        return len(fresh)

    def _tell_zone(self, session: Session, zone: tzinfo) -> None:
        if str(zone) != self._zone:
            tell_zone(self._database, session, zone)
            self._zone = str(zone)

    def _finding_ids(self, session: Session, days: Mapping[bytes, int]) -> dict[bytes, int]:
        """Finding content -> id, for all of these with their latest days; each distinct one is stored once."""
        digests = {content: hashlib.sha256(content).digest()[:16] for content in days}
        if len(self._known) > _KNOWN:
            self._known.clear()
        fresh = sorted(
            (digests[content], content, day)
            for content, day in days.items()
            if self._known.get(digests[content], (0, 0))[1] < day
        )  # in order, so that two importers can't wait for each other
        found: dict[bytes, tuple[int, int]] = {}
        for start in range(0, len(fresh), _BATCH):
            found |= self._upsert(session, fresh[start : start + _BATCH])
        ids = {content: (found.get(d) or self._known[d])[0] for content, d in digests.items()}
        self._known |= found
        return ids

    def _upsert(
        self, session: Session, rows: Sequence[tuple[bytes, bytes, int]]
    ) -> dict[bytes, tuple[int, int]]:
        values = [{"digest": digest, "content": content, "last_day": day} for digest, content, day in rows]
        put = self._database.insert(FindingRow)
        later = case(
            (put.excluded.last_day > FindingRow.last_day, put.excluded.last_day), else_=FindingRow.last_day
        )
        done = session.execute(
            put.on_conflict_do_update(index_elements=["digest"], set_={"last_day": later}).returning(
                FindingRow.digest, FindingRow.id, FindingRow.last_day
            ),
            values,
        )
        return {bytes(digest): (number, day) for digest, number, day in done}

    def count(self, wanted: Wanted = ANY) -> int:
        """How many recipients of messages replay would read."""
        with self._database.read() as session:
            query = select(func.count()).select_from(ToldRow).join(StoryRow, StoryRow.id == ToldRow.message)
            return session.scalar(query.where(*conditions(wanted))) or 0

    def span(self, wanted: Wanted = ANY) -> tuple[int, int]:
        """The first id of what is wanted and the one behind the last; (-1, 0) where there is nothing."""
        with self._database.read() as session:
            number = ToldRow.message
            ends = select(func.coalesce(func.min(number), -1), func.coalesce(func.max(number), -1))
            query = ends.join(StoryRow, StoryRow.id == ToldRow.message).where(*conditions(wanted))
            first, last = session.execute(query).one()
        return first, last + 1

    def packed(self, wanted: Wanted = ANY) -> Iterator[Packed]:
        """Every recipient of every message, the newest first, as replay reads them."""
        columns = [getattr(ToldRow, name) for name in TOLD]
        query = (
            select(
                ToldRow.message,
                ToldRow.recipient,
                StoryRow.findings,
                case((StoryRow.login != "", StoryRow.sender)),
                *columns,
            )
            .join(StoryRow, StoryRow.id == ToldRow.message)
            .where(*conditions(wanted))
            .order_by(ToldRow.message.desc(), ToldRow.place)
        )
        with self._database.read() as session:
            connection = session.connection()  # rows as they are: nothing here wants the ORM's care
            for row in connection.execute(query.execution_options(yield_per=2000)):
                yield Packed(row[0], row[1], row[2], row[3], Told(*row[4:]))

    def words(self, wanted: Wanted = ANY) -> dict[tuple[int, str], bool]:
        """(message, recipient) -> whether it was wanted, of those of whom somebody said so."""
        query = (
            select(ToldRow.message, ToldRow.recipient, StoryRow.transaction, ToldRow.mailbox)
            .join(StoryRow, StoryRow.id == ToldRow.message)
            .where(*conditions(wanted), StoryRow.transaction.in_(select(LabelRow.message)))
        )
        with self._database.read() as session:
            rows = session.execute(query).all()
            said = words_on(session, [transaction for _, _, transaction, _ in rows])
            return {
                (message, recipient): said[transaction, mailbox]
                for message, recipient, transaction, mailbox in rows
                if (transaction, mailbox) in said
            }

    def contents(self, ids: Iterable[int]) -> dict[int, bytes]:
        """Findings' contents by their ids."""
        wanted, found = sorted(set(ids)), dict[int, bytes]()
        with self._database.read() as session:
            for start in range(0, len(wanted), _BATCH):
                query = select(FindingRow.id, FindingRow.content).where(
                    FindingRow.id.in_(wanted[start : start + _BATCH])
                )
                for number, content in session.connection().execute(query):
                    found[number] = content
        return found

    def find(self, wanted: Wanted = ANY, limit: int = 50) -> list[KeptStory]:
        """Messages that have a recipient who fits, the newest first, with those recipients, without findings."""
        with self._database.read() as session:
            numbers = session.scalars(newest(self._bounded(session, wanted), limit)).all()
            return self._found(session, numbers, wanted)

    def find_and_count(self, wanted: Wanted, limit: int, most: int) -> tuple[list[KeptStory], int]:
        """As `find`, and how many there are, counted up to `most` and no further."""
        with self._database.read() as session:
            within = newest(self._bounded(session, wanted), most)
            if wanted.is_rare:  # all are found before the newest are known
                numbers = session.scalars(within).all()
                return self._found(session, numbers[:limit], wanted), len(numbers)
            found = self.find(wanted, limit)
            if len(found) < limit:
                return found, len(found)
            return found, session.scalar(select(func.count()).select_from(within.subquery())) or 0

    def _found(self, session: Session, numbers: Sequence[int], wanted: Wanted) -> list[KeptStory]:
        rows = session.scalars(
            select(StoryRow).where(StoryRow.id.in_(numbers)).order_by(StoryRow.id.desc())
        ).all()
        told = self._told(session, numbers, wanted)
        return [KeptStory(row.id, story_of(row, (), told[row.id])) for row in rows]

    def reckoned(self, wanted: Wanted, most: int) -> int:
        """How many messages have a recipient who fits, counted up to `most` and no further."""
        with self._database.read() as session:
            within = newest(self._bounded(session, wanted), most).subquery()
            return session.scalar(select(func.count()).select_from(within)) or 0

    def _bounded(self, session: Session, wanted: Wanted) -> Wanted:
        """With the id from which on what is wanted lies: read once an hour, since what comes later has higher ids."""
        if wanted.since is None:
            return wanted
        hour = wanted.since.replace(minute=0, second=0, microsecond=0)
        newest_id = session.scalar(select(func.max(StoryRow.id))) or 0
        least, seen = self._least.get(hour, (0, 0))
        if not least or seen > newest_id:  # the second: all was forgotten, and SQLite began anew
            found = session.scalar(least_since(hour))
            least = max(1, (newest_id + 1 if found is None else found) - _UNDER_WAY)
            if len(self._least) >= _HOURS:
                self._least.clear()
            self._least[hour] = least, newest_id
        return replace(wanted, least=least)

    def exchanged(self, mailbox: str, since: datetime, most: int) -> list[Exchanged]:
        """The copies of a mailbox, of its newest messages, at most so many."""
        with self._database.read() as session:
            numbers = newest(self._bounded(session, Wanted(scope=mailbox, since=since)), most).subquery()
            columns = (StoryRow.side, StoryRow.sender, ToldRow.recipient, ToldRow.outcome, StoryRow.at)
            query = (
                select(*columns)
                .join(ToldRow, ToldRow.message == StoryRow.id)
                .where(StoryRow.id.in_(select(*numbers.c)), ToldRow.mailbox == mailbox)
            )
            return [Exchanged(*row) for row in session.connection().execute(query)]

    def kept(self, numbers: Sequence[int], reach: Reach) -> list[KeptStory]:
        """Messages by their numbers, the newest first, with the recipients that somebody sees; without findings."""
        with self._database.read() as session:
            told = self._told(session, numbers, Wanted(reach=reach))
            seen = [number for number in numbers if told[number]]
            rows = session.scalars(
                select(StoryRow).where(StoryRow.id.in_(seen)).order_by(StoryRow.id.desc())
            ).all()
            return [KeptStory(row.id, story_of(row, (), told[row.id])) for row in rows]

    def compared(self, wanted: Wanted = ANY) -> Iterator[Compared]:
        """Every recipient of every message of which another filter said something, the newest first."""
        columns = [getattr(ToldRow, name) for name in TOLD]
        query = (
            select(StoryRow.id, StoryRow.at, StoryRow.sender, ToldRow.recipient, StoryRow.other, *columns)
            .join(ToldRow, StoryRow.id == ToldRow.message)
            .where(StoryRow.other != "", *conditions(wanted))
            .order_by(StoryRow.id.desc(), ToldRow.place)
        )
        with self._database.read() as session:
            for row in session.connection().execute(query.execution_options(yield_per=2000)):
                other = OtherVerdict.from_text(row[4])
                if other is not None:
                    yield Compared(row[0], row[1], row[2], row[3], other, Told(*row[5:]))

    def show(self, given: str, reach: Reach | None = None) -> list[KeptStory]:
        """The messages, at most 20, of a number, of a queue id (a second one of a copy that we sent back, too), of a
        Message-ID or of what X-Spam-Id says; with their findings, recipients and such copies. With `reach`, what may be
        seen of them."""
        return self._whole(named(clean(given.strip()), reach), reach)

    def get(self, number: int, reach: Reach | None = None) -> KeptStory | None:
        """One message by its number, as `show` does; None where there is none, or nothing of it may be seen."""
        query = select(StoryRow).where(StoryRow.id == number, *is_seen(reach))
        return next(iter(self._whole(query, reach)), None)

    def _whole(self, query: Select[StoryRow], reach: Reach | None) -> list[KeptStory]:
        with self._database.read() as session:
            rows = session.scalars(query.order_by(StoryRow.id).limit(20)).all()
            ids = [row.id for row in rows]
            told = self._told(session, ids, Wanted(reach=reach))
            copies = self._copies(session, [row.transaction for row in rows if row.transaction], reach)
            locked = self._locked(session, ids, reach)
            contents = self.contents(number for row in rows for number in array("I", row.findings))
            return [
                KeptStory(
                    row.id,
                    story_of(row, findings_of(row, contents), told[row.id]),
                    tuple(copies.get(row.transaction, ())),
                    locked.get(row.id, 0),
                )
                for row in rows
            ]

    @staticmethod
    def _copies(
        session: Session, transactions: Sequence[str], reach: Reach | None
    ) -> dict[str, list[SentAgain]]:
        found: dict[str, list[SentAgain]] = {}
        query = select(CopyRow).where(CopyRow.transaction.in_(transactions)).order_by(CopyRow.id)
        if reach is not None:
            query = query.join(StoryRow, StoryRow.transaction == CopyRow.transaction)
            query = query.where(copy_is_seen(reach, StoryRow.id)).distinct()
        for row in session.scalars(query.limit(_BATCH)):
            found.setdefault(row.transaction, []).append(SentAgain(row.queue_id, row.recipient, row.at))
        return found

    @staticmethod
    def _locked(session: Session, messages: Sequence[int], reach: Reach | None) -> dict[int, int]:
        """How many mailboxes of each message lie where somebody may look, and are closed."""
        if reach is None or not any(reach.closed.said.values()):
            return {}
        open_, column = Reach(reach.scopes), (ToldRow.mailbox, ToldRow.domain)
        query = select(ToldRow.message, func.count(ToldRow.mailbox.distinct())).group_by(ToldRow.message)
        query = query.where(ToldRow.message.in_(messages), seen(open_, *column), ~seen(reach, *column))
        return {row[0]: row[1] for row in session.execute(query)}

    @staticmethod
    def _told(session: Session, messages: Sequence[int], wanted: Wanted) -> dict[int, list[tuple[str, Told]]]:
        found: dict[int, list[tuple[str, Told]]] = {number: [] for number in messages}
        query = select(ToldRow).where(ToldRow.message.in_(messages), *of_recipient(wanted))
        for row in session.scalars(query.order_by(ToldRow.message, ToldRow.place)):
            found[row.message].append((row.recipient, Told(*(getattr(row, name) for name in TOLD))))
        return found

    def expire(self, now: datetime, *, days: int, most: int, batch: int = EXPIRE_BATCH) -> int:
        """Forget messages older than `days` and those beyond the newest `most`; at most `batch` of them a call."""
        with self._database.write() as session:
            newest = session.scalar(select(func.max(StoryRow.id))) or 0
            old = (  # one by one: each by its own index, where "or" would read all that stay
                select(StoryRow.id).where(StoryRow.at < now - timedelta(days=days)).order_by(StoryRow.at),
                select(StoryRow.id).where(StoryRow.id <= newest - most).order_by(StoryRow.id),
            )
            gone = delete(CopyRow).where(
                CopyRow.id.in_(
                    select(CopyRow.id)
                    .where(CopyRow.at < now - timedelta(days=days))
                    .order_by(CopyRow.at)
                    .limit(batch)
                )
            )
            session.execute(gone)
            numbers = sorted({one for query in old for one in session.scalars(query.limit(batch))})[:batch]
            session.execute(delete(StoryRow).where(StoryRow.id.in_(numbers)))
            if len(numbers) < batch:
                self._known.clear()
                oldest = session.scalar(select(func.min(StoryRow.at))) or now
                unused = FindingRow.last_day < oldest.toordinal()
                session.execute(delete(FindingRow).where(unused))
        return len(numbers)
