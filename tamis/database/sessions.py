"""Who is signed in to the pages, and which single-use links were used."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from tamis.database.connection import Database, audit, clean, exact
from tamis.database.schema import SpentTokenRow, WebSessionRow
from tamis.message.address import address_key

SEEN_EVERY = timedelta(minutes=5)
"""How exactly a session knows when it was used last."""
_AGENT = 60  # characters of a browser's name (beyond: cut, it only helps a person to tell sessions apart)


@dataclass(frozen=True, slots=True)
class WebSession:
    """A session. `how` is what proved the mailbox: "link" or "invitation" (mailed), "imap", or "password" (with a
    code), which alone makes it `strong`. `id` may be shown to its owner: the secret can't be found from it."""

    id: str
    address: str
    how: str
    strong: bool
    network: str
    agent: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    confirmed_at: datetime | None


class Sessions:
    """The sign-in part of the store. Every method raises StoreError when the database can't answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(
        self,
        address: str,
        lasting: timedelta,
        *,
        how: str,
        strong: bool = False,
        network: str = "",
        agent: str = "",
        instead_of: str = "",
        now: datetime | None = None,
    ) -> str:
        """Sign somebody in: the secret that the browser keeps. The store knows only its hash, so that who reads the
        store can't sign in with it. The session of the secret `instead_of` ends with it: nobody who knew that one
        gets what this one may do."""
        now = now or datetime.now(UTC)
        secret = secrets.token_urlsafe(32)
        who = exact(address_key(address))
        with self._database.write() as session:
            _end(session, instead_of)
            row = WebSessionRow(
                id=_digest(secret),
                address=who,
                created_at=now,
                expires_at=now + lasting,
                how=how,
                strong=strong,
                network=clean(network),
                agent=clean(agent, _AGENT),
                seen_at=now,
                confirmed_at=now if strong else None,
            )
            session.add(row)
            audit(session, now, who, "sign in", who, {"how": how}, scope=who)
        return secret

    def find(self, secret: str, *, now: datetime | None = None) -> WebSession | None:
        """The session of a secret; None when there is none, or its time is over."""
        now = now or datetime.now(UTC)
        query = select(WebSessionRow).where(
            WebSessionRow.id == _digest(secret), WebSessionRow.expires_at > now
        )
        with self._database.read() as session:
            row = session.scalar(query)
            return _told(row) if row is not None else None

    def touch(self, number: str, *, now: datetime | None = None) -> None:
        """Write down that a session is in use, unless that was done a moment ago."""
        now = now or datetime.now(UTC)
        long_ago = or_(WebSessionRow.seen_at.is_(None), WebSessionRow.seen_at <= now - SEEN_EVERY)
        with self._database.write() as session:
            session.execute(
                update(WebSessionRow).where(WebSessionRow.id == number, long_ago).values(seen_at=now)
            )

    def confirm(self, secret: str, *, now: datetime | None = None) -> str:
        """Write down that a code was given; the session's new secret ("" when it is gone)."""
        new = secrets.token_urlsafe(32)
        confirmed = (
            update(WebSessionRow)
            .where(WebSessionRow.id == _digest(secret), WebSessionRow.strong.is_(True))
            .values(id=_digest(new), confirmed_at=now or datetime.now(UTC))
            .returning(WebSessionRow.id)
        )
        with self._database.write() as session:
            return new if session.scalar(confirmed) is not None else ""

    def list(self, address: str, *, now: datetime | None = None) -> tuple[WebSession, ...]:
        """The sessions of an address, the one that was used last first."""
        now = now or datetime.now(UTC)
        here = (WebSessionRow.address == exact(address_key(address)), WebSessionRow.expires_at > now)
        with self._database.read() as session:
            found = [_told(row) for row in session.scalars(select(WebSessionRow).where(*here))]
        return tuple(sorted(found, key=lambda one: one.seen_at, reverse=True))

    def end(self, secret: str) -> None:
        """Sign out."""
        with self._database.write() as session:
            _end(session, secret)

    def revoke(self, address: str, number: str, *, by: str, now: datetime | None = None) -> bool:
        """End a session of an address, by its id; False when it has no such session."""
        who = exact(address_key(address))
        here = (WebSessionRow.id == exact(number[:64]), WebSessionRow.address == who)
        with self._database.write() as session:
            if session.scalar(delete(WebSessionRow).where(*here).returning(WebSessionRow.id)) is None:
                return False
            audit(session, now or datetime.now(UTC), by, "end session", who, scope=who)
        return True

    def end_all(self, address: str, *, but: str = "") -> None:
        """Sign an address out everywhere, except for the session of the secret `but`."""
        who = exact(address_key(address))
        here = (WebSessionRow.address == who, WebSessionRow.id != _digest(but))
        with self._database.write() as session:
            session.execute(delete(WebSessionRow).where(*here))

    def spend(self, token: str, until: datetime) -> bool:
        """Whether a single-use token is used for the first time; `until` is when it would be over anyway.

        `token` is what it says (its words), not its letters: the last one of base64 can be written in several ways.
        """
        values = {"id": _digest(token), "expires_at": until}
        first = self._database.insert(SpentTokenRow).values(values).on_conflict_do_nothing()
        with self._database.write() as session:
            return session.scalar(first.returning(SpentTokenRow.id)) is not None


def _end(session: Session, secret: str) -> None:
    if secret:
        session.execute(delete(WebSessionRow).where(WebSessionRow.id == _digest(secret)))


def _told(row: WebSessionRow) -> WebSession:
    return WebSession(
        row.id,
        row.address,
        row.how,
        row.strong,
        row.network,
        row.agent,
        row.created_at,
        row.seen_at or row.created_at,
        row.expires_at,
        row.confirmed_at,
    )


def _digest(secret: str) -> str:
    return hashlib.sha256(secret[:1000].encode("utf-8", "surrogatepass")).hexdigest()
