"""What proves who a person is, as it is kept: the password's hash, the app's sealed secret, recovery codes' digests."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from sqlalchemy import ScalarSelect, delete, select, update

from tamis.database.connection import Database, audit, exact
from tamis.database.granted_people import person_of
from tamis.database.schema import FactorRow, PersonRow, WebSessionRow
from tamis.message.address import address_key
from tamis.people.proving import StoredFactors

PASSWORD, TOTP, RECOVERY = "password", "totp", "recovery"
"""The kinds."""


class Factors:
    """The part of the store that keeps them. Every method raises StoreError when the database can't answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, address: str) -> StoredFactors:
        """What a person has; the same work whether there is such a person."""
        query = (
            select(FactorRow.kind, FactorRow.secret, FactorRow.used)
            .join(PersonRow, PersonRow.id == FactorRow.person)
            .where(PersonRow.address == exact(address_key(address)))
        )
        with self._database.read() as session:
            rows = session.execute(query).all()
        password = next((secret.decode() for kind, secret, _ in rows if kind == PASSWORD), "")
        totp, step = next(((secret, used) for kind, secret, used in rows if kind == TOTP), (None, 0))
        return StoredFactors(
            password, totp, step, frozenset(secret for kind, secret, _ in rows if kind == RECOVERY)
        )

    def enrol(
        self,
        address: str,
        *,
        password: str | None = None,
        totp: bytes | None = None,
        step: int = 0,
        recovery: Iterable[bytes] | None = None,
        by: str,
        now: datetime | None = None,
    ) -> None:
        """Set what is given in place of what was there; `step` is that of the code that proved `totp`."""
        now = now or datetime.now(UTC)
        given: dict[str, list[tuple[bytes, int]]] = {}
        if password is not None:
            given[PASSWORD] = [(password.encode(), 0)]
        if totp is not None:
            given[TOTP] = [(totp, step)]
        if recovery is not None:
            given[RECOVERY] = [(one, 0) for one in recovery]
        who = exact(address_key(address))
        with self._database.write() as session:
            person = person_of(session, self._database, address, by, now)
            session.execute(
                delete(FactorRow).where(FactorRow.person == person, FactorRow.kind.in_(list(given)))
            )
            session.add_all(
                FactorRow(person=person, kind=kind, secret=secret, used=used, at=now)
                for kind, secrets in given.items()
                for secret, used in secrets
            )
            audit(session, now, by, "set factors", who, {"kinds": sorted(given)}, scope=who)

    def use_step(self, address: str, step: int) -> bool:
        """Take the code of a step of time, which works once: False when it, or a later one, was taken before."""
        taken = (
            update(FactorRow)
            .where(FactorRow.person == _id_of(address), FactorRow.kind == TOTP, FactorRow.used < step)
            .values(used=step)
            .returning(FactorRow.id)
        )
        with self._database.write() as session:
            return session.scalar(taken) is not None

    def use_recovery(self, address: str, digest: bytes, *, now: datetime | None = None) -> bool:
        """Take a recovery code, which works once."""
        who = exact(address_key(address))
        here = (
            FactorRow.person == _id_of(address),
            FactorRow.kind == RECOVERY,
            FactorRow.secret == digest,
        )
        with self._database.write() as session:
            if session.scalar(delete(FactorRow).where(*here).returning(FactorRow.id)) is None:
                return False
            audit(session, now or datetime.now(UTC), who, "use recovery code", who, scope=who)
        return True

    def renew_password(self, address: str, password: str) -> None:
        """The same password, hashed as it is done now."""
        here = (FactorRow.person == _id_of(address), FactorRow.kind == PASSWORD)
        with self._database.write() as session:
            session.execute(update(FactorRow).where(*here).values(secret=password.encode()))

    def reset(self, address: str, *, by: str, now: datetime | None = None) -> bool:
        """Forget them all and end all sessions, so that the person begins anew by a mailed link; False when there were
        none."""
        who = exact(address_key(address))
        with self._database.write() as session:
            gone = delete(FactorRow).where(FactorRow.person == _id_of(address)).returning(FactorRow.id)
            if not session.scalars(gone).all():
                return False
            session.execute(delete(WebSessionRow).where(WebSessionRow.address == who))
            audit(session, now or datetime.now(UTC), by, "reset factors", who, scope=who)
        return True


def _id_of(address: str) -> ScalarSelect[int]:
    return select(PersonRow.id).where(PersonRow.address == exact(address_key(address))).scalar_subquery()
