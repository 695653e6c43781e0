"""What senders have earned with the domains of the platform (S7): kept for good, published to the shared state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import Session

from tamis.base.errors import ConfigError
from tamis.database.connection import Database, audit, exact
from tamis.database.schema import SenderRow
from tamis.database.seen_rows import seen_domains
from tamis.message.address import address_key, domain_key, domain_of
from tamis.people.rights import Reach

_UNUSED = timedelta(days=365)
_CHUNK = 1000
_MAX_ADDRESS = 320


@dataclass(frozen=True, slots=True)
class Sender:
    """One address with one domain of ours; `author` is the mailbox that wrote to it last, "" when none counts."""

    domain: str
    address: str
    validations: int
    works: int
    complaints: int
    author: str
    at: datetime


Triple = Sequence[str]
"""domain, address, author"""


class Senders:
    """The part of the store with what senders have earned. Every method raises StoreError when it can't answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def validate(self, domain: str, address: str, *, by: str) -> Sender:
        """Count a manual validation. Raises ConfigError for an address that is none, or in the domain itself."""
        return self._judged(domain, address, by, validations=1)

    def complain(self, domain: str, address: str, *, by: str) -> Sender:
        """Count a complaint. Raises ConfigError as `validate`."""
        return self._judged(domain, address, by, complaints=1)

    def remove(self, domain: str, address: str, *, by: str) -> bool:
        """Forget what an address earned; whether there was something."""
        domain, address = domain_key(domain), address_key(address)
        with self._database.write() as session:
            row = session.get(SenderRow, (domain, address))
            if row is None:
                return False
            session.delete(row)
            audit(session, datetime.now(UTC), by, "sender remove", f"{domain} {address}", scope=domain)
        return True

    def note(self, written: Iterable[Triple], bounced: Iterable[Triple]) -> list[Sender]:
        """Take in who was written to and what bounced; the entries that changed.

        A bounce counts only when it came to the mailbox that wrote: anybody can make one up, but must know both.
        """
        now, changed = datetime.now(UTC), {}
        with self._database.write() as session:
            for domain, address, author in written:
                if can_earn(domain, address):
                    row = _row(session, domain, address, now)
                    if (row.author, row.at.date()) != (author, now.date()) or row in session.new:
                        row.author, row.at = exact(author), now
                        changed[domain, address] = row
            for domain, address, author in bounced:
                found = session.get(SenderRow, (exact(domain), exact(address)))
                if found is not None and found.author == exact(author):
                    found.author, found.at = "", now
                    changed[domain, address] = found
            session.flush()
            return [_sender(row) for row in changed.values()]

    def find(
        self,
        *,
        domain: str | None = None,
        address: str | None = None,
        limit: int = 1000,
        after: tuple[str, str] = ("", ""),
        reach: Reach | None = None,
    ) -> list[Sender]:
        """Entries by domain and address, those after a pair of these, where somebody sees whole domains."""
        query = select(SenderRow).order_by(SenderRow.domain, SenderRow.address).limit(limit)
        if after[0]:
            query = query.where(_after(after))
        if reach is not None:
            query = query.where(seen_domains(reach, SenderRow.domain))
        if domain is not None:
            query = query.where(SenderRow.domain == domain_key(domain))
        if address is not None:
            query = query.where(SenderRow.address == address_key(address))
        with self._database.read() as session:
            return [_sender(row) for row in session.scalars(query)]

    def all(self) -> Iterator[list[Sender]]:
        """Every entry, in parts, each read in a transaction of its own."""
        last = ("", "")
        while True:
            query = (
                select(SenderRow)
                .where(_after(last))
                .order_by(SenderRow.domain, SenderRow.address)
                .limit(_CHUNK)
            )
            with self._database.read() as session:
                part = [_sender(row) for row in session.scalars(query)]
            if not part:
                return
            yield part
            last = (part[-1].domain, part[-1].address)

    def expire(self, *, now: datetime | None = None) -> None:
        """Forget addresses that nobody wrote to for a year; validations and complaints stay."""
        until = (now or datetime.now(UTC)) - _UNUSED
        with self._database.write() as session:
            session.execute(
                delete(SenderRow).where(
                    SenderRow.at < until, SenderRow.validations == 0, SenderRow.complaints == 0
                )
            )

    def _judged(
        self, domain: str, address: str, by: str, *, validations: int = 0, complaints: int = 0
    ) -> Sender:
        domain, address = domain_key(domain), address_key(address)
        if not can_earn(domain, address):
            raise ConfigError("senders", "address", f"must be an address outside {domain}", value=address)
        with self._database.write() as session:
            return earn(session, domain, address, by, validations=validations, complaints=complaints)


def earn(
    session: Session,
    domain: str,
    address: str,
    by: str,
    *,
    validations: int = 0,
    works: int = 0,
    complaints: int = 0,
) -> Sender:
    """Count for or against an address that `can_earn`, in a transaction that may do more; both in comparing form."""
    now = datetime.now(UTC)
    row = _row(session, domain, address, now)
    row.validations += validations
    row.works += works
    row.complaints += complaints
    row.at = now
    what = "sender complain" if complaints else "sender validate" if validations else "sender work"
    audit(session, now, by, what, f"{domain} {address}", scope=domain)
    session.flush()
    return _sender(row)


def can_earn(domain: str, address: str) -> bool:
    """Whether an address can earn anything with a domain: it is one, and lies outside; both in comparing form."""
    there = domain_of(address)
    return bool(domain and there) and there != domain and len(address) <= _MAX_ADDRESS


def _row(session: Session, domain: str, address: str, now: datetime) -> SenderRow:
    row = session.get(SenderRow, (exact(domain), exact(address)))
    if row is None:
        row = SenderRow(
            domain=exact(domain),
            address=exact(address),
            validations=0,
            works=0,
            complaints=0,
            author="",
            at=now,
        )
        session.add(row)
    return row


def _after(pair: tuple[str, str]) -> ColumnElement[bool]:
    domain, address = pair
    return (SenderRow.domain > domain) | ((SenderRow.domain == domain) & (SenderRow.address > address))


def _sender(row: SenderRow) -> Sender:
    return Sender(row.domain, row.address, row.validations, row.works, row.complaints, row.author, row.at)
