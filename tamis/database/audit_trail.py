"""The audit trail, as people read it and as those write it who only look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from tamis.database.connection import Database, audit, clean
from tamis.database.schema import AuditRow
from tamis.message.address import PLATFORM


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


def _told(row: AuditRow) -> Deed:
    return Deed(
        row.at, row.who, row.action, row.object, row.details, row.id, row.scope, row.network, row.token
    )
