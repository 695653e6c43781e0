"""Which mails of our own a mailbox had: digests by what they told, quota notices by when."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from sqlalchemy import func, select, text, update

from tamis.database.connection import Database, exact
from tamis.database.schema import UNTOLD, MailingRow, MessageRow


class MailingKind(StrEnum):
    """What a mail to a mailbox is."""

    DIGEST = "digest"
    QUOTA = "quota"


@dataclass(frozen=True, slots=True)
class Untold:
    """A mailbox with held messages that no digest told yet, and the oldest's time."""

    mailbox: str
    since: datetime


class Mailings:
    """The part of the store with mails to mailboxes. Every method raises StoreError when it can't answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def turn(self) -> AbstractContextManager[bool]:
        """Whether this process is the one that sends digests now, of all hosts that share the store."""
        return self._database.sole("digests")

    def untold(self) -> list[Untold]:
        """Every mailbox that a digest would have something new to tell."""
        query = (
            select(MessageRow.mailbox, func.min(MessageRow.held_at))
            .where(text(UNTOLD))
            .group_by(MessageRow.mailbox)
        )
        with self._database.read() as session:
            return [Untold(mailbox, since) for mailbox, since in session.execute(query)]

    def untold_of(self, mailbox: str) -> list[str]:
        """The ids of a mailbox's held messages that no digest told yet, newest first."""
        query = (
            select(MessageRow.id)
            .where(text(UNTOLD), MessageRow.mailbox == exact(mailbox))
            .order_by(MessageRow.held_at.desc(), MessageRow.id.desc())
        )
        with self._database.read() as session:
            return list(session.scalars(query))

    def last(self, mailbox: str, kind: MailingKind) -> datetime | None:
        """When a mailbox got the last mail of a kind; None when it got none yet."""
        with self._database.read() as session:
            row = session.get(MailingRow, (exact(mailbox), str(kind)))
            return None if row is None else row.sent_at

    def told(self, mailbox: str, messages: Sequence[str], *, now: datetime | None = None) -> None:
        """A digest of `mailbox` that tells of these messages was handed over."""
        now = now or datetime.now(UTC)
        statement = self._database.insert(MailingRow).values(
            mailbox=exact(mailbox), kind=MailingKind.DIGEST, sent_at=now
        )
        with self._database.write() as session:
            session.execute(
                statement.on_conflict_do_update(index_elements=["mailbox", "kind"], set_={"sent_at": now})
            )
            for start in range(0, len(messages), _CHUNK):
                these = MessageRow.id.in_(messages[start : start + _CHUNK])
                session.execute(update(MessageRow).where(these).values(told_at=now))

    def claim(
        self, mailbox: str, kind: MailingKind, every: timedelta, *, now: datetime | None = None
    ) -> bool:
        """Whether a mail of a kind may go to a mailbox now, at most one in `every`; it counts as sent then."""
        now = now or datetime.now(UTC)
        values = {"mailbox": exact(mailbox), "kind": kind, "sent_at": now}
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
