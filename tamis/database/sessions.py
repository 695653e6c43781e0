"""Who is signed in to the pages, and which single-use links were used."""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, select

from tamis.database.connection import Database, audit, exact
from tamis.database.schema import SpentTokenRow, WebSessionRow
from tamis.message.address import address_key


class Sessions:
    """The sign-in part of the store. Every method raises StoreError when the database can't answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, address: str, lasting: timedelta, *, how: str, now: datetime | None = None) -> str:
        """Sign somebody in: the secret that the browser keeps. The store knows only its hash, so that who reads the
        store can't sign in with it."""
        now = now or datetime.now(UTC)
        secret = secrets.token_urlsafe(32)
        who = exact(address_key(address))
        with self._database.write() as session:
            session.add(
                WebSessionRow(id=_digest(secret), address=who, created_at=now, expires_at=now + lasting)
            )
            audit(session, now, who, "sign in", who, {"how": how})
        return secret

    def find(self, secret: str, *, now: datetime | None = None) -> str | None:
        """The address (its key) that a secret belongs to; None when there is none, or its time is over."""
        now = now or datetime.now(UTC)
        query = select(WebSessionRow.address).where(
            WebSessionRow.id == _digest(secret), WebSessionRow.expires_at > now
        )
        with self._database.read() as session:
            return session.scalar(query)

    def end(self, secret: str) -> None:
        """Sign out."""
        with self._database.write() as session:
            session.execute(delete(WebSessionRow).where(WebSessionRow.id == _digest(secret)))

    def end_all(self, address: str) -> None:
        """Sign an address out everywhere."""
        with self._database.write() as session:
            session.execute(delete(WebSessionRow).where(WebSessionRow.address == exact(address_key(address))))

    def spend(self, token: str, until: datetime) -> bool:
        """Whether a single-use token is used for the first time; `until` is when it would be over anyway.

        `token` is what it says (its words), not its letters: the last one of base64 can be written in several ways.
        """
        values = {"id": _digest(token), "expires_at": until}
        first = self._database.insert(SpentTokenRow).values(values).on_conflict_do_nothing()
        with self._database.write() as session:
            return session.scalar(first.returning(SpentTokenRow.id)) is not None


def _digest(secret: str) -> str:
    return hashlib.sha256(secret[:1000].encode("utf-8", "surrogatepass")).hexdigest()
