"""What was marked by hand: contents with their origin (S8b), and files, for the learned base (S22, S26)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import groupby

from sqlalchemy import ColumnElement, ColumnExpressionArgument, Integer, and_, cast, delete, func, or_, select
from sqlalchemy.orm import Session

from tamis.contract.marked_sketches import client_in, sketch_in
from tamis.database.connection import Database, audit, clean, exact
from tamis.database.schema import MarkRow
from tamis.database.seen_rows import seen_scopes
from tamis.message.address import PLATFORM
from tamis.message.mail.likeness import ALIKE, likeness
from tamis.people.rights import Reach

MOST = 100_000
"""Marks that are kept; those that end first go first."""
_CHUNK = 500
_MOST_SKETCHES = 500
"""Sketches of one client that "not spam" is held against, and that are published: those that end last. Beyond: the
others end by themselves."""


class MarkKind(StrEnum):
    """What a fingerprint is of."""

    MESSAGE = "message"  # "CLIENT CHECKSUM": the origin and S23's checksum
    LIKENESS = "likeness"  # "CLIENT DOMAIN SKETCH", of the same message: see tamis.contract.marked_sketches
    ATTACHMENT = "attachment"  # SHA-256
    IMAGE = "image"  # SHA-256, or the perceptual fingerprint


Fingerprint = tuple[MarkKind, str]
_CONTENTS = frozenset({MarkKind.MESSAGE, MarkKind.LIKENESS})
"""What a whole message says: of it only words that it is spam are kept, and both of one message end together."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One person's word on one fingerprint of one message. `spam` is None when words on that message are taken back.

    It counts in `scope`. `message` names the message in every copy of it (models.reports.message_id).
    """

    kind: MarkKind
    fingerprint: str
    scope: str
    message: str
    reporter: str
    spam: bool | None


@dataclass(frozen=True, slots=True)
class Marked:
    """A fingerprint with its marks in one scope; `messages` are distinct ones, `ham` are words against it."""

    kind: MarkKind
    fingerprint: str
    scope: str
    marks: int
    messages: int
    ham: int
    expires: datetime


@dataclass(frozen=True, slots=True)
class EndedMark:
    """A mark as spam that was ended, and until when it would have counted."""

    mark: Mark
    expires: datetime


class Marks:
    """The part of the store with marks. Every method raises StoreError when it can't answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(
        self, marks: Iterable[Mark], *, expires: datetime, now: datetime | None = None
    ) -> list[Fingerprint]:
        """Take in words; the fingerprints that they are about. The same word twice counts once.

        "Not spam" ends all marks of that fingerprint in its scope and the scopes within, and of a likeness those of all
        that are alike; of files it is kept, so that they don't get onto the learned base.
        """
        now = now or datetime.now(UTC)
        about: dict[Fingerprint, None] = {}
        with self._database.write() as session:
            for mark in marks:
                about[mark.kind, mark.fingerprint] = None
                if mark.spam is not True:
                    _end(session, mark)
                if mark.spam or (mark.spam is False and mark.kind not in _CONTENTS):
                    self._keep(session, mark, expires)
        return list(about)

    def _keep(self, session: Session, mark: Mark, expires: datetime) -> None:
        insert = self._database.insert(MarkRow).values(
            kind=str(mark.kind),
            fingerprint=exact(mark.fingerprint),
            scope=exact(mark.scope),
            message=clean(mark.message),
            reporter=exact(mark.reporter),
            spam=bool(mark.spam),
            expires=expires,
        )
        session.execute(
            insert.on_conflict_do_update(
                index_elements=["kind", "fingerprint", "scope", "message", "reporter"],
                set_={name: insert.excluded[name] for name in ("spam", "expires")},
            )
        )

    def end(
        self, kind: MarkKind, fingerprint: str, scope: str, *, by: str, reach: Reach
    ) -> tuple[EndedMark, ...]:
        """End all marks of a fingerprint in one scope, if somebody sees it, and what the same messages are alike to;
        those that there were."""
        in_scope = (MarkRow.scope == exact(scope), MarkRow.spam, seen_scopes(reach, MarkRow.scope))
        where = (MarkRow.kind == str(kind), MarkRow.fingerprint == exact(fingerprint), *in_scope)
        with self._database.write() as session:
            ended = _ended(session, where)
            if ended:
                session.execute(delete(MarkRow).where(*where))
                told = {"kind": str(kind), "marks": len(ended)}
                if kind is MarkKind.MESSAGE:
                    messages = sorted({one.mark.message for one in ended})[:_CHUNK]
                    client = f"{client_in(fingerprint)} "
                    beside = (
                        MarkRow.kind == str(MarkKind.LIKENESS),
                        MarkRow.fingerprint.startswith(exact(client), autoescape=True),
                        MarkRow.message.in_(messages),
                        *in_scope,
                    )
                    ended += _ended(session, beside)
                    session.execute(delete(MarkRow).where(*beside))
                audit(session, datetime.now(UTC), by, "mark end", fingerprint, told, scope=scope)
        return ended

    def bring_back(self, ended: Iterable[EndedMark], *, by: str) -> list[Fingerprint]:
        """Let marks count again that were ended a moment ago; the fingerprints that they are about."""
        marks = list(ended)
        about = list(dict.fromkeys((one.mark.kind, one.mark.fingerprint) for one in marks))
        with self._database.write() as session:
            for one in marks:
                self._keep(session, one.mark, one.expires)
            for kind, fingerprint in about:
                told = {"kind": str(kind), "marks": len(marks)}
                scope = marks[0].mark.scope
                audit(session, datetime.now(UTC), by, "mark bring back", fingerprint, told, scope=scope)
        return about

    def of(self, fingerprints: Iterable[Fingerprint], *, now: datetime | None = None) -> list[Marked]:
        """What stands for some fingerprints, by scope; for a likeness what stands for all sketches of its client."""
        now = now or datetime.now(UTC)
        found: list[Marked] = []
        asked = list(fingerprints)
        wanted = [one for one in asked if one[0] is not MarkKind.LIKENESS]
        with self._database.read() as session:
            for client in dict.fromkeys(client_in(one) for kind, one in asked if kind is MarkKind.LIKENESS):
                found += _marked(session, now, _of_client(client), _MOST_SKETCHES, newest=True)
            for start in range(0, len(wanted), _CHUNK):
                some = wanted[start : start + _CHUNK]
                these = or_(
                    *((MarkRow.kind == str(kind)) & (MarkRow.fingerprint == exact(f)) for kind, f in some)
                )
                found += _marked(session, now, these)
        return found

    def find(
        self,
        kind: MarkKind,
        *,
        scope: str | None = None,
        reach: Reach | None = None,
        beginning: str = "",
        after: tuple[str, str] | None = None,
        limit: int | None = None,
        now: datetime | None = None,
    ) -> list[Marked]:
        """All of a kind, by fingerprint and scope: of a scope, of those that somebody sees, of fingerprints that begin
        so; `after` is the last one (fingerprint, scope) of the page before."""
        where = MarkRow.kind == str(kind)
        if scope is not None:
            where &= MarkRow.scope == scope
        if reach is not None:
            where &= seen_scopes(reach, MarkRow.scope)
        if beginning:
            where &= MarkRow.fingerprint.startswith(exact(beginning), autoescape=True)
        if after is not None:
            last, where_last = map(exact, after)
            same = and_(MarkRow.fingerprint == last, MarkRow.scope > where_last)
            where &= and_(MarkRow.fingerprint >= last, or_(MarkRow.fingerprint > last, same))
        with self._database.read() as session:
            return _marked(session, now or datetime.now(UTC), where, limit)

    def contents_meant(self, marks: Iterable[Mark]) -> set[Fingerprint]:
        """What is marked of the contents that some words are about, and of what is alike."""
        with self._database.read() as session:
            return {
                (mark.kind, found)
                for mark in marks
                if mark.kind in _CONTENTS
                for found in session.scalars(
                    select(MarkRow.fingerprint)
                    .distinct()
                    .where(
                        MarkRow.kind == str(mark.kind),
                        MarkRow.fingerprint.in_(_meant(session, mark)),
                        *_within(mark.scope),
                        MarkRow.spam,
                    )
                )
            }

    def all_messages(self) -> Iterator[list[Marked]]:
        """Every marked content, in parts."""
        every = self.find(MarkKind.MESSAGE)
        for start in range(0, len(every), _CHUNK):
            yield every[start : start + _CHUNK]

    def all_sketches(self) -> Iterator[list[Marked]]:
        """Every client's marked sketches, in turn."""
        return (list(some) for _, some in groupby(self._sketches(), lambda one: client_in(one.fingerprint)))

    def _sketches(self) -> Iterator[Marked]:
        last: tuple[str, str] | None = None
        while some := self.find(MarkKind.LIKENESS, after=last, limit=_CHUNK):
            yield from some
            last = some[-1].fingerprint, some[-1].scope

    def expire(self, *, now: datetime | None = None) -> None:
        """Forget marks that are over, and beyond MOST those that would be over first."""
        now = now or datetime.now(UTC)
        with self._database.write() as session:
            session.execute(delete(MarkRow).where(MarkRow.expires <= now))
            count = session.scalar(select(func.count()).select_from(MarkRow)) or 0
            if count > MOST:
                limit = session.scalars(
                    select(MarkRow.expires).order_by(MarkRow.expires).offset(count - MOST - 1).limit(1)
                ).one()
                session.execute(delete(MarkRow).where(MarkRow.expires <= limit))


