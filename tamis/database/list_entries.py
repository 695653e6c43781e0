"""White and black list entries in the store, and the revision that says when workers must look again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice, starmap
from typing import Any

from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.orm import Session

from tamis.contract.lists import OTHER, Colour, ListEntry, Subject, normalise_pattern
from tamis.database.connection import Database, audit, clean
from tamis.database.schema import EntryRow, RevisionRow
from tamis.database.scope import parse_scope
from tamis.database.seen_rows import seen_scopes
from tamis.message.address import PLATFORM
from tamis.people.rights import Reach

_CHUNK = 500
_NOTE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEntry:
    """An entry to be added; `pattern` and `scope` as somebody typed them, `expires` aware or None."""

    colour: Colour
    subject: Subject
    pattern: str
    scope: str = PLATFORM
    origin: str = "manual"
    author: str = ""
    note: str = ""
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class Added:
    """What came of adding: how many were new, how many stood there already and were brought up to date, and which ones
    had to go because they said the contrary."""

    new: int
    merged: int
    replaced: tuple[ListEntry, ...] = ()


class Lists:
    """The lists part of the store. Every method raises StoreError when the database can't answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, entries: Iterable[NewEntry], *, now: datetime | None = None) -> Added:
        """Add entries, all or none. One of the same scope, colour, subject and pattern takes the newer's
        expiry, note, origin and author; one of the other colour is replaced, for nothing can be both. Raises
        ConfigError when a pattern or a scope is no good."""
        now = now or datetime.now(UTC)
        rows: dict[tuple[str, ...], dict[str, Any]] = {}
        for entry in entries:
            row = _row(entry, now)
            rows[row["scope"], row["subject"], row["pattern"]] = row
        if not rows:
            return Added(0, 0)
        with self._database.write() as session:
            changed(session)
            replaced = _contradicted(session, list(rows.values()))
            _delete(session, [one.id for one in replaced])
            before = session.scalar(select(func.count()).select_from(EntryRow)) or 0
            waiting = iter(rows.values())
            while chunk := list(islice(waiting, _CHUNK)):
                insert = self._database.insert(EntryRow)
                merged = {n: insert.excluded[n] for n in ("expires", "note", "origin", "author")}
                session.execute(
                    insert.on_conflict_do_update(
                        index_elements=["scope", "colour", "subject", "pattern"], set_=merged
                    ),
                    chunk,
                )
            new = (session.scalar(select(func.count()).select_from(EntryRow)) or 0) - before
            _audit_added(session, now, list(rows.values()), new)
            author = next(iter(rows.values()))["author"]
            for one in replaced:
                _audit_removed(session, now, author, one)
        return Added(new, len(rows) - new, replaced)

    def remove(self, ids: Sequence[int], *, by: str, now: datetime | None = None) -> tuple[ListEntry, ...]:
        """Remove entries by id; returns those that were there."""
        now = now or datetime.now(UTC)
        removed: list[ListEntry] = []
        with self._database.write() as session:
            for start in range(0, len(ids), _CHUNK):
                chunk = ids[start : start + _CHUNK]
                removed += starmap(_entry, session.execute(select(*_COLUMNS).where(EntryRow.id.in_(chunk))))
                _delete(session, chunk)
            if removed:
                changed(session)
            for entry in removed:
                _audit_removed(session, now, by, entry)
        return tuple(removed)

    def find(
        self,
        *,
        scope: str | None = None,
        colour: Colour | None = None,
        subject: Subject | None = None,
        pattern: str | None = None,
        limit: int | None = None,
        after: int = 0,
        before: int | None = None,
        reach: Reach | None = None,
        newest_first: bool = False,
    ) -> tuple[ListEntry, ...]:
        """Entries with all of the given properties, by id; `pattern` is in its normal form, `after` and
        `before` are ids, `reach` is where somebody sees entries."""
        order = EntryRow.id.desc() if newest_first else EntryRow.id
        query = select(*_COLUMNS).where(EntryRow.id > after).order_by(order).limit(limit)
        if reach is not None:
            query = query.where(seen_scopes(reach, EntryRow.scope))
        if before is not None:
            query = query.where(EntryRow.id < before)
        for column, wanted in (
            (EntryRow.scope, scope),
            (EntryRow.colour, colour),
            (EntryRow.subject, subject),
            (EntryRow.pattern, pattern),
        ):
            if wanted is not None:
                query = query.where(column == wanted)
        with self._database.read() as session:
            return tuple(starmap(_entry, session.execute(query)))

    def count_hits(self, hits: Mapping[int, int]) -> None:
        """Add to the entries' counts of hits; ids that are gone are ignored. The revision stays as it is."""
        if not hits:
            return
        table = EntryRow.__table__.c
        statement = (
            update(EntryRow).where(table.id == bindparam("entry")).values(hits=table.hits + bindparam("more"))
        )
        # in the order of ids, so that two of these don't wait for each other in a circle
        counted = [{"entry": entry, "more": more} for entry, more in sorted(hits.items())]
        with self._database.write() as session:
            session.connection().execute(statement, counted)


