"""Quarantined mail: hold, list, show, release, delete. Called from threads; one call is a few transactions."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, case, delete, func, insert, select, update
from sqlalchemy.orm import Session

from tamis.base.errors import StoreError, TamisError
from tamis.database.connection import Database, audit, clean, exact
from tamis.database.effective_labels import LabelSource
from tamis.database.labels import SaidLabel, say, source_of, take_back
from tamis.database.schema import Body, DetailsRow, LooseBody, MessageRow
from tamis.database.seen_rows import seen
from tamis.database.sent_again import sent_again
from tamis.message.address import PLATFORM
from tamis.people.rights import Reach
from tamis.quarantine.content import unpack
from tamis.quarantine.holding import hold
from tamis.quarantine.records import (
    GONE,
    Deliver,
    Done,
    HeldMessage,
    HeldRecord,
    HeldState,
    Summary,
)
from tamis.quarantine.rows import (
    TEXT,
    held_record,
    search_words,
    summary_of,
)

TOMBSTONE = timedelta(days=7)
"""How long the row of a message without content stays at least: longer than Postfix keeps a copy queued."""
STALE_RELEASE = timedelta(minutes=10)
"""After this long a release that did not end is taken for crashed."""

ITS_SENDER = "its sender "
"""How `by` begins where a sender's answer releases a message."""

BIN = timedelta(minutes=10)
"""How long what was released or deleted keeps its content: a deletion, and what was learned, can be undone."""


