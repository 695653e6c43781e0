"""Who may do more than open the own mailbox: people and what each was granted, by whom, until when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.orm import Session

from tamis.base.errors import ConfigError, nearest_name
from tamis.database.connection import Database, audit, clean, exact
from tamis.database.schema import FactorRow, GrantRow, PersonRow, WebSessionRow
from tamis.database.scope import parse_scope
from tamis.database.seen_rows import seen_scopes
from tamis.message.address import address_key
from tamis.people.rights import BUNDLES, Grant, Reach, Right, without_repeats


@dataclass(frozen=True, slots=True)
class StoredGrant:
    """A grant with who gave it, and until when it holds (None: until it is revoked)."""

    id: int
    grant: Grant
    by: str
    at: datetime
    expires: datetime | None

    def holds(self, now: datetime) -> bool:
        """Whether it counts at a moment."""
        return self.expires is None or self.expires > now


@dataclass(frozen=True, slots=True)
class PersonRecord:
    """A person as the store has it. `factors` are the kinds of what proves who it is (`tamis.people.proving`)."""

    id: int
    address: str
    suspended: bool
    by: str
    at: datetime
    grants: tuple[StoredGrant, ...]
    factors: tuple[str, ...]

    @property
    def is_enrolled(self) -> bool:
        """Whether this person has chosen a password and set up codes."""
        return {"password", "totp"} <= set(self.factors)

    def held(self, now: datetime | None = None) -> tuple[Grant, ...]:
        """What counts now, one grant a scope; nothing of a person who is suspended."""
        now = now or datetime.now(UTC)
        return () if self.suspended else without_repeats(g.grant for g in self.grants if g.holds(now))


class People:
    """The part of the store that knows people. Every method raises StoreError when the database can't answer.

    `by` is who does it, for the audit trail; whether that person may is decided before (`rights.gives_too_much`)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, address: str) -> PersonRecord | None:
        """The person of a mailbox."""
        return self._one(PersonRow.address == exact(address_key(address)))

    def get(self, number: int) -> PersonRecord | None:
        """The person of an id."""
        return self._one(PersonRow.id == number)

    def list(
        self, reach: Reach | None = None, *, after: str = "", limit: int = 1000
    ) -> tuple[PersonRecord, ...]:
        """People by address; with `reach`, those who were granted something where that reaches."""
        query = select(PersonRow).order_by(PersonRow.address).limit(limit)
        if after:
            query = query.where(PersonRow.address > exact(after))
        if reach is not None:
            granted = select(GrantRow.person).where(seen_scopes(reach, GrantRow.scope))
            query = query.where(PersonRow.id.in_(granted))
        with self._database.read() as session:
            return _records(session, list(session.scalars(query)))

    def grants_of(self, address: str, *, now: datetime | None = None) -> tuple[Grant, ...]:
        """What a person may do now, by what was granted here."""
        person = self.find(address)
        return person.held(now) if person else ()

    def add(self, address: str, *, by: str, now: datetime | None = None) -> int:
        """The id of a person, who is made if not there."""
        with self._database.write() as session:
            return person_of(session, self._database, address, by, now or datetime.now(UTC))

    def grant(
        self,
        address: str,
        scope: str,
        rights: Iterable[Right],
        *,
        by: str,
        expires: datetime | None = None,
        now: datetime | None = None,
    ) -> StoredGrant:
        """Grant rights in a scope; whoever is no person yet becomes one. Raises ConfigError on what is no scope, or no
        right."""
        now = now or datetime.now(UTC)
        gift = Grant(parse_scope(scope), frozenset(rights))
        if not gift.rights:
            raise ConfigError("store", "rights", "at least one right must be named")
        with self._database.write() as session:
            person = person_of(session, self._database, address, by, now)
            return give(session, person, exact(address_key(address)), gift, by=by, expires=expires, now=now)

    def revoke(self, grant: int, *, by: str, now: datetime | None = None) -> StoredGrant | None:
        """Take a grant back; None when there is none."""
        with self._database.write() as session:
            row = session.get(GrantRow, grant)
            if row is None:
                return None
            gone = _stored(row)
            address = session.scalars(select(PersonRow.address).where(PersonRow.id == row.person)).one()
            session.delete(row)
            told = {"rights": sorted(gone.grant.rights), "given by": gone.by}
            audit(session, now or datetime.now(UTC), by, "revoke", address, told, scope=gone.grant.scope)
        return gone

    def suspend(self, address: str, *, by: str, suspended: bool = True, now: datetime | None = None) -> bool:
        """Let nothing count that was granted to a person, and end all sessions; or let it count again. False when there
        is no such person, or nothing to change."""
        who = exact(address_key(address))
        with self._database.write() as session:
            here = (PersonRow.address == who, PersonRow.suspended != suspended)
            changed = update(PersonRow).where(*here).values(suspended=suspended).returning(PersonRow.id)
            if session.scalar(changed) is None:
                return False
            if suspended:
                session.execute(delete(WebSessionRow).where(WebSessionRow.address == who))
            action = "suspend" if suspended else "end suspension"
            audit(session, now or datetime.now(UTC), by, action, who, scope=who)
        return True

    def remove(self, address: str, *, by: str, now: datetime | None = None) -> bool:
        """Forget a person with all grants and factors, and end all sessions; False when there is none."""
        who = exact(address_key(address))
        with self._database.write() as session:
            gone = delete(PersonRow).where(PersonRow.address == who).returning(PersonRow.id)
            if session.scalar(gone) is None:
                return False
            session.execute(delete(WebSessionRow).where(WebSessionRow.address == who))
            audit(session, now or datetime.now(UTC), by, "remove person", who, scope=who)
        return True

    def _one(self, here: ColumnElement[bool]) -> PersonRecord | None:
        with self._database.read() as session:
            row = session.scalar(select(PersonRow).where(here))
            return _records(session, [row])[0] if row is not None else None


