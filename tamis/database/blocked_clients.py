"""Whom operators blocked (S2): kept here, because the shared state, which the filters ask, may be lost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import delete, select

from tamis.database.connection import Database, audit, exact
from tamis.database.schema import BlockedRow


@dataclass(frozen=True, slots=True)
class BlockedClient:
    """`client` is a key of tamis.contract.state_keys, `entry` what the shared state holds for it."""

    client: str
    entry: str
    expires: datetime


class BlockedClients:
    """The part of the store with operators' blocks. Every method raises StoreError when the database can't answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, clients: Iterable[BlockedClient], *, by: str) -> None:
        """Block clients; one that is blocked already is from now on blocked like this."""
        now = datetime.now(UTC)
        with self._database.write() as session:
            for one in clients:
                audit(session, now, by, "client block", one.client, {"until": one.expires.isoformat()})
                values = {"entry": exact(one.entry), "expires": one.expires}
                statement = self._database.insert(BlockedRow).values(client=one.client, **values)
                session.execute(statement.on_conflict_do_update(index_elements=["client"], set_=values))

    def remove(self, clients: Iterable[str], *, by: str) -> None:
        """Block them no more."""
        now, gone = datetime.now(UTC), list(clients)
        with self._database.write() as session:
            session.execute(delete(BlockedRow).where(BlockedRow.client.in_(gone)))
            for one in gone:
                audit(session, now, by, "client unblock", one)

    def get(self, client: str, *, now: datetime | None = None) -> BlockedClient | None:
        """How a client is blocked at this time; None when it is not."""
        query = select(BlockedRow).where(
            BlockedRow.client == exact(client), BlockedRow.expires > (now or datetime.now(UTC))
        )
        with self._database.read() as session:
            row = session.scalar(query)
            return None if row is None else BlockedClient(row.client, row.entry, row.expires)

    def all(self, *, now: datetime | None = None) -> list[BlockedClient]:
        """Who is blocked at this time."""
        query = select(BlockedRow).where(BlockedRow.expires > (now or datetime.now(UTC)))
        with self._database.read() as session:
            return [BlockedClient(row.client, row.entry, row.expires) for row in session.scalars(query)]

    def expire(self, *, now: datetime | None = None) -> None:
        """Forget blocks that are over."""
        with self._database.write() as session:
            session.execute(delete(BlockedRow).where(BlockedRow.expires <= (now or datetime.now(UTC))))
