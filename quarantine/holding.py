"""Holding one mailbox's copy: once, whoever brings it again, and with all of its addresses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, or_, select, update
from sqlalchemy.orm import Session

from tamis.database.connection import Database, exact
from tamis.database.schema import Body, DetailsRow, MessageRow
from tamis.message.envelope import Recipient
from tamis.quarantine.content import digest_of, pack
from tamis.quarantine.records import DROPPED, HeldMessage, HeldState
from tamis.quarantine.rows import (
    details_record,
    findings_content,
    message_values,
    recipients_of,
    with_recipients,
)

_Found = Sequence[Row[str, str, datetime, bytes]]


def hold(
    database: Database,
    message: HeldMessage,
    content: bytes,
    now: datetime,
    since: datetime | None = None,
    also: Callable[[Session, str], None] | None = None,
) -> str:
    """See `tamis.quarantine.held_mail.Quarantine.hold`."""
    findings = findings_content(message.findings)
    body, findings_body = digest_of(content), digest_of(findings)
    kept = {body: content, findings_body: findings}
    with database.read() as session:
        found = _copies(session, message)
        known = _by_address(found, since)
        if all(one.address in known for one in message.recipients):  # a second delivery
            return known[message.recipients[0].address]
        there = set(session.scalars(select(Body.digest).where(Body.digest.in_(kept))))
    packed = {digest: pack(one) for digest, one in kept.items() if digest not in there}  # while nobody waits
    with database.write() as session:
        database.lock(session, f"{message.transaction}\0{message.mailbox}")  # Postfix delivers in parallel
        found = _copies(session, message)
        known = _by_address(found, since)
        missing = tuple(one for one in message.recipients if one.address not in known)
        if not missing:
            return known[message.recipients[0].address]
        _make_room(session, found, since)
        joined = next((one for one in sorted(set(known.values())) if _join(session, one, missing)), None)
        if joined is not None:
            return joined
        for digest in sorted(kept):  # in the order of their names, as the clean-up locks them
            _keep_body(database, session, digest, kept[digest], packed.get(digest))
        mine = replace(message, recipients=missing)
        values = message_values(mine, now) | {"size": len(content), "body": body}
        made = _insert(session, values, details_record(mine), findings_body)
        if also is not None:
            session.flush()
            also(session, made)
        return made


def _copies(session: Session, message: HeldMessage) -> _Found:
    """What there is of the transaction for the mailbox, or under one of its addresses: recipient_delimiter may have
    changed meanwhile."""
    addresses = [exact(one.address) for one in message.recipients]
    query = (
        select(MessageRow.id, MessageRow.state, MessageRow.received_at, DetailsRow.record)
        .join(DetailsRow, DetailsRow.id == MessageRow.id)
        .where(MessageRow.transaction == exact(message.transaction))
        .where(or_(MessageRow.mailbox == exact(message.mailbox), MessageRow.recipient.in_(addresses)))
    )
    return session.execute(query).all()


def _by_address(found: _Found, since: datetime | None) -> dict[str, str]:
    """The copy of each address that has one which counts."""
    return {
        one.address: message
        for message, state, received, record in found
        if not _is_past(state, received, since)
        for one in recipients_of(record)
    }


def _is_past(state: str, received: datetime, since: datetime | None) -> bool:
    """Whether a copy was dropped before what comes now was sent."""
    return since is not None and state in DROPPED and received < since


def _make_room(session: Session, found: _Found, since: datetime | None) -> None:
    """A tombstone whose message was sent anew leaves its name to the new copy."""
    for message, state, received, _ in found:
        if _is_past(state, received, since):
            gone = update(MessageRow).where(MessageRow.id == message, MessageRow.state.in_(DROPPED))
            session.execute(gone.values(transaction=MessageRow.transaction + "/" + message))


def _join(session: Session, message: str, more: Sequence[Recipient]) -> bool:
    """Add addresses to a copy of their mailbox; False when it is not held any more."""
    held = select(MessageRow.id).where(MessageRow.id == message, MessageRow.state == HeldState.HELD)
    if session.scalar(held.with_for_update()) is None:
        return False
    record = session.scalars(select(DetailsRow.record).where(DetailsRow.id == message)).one()
    changed = update(DetailsRow).where(DetailsRow.id == message).values(record=with_recipients(record, more))
    session.execute(changed)
    return True


def _insert(session: Session, values: Mapping[str, Any], record: bytes, findings_body: str) -> str:
    session.add(MessageRow(**values))
    session.flush()  # the details refer to it
    session.add(DetailsRow(id=values["id"], record=record, findings_body=findings_body))
    return str(values["id"])


def _keep_body(
    database: Database, session: Session, digest: str, content: bytes, packed: bytes | None
) -> None:
    """Have the body in the table, locked against its removal until this transaction ends.

    A clean-up may remove an orphan between our look and our insert, hence the loop. On SQLite there is
    one writer at a time, and the lock says nothing.
    """
    locked = select(Body.digest).where(Body.digest == digest).with_for_update(read=True, key_share=True)
    while session.scalar(locked) is None:
        packed = packed or pack(content)
        values = {"digest": digest, "size": len(content), "content": packed}
        session.execute(database.insert(Body).values(values).on_conflict_do_nothing())