def by_scope(marked: Iterable[Marked]) -> Mapping[str, dict[str, int]]:
    """How many marks each content has, by scope."""
    told: dict[str, dict[str, int]] = {}
    for one in marked:
        if one.marks:
            told.setdefault(one.fingerprint, {})[one.scope] = one.marks
    return told


def _of_client(client: str) -> ColumnElement[bool]:
    """The sketches of one client."""
    begins = MarkRow.fingerprint.startswith(exact(f"{client} "), autoescape=True)
    return and_(MarkRow.kind == str(MarkKind.LIKENESS), begins)


def _ended(session: Session, where: Iterable[ColumnExpressionArgument[bool]]) -> tuple[EndedMark, ...]:
    """The marks that are about to be ended."""
    return tuple(
        EndedMark(
            Mark(MarkKind(row.kind), row.fingerprint, row.scope, row.message, row.reporter, spam=True),
            row.expires,
        )
        for row in session.scalars(select(MarkRow).where(*where))
    )


def _meant(session: Session, mark: Mark) -> list[str]:
    """The fingerprints that a word is about: its own, and of a likeness those of the client that are alike."""
    if mark.kind is not MarkKind.LIKENESS:
        return [exact(mark.fingerprint)]
    sketch = sketch_in(mark.fingerprint)
    kept = session.scalars(
        select(MarkRow.fingerprint)
        .where(_of_client(client_in(mark.fingerprint)), *_within(mark.scope))
        .group_by(MarkRow.fingerprint)
        .order_by(func.max(MarkRow.expires).desc())
        .limit(_MOST_SKETCHES)
    )
    return [one for one in kept if likeness(sketch, sketch_in(one)) >= ALIKE]


