"""The durable store: one object a process, made after a fork, that holds all its parts."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from tamis.contract.lists import Entry
from tamis.database.connection import Database
from tamis.database.list_entries import MOST_NAMED, changed_entries, changes_after, met_entries
from tamis.database.migrate import migrate
from tamis.database.read_overrides import read_overrides
from tamis.database.schema import ChangeRow, RevisionRow
from tamis.judging.stored_policy import Delta, Snapshot

if TYPE_CHECKING:
    from tamis.challenge.answers import Answers
    from tamis.challenge.challenges import Challenges
    from tamis.database.acts import Acts
    from tamis.database.api_answers import ApiAnswers
    from tamis.database.api_tokens import ApiTokens
    from tamis.database.audit_trail import Trail
    from tamis.database.blocked_clients import BlockedClients
    from tamis.database.complaints import Complaints
    from tamis.database.desk_notes import DeskNotes
    from tamis.database.earned_senders import Senders
    from tamis.database.factors import Factors
    from tamis.database.granted_people import People
    from tamis.database.history import History
    from tamis.database.host_health import Healths
    from tamis.database.hosts import Hosts
    from tamis.database.invitations import Invitations
    from tamis.database.jobs import Jobs
    from tamis.database.labels import SaidLabels
    from tamis.database.list_entries import Lists
    from tamis.database.marks import Marks
    from tamis.database.model_steps import ModelSteps
    from tamis.database.overrides import Overrides
    from tamis.database.rule_versions import RuleVersions
    from tamis.database.sessions import Sessions
    from tamis.database.statistics_upkeep import StatisticsUpkeep
    from tamis.database.sums import KeptSums
    from tamis.database.taught_today import TaughtToday
    from tamis.database.today import Today
    from tamis.letters.mailings import Mailings
    from tamis.quarantine.expiry import Expiry
    from tamis.quarantine.held_mail import Quarantine
    from tamis.quarantine.quotas import Quotas


_T = TypeVar("_T")


class StorePart(Generic[_T]):
    """A part of the store, whose code is loaded when it is first asked for: commands and processes need a few each."""

    def __init__(self, where: str) -> None:
        self._module, self._class = where.split(":")
        self._name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def load(self) -> type[_T]:
        """Its class."""
        kind: type[_T] = getattr(importlib.import_module(self._module), self._class)
        return kind

    def __get__(self, store: Store, owner: type) -> _T:
        made = self.load()(store._database)  # type: ignore[call-arg] # what all parts take
        part: _T = vars(store).setdefault(self._name, made)  # from now on it is found there
        return part


class Store:
    """The store at a SQLAlchemy URL (`Settings.store_url`): sqlite or postgresql+psycopg.

    Making one connects to nothing; it may be used from many threads. Whatever fails in the database is
    raised as StoreError, and the next call works as soon as the database is back.
    """

    quarantine: StorePart[Quarantine] = StorePart("tamis.quarantine.held_mail:Quarantine")
    expiry: StorePart[Expiry] = StorePart("tamis.quarantine.expiry:Expiry")
    quotas: StorePart[Quotas] = StorePart("tamis.quarantine.quotas:Quotas")
    lists: StorePart[Lists] = StorePart("tamis.database.list_entries:Lists")
    overrides: StorePart[Overrides] = StorePart("tamis.database.overrides:Overrides")
    rules: StorePart[RuleVersions] = StorePart("tamis.database.rule_versions:RuleVersions")
    jobs: StorePart[Jobs] = StorePart("tamis.database.jobs:Jobs")
    notes: StorePart[DeskNotes] = StorePart("tamis.database.desk_notes:DeskNotes")
    history: StorePart[History] = StorePart("tamis.database.history:History")
    today: StorePart[Today] = StorePart("tamis.database.today:Today")
    statistics: StorePart[KeptSums] = StorePart("tamis.database.sums:KeptSums")
    statistics_upkeep: StorePart[StatisticsUpkeep] = StorePart(
        "tamis.database.statistics_upkeep:StatisticsUpkeep"
    )
    labels: StorePart[SaidLabels] = StorePart("tamis.database.labels:SaidLabels")
    senders: StorePart[Senders] = StorePart("tamis.database.earned_senders:Senders")
    complaints: StorePart[Complaints] = StorePart("tamis.database.complaints:Complaints")
    marks: StorePart[Marks] = StorePart("tamis.database.marks:Marks")
    sessions: StorePart[Sessions] = StorePart("tamis.database.sessions:Sessions")
    api_tokens: StorePart[ApiTokens] = StorePart("tamis.database.api_tokens:ApiTokens")
    api_answers: StorePart[ApiAnswers] = StorePart("tamis.database.api_answers:ApiAnswers")
    acts: StorePart[Acts] = StorePart("tamis.database.acts:Acts")
    trail: StorePart[Trail] = StorePart("tamis.database.audit_trail:Trail")
    people: StorePart[People] = StorePart("tamis.database.granted_people:People")
    factors: StorePart[Factors] = StorePart("tamis.database.factors:Factors")
    invitations: StorePart[Invitations] = StorePart("tamis.database.invitations:Invitations")
    mailings: StorePart[Mailings] = StorePart("tamis.letters.mailings:Mailings")
    hosts: StorePart[Hosts] = StorePart("tamis.database.hosts:Hosts")
    healths: StorePart[Healths] = StorePart("tamis.database.host_health:Healths")
    blocked: StorePart[BlockedClients] = StorePart("tamis.database.blocked_clients:BlockedClients")
    taught: StorePart[TaughtToday] = StorePart("tamis.database.taught_today:TaughtToday")
    model_steps: StorePart[ModelSteps] = StorePart("tamis.database.model_steps:ModelSteps")

    def __init__(self, url: str) -> None:
        self._database = Database(url)

    @cached_property
    def challenges(self) -> Challenges:
        """Questions to senders of held mail."""
        from tamis.challenge.challenges import Challenges  # noqa: PLC0415 # as the parts

        return Challenges(self._database, self.quarantine)

    @cached_property
    def answers(self) -> Answers:
        """What they answered."""
        from tamis.challenge.answers import Answers  # noqa: PLC0415 # as the parts

        return Answers(self._database, self.quarantine)

    def migrate(self) -> None:
        """Create or upgrade the tables; safe from several processes at once, quick when nothing is to do."""
        migrate(self._database)

    def is_missing(self) -> bool:
        """Whether this is an SQLite file that was never made. A PostgreSQL is never missing."""
        file = self._database.file
        return file is not None and not Path(file).exists()

    @property
    def is_shared(self) -> bool:
        """Whether several hosts may work on it; an SQLite file is one host's."""
        return not self._database.is_sqlite

    def revision(self) -> int:
        """The number that grows with every change of lists or overrides."""
        with self._database.read() as session:
            return session.scalars(select(RevisionRow.value)).one()

    def head(self) -> tuple[int, str]:
        """The revision, and its mark; "" when it has none."""
        with self._database.read() as session:
            return _head(session)

    def snapshot(self) -> Snapshot:
        """Policy overrides and lists as they stood at one moment."""
        with self._database.read() as session:
            revision, mark = _head(session)
            return Snapshot(revision, read_overrides(session), tuple(met_entries(session)), mark)

    @contextmanager
    def all_of_it(self) -> Iterator[tuple[Snapshot, Iterator[Entry]]]:
        """The same, with the entries, by id, as they are read within: there may be a million."""
        with self._database.read() as session:
            revision, mark = _head(session)
            yield Snapshot(revision, read_overrides(session), (), mark), met_entries(session)

    def changes_since(self, revision: int, mark: str) -> Delta | None:
        """What changed since a revision that had this mark; None when that is not known, or is very much."""
        with self._database.read() as session:
            changes = changes_after(session, revision, mark)
            if changes is None:
                return None
            ids = {one for row in changes for one in row.entries or ()}
            scopes = {one for row in changes for one in row.scopes or ()}
            if len(ids) > MOST_NAMED or len(scopes) > MOST_NAMED:
                return None
            entries, gone = changed_entries(session, ids)
            overridden: dict[str, dict[str, Any]] = {scope: {} for scope in scopes}
            for one in read_overrides(session, sorted(scopes)):
                overridden[one.scope][one.key] = one.value
            last = changes[-1] if changes else None
            newest = (revision, mark) if last is None else (last.revision, last.mark)
            return Delta(revision, *newest, entries, gone, overridden)

    def close(self) -> None:
        """Close all connections; the store can be used again afterwards."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def load_parts() -> None:
    """Load the code of every part, before a fork: once for all who use it."""
    for part in vars(Store).values():
        if isinstance(part, StorePart):
            part.load()


def _head(session: Session) -> tuple[int, str]:
    query = select(RevisionRow.value, ChangeRow.mark).outerjoin(
        ChangeRow, ChangeRow.revision == RevisionRow.value
    )
    revision, mark = session.execute(query).one()
    return revision, mark or ""
