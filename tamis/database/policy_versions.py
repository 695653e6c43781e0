"""Versions of policy: what was changed, by whom, when; of the store's settings and of those in the settings file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select, tuple_
from sqlalchemy.orm import Session

from tamis.database.connection import Database, audit, clean, json_text
from tamis.database.schema import FactRow, PolicyChangeRow, PolicyVersionRow
from tamis.database.seen_rows import seen
from tamis.judging.policy_layers import flat
from tamis.message.address import PLATFORM
from tamis.people.rights import Reach
from tamis.settings import Layers

EVERYWHERE = Reach(frozenset({PLATFORM}))
FILE = "file"
"""Who makes the versions of the settings file."""
_FACT = "policy_file"
_NOTE = 500
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """One setting of a scope, before and after; None where it is not set."""

    scope: str
    key: str
    was: Any
    now: Any


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """A change of policy. `undoes` is the version that it takes back, `from_file` says that it was made in the settings
    file."""

    id: int
    at: datetime
    who: str
    note: str
    changes: tuple[PolicyChange, ...]
    undoes: int | None = None
    from_file: bool = False


class PolicyVersions:
    """Every method raises StoreError when the database can't answer. `reach` says in which scopes changes are seen: a
    version without one of those is not there."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def newest(self) -> int:
        """The number of the last version, 0 before the first."""
        with self._database.read() as session:
            return session.scalar(select(func.max(PolicyVersionRow.id))) or 0

    def get(self, number: int, reach: Reach = EVERYWHERE) -> PolicyVersion | None:
        """One version."""
        return next(iter(self.find(reach, before=number + 1, after=number - 1, limit=1)), None)

    def find(
        self,
        reach: Reach = EVERYWHERE,
        *,
        scope: str = "",
        before: int | None = None,
        after: int = 0,
        limit: int = 50,
    ) -> tuple[PolicyVersion, ...]:
        """The newest first: those of a scope alone unless that is "", between two numbers."""
        touched = select(PolicyChangeRow.version).where(_visible(reach), PolicyChangeRow.version > after)
        if scope:
            touched = touched.where(PolicyChangeRow.scope == scope)
        if before is not None:
            touched = touched.where(PolicyChangeRow.version < before)
        touched = touched.distinct().order_by(PolicyChangeRow.version.desc()).limit(limit)
        with self._database.read() as session:
            numbers = session.scalars(touched).all()
            heads = session.scalars(
                select(PolicyVersionRow)
                .where(PolicyVersionRow.id.in_(numbers))
                .order_by(PolicyVersionRow.id.desc())
            ).all()
            changes: dict[int, list[PolicyChange]] = {number: [] for number in numbers}
            rows = select(PolicyChangeRow).where(PolicyChangeRow.version.in_(numbers), _visible(reach))
            for one in session.scalars(rows.order_by(PolicyChangeRow.version, PolicyChangeRow.place)):
                changes[one.version].append(PolicyChange(one.scope, one.key, one.was, one.now))
            return tuple(_version(row, changes[row.id]) for row in heads)

    def note_file(self, layers: Layers, *, now: datetime | None = None) -> PolicyVersion | None:
        """Write down what changed in the settings file since it was noted last; None for nothing. The first time only
        remembers it."""
        here = {scope: dict(sorted(flat(layer))) for scope, layer in sorted(layers.items())}
        text = json_text(here)
        with self._database.read() as session:
            if session.scalar(_noted()) == text:
                return None
        with self._database.write() as session:
            self._database.lock(session, _FACT)
            before = session.scalar(_noted())
            put = self._database.insert(FactRow).values(name=_FACT, value=text)
            session.execute(put.on_conflict_do_update(index_elements=["name"], set_={"value": text}))
            changes = _differences(json.loads(before), json.loads(text)) if before is not None else []
            if not changes:
                return None
            return add_version(session, now or datetime.now(UTC), FILE, changes, from_file=True)


def add_version(
    session: Session,
    now: datetime,
    by: str,
    changes: Sequence[PolicyChange],
    *,
    note: str = "",
    undoes: int | None = None,
    from_file: bool = False,
) -> PolicyVersion:
    """Write a version down, in the transaction of its changes."""
    row = PolicyVersionRow(
        at=now, who=clean(by), note=clean(note.strip(), _NOTE), undoes=undoes, from_file=from_file
    )
    session.add(row)
    session.flush()
    session.add_all(
        PolicyChangeRow(
            version=row.id,
            place=place,
            scope=one.scope,
            domain="" if one.scope == PLATFORM else one.scope.rpartition("@")[2],
            key=one.key,
            was=one.was,
            now=one.now,
        )
        for place, one in enumerate(changes)
    )
    scopes = sorted({one.scope for one in changes})
    details = {"version": row.id, "changes": len(changes), "note": row.note, "undoes": undoes}
    about, where = f"version {row.id} of {', '.join(scopes[:5])}", scopes[0] if len(scopes) == 1 else PLATFORM
    audit(session, now, by, "policy version", about, details, scope=where)
    return _version(row, changes)


def changed_after(session: Session, version: int, now: Mapping[tuple[str, str], Any]) -> list[str]:
    """Those of these settings, (scope, key) with the value that each has now, that have another one than after this
    version."""
    wanted, then = sorted(now), dict[tuple[str, str], Any]()
    for start in range(0, len(wanted), _CHUNK):
        chunk = wanted[start : start + _CHUNK]
        query = (
            select(PolicyChangeRow.scope, PolicyChangeRow.key, PolicyChangeRow.was)
            .join(PolicyVersionRow, PolicyVersionRow.id == PolicyChangeRow.version)
            .where(
                PolicyChangeRow.version > version,
                tuple_(PolicyChangeRow.scope, PolicyChangeRow.key).in_(chunk),
                PolicyVersionRow.from_file.is_(False),
            )
        )
        for scope, key, was in session.execute(query.order_by(PolicyChangeRow.version)):
            then.setdefault((scope, key), was)
    return [
        f"{scope} {key}" for (scope, key), was in sorted(then.items()) if not is_same(was, now[scope, key])
    ]


def _visible(reach: Reach) -> ColumnElement[bool]:
    """The platform's own changes are for who sees the platform."""
    return seen(reach, PolicyChangeRow.scope, PolicyChangeRow.domain)


def is_same(one: Any, other: Any) -> bool:
    """Whether two values say the same: 6 is 6.0 (SQLite makes no difference), and true is not 1."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    return bool(one == other) and isinstance(one, bool) is isinstance(other, bool)


def _noted() -> Any:
    return select(FactRow.value).where(FactRow.name == _FACT)


def _differences(
    before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]]
) -> list[PolicyChange]:
    def keys(scope: str) -> Iterable[str]:
        return sorted(before.get(scope, {}).keys() | after.get(scope, {}).keys())

    found = (
        PolicyChange(scope, key, before.get(scope, {}).get(key), after.get(scope, {}).get(key))
        for scope in sorted(before.keys() | after.keys())
        for key in keys(scope)
    )
    return [one for one in found if not is_same(one.was, one.now)]


def _version(row: PolicyVersionRow, changes: Sequence[PolicyChange]) -> PolicyVersion:
    return PolicyVersion(row.id, row.at, row.who, row.note, tuple(changes), row.undoes, row.from_file)
