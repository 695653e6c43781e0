"""White and black list entries in the store, and the revision that says when workers must look again."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import islice, starmap
from typing import Any

from sqlalchemy import bindparam, case, delete, func, select, update
from sqlalchemy.orm import Session

from tamis.contract.lists import Colour, Entry, ListEntry, Subject, normalise_pattern
from tamis.database.connection import Database, audit, clean
from tamis.database.schema import ChangeRow, EntryRow, RevisionRow
from tamis.database.scope import parse_scope
from tamis.database.seen_rows import seen_scopes
from tamis.database.statistics_schema import EntryDayRow
from tamis.database.statistics_zone import zone_in
from tamis.message.address import PLATFORM
from tamis.people.rights import Reach

_CHUNK = 500
_NOTE = 500
_AT_ONCE = 2000
MOST_NAMED = 5_000
"""Entries of one change that are named. Beyond: everything is read again, which costs no more then."""
_KEPT = (
    10_000  # revisions of which it is known what they changed; beyond: who knows an older one reads all again
)


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


def allowed_senders(entries: Iterable[NewEntry]) -> list[str]:
    """The senders that entries would always let in, as patterns."""
    return [one.pattern for one in entries if (one.colour, one.subject) == (Colour.WHITE, Subject.SENDER)]


LATELY = 30
"""Days whose hits are told as those of late."""
HITS_KEPT = 92
"""Days whose hits are kept (beyond: an entry was met longer ago, or never)."""


@dataclass(frozen=True, slots=True)
class MetLately:
    """How many copies an entry met within LATELY days, and the last day on which it met one."""

    hits: int
    last: date


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
            revision = changed(session)
            before = _standing(session, rows)
            replaced = tuple(one for one in before if rows[_about(one)]["colour"] != one.colour)
            _delete(session, [one.id for one in replaced])
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
            new = len(rows) - (len(before) - len(replaced))
            if len(rows) <= MOST_NAMED:
                name_changed(session, revision, [one.id for one in (*replaced, *_standing(session, rows))])
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
                changed(session, entries=[entry.id for entry in removed])
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
        words: str = "",
    ) -> tuple[ListEntry, ...]:
        """Entries with all of the given properties, by id; `pattern` is in its normal form, `after` and
        `before` are ids, `reach` is where somebody sees entries, `words` is a part of the
        pattern."""
        order = EntryRow.id.desc() if newest_first else EntryRow.id
        query = select(*_COLUMNS).where(EntryRow.id > after).order_by(order).limit(limit)
        if reach is not None:
            query = query.where(seen_scopes(reach, EntryRow.scope))
        if words:
            query = query.where(EntryRow.pattern.contains(clean(words), autoescape=True))
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

    def count_hits(self, hits: Mapping[int, int], *, now: datetime | None = None) -> None:
        """Add to the entries' counts of hits, and to those of the day; ids that are gone are ignored. The revision
        stays as it is."""
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
            day = (now or datetime.now(UTC)).astimezone(zone_in(session)).toordinal()
            insert = self._database.insert(EntryDayRow)
            more = EntryDayRow.__table__.c.hits + insert.excluded.hits
            insert = insert.on_conflict_do_update(index_elements=["entry", "day"], set_={"hits": more})
            rows = [{"entry": one["entry"], "day": day, "hits": one["more"]} for one in counted]
            session.connection().execute(insert, rows)

    def met(self, entries: Sequence[int], *, now: datetime | None = None) -> dict[int, MetLately]:
        """What these entries met lately, of those that met anything within HITS_KEPT days."""
        with self._database.read() as session:
            today = (now or datetime.now(UTC)).astimezone(zone_in(session)).toordinal()
            lately = case((EntryDayRow.day > today - LATELY, EntryDayRow.hits), else_=0)
            query = (
                select(EntryDayRow.entry, func.sum(lately), func.max(EntryDayRow.day))
                .where(EntryDayRow.entry.in_(entries))
                .group_by(EntryDayRow.entry)
            )
            return {
                entry: MetLately(int(hits), date.fromordinal(last))
                for entry, hits, last in session.execute(query)
            }

    def expire_hits(self, *, now: datetime | None = None) -> None:
        """Forget the days that are older than HITS_KEPT."""
        with self._database.write() as session:
            today = (now or datetime.now(UTC)).astimezone(zone_in(session)).toordinal()
            session.execute(delete(EntryDayRow).where(EntryDayRow.day <= today - HITS_KEPT))


def changed(
    session: Session, *, entries: Sequence[int] | None = None, scopes: Sequence[str] | None = None
) -> int:
    """Bump the revision, in the transaction of a change to lists or overrides; holds off other changes. Returns it.

    What is named, ids of entries or scopes of overrides, changed, and nothing else did. Without a name (see
    `name_changed`) anything may have: then everything is read again."""
    statement = update(RevisionRow).values(value=RevisionRow.value + 1).returning(RevisionRow.value)
    revision = session.execute(statement).scalar_one()
    if scopes is not None and entries is None:
        entries = []
    if entries is not None and len(entries) > MOST_NAMED:
        entries = None
    session.execute(delete(ChangeRow).where(ChangeRow.revision <= revision - _KEPT))
    session.add(
        ChangeRow(
            revision=revision,
            mark=secrets.token_hex(16),
            entries=None if entries is None else list(entries),
            scopes=None if entries is None else list(scopes or ()),
        )
    )
    return revision


def name_changed(session: Session, revision: int, entries: Sequence[int]) -> None:
    """Say, in the same transaction, that these entries and nothing else changed with a revision."""
    session.flush()
    named = update(ChangeRow).where(ChangeRow.revision == revision).values(entries=list(entries), scopes=[])
    session.execute(named)


def _delete(session: Session, ids: Sequence[int]) -> None:
    for start in range(0, len(ids), _CHUNK):
        session.execute(delete(EntryRow).where(EntryRow.id.in_(ids[start : start + _CHUNK])))


def _about(entry: ListEntry) -> tuple[str, ...]:
    """What an entry of either colour is about: there is one of it at most."""
    return entry.scope, str(entry.subject), entry.pattern


def _standing(session: Session, rows: Mapping[tuple[str, ...], Any]) -> tuple[ListEntry, ...]:
    """The entries, of either colour, that are about what the keys of `rows` are."""
    patterns = sorted({pattern for _, _, pattern in rows})
    found: list[ListEntry] = []
    for start in range(0, len(patterns), _CHUNK):
        query = select(*_COLUMNS).where(EntryRow.pattern.in_(patterns[start : start + _CHUNK]))
        found += starmap(_entry, session.execute(query))
    return tuple(one for one in found if _about(one) in rows)


def met_entries(session: Session) -> Iterator[Entry]:
    """What of every entry decides which messages meet it, by id, as they are read."""
    query = select(*_MET_COLUMNS).order_by(EntryRow.id).execution_options(yield_per=_AT_ONCE)
    return starmap(_met, session.execute(query))


def changed_entries(session: Session, ids: Collection[int]) -> tuple[tuple[Entry, ...], tuple[int, ...]]:
    """Those of these entries that are there, as they are now, and the ids of those that are gone."""
    wanted = sorted(set(ids))
    found: list[Entry] = []
    for start in range(0, len(wanted), _CHUNK):
        query = select(*_MET_COLUMNS).where(EntryRow.id.in_(wanted[start : start + _CHUNK]))
        found += starmap(_met, session.execute(query))
    there = {entry.id for entry in found}
    return tuple(found), tuple(one for one in wanted if one not in there)


def changes_after(session: Session, revision: int, mark: str) -> Sequence[ChangeRow] | None:
    """What every revision after this one changed, in their order; None when that is not known: because the store does
    not know this revision (it is another's, or was restored from a backup), or not that of each one since (a version
    of before 0.3 made it, or it is too long ago), or not what it changed."""
    newest = session.scalars(select(RevisionRow.value)).one()
    query = select(ChangeRow).where(ChangeRow.revision >= revision).order_by(ChangeRow.revision)
    rows = session.scalars(query).all()
    is_whole = [row.revision for row in rows] == list(range(revision, newest + 1))
    if not rows or not is_whole or rows[0].mark != mark:
        return None
    later = rows[1:]
    return None if any(row.entries is None or row.scopes is None for row in later) else later


# by name and in this order, and not as objects of EntryRow: there may be 100,000
_COLUMNS = [EntryRow.__table__.c[name] for name in ListEntry.__dataclass_fields__]
_COLOURS = {str(colour): colour for colour in Colour}
_SUBJECTS = {str(subject): subject for subject in Subject}


_MET_COLUMNS = [EntryRow.__table__.c[name] for name in Entry.__dataclass_fields__]


def _met(number: int, scope: str, colour: str, subject: str, pattern: str, expires: datetime | None) -> Entry:
    return Entry(
        id=number,
        scope=scope,
        colour=_COLOURS[colour],
        subject=_SUBJECTS[subject],
        pattern=pattern,
        expires=expires,
    )


def _entry(
    number: int,
    scope: str,
    colour: str,
    subject: str,
    pattern: str,
    expires: datetime | None,
    origin: str,
    author: str,
    note: str,
    created: datetime,
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
