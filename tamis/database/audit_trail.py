"""The audit trail, as people read it and as those write it who only look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import and_, not_, select

from tamis.database.connection import Database, audit, clean
from tamis.database.schema import AuditRow
from tamis.database.seen_rows import seen
from tamis.message.address import PLATFORM
from tamis.people.rights import NO_LOCKS, Locks, Reach

ACCESS = (
    "sign in",
    "sign in refused",
    "code refused",
    "refused",
    "end session",
    "set factors",
    "reset factors",
    "use recovery code",
)
"""Actions that say who got in, or did not."""


@dataclass(frozen=True, slots=True)
class Deed:
    """Who did what, when, to which message, list entry or setting (`about`); where (`scope`), and from which network
    and by which token of the API."""

    at: datetime
    who: str
    action: str
    about: str
    details: Mapping[str, Any]
    id: int = 0
    scope: str = ""
    network: str = ""
    token: str = ""


class Trail:
    """The audit part of the store: changes write their own rows, in the transaction of the change."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(
        self,
        who: str,
        action: str,
        about: str,
        details: Mapping[str, Any] | None = None,
        *,
        scope: str = PLATFORM,
    ) -> None:
        """Write down what changed nothing: that somebody looked, or was refused."""
        with self._database.write() as session:
            audit(session, datetime.now(UTC), who, action, about, details, scope=scope)

    def about(self, thing: str, *, limit: int = 50) -> tuple[Deed, ...]:
        """What was done to one message, entry or setting, newest first."""
        query = (
            select(AuditRow).where(AuditRow.object == clean(thing)).order_by(AuditRow.id.desc()).limit(limit)
        )
        with self._database.read() as session:
            return tuple(map(_told, session.scalars(query)))

    def find(
        self,
        reach: Reach,
        locks: Locks = NO_LOCKS,
        *,
        who: str = "",
        action: str = "",
        about: str = "",
        before: int | None = None,
        limit: int = 50,
    ) -> tuple[Deed, ...]:
        """What was done where somebody may read it, newest first; `before` is the id to go on from.

        What the owner of a locked mailbox did to its mail is not told (Q9); who got in, or did not, is."""
        theirs = and_(
            AuditRow.who == AuditRow.scope,
            AuditRow.action.not_in(ACCESS),
            not_(seen(replace(reach, closed=locks), AuditRow.scope, AuditRow.domain)),
        )
        query = (
            select(AuditRow)
            .where(seen(reach, AuditRow.scope, AuditRow.domain), not_(theirs))
            .order_by(AuditRow.id.desc())
            .limit(limit)
        )
        for column, wanted in ((AuditRow.who, who), (AuditRow.action, action), (AuditRow.object, about)):
            if wanted:
                query = query.where(column == clean(wanted))
        if before is not None:
            query = query.where(AuditRow.id < before)
        with self._database.read() as session:
            return tuple(map(_told, session.scalars(query)))

    def about_each(self, things: Sequence[str]) -> dict[str, list[Deed]]:
        """What was done to each of several, a page's number of them at most; newest first."""
        query = select(AuditRow).where(AuditRow.object.in_(things)).order_by(AuditRow.id.desc())
        found: dict[str, list[Deed]] = {}
        with self._database.read() as session:
            for row in session.scalars(query.limit(_MOST_EACH * max(1, len(things)))):
                found.setdefault(row.object, []).append(_told(row))
        return found


_MOST_EACH = 50
"""Deeds a thing, on the whole (beyond: the oldest are left out)."""


def _told(row: AuditRow) -> Deed:
    return Deed(
        row.at, row.who, row.action, row.object, row.details, row.id, row.scope, row.network, row.token
    )
