"""Complaints about clients (S15): how many abuse reports named them, and what operators decided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from tamis.quarantine.database import Database, audit, clean
from tamis.quarantine.schema import ComplaintRow


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

    def find(self, *, condemned: bool | None = None, limit: int = 100_000) -> list[Complaint]:
        """Clients, those with most reports first."""
        query = select(ComplaintRow).order_by(ComplaintRow.reports.desc(), ComplaintRow.client).limit(limit)
        if condemned is not None:
            query = query.where(ComplaintRow.why != "" if condemned else ComplaintRow.why == "")
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
