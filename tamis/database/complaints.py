"""Complaints about clients (S15): how many abuse reports named them, and what operators decided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import and_, delete, func, or_, select
from sqlalchemy.orm import Session

from tamis.database.connection import Database, audit, clean
from tamis.database.schema import ComplaintRow, HandledRow

MOST = 100_000
"""Clients that are known without being condemned."""
_KEPT = timedelta(days=90)
_HANDLED_KEPT = timedelta(days=30)
"""Much longer than a message that was counted stays in the folder before it is moved."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """One client; `why` is "" unless it is condemned."""

    client: str
    reports: int
    why: str
    at: datetime

    @property
    def condemned(self) -> bool:
        """Whether its mail is taken for spam."""
        return bool(self.why)


class Complaints:
    """The part of the store with complaints. Every method raises StoreError when it can't answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def report(self, clients: Iterable[str]) -> list[Complaint]:
        """Count one abuse report for each naming of a client; what stands now."""
        now, counted = datetime.now(UTC), Counter(clients)
        with self._database.write() as session:
            found = []
            for client, number in sorted(counted.items()):
                row = _row(session, client, now)
                row.reports += number
                row.at = now
                found.append(_complaint(row))
            return found

    def report_once(self, messages: Mapping[str, str]) -> list[str]:
        """Count abuse reports by message (a name of it, the client or ""); the names that were not counted before."""
        now, new = datetime.now(UTC), []
        with self._database.write() as session:
            for name, client in sorted(messages.items()):
                insert = self._database.insert(HandledRow).values(message=name, at=now)
                done = session.execute(insert.on_conflict_do_nothing().returning(HandledRow.message))
                if done.first() is None:
                    continue
                new.append(name)
                if client:
                    row = _row(session, client, now)
                    row.reports += 1
                    row.at = now
        return new

    def expire(self, *, now: datetime | None = None) -> None:
        """Forget clients that nobody complained about lately and that are not condemned: anybody can write reports."""
        now = now or datetime.now(UTC)
        idle = ComplaintRow.why == ""
        with self._database.write() as session:
            session.execute(delete(ComplaintRow).where(idle, ComplaintRow.at < now - _KEPT))
            session.execute(delete(HandledRow).where(HandledRow.at < now - _HANDLED_KEPT))
            count = session.scalar(select(func.count()).select_from(ComplaintRow).where(idle)) or 0
            if count > MOST:
                order = (
                    ComplaintRow.reports,
                    ComplaintRow.at,
                )  # a flood of single reports pushes out none of many
                least = select(ComplaintRow.client).where(idle).order_by(*order).limit(count - MOST)
                session.execute(delete(ComplaintRow).where(ComplaintRow.client.in_(least)))

    def condemn(self, client: str, why: str, *, by: str) -> Complaint:
        """Take its mail for spam from now on."""
        now = datetime.now(UTC)
        with self._database.write() as session:
            row = _row(session, client, now)
            row.why, row.at = clean(why, 200) or "complaints", now
            audit(session, now, by, "client condemn", client, {"why": row.why})
            return _complaint(row)

    def settle(self, client: str, *, by: str) -> bool:
        """Forget everything about a client; whether there was something."""
        with self._database.write() as session:
            row = session.get(ComplaintRow, client)
            if row is None:
                return False
            audit(session, datetime.now(UTC), by, "client settle", client, {"why": row.why})
            session.delete(row)
        return True

    def count(self) -> tuple[int, int]:
        """How many clients are condemned, and how many others were complained about."""
        condemned = func.count().filter(ComplaintRow.why != "")
        with self._database.read() as session:
            row = session.execute(select(condemned, func.count()).select_from(ComplaintRow)).one()
        return row[0], row[1] - row[0]

    def get(self, client: str) -> Complaint | None:
        """What is known about a client; None when nobody complained."""
        with self._database.read() as session:
            row = session.get(ComplaintRow, clean(client))
            return None if row is None else _complaint(row)

    def bring_back(self, known: Complaint, *, by: str) -> None:
        """Let a client stand as it stood before it was condemned or settled."""
        with self._database.write() as session:
            row = _row(session, known.client, known.at)
            row.reports, row.why, row.at = known.reports, clean(known.why, 200), known.at
            audit(session, datetime.now(UTC), by, "client bring back", known.client, {"why": row.why})

    def find(
        self,
        *,
        condemned: bool | None = None,
        client: str = "",
        after: tuple[int, str] | None = None,
        limit: int = 100_000,
    ) -> list[Complaint]:
        """Clients, those with most reports first; `client` is how its address begins, `after` the reports and the
        address of the last one of the page before."""
        order = (ComplaintRow.reports.desc(), ComplaintRow.client.desc())
        query = select(ComplaintRow).order_by(*order).limit(limit)
        if condemned is not None:
            query = query.where(ComplaintRow.why != "" if condemned else ComplaintRow.why == "")
        if client:
            query = query.where(ComplaintRow.client.startswith(clean(client), autoescape=True))
        if after is not None:
            reports, last = after
            fewer = and_(ComplaintRow.reports == reports, ComplaintRow.client < clean(last))
            query = query.where(ComplaintRow.reports <= reports, or_(ComplaintRow.reports < reports, fewer))
        with self._database.read() as session:
            return [_complaint(row) for row in session.scalars(query)]


def _row(session: Session, client: str, now: datetime) -> ComplaintRow:
    row = session.get(ComplaintRow, client)
    if row is None:
        row = ComplaintRow(client=client, reports=0, why="", at=now)
        session.add(row)
    return row


def _complaint(row: ComplaintRow) -> Complaint:
    return Complaint(row.client, row.reports, row.why, row.at)