def person_of(session: Session, database: Database, address: str, by: str, now: datetime) -> int:
    """The id of the person of a mailbox, made if there is none."""
    who = exact(address_key(address))
    new = database.insert(PersonRow).values(address=who, suspended=False, author=clean(by), at=now)
    made = session.scalar(new.on_conflict_do_nothing(index_elements=["address"]).returning(PersonRow.id))
    if made is not None:
        audit(session, now, by, "add person", who, scope=who)
        return int(made)
    return session.scalars(select(PersonRow.id).where(PersonRow.address == who)).one()


def give(
    session: Session,
    person: int,
    address: str,
    gift: Grant,
    *,
    by: str,
    expires: datetime | None,
    now: datetime,
) -> StoredGrant:
    """Store a grant."""
    row = GrantRow(
        person=person,
        scope=gift.scope,
        rights=sorted(gift.rights),
        author=clean(by),
        at=now,
        expires=expires,
    )
    session.add(row)
    session.flush()
    told = {"rights": sorted(gift.rights), "until": expires and expires.isoformat(timespec="seconds")}
    audit(session, now, by, "grant", address, told, scope=gift.scope)
    return _stored(row)


def parse_rights(names: Sequence[str]) -> frozenset[Right]:
    """Rights by name, or by the name of a bundle. Raises ConfigError on any other."""
    found: set[Right] = set()
    for name in names:
        if name in BUNDLES:
            found |= BUNDLES[name]
        elif name in tuple(Right):
            found.add(Right(name))
        else:
            known = [*BUNDLES, *Right]
            problem = f"must be one of {', '.join(known)}"
            raise ConfigError("store", "rights", problem, value=name, nearest=nearest_name(name, known))
    return frozenset(found)


def known_rights(names: Iterable[str]) -> frozenset[Right]:
    """The rights that a row names; one that only a later version knows is none."""
    return frozenset(Right(name) for name in names if name in tuple(Right))


def _stored(row: GrantRow) -> StoredGrant:
    return StoredGrant(row.id, Grant(row.scope, known_rights(row.rights)), row.author, row.at, row.expires)


def _records(session: Session, rows: Sequence[PersonRow]) -> tuple[PersonRecord, ...]:
    wanted = [row.id for row in rows]
    grants: dict[int, list[StoredGrant]] = {}
    for grant in session.scalars(select(GrantRow).where(GrantRow.person.in_(wanted)).order_by(GrantRow.id)):
        grants.setdefault(grant.person, []).append(_stored(grant))
    factors: dict[int, list[str]] = {}
    kinds = (
        select(FactorRow.person, FactorRow.kind).where(FactorRow.person.in_(wanted)).order_by(FactorRow.id)
    )
    for person, kind in session.execute(kinds):
        factors.setdefault(person, []).append(kind)
    return tuple(
        PersonRecord(
            row.id,
            row.address,
            row.suspended,
            row.author,
            row.at,
            tuple(grants.get(row.id, ())),
            tuple(factors.get(row.id, ())),
        )
        for row in rows
    )