class Quarantine:
    """The mail part of the store. Every method raises StoreError when the database can't answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def hold(
        self,
        message: HeldMessage,
        content: bytes,
        *,
        now: datetime | None = None,
        since: datetime | None = None,
        also: Callable[[Session, str], None] | None = None,
    ) -> str:
        """Keep one mailbox's copy and return its id; on return it is on disk.

        Recipients of a transaction that have a copy, at any time and from any process, change nothing, even when it was
        released or deleted since: the first one's id is returned. Those that have none are added to a copy of their
        mailbox that is still held, or get one. But a copy that came before `since` and was deleted or has expired does
        not count: what comes now was sent anew, under a transaction that follows from its octets. `also` is done with a
        new message's id in the transaction that makes it.
        """
        return hold(self._database, message, content, now or datetime.now(UTC), since, also)

    def list(
        self,
        scope: str = PLATFORM,
        *,
        state: HeldState | Sequence[HeldState] | None = HeldState.HELD,
        text: str = "",
        limit: int = 50,
        before: str | None = None,
        reach: Reach | None = None,
    ) -> tuple[Summary, ...]:
        """The newest messages of a scope ("platform", a domain or a mailbox), newest first.

        Every word of `text` must stand somewhere in sender, header From or subject, without case and accents; `before`
        is the last id of the page before; `state` None means every state; `reach` is where somebody sees held mail.
        """
        found = select(MessageRow.id).where(*_of(scope, state)).order_by(MessageRow.id.desc()).limit(limit)
        if before is not None:
            found = found.where(MessageRow.id < clean(before))
        found = found.where(*_reached(reach))
        for word in search_words(text):
            found = found.where(MessageRow.search.contains(word, autoescape=True))
        # ids first, by indexes alone: a row is wide
        query = select(MessageRow).where(MessageRow.id.in_(found)).order_by(MessageRow.id.desc())
        with self._database.read() as session:
            return tuple(summary_of(row) for row in session.scalars(query))

    def several(self, messages: Sequence[str], reach: Reach | None = None) -> tuple[Summary, ...]:
        """These messages, newest first, without those that are not there any more or not in `reach`; a page's number of
        them at most."""
        query = select(MessageRow).where(MessageRow.id.in_([clean(one) for one in messages]))
        query = query.where(*_reached(reach)).order_by(MessageRow.id.desc())
        with self._database.read() as session:
            return tuple(summary_of(row) for row in session.scalars(query))

    def of_message(self, transaction: str, reach: Reach) -> tuple[Summary, ...]:
        """The copies of one message, by our id of it, that somebody may see; 1,000 at most (beyond: not shown)."""
        if not transaction:
            return ()
        query = select(MessageRow).where(MessageRow.transaction == exact(transaction), *_reached(reach))
        with self._database.read() as session:
            rows = session.scalars(query.order_by(MessageRow.id.desc()).limit(1000))
            return tuple(summary_of(row) for row in rows)

    def count(self, scope: str = PLATFORM, *, state: HeldState | None = HeldState.HELD) -> int:
        """How many messages of a scope are in a state."""
        with self._database.read() as session:
            return session.scalar(select(func.count()).select_from(MessageRow).where(*_of(scope, state))) or 0

    def get(self, message: str) -> HeldRecord | None:
        """Everything about one message except its content; None when there is no such id."""
        query = (
            select(MessageRow, DetailsRow.record, Body.content)
            .join(DetailsRow, DetailsRow.id == MessageRow.id)
            .outerjoin(Body, Body.digest == DetailsRow.findings_body)
            .where(MessageRow.id == clean(message))
        )
        with self._database.read() as session:
            found = session.execute(query).one_or_none()
            return None if found is None else held_record(*found)

    def content(self, message: str) -> bytes | None:
        """The message as it came, octet for octet; None when there is no such id or no content any more."""
        query = (
            select(Body.content, Body.size)
            .join(MessageRow, MessageRow.body == Body.digest)
            .where(MessageRow.id == clean(message))
        )
        with self._database.read() as session:
            found = session.execute(query).one_or_none()
        return None if found is None else unpack(found[0], found[1])

    def release(self, message: str, by: str, deliver: Deliver, *, now: datetime | None = None) -> Done:
        """Give a held message to `deliver`, once however many ask at the same time.

        When `deliver` raises a TamisError the message is held again and the error goes on to the caller.
        A crash in between leaves it "releasing", and `resume_releases` takes it up: then it may be
        delivered twice, never not at all.
        """
        now = now or datetime.now(UTC)
        token = secrets.token_hex(16)
        with self._database.write() as session:
            taken = session.execute(
                update(MessageRow)
                .where(MessageRow.id == clean(message), MessageRow.state == HeldState.HELD)
                .values(state=HeldState.RELEASING, claim=token, claimed_at=now, released_by=clean(by))
                .returning(MessageRow.id)
            ).first()
            if taken is None:
                return _refusal(session, message, HeldState.RELEASED)
        self._deliver(message, token, deliver)
        return Done.DONE

    def resume_releases(
        self, deliver: Deliver, *, now: datetime | None = None, older_than: timedelta = STALE_RELEASE
    ) -> tuple[tuple[str, str], ...]:
        """Take up releases that a crash left half done; [(id, "" or why it is held again)]."""
        now = now or datetime.now(UTC)
        stale = (MessageRow.state == HeldState.RELEASING, MessageRow.claimed_at <= now - older_than)
        with self._database.read() as session:
            waiting = session.scalars(select(MessageRow.id).where(*stale).order_by(MessageRow.id)).all()
        taken_up = []
        for message in waiting:
            token = secrets.token_hex(16)
            with self._database.write() as session:
                mine = session.execute(
                    update(MessageRow)
                    .where(MessageRow.id == message, *stale)
                    .values(claim=token, claimed_at=now)
                    .returning(MessageRow.id)
                ).first()
            if mine is None:
                continue
            try:
                self._deliver(message, token, deliver)
            except TamisError as error:
                taken_up.append((message, str(error)))
            else:
                taken_up.append((message, ""))
        return tuple(taken_up)

    def _deliver(self, message: str, token: str, deliver: Deliver) -> None:
        try:
            record, content = self.get(message), self.content(message)
            if record is None or content is None:
                raise StoreError(f"the content of {message} is missing")  # held again below
            queue_id = deliver(record, content)
        except TamisError as error:
            self._give_back(message, token, str(error))
            raise
        self._finish(record, queue_id)

    def _give_back(self, message: str, token: str, why: str) -> None:
        now = datetime.now(UTC)
        with self._database.write() as session:
            row = session.execute(
                update(MessageRow)
                .where(
                    MessageRow.id == message,
                    MessageRow.state == HeldState.RELEASING,
                    MessageRow.claim == token,
                )
                .values(state=HeldState.HELD, claim=None, claimed_at=None)
                .returning(MessageRow.released_by, MessageRow.mailbox)
            ).first()
            if row is not None:
                told = {"why": why[:TEXT]}
                audit(session, now, row[0] or "", "release failed", message, told, scope=row[1])

    def _finish(self, record: HeldRecord, queue_id: str) -> None:
        now = datetime.now(UTC)
        was = record.summary
        with self._database.write() as session:
            transaction = was.transaction.partition("/")[0]
            sent_again(session, transaction, was.recipient, queue_id, now)
            # "held" too: a slower first attempt may succeed after a second one failed
            closed = bury(
                session, was.id, (HeldState.RELEASING, HeldState.HELD), HeldState.RELEASED, now, kept=BIN
            )
            if closed:
                told = {"recipient": was.recipient}
                audit(session, now, was.released_by, "release", was.id, told, scope=was.mailbox)
                if not was.released_by.startswith(ITS_SENDER):  # what an answer says is noted with the answer
                    source = source_of(was.released_by, was.mailbox, LabelSource.RELEASE)
                    wanted = SaidLabel(transaction, was.mailbox, True, source, was.released_by, now)
                    say(self._database, session, wanted)

    def delete(self, message: str, by: str, *, unwanted: bool = False, now: datetime | None = None) -> Done:
        """Drop a held message; `unwanted` notes that as a person's word on it. Its content goes with the first clean-up
        after BIN, until which `restore` gets it back; the row stays as a tombstone until it expires."""
        now = now or datetime.now(UTC)
        with self._database.write() as session:
            if not bury(session, clean(message), (HeldState.HELD,), HeldState.DELETED, now, kept=BIN):
                return _refusal(session, message, HeldState.DELETED)
            mailbox = session.scalars(select(MessageRow.mailbox).where(MessageRow.id == clean(message))).one()
            audit(session, now, by, "delete", message, scope=mailbox)
            if unwanted and (copy := _copy(session, message)):
                source = source_of(by, copy[1], LabelSource.SPAM_BUTTON)
                say(self._database, session, SaidLabel(*copy, False, source, by, now))
        return Done.DONE

    def forget_word(self, message: str, by: str, *, now: datetime | None = None) -> None:
        """Take back what somebody's release or deletion said of a message."""
        with self._database.write() as session:
            if copy := _copy(session, message):
                take_back(self._database, session, *copy, None, by, now or datetime.now(UTC))

    def restore(self, message: str, by: str, *, now: datetime | None = None) -> Done:
        """Undo a deletion within BIN of it. The message is kept at least as long as its tombstone would be."""
        now = now or datetime.now(UTC)
        with self._database.write() as session:
            back = session.execute(
                update(MessageRow)
                .where(
                    MessageRow.id == clean(message),
                    MessageRow.state == HeldState.DELETED,
                    MessageRow.bin_until > now,
                    MessageRow.body.is_not(None),
                )
                .values(state=HeldState.HELD, bin_until=None)
                .returning(MessageRow.mailbox)
            ).first()
            if back is None:
                return _refusal(session, message, HeldState.HELD)
            audit(session, now, by, "restore", message, scope=back[0])
            if copy := _copy(session, message):
                take_back(self._database, session, *copy, None, by, now)
        return Done.DONE


