"""Clean-up of the store in small batches, each a short transaction that lets mail through in between."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, exists, func, or_, select
from sqlalchemy.orm import Session

from tamis.database.connection import Database, audit
from tamis.database.list_entries import changed
from tamis.database.schema import (
    ActRow,
    ApiAnswerRow,
    ApiTokenRow,
    AuditRow,
    Body,
    ChallengeRow,
    DetailsRow,
    EntryRow,
    LooseBody,
    MessageRow,
    NoteRow,
    SpentTokenRow,
    WebSessionRow,
)
from tamis.quarantine.held_mail import TOMBSTONE, bury_all, drop_contents, drop_rows
from tamis.quarantine.records import GONE, HeldState

_REST = 2.0
"""Pause after a batch, in times of what it took: on SQLite a writer that waits only looks now and then, and would
miss every gap between batches that follow each other at once."""
AUDIT_KEPT = timedelta(days=400)
TOKENS_SHOWN = timedelta(days=30)
"""How long one still sees a token of the API that is over."""
NOTES_KEPT = TOMBSTONE
"""Longer than Postfix keeps a copy queued that might be delivered to the desk a second time."""
WHO = "expiry"


class Expiry:
    """The clean-up part of the store. Every method raises StoreError when the database can't answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def due(self, now: datetime | None = None) -> int:
        """How many messages, held ones and tombstones, a clean-up would take now."""
        now = now or datetime.now(UTC)
        over = (MessageRow.expires_at <= now, MessageRow.state.in_((HeldState.HELD, *GONE)))
        with self._database.read() as session:
            return session.scalar(select(func.count()).select_from(MessageRow).where(*over)) or 0

    def run(
        self,
        now: datetime | None = None,
        batch: int = 100,
        *,
        progress: Callable[[int], object] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> int:
        """Clean up everything that is over at `now`; returns how many held messages expired.

        It goes in batches, telling `progress` the number of messages in each, until nothing is left or
        `stop` says so; what is left is taken the next time. Held messages lose their content and stay a
        while as tombstones; what was in the bin long enough, old tombstones, orphaned contents, desk notes, list
        entries, challenges, audit rows, tokens and answers of the API, acts that can't be undone any more, and sessions
        of people who signed in go.
        """
        now = now or datetime.now(UTC)
        expired = 0
        while not (stop is not None and stop()):
            began = time.monotonic()
            held = self._expire_held(now, batch)
            emptied = self._empty_bin(now, batch)
            buried = self._drop_tombstones(now, batch)
            steps = (
                self._sweep_bodies,
                self._drop_notes,
                self._drop_entries,
                self._drop_audit,
                self._drop_challenges,
                self._drop_sessions,
                self._drop_spent,
                self._drop_tokens,
                self._drop_answers,
                self._drop_acts,
            )
            others = emptied + sum(step(now, batch) for step in steps)
            expired += held
            if progress is not None:
                progress(held + buried)
            if not held + buried + others:
                break
            time.sleep(_REST * (time.monotonic() - began))
        return expired

    def _expire_held(self, now: datetime, batch: int) -> int:
        with self._database.write() as session:
            over = _due(session, now, batch, (HeldState.HELD,))
            if over:
                bury_all(session, over, HeldState.EXPIRED, now)
                audit(session, now, WHO, "expire", "", {"messages": over})
            return len(over)

    def _empty_bin(self, now: datetime, batch: int) -> int:
        with self._database.write() as session:
            over = session.scalars(
                select(MessageRow.id)
                .where(MessageRow.bin_until <= now)
                .limit(batch)
                .with_for_update(skip_locked=True)
            ).all()
            if over:
                drop_contents(session, over)
            return len(over)

    def _drop_tombstones(self, now: datetime, batch: int) -> int:
        with self._database.write() as session:
            over = _due(session, now, batch, GONE)
            if over:
                drop_rows(session, over)
            return len(over)

    def _sweep_bodies(self, now: datetime, batch: int) -> int:
        """Remove bodies that no message has any more, neither as its content nor as its findings.

        A body is first locked, then, in a statement that sees what was committed meanwhile, tested. `hold`
        locks the body it uses as well, so it either comes first and the body is seen in use, or it waits,
        finds the body gone and writes it anew.
        """
        with self._database.write() as session:
            loose = session.execute(
                select(LooseBody.id, LooseBody.digest)
                .order_by(LooseBody.id)
                .limit(batch)
                .with_for_update(skip_locked=True)
            ).all()
            if not loose:
                return 0
            # in the order of their names, so that two clean-ups don't wait for each other in a circle
            locked = session.scalars(
                select(Body.digest)
                .where(Body.digest.in_({digest for _, digest in loose}))
                .order_by(Body.digest)
                .with_for_update()
            ).all()
            used = exists().where(MessageRow.body == Body.digest) | exists().where(
                DetailsRow.findings_body == Body.digest
            )
            session.execute(delete(Body).where(Body.digest.in_(locked), ~used))
            session.execute(delete(LooseBody).where(LooseBody.id.in_([number for number, _ in loose])))
            return len(loose)

    def _drop_notes(self, now: datetime, batch: int) -> int:
        with self._database.write() as session:
            old = session.execute(
                select(NoteRow.transaction, NoteRow.recipient)
                .where(NoteRow.done_at <= now - NOTES_KEPT)
                .limit(batch)
                .with_for_update(skip_locked=True)
            ).all()
            if old:
                these = or_(*((NoteRow.transaction == t) & (NoteRow.recipient == r) for t, r in old))
                session.execute(delete(NoteRow).where(these))
            return len(old)

    def _drop_entries(self, now: datetime, batch: int) -> int:
        with self._database.write() as session:
            old = session.scalars(
                select(EntryRow.id)
                .where(EntryRow.expires <= now)
                .limit(batch)
                .with_for_update(skip_locked=True)
            ).all()
            if old:
                changed(session, entries=old)
                session.execute(delete(EntryRow).where(EntryRow.id.in_(old)))
                audit(session, now, WHO, "expire list entries", "", {"entries": list(old)})
            return len(old)

    def _drop_challenges(self, now: datetime, batch: int) -> int:
        """Keep challenges as long as tombstones of their copies may exist, so that a late answer can be explained."""
        with self._database.write() as session:
            old = session.scalars(
                select(ChallengeRow.id)
                .where(ChallengeRow.expires_at <= now - TOMBSTONE)
                .limit(batch)
                .with_for_update(skip_locked=True)
            ).all()
            if old:
                session.execute(delete(ChallengeRow).where(ChallengeRow.id.in_(old)))
            return len(old)

    def _drop_audit(self, now: datetime, batch: int) -> int:
        with self._database.write() as session:
            old = session.scalars(
                select(AuditRow.id)
                .where(AuditRow.at <= now - AUDIT_KEPT)
                .limit(batch)
                .with_for_update(skip_locked=True)
            ).all()
            if old:
                session.execute(delete(AuditRow).where(AuditRow.id.in_(old)))
            return len(old)

    def _drop_sessions(self, now: datetime, batch: int) -> int:
        return self._drop_by_id(WebSessionRow, now, batch)

    def _drop_spent(self, now: datetime, batch: int) -> int:
        return self._drop_by_id(SpentTokenRow, now, batch)

    def _drop_tokens(self, now: datetime, batch: int) -> int:
        return self._drop_by_id(ApiTokenRow, now - TOKENS_SHOWN, batch)

    def _drop_answers(self, now: datetime, batch: int) -> int:
        return self._drop_by_id(ApiAnswerRow, now, batch)

    def _drop_acts(self, now: datetime, batch: int) -> int:
        return self._drop_by_id(ActRow, now, batch)

    def _drop_by_id(
        self,
        table: type[WebSessionRow | SpentTokenRow | ApiTokenRow | ApiAnswerRow | ActRow],
        now: datetime,
        batch: int,
    ) -> int:
        with self._database.write() as session:
            over = session.scalars(
                select(table.id).where(table.expires_at <= now).limit(batch).with_for_update(skip_locked=True)
            ).all()
            if over:
                session.execute(delete(table).where(table.id.in_(over)))
            return len(over)


def _due(session: Session, now: datetime, batch: int, states: tuple[HeldState, ...]) -> list[str]:
    found: list[str] = []
    for state in states:  # one by one: the index has each in its order, and a batch sorts no backlog
        query = (
            select(MessageRow.id)
            .where(MessageRow.expires_at <= now, MessageRow.state == state, MessageRow.bin_until.is_(None))
            .order_by(MessageRow.expires_at)
            .limit(batch - len(found))
            .with_for_update(skip_locked=True)
        )
        found += session.scalars(query)
        if len(found) == batch:
            break
    return found