def changed(session: Session) -> int:
    """Bump the revision, in the transaction of a change to lists or overrides; holds off other changes."""
    statement = update(RevisionRow).values(value=RevisionRow.value + 1).returning(RevisionRow.value)
    return session.execute(statement).scalar_one()


def _delete(session: Session, ids: Sequence[int]) -> None:
    for start in range(0, len(ids), _CHUNK):
        session.execute(delete(EntryRow).where(EntryRow.id.in_(ids[start : start + _CHUNK])))


def _contradicted(session: Session, rows: Sequence[Mapping[str, Any]]) -> tuple[ListEntry, ...]:
    """The entries of the other colour with the scope, subject and pattern of one of these."""
    wanted = {
        (row["scope"], str(OTHER[Colour(row["colour"])]), row["subject"], row["pattern"]) for row in rows
    }
    patterns = sorted({row["pattern"] for row in rows})
    found: list[ListEntry] = []
    for start in range(0, len(patterns), _CHUNK):
        query = select(*_COLUMNS).where(EntryRow.pattern.in_(patterns[start : start + _CHUNK]))
        found += starmap(_entry, session.execute(query))
    return tuple(
        one for one in found if (one.scope, str(one.colour), str(one.subject), one.pattern) in wanted
    )


def all_entries(session: Session) -> tuple[ListEntry, ...]:
    """Every entry, by id."""
    return tuple(starmap(_entry, session.execute(select(*_COLUMNS).order_by(EntryRow.id))))


# by name and in this order, and not as objects of EntryRow: there may be 100,000
_COLUMNS = [EntryRow.__table__.c[name] for name in ListEntry.__dataclass_fields__]
_COLOURS = {str(colour): colour for colour in Colour}
_SUBJECTS = {str(subject): subject for subject in Subject}


def _entry(
    number: int,
    scope: str,
    colour: str,
    subject: str,
    pattern: str,
    origin: str,
    author: str,
    note: str,
    created: datetime,
    expires: datetime | None,
    hits: int,
) -> ListEntry:
    return ListEntry(
        id=number,
        scope=scope,
        colour=_COLOURS[colour],
        subject=_SUBJECTS[subject],
        pattern=pattern,
        origin=origin,
        author=author,
        note=note,
        created=created,
        expires=expires,
        hits=hits,
    )


def _row(entry: NewEntry, now: datetime) -> dict[str, Any]:
    return {
        "scope": parse_scope(entry.scope),
        "colour": str(entry.colour),
        "subject": str(entry.subject),
        "pattern": clean(normalise_pattern(entry.subject, entry.pattern)),
        "origin": clean(entry.origin, _NOTE),
        "author": clean(entry.author, _NOTE),
        "note": clean(entry.note, _NOTE),
        "created": now,
        "expires": entry.expires,
        "hits": 0,
    }


def _audit_removed(session: Session, now: datetime, by: str, entry: ListEntry) -> None:
    about = f"{entry.scope} {entry.colour} {entry.subject} {entry.pattern}"
    audit(session, now, by, "list remove", about, {"id": entry.id}, scope=entry.scope)


def _audit_added(session: Session, now: datetime, rows: Sequence[Mapping[str, Any]], new: int) -> None:
    """One audit row an entry; one for all when they come in bulk."""
    first = rows[0]
    if len(rows) > _CHUNK:
        told = {"entries": len(rows), "new": new}
        audit(session, now, first["author"], "list import", first["scope"], told, scope=first["scope"])
        return
    for row in rows:
        about = f"{row['scope']} {row['colour']} {row['subject']} {row['pattern']}"
        audit(session, now, row["author"], "list add", about, {"note": row["note"]}, scope=row["scope"])
