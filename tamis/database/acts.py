"""What was done to many messages at once, kept as long as it can be undone: too long for a link."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import select

from tamis.database.connection import Database
from tamis.database.schema import ActRow


class Acts:
    """This part of the store. Every method raises StoreError when the database can't answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, deeds: Sequence[Sequence[str]], until: datetime) -> str:
        """Keep the words of what was done to each message until then; the id to find them by, which can't be
        guessed."""
        number = secrets.token_urlsafe(16)
        with self._database.write() as session:
            session.add(ActRow(id=number, deeds=[list(words) for words in deeds], expires_at=until))
        return number

    def find(self, number: str, *, now: datetime | None = None) -> tuple[tuple[str, ...], ...]:
        """What was kept under an id; nothing when its time is over."""
        query = select(ActRow.deeds).where(
            ActRow.id == number, ActRow.expires_at > (now or datetime.now(UTC))
        )
        with self._database.read() as session:
            kept = session.scalar(query) or ()
        return tuple(tuple(words) for words in kept)
