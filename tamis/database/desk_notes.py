"""The desk's notes: which copies it has sent back to Postfix already."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import select

from tamis.database.connection import Database, exact
from tamis.database.schema import NoteRow
from tamis.database.sent_again import sent_again


class DeskNotes:
    """The desk's part of the store. Every method raises StoreError when the database can't answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def is_done(self, transaction: str, recipient: str) -> bool:
        """Whether this copy was sent back already."""
        query = select(NoteRow.transaction).where(
            NoteRow.transaction == exact(transaction), NoteRow.recipient == exact(recipient)
        )
        with self._database.read() as session:
            return session.scalar(query) is not None

    def done(
        self, transaction: str, recipient: str, queue_id: str = "", *, now: datetime | None = None
    ) -> None:
        """Note that this copy was sent back, and its queue id for the history; a second time changes nothing."""
        now = now or datetime.now(UTC)
        values = {"transaction": exact(transaction), "recipient": exact(recipient), "done_at": now}
        with self._database.write() as session:
            sent_again(session, transaction, recipient, queue_id, now)
            session.execute(self._database.insert(NoteRow).values(values).on_conflict_do_nothing())
