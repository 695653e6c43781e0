"""Rights that are offered by a mailed link, until they are taken up."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, select

from tamis.base.errors import ConfigError
from tamis.database.connection import Database, audit, clean, exact
from tamis.database.granted_people import StoredGrant, give, known_rights, person_of
from tamis.database.schema import InvitationRow
from tamis.database.seen_rows import seen_scopes
from tamis.message.address import address_key
from tamis.people.rights import Grant, Reach

LASTS = timedelta(days=7)
"""How long a mailed link works."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """An offer: to whom, what, from whom; until when the link works, and until when the rights will hold. `id` is known
    to who reads the list, the link's secret only to who got the mail."""

    id: str
    address: str
    gift: Grant
    by: str
    at: datetime
    expires: datetime
    until: datetime | None


class Invitations:
    """The part of the store that keeps them. Every method raises StoreError when the database can't answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def invite(
        self,
        address: str,
        gift: Grant,
        *,
        by: str,
        until: datetime | None = None,
        now: datetime | None = None,
    ) -> str:
        """Offer rights; the secret of the link. An offer to the same address in the same scope is replaced."""
        now = now or datetime.now(UTC)
        if not gift.rights:
            raise ConfigError("store", "rights", "at least one right must be named")
        who, secret = exact(address_key(address)), secrets.token_urlsafe(32)
        with self._database.write() as session:
            here = (InvitationRow.address == who, InvitationRow.scope == gift.scope)
            session.execute(delete(InvitationRow).where(*here))
            row = InvitationRow(
                id=_digest(secret),
                address=who,
                scope=gift.scope,
                rights=sorted(gift.rights),
                author=clean(by),
                at=now,
                expires=now + LASTS,
                until=until,
            )
            session.add(row)
            audit(session, now, by, "invite", who, {"rights": sorted(gift.rights)}, scope=gift.scope)
        return secret

    def find(self, secret: str, *, now: datetime | None = None) -> Invitation | None:
        """The offer of a link; None when there is none, or its time is over."""
        query = select(InvitationRow).where(InvitationRow.id == _digest(secret))
        with self._database.read() as session:
            row = session.scalar(query.where(InvitationRow.expires > (now or datetime.now(UTC))))
            return _told(row) if row is not None else None

    def list(self, reach: Reach, *, now: datetime | None = None) -> tuple[Invitation, ...]:
        """What is offered where somebody may see it, oldest first."""
        query = (
            select(InvitationRow)
            .where(
                seen_scopes(reach, InvitationRow.scope), InvitationRow.expires > (now or datetime.now(UTC))
            )
            .order_by(InvitationRow.at)
        )
        with self._database.read() as session:
            return tuple(_told(row) for row in session.scalars(query))

    def accept(
        self, secret: str, may_give: Callable[[Invitation], bool], *, now: datetime | None = None
    ) -> StoredGrant | None:
        """Take an offer up, once: the grant; None when there is no such offer any more, or who made it may not give
        that any more (`may_give`)."""
        now = now or datetime.now(UTC)
        offer = self.find(secret, now=now)
        if offer is None or not may_give(offer):
            return None
        with self._database.write() as session:
            gone = delete(InvitationRow).where(InvitationRow.id == offer.id).returning(InvitationRow.id)
            if session.scalar(gone) is None:
                return None
            person = person_of(session, self._database, offer.address, offer.by, now)
            return give(session, person, offer.address, offer.gift, by=offer.by, expires=offer.until, now=now)

    def withdraw(self, number: str, *, by: str, now: datetime | None = None) -> Invitation | None:
        """Take an offer back, by its id; None when there is none."""
        with self._database.write() as session:
            row = session.get(InvitationRow, exact(number[:64]))
            if row is None:
                return None
            gone = _told(row)
            session.delete(row)
            audit(
                session,
                now or datetime.now(UTC),
                by,
                "withdraw invitation",
                gone.address,
                scope=gone.gift.scope,
            )
        return gone

    def get(self, number: str) -> Invitation | None:
        """The offer of an id."""
        with self._database.read() as session:
            row = session.get(InvitationRow, exact(number[:64]))
            return _told(row) if row is not None else None

    def expire(self, *, now: datetime | None = None) -> None:
        """Forget offers whose time is over."""
        with self._database.write() as session:
            session.execute(delete(InvitationRow).where(InvitationRow.expires <= (now or datetime.now(UTC))))


def _told(row: InvitationRow) -> Invitation:
    gift = Grant(row.scope, known_rights(row.rights))
    return Invitation(row.id, row.address, gift, row.author, row.at, row.expires, row.until)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret[:1000].encode("utf-8", "surrogatepass")).hexdigest()
