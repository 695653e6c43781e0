"""How much is held: what goes first when a quota is full, and what never goes for one (docs/rooms/held-mail.md)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from tamis.database.connection import Database, audit
from tamis.database.schema import MessageRow
from tamis.message.address import PLATFORM
from tamis.quarantine.held_mail import bury_all
from tamis.quarantine.records import HeldState
from tamis.settings import QuarantineSettings

WHO = "quota"
_BATCH = 100
"""Copies that one transaction drops (beyond: the next one goes on)."""

ScopeKind = Literal["mailbox", "domain", "platform"]
_KINDS: tuple[ScopeKind, ...] = ("mailbox", "domain", "platform")
_HELD = MessageRow.state == HeldState.HELD
_SIZE = func.sum(MessageRow.size)


@dataclass(frozen=True, slots=True)
class Usage:
    """What is held for a scope: copies, and the octets of their messages as they came."""

    scope: str
    copies: int
    octets: int


@dataclass(frozen=True, slots=True)
class Full:
    """A scope that holds more than its quota, because all of it is guaranteed."""

    usage: Usage
    quota: int


class Quotas:
    """What the store knows of how much is held. Every method raises StoreError when the database can't answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def largest(self, kind: Literal["mailbox", "domain"], limit: int, over: int = 0) -> tuple[Usage, ...]:
        """The scopes of a kind that hold most, and more than `over` octets; the largest first."""
        column = MessageRow.mailbox if kind == "mailbox" else MessageRow.domain
        with self._database.read() as session:
            return _largest(session, column, over, limit)

    def all_of_it(self) -> Usage:
        """What is held in all."""
        with self._database.read() as session:
            return _platform(session)

    def full(self, settings: QuarantineSettings, limit: int = 20) -> tuple[Full, ...]:
        """What is over its quota now."""
        return tuple(one for kind in _KINDS for one in self._over(kind, settings, limit))

    def relieve(self, settings: QuarantineSettings, now: datetime, stop: Callable[[], bool]) -> int:
        """Let go of what quotas have no room for, until nothing is over or droppable, or `stop` says so; how many."""
        before = now - timedelta(days=settings.guaranteed_days)
        gone = 0
        for kind in _KINDS:  # what a mailbox's own quota takes away relieves its domain
            for one in self._over(kind, settings, limit=1000):
                excess = one.usage.octets - one.quota
                while excess > 0 and not stop():
                    with self._database.write() as session:
                        dropped = _drop(session, one.usage.scope, excess, before, now)
                    if not dropped:
                        break
                    gone += len(dropped)
                    excess -= sum(dropped)
        return gone

    def _over(self, kind: ScopeKind, settings: QuarantineSettings, limit: int) -> list[Full]:
        if kind == "platform":
            quota, usage = settings.quota, self.all_of_it()
            over: Sequence[Usage] = (usage,) if usage.octets > quota else ()
        else:
            quota = settings.mailbox_quota if kind == "mailbox" else settings.domain_quota
            over = self.largest(kind, limit, quota)
        return [Full(one, quota) for one in over] if quota else []


def _largest(
    session: Session, column: InstrumentedAttribute[str], over: int, limit: int
) -> tuple[Usage, ...]:
    query = (
        select(column, func.count(), _SIZE)
        .where(_HELD)
        .group_by(column)
        .having(over < _SIZE)
        .order_by(_SIZE.desc())
        .limit(limit)
    )
    return tuple(Usage(*row) for row in session.execute(query))


def _platform(session: Session) -> Usage:
    copies, octets = session.execute(select(func.count(), _SIZE).where(_HELD)).one()
    return Usage(PLATFORM, copies, octets or 0)


def _drop(session: Session, scope: str, excess: int, before: datetime, now: datetime) -> Sequence[int]:
    """Drop the oldest copies of the scope's largest mailbox that has any from `before`; their sizes."""
    droppable = func.min(MessageRow.held_at) <= before
    query = select(MessageRow.mailbox).where(_HELD, *_within(scope)).group_by(MessageRow.mailbox)
    mailbox = session.scalar(query.having(droppable).order_by(_SIZE.desc()).limit(1))
    oldest = (
        select(MessageRow.id, MessageRow.size)
        .where(_HELD, MessageRow.mailbox == mailbox, MessageRow.held_at <= before)
        .order_by(MessageRow.id)
        .limit(_BATCH)
        .with_for_update(skip_locked=True)
    )
    going: list[tuple[str, int]] = []
    for message, size in session.execute(oldest):
        if sum(size for _, size in going) >= excess:
            break
        going.append((message, size))
    if going:
        messages = [message for message, _ in going]
        bury_all(session, messages, HeldState.EXPIRED, now)
        told = {"quota of": scope, "messages": messages}
        audit(session, now, WHO, "expire", mailbox or "", told, scope=mailbox or scope)
    return [size for _, size in going]


def _within(scope: str) -> tuple[ColumnElement[bool], ...]:
    if scope == PLATFORM:
        return ()
    return ((MessageRow.mailbox if "@" in scope else MessageRow.domain) == scope,)
