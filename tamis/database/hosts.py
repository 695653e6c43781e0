"""What the hosts of one store must agree on, and what each of them told of itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tamis.database.connection import Database, clean
from tamis.database.schema import FactRow, HostRow, Moment

SIGNING_KEY = "signing_key"
FORGOTTEN = timedelta(days=7)
"""A host that told nothing for so long is none of this store's any more."""


@dataclass(frozen=True, slots=True)
class Host:
    """A host of the store; `ahead` is how many seconds its clock was before the database's when it told."""

    name: str
    version: str
    web_url: str
    seen_at: datetime
    ahead: float


class Hosts:
    """The part of the store about its hosts. Every method raises StoreError when the database can't answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def agreed(self, fact: str) -> str:
        """What all hosts are to agree on; "" while nobody said anything."""
        with self._database.read() as session:
            return session.scalar(select(FactRow.value).where(FactRow.name == fact)) or ""

    def agree(self, fact: str, value: str) -> str:
        """Say it first, or learn what another host said before."""
        statement = self._database.insert(FactRow).values(name=fact, value=value)
        with self._database.write() as session:
            session.execute(statement.on_conflict_do_nothing())
            return session.scalars(select(FactRow.value).where(FactRow.name == fact)).one()

    def settle(self, fact: str, value: str) -> None:
        """Say what holds from now on, whatever was said before."""
        statement = self._database.insert(FactRow).values(name=fact, value=value)
        with self._database.write() as session:
            session.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": value}))

    def tell(self, name: str, version: str, web_url: str) -> None:
        """This host is there, with this version and this address of its pages."""
        with self._database.write() as session:
            values = {
                "version": version,
                "web_url": clean(web_url),
                "clock": datetime.now(UTC),
                "seen_at": self._now(session),
            }
            statement = self._database.insert(HostRow).values(name=clean(name), **values)
            session.execute(statement.on_conflict_do_update(index_elements=["name"], set_=values))

    def all(self) -> Sequence[Host]:
        """Those that told of themselves lately, by name."""
        with self._database.read() as session:
            since = self._now(session) - FORGOTTEN
            rows = session.scalars(select(HostRow).where(HostRow.seen_at > since).order_by(HostRow.name))
            return [
                Host(
                    row.name, row.version, row.web_url, row.seen_at, (row.clock - row.seen_at).total_seconds()
                )
                for row in rows
            ]

    def _now(self, session: Session) -> datetime:
        """The database's time: an SQLite file is one host's, whose clock is the only one there is."""
        if self._database.is_sqlite:
            return datetime.now(UTC)
        return session.scalars(select(func.clock_timestamp(type_=Moment()))).one()
