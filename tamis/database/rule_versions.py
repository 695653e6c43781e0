"""Rules that operators write on the console or by the API: each text is a version, the newest is in force everywhere.

form, PUT -> RuleVersions.save -> the background process of each host, every second
          -> state_directory/rules/own.toml (`tamis.handover.own_rules`), read beside `rules.files`
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, select

from tamis.base.errors import ChangedSinceError
from tamis.database.connection import Database, audit, clean
from tamis.database.schema import RuleVersionRow

_LOCK = "rule_versions"
_NOTE = 500


@dataclass(frozen=True, slots=True)
class RuleVersion:
    """A text of rules (TOML): who wrote it, when, and why."""

    id: int
    at: datetime
    who: str
    note: str
    text: str


NO_VERSION = RuleVersion(0, datetime.fromtimestamp(0, UTC), "", "", "")
"""Before the first."""


class RuleVersions:
    """The part of the store for rules. Every method raises StoreError when the database can't answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def newest(self) -> int:
        """The number of the version in force, 0 before the first."""
        with self._database.read() as session:
            return session.scalar(select(func.max(RuleVersionRow.id))) or 0

    def current(self) -> RuleVersion:
        """The version in force."""
        return next(iter(self.find(limit=1)), NO_VERSION)

    def get(self, number: int) -> RuleVersion | None:
        """One version."""
        return next(iter(self.find(before=number + 1, after=number - 1, limit=1)), None)

    def find(self, *, before: int | None = None, after: int = 0, limit: int = 50) -> tuple[RuleVersion, ...]:
        """The newest first, between two numbers."""
        query = select(RuleVersionRow).where(RuleVersionRow.id > after)
        if before is not None:
            query = query.where(RuleVersionRow.id < before)
        with self._database.read() as session:
            rows = session.scalars(query.order_by(RuleVersionRow.id.desc()).limit(limit))
            return tuple(RuleVersion(row.id, row.at, row.who, row.note, row.text) for row in rows)

    def save(
        self, text: str, *, by: str, note: str = "", base: int | None = None, now: datetime | None = None
    ) -> RuleVersion | None:
        """Put a text that was checked into force; None where it is in force already. `base` is the version that it was
        made of: raises ChangedSinceError where another is in force by now."""
        now = now or datetime.now(UTC)
        with self._database.write() as session:
            self._database.lock(session, _LOCK)
            newest = session.scalars(
                select(RuleVersionRow).order_by(RuleVersionRow.id.desc()).limit(1)
            ).first()
            number, before = (newest.id, newest.text) if newest else (0, "")
            if base is not None and base != number:
                raise ChangedSinceError(["rules"])
            if text == before:
                return None
            row = RuleVersionRow(at=now, who=clean(by), note=clean(note.strip(), _NOTE), text=text)
            session.add(row)
            session.flush()
            audit(session, now, by, "rules", f"version {row.id} of the rules", {"note": row.note})
            return RuleVersion(row.id, row.at, row.who, row.note, row.text)
