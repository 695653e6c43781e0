"""Which mails of our own a mailbox had: digests by what they told last, quota notices by when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from sqlalchemy import func, select

from tamis.database.connection import Database, exact
from tamis.database.schema import MailingRow, MessageRow
from tamis.quarantine.records import HeldState


class MailingKind(StrEnum):
    """What a mail to a mailbox is."""

    DIGEST = "digest"
    QUOTA = "quota"


@dataclass(frozen=True, slots=True)
class Untold:
    """A mailbox with held messages that no digest told yet: how many, the oldest's time and the newest's id."""

    mailbox: str
    count: int
    since: datetime
    newest: str


class Mailings:
    """The part of the store with mails to mailboxes. Every method raises StoreError when it can't answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def untold(self) -> list[Untold]:
        """Every mailbox that a digest would have something new to tell."""
        last = (MailingRow.mailbox == MessageRow.mailbox) & (MailingRow.kind == MailingKind.DIGEST)
        query = (
            select(
                MessageRow.mailbox,
                func.count(),
                func.min(MessageRow.id),
                func.max(MessageRow.id),
            )
            .outerjoin(MailingRow, last)
            .where(
                MessageRow.state == HeldState.HELD,
                MailingRow.upto.is_(None) | (MessageRow.id > MailingRow.upto),
            )
            .group_by(MessageRow.mailbox)
        )
        with self._database.read() as session:
            found = session.execute(query).all()
            oldest = [first for _, _, first, _ in found]
            times: dict[str, datetime] = {}
            for start in range(0, len(oldest), _CHUNK):
                part = oldest[start : start + _CHUNK]
                rows = session.execute(
                    select(MessageRow.id, MessageRow.held_at).where(MessageRow.id.in_(part))
                )
                times |= {row.id: row.held_at for row in rows}
        return [Untold(mailbox, count, times[first], newest) for mailbox, count, first, newest in found]

    def last(self, mailbox: str, kind: MailingKind) -> str:
        """`upto` of the last mail of a kind; "" when there was none."""
        query = select(MailingRow.upto).where(MailingRow.mailbox == exact(mailbox), MailingRow.kind == kind)
        with self._database.read() as session:
            return session.scalar(query) or ""

    def told(self, mailbox: str, upto: str, *, now: datetime | None = None) -> None:
        """A digest of `mailbox` was handed over; the newest message in it was `upto`."""
        now = now or datetime.now(UTC)
        values = {"mailbox": exact(mailbox), "kind": MailingKind.DIGEST, "sent_at": now, "upto": upto}
        statement = self._database.insert(MailingRow).values(values)
        with self._database.write() as session:
            session.execute(
                statement.on_conflict_do_update(
                    index_elements=["mailbox", "kind"], set_={"sent_at": now, "upto": upto}
                )
            )

    def claim(
        self, mailbox: str, kind: MailingKind, every: timedelta, *, now: datetime | None = None
    ) -> bool:
        """Whether a mail of a kind may go to a mailbox now, at most one in `every`; it counts as sent then."""
        now = now or datetime.now(UTC)
        values = {"mailbox": exact(mailbox), "kind": kind, "sent_at": now, "upto": ""}
        statement = self._database.insert(MailingRow).values(values)
        with self._database.write() as session:
            claimed = session.execute(
                statement.on_conflict_do_update(
                    index_elements=["mailbox", "kind"],
                    set_={"sent_at": now},
                    where=MailingRow.sent_at <= now - every,
                ).returning(MailingRow.mailbox)
            ).first()
        return claimed is not None

    def withdraw(self, mailbox: str, kind: MailingKind) -> None:
        """A mail that was claimed could not be sent: the next one may be tried at once."""
        with self._database.write() as session:
            row = session.get(MailingRow, (exact(mailbox), kind))
            if row is not None:
                session.delete(row)


_CHUNK = 500