def _copy(session: Session, message: str) -> tuple[str, str] | None:
    """Our id of the message, and whose copy it is: what people's words are kept by."""
    query = select(MessageRow.transaction, MessageRow.mailbox).where(MessageRow.id == clean(message))
    found = session.execute(query).one_or_none()
    return None if found is None else (found[0].partition("/")[0], found[1])


def bury(
    session: Session,
    message: str,
    was: tuple[HeldState, ...],
    becomes: HeldState,
    now: datetime,
    *,
    kept: timedelta = timedelta(0),
) -> bool:
    """Take a message's content away, after `kept`, and keep its row as a tombstone; False when it isn't in a
    state `was`."""
    mine = select(MessageRow.id).where(MessageRow.id == message, MessageRow.state.in_(was))
    if session.scalar(mine.with_for_update()) is None:
        return False
    bury_all(session, [message], becomes, now, kept=kept)
    return True


def bury_all(
    session: Session,
    messages: Sequence[str],
    becomes: HeldState,
    now: datetime,
    *,
    kept: timedelta = timedelta(0),
) -> None:
    """Make tombstones of messages whose rows this transaction has locked; their content is `kept` for a time."""
    these = MessageRow.id.in_(messages)
    least = now + TOMBSTONE
    values: dict[str, Any] = {
        "state": becomes,
        "claim": None,
        "claimed_at": None,
        "expires_at": case((MessageRow.expires_at < least, least), else_=MessageRow.expires_at),
    }
    if becomes is HeldState.RELEASED:
        values["released_at"] = now
    if kept:
        values["bin_until"] = now + kept
    else:
        _let_go(session, messages)
        values["body"] = None
    session.execute(
        update(MessageRow).where(these).values(values).execution_options(synchronize_session=False)
    )


def drop_contents(session: Session, messages: Sequence[str]) -> None:
    """Take away the content of tombstones whose rows this transaction has locked."""
    _let_go(session, messages)
    emptied = update(MessageRow).where(MessageRow.id.in_(messages)).values(body=None, bin_until=None)
    session.execute(emptied.execution_options(synchronize_session=False))


def _let_go(session: Session, messages: Sequence[str]) -> None:
    bodies = select(MessageRow.body).where(MessageRow.id.in_(messages), MessageRow.body.is_not(None))
    session.execute(insert(LooseBody).from_select(["digest"], bodies))


def drop_rows(session: Session, messages: Sequence[str]) -> None:
    """Forget tombstones whose rows this transaction has locked."""
    findings = select(DetailsRow.findings_body).where(
        DetailsRow.id.in_(messages), DetailsRow.findings_body.is_not(None)
    )
    session.execute(insert(LooseBody).from_select(["digest"], findings))
    session.execute(delete(MessageRow).where(MessageRow.id.in_(messages)))


def _refusal(session: Session, message: str, wanted: HeldState) -> Done:
    state = session.scalar(select(MessageRow.state).where(MessageRow.id == clean(message)))
    if state is None:
        return Done.UNKNOWN
    if state == wanted:
        return Done.ALREADY
    return Done.GONE if state in GONE else Done.BUSY


def _reached(reach: Reach | None) -> tuple[ColumnElement[bool], ...]:
    return () if reach is None else (seen(reach, MessageRow.mailbox, MessageRow.domain),)


def _of(scope: str, state: HeldState | Sequence[HeldState] | None) -> tuple[ColumnElement[bool], ...]:
    if scope == PLATFORM:
        conditions: tuple[ColumnElement[bool], ...] = ()
    else:
        column = MessageRow.mailbox if "@" in scope else MessageRow.domain
        conditions = (column == exact(scope),)
    if state is None:
        return conditions
    of = MessageRow.state == state if isinstance(state, HeldState) else MessageRow.state.in_(state)
    return (*conditions, of)