def _end(session: Session, mark: Mark) -> int:
    ended = session.execute(
        delete(MarkRow).where(
            MarkRow.kind == str(mark.kind),
            MarkRow.fingerprint.in_(_meant(session, mark)),
            *_within(mark.scope),
            MarkRow.spam,
            *((MarkRow.message == mark.message,) if mark.message and mark.spam is None else ()),
        )
    )
    return int(ended.rowcount)  # type: ignore[attr-defined] # a DELETE's result has one


def _within(scope: str) -> tuple[ColumnElement[bool], ...]:
    """Conditions for rows of a scope and the scopes within it."""
    if scope == PLATFORM:
        return ()
    if "@" in scope:
        return (MarkRow.scope == exact(scope),)
    return (or_(MarkRow.scope == exact(scope), MarkRow.scope.endswith(f"@{scope}", autoescape=True)),)


def _marked(
    session: Session,
    now: datetime,
    where: ColumnElement[bool],
    limit: int | None = None,
    *,
    newest: bool = False,
) -> list[Marked]:
    """By fingerprint and scope, or with `newest` those first that end last."""
    spam = func.sum(cast(MarkRow.spam, Integer))
    by = (MarkRow.kind, MarkRow.fingerprint, MarkRow.scope)
    rows = session.execute(
        select(
            MarkRow.kind,
            MarkRow.fingerprint,
            MarkRow.scope,
            spam,
            func.count(MarkRow.message.distinct()).filter(MarkRow.spam),
            func.count() - spam,
            func.max(MarkRow.expires),
        )
        .where(where, MarkRow.expires > now)
        .group_by(*by)
        .order_by(*((func.max(MarkRow.expires).desc(),) if newest else ()), *by)
        .limit(limit)
    )
    return [
        Marked(MarkKind(kind), fingerprint, scope, marks, messages, ham, expires)
        for kind, fingerprint, scope, marks, messages, ham, expires in rows
    ]
