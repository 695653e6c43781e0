"""The durable store: one object a process, made after a fork, that holds all its parts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import select
from sqlalchemy.orm import Session

from tamis.challenge.answers import Answers
from tamis.challenge.challenges import Challenges
from tamis.contract.lists import Entry
from tamis.database.acts import Acts
from tamis.database.api_answers import ApiAnswers
from tamis.database.api_tokens import ApiTokens
from tamis.database.audit_trail import Trail
from tamis.database.blocked_clients import BlockedClients
from tamis.database.complaints import Complaints
from tamis.database.connection import Database
from tamis.database.desk_notes import DeskNotes
from tamis.database.earned_senders import Senders
from tamis.database.factors import Factors
from tamis.database.granted_people import People
from tamis.database.history import History
from tamis.database.host_health import Healths
from tamis.database.hosts import Hosts
from tamis.database.invitations import Invitations
from tamis.database.jobs import Jobs
from tamis.database.labels import Labels
from tamis.database.list_entries import (
    MOST_NAMED,
    Lists,
    changed_entries,
    changes_after,
    met_entries,
)
from tamis.database.marks import Marks
from tamis.database.migrate import migrate
from tamis.database.model_steps import ModelSteps
from tamis.database.overrides import Overrides, all_overrides, overrides_of
from tamis.database.schema import ChangeRow, RevisionRow
from tamis.database.sessions import Sessions
from tamis.database.statistics import Statistics
from tamis.database.statistics_upkeep import StatisticsUpkeep
from tamis.database.today import Today
from tamis.judging.site import Delta, Snapshot
from tamis.letters.mailings import Mailings
from tamis.quarantine.expiry import Expiry
from tamis.quarantine.held_mail import Quarantine
from tamis.quarantine.quotas import Quotas


class Store:
    """The store at a SQLAlchemy URL (`Settings.store_url`): sqlite or postgresql+psycopg.

    Making one connects to nothing; it may be used from many threads. Whatever fails in the database is
    raised as StoreError, and the next call works as soon as the database is back.
    """

    def __init__(self, url: str) -> None:
        self._database = Database(url)
        self.quarantine = Quarantine(self._database)
        self.challenges = Challenges(self._database, self.quarantine)
        self.answers = Answers(self._database, self.quarantine)
        self.expiry = Expiry(self._database)
        self.quotas = Quotas(self._database)
        self.lists = Lists(self._database)
        self.overrides = Overrides(self._database)
        self.jobs = Jobs(self._database)
        self.notes = DeskNotes(self._database)
        self.history = History(self._database)
        self.today = Today(self._database)
        self.statistics = Statistics(self._database)
        self.statistics_upkeep = StatisticsUpkeep(self._database)
        self.labels = Labels(self._database)
        self.senders = Senders(self._database)
        self.complaints = Complaints(self._database)
        self.marks = Marks(self._database)
        self.sessions = Sessions(self._database)
        self.api_tokens = ApiTokens(self._database)
        self.api_answers = ApiAnswers(self._database)
        self.acts = Acts(self._database)
        self.trail = Trail(self._database)
        self.people = People(self._database)
        self.factors = Factors(self._database)
        self.invitations = Invitations(self._database)
        self.mailings = Mailings(self._database)
        self.hosts = Hosts(self._database)
        self.healths = Healths(self._database)
        self.blocked = BlockedClients(self._database)
        self.model_steps = ModelSteps(self._database)

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
            return Snapshot(revision, all_overrides(session), tuple(met_entries(session)), mark)

    @contextmanager
    def all_of_it(self) -> Iterator[tuple[Snapshot, Iterator[Entry]]]:
        """The same, with the entries, by id, as they are read within: there may be a million."""
        with self._database.read() as session:
            revision, mark = _head(session)
            yield Snapshot(revision, all_overrides(session), (), mark), met_entries(session)

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
            for one in overrides_of(session, sorted(scopes)):
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


def _head(session: Session) -> tuple[int, str]:
    query = select(RevisionRow.value, ChangeRow.mark).outerjoin(
        ChangeRow, ChangeRow.revision == RevisionRow.value
    )
    revision, mark = session.execute(query).one()
    return revision, mark or ""
