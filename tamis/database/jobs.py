"""Jobs: work that somebody asked for on a page and that no page waits for. One background process a host does them.

ask -> waiting -> begin (a claim is drawn) -> running: progress … -> done | failed
              ^                                 |  cancel -> cancelled
              +---- give_back, at most MAX_STARTS times: its process, or the background process, died
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session

from tamis.base.errors import TamisError
from tamis.database.connection import Database, audit, clean, exact
from tamis.database.schema import JobRow
from tamis.message.address import address_key

KEPT = timedelta(days=7)
MAX_OPEN = 5
"""Jobs of one person that wait or run; beyond: TooManyJobsError, nothing is begun."""
MAX_STARTS = 3
"""How often a job is begun whose process died; beyond: it failed, and says so."""
LOST = timedelta(minutes=10)
"""A job that told nothing for so long is another host's to begin again."""
_PROBLEM = 500


class JobState(StrEnum):
    """How far a job is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN = (JobState.WAITING, JobState.RUNNING)


class TooManyJobsError(TamisError):
    """Somebody has so many jobs under way that another one would only wait."""


@dataclass(frozen=True, slots=True)
class Job:
    """`asked` says what is to be done, `result` what is known so far (None before anything is); `done` of `total` parts
    are through."""

    id: int
    at: datetime
    kind: str
    who: str
    scope: str
    asked: Mapping[str, Any]
    state: JobState
    done: int
    total: int
    result: Any
    problem: str
    starts: int
    changed_at: datetime

    @property
    def is_open(self) -> bool:
        """Whether it waits or runs."""
        return self.state in OPEN


class Jobs:
    """The part of the store about jobs. Every method raises StoreError when the database can't answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ask(
        self, kind: str, who: str, scope: str, asked: Mapping[str, Any], *, now: datetime | None = None
    ) -> Job:
        """Ask for a job; the same one that is still open is not asked for twice. Raises TooManyJobsError."""
        now, who = now or datetime.now(UTC), exact(address_key(who))
        with self._database.write() as session:
            self._database.lock(session, f"jobs of {who}")
            still = select(JobRow).where(JobRow.who == who, JobRow.state.in_(OPEN)).order_by(JobRow.id)
            under_way = session.scalars(still.limit(MAX_OPEN)).all()
            for row in under_way:
                if (row.kind, row.scope, row.asked) == (kind, scope, dict(asked)):
                    return _job(row)
            if len(under_way) >= MAX_OPEN:
                raise TooManyJobsError(f"{who} has {MAX_OPEN} jobs under way")
            row = JobRow(
                at=now,
                kind=kind,
                who=who,
                scope=scope,
                asked=dict(asked),
                state=JobState.WAITING,
                done=0,
                total=0,
                result=None,
                problem="",
                host="",
                claim="",
                starts=0,
                changed_at=now,
            )
            session.add(row)
            session.flush()
            audit(session, now, who, f"{kind} job", f"job {row.id} of {scope}", scope=scope)
            return _job(row)

    def get(self, number: int) -> Job | None:
        """One job."""
        with self._database.read() as session:
            row = session.get(JobRow, number) if 0 < number < 2**63 else None
            return _job(row) if row is not None else None

    def of(self, who: str, *, limit: int = 50) -> tuple[Job, ...]:
        """Somebody's jobs, the newest first."""
        query = select(JobRow).where(JobRow.who == exact(address_key(who))).order_by(JobRow.id.desc())
        with self._database.read() as session:
            return tuple(map(_job, session.scalars(query.limit(limit))))

    def before(self, number: int) -> int:
        """How many open jobs come before this one."""
        query = select(func.count()).select_from(JobRow).where(JobRow.state.in_(OPEN), JobRow.id < number)
        with self._database.read() as session:
            return session.scalar(query) or 0

    def begin(self, host: str, *, now: datetime | None = None) -> tuple[Job, str] | None:
        """The next job, from now on this host's, and the claim with which its process tells of it."""
        now, claim = now or datetime.now(UTC), secrets.token_hex(16)
        ready = or_(
            JobRow.state == JobState.WAITING,
            (JobRow.state == JobState.RUNNING) & (JobRow.changed_at < now - LOST),
        )
        with self._database.write() as session:
            self._database.lock(session, "jobs")
            row = session.scalars(select(JobRow).where(ready).order_by(JobRow.id).limit(1)).first()
            if row is None:
                return None
            row.state, row.host, row.claim = JobState.RUNNING, clean(host), claim
            row.starts += 1
            row.changed_at = now
            return _job(row), claim

    def progress(self, number: int, claim: str, done: int, total: int, result: Any) -> bool:
        """Tell how far a job is; False when it is no longer who holds the claim's: cancelled, or given to another."""
        return self._tell(number, claim, done=done, total=total, result=result)

    def finish(self, number: int, claim: str, result: Any) -> bool:
        """It is done."""
        return self._tell(number, claim, state=JobState.DONE, done=JobRow.total, result=result, problem="")

    def fail(self, number: int, claim: str, problem: str) -> bool:
        """It can't be done: why, in one line."""
        told = " ".join(clean(problem, _PROBLEM).split())
        return self._tell(number, claim, state=JobState.FAILED, problem=told)

    def give_back(self, number: int, claim: str, problem: str, *, counted: bool = True) -> None:
        """Its process ended without an answer: it waits again, or has failed where that happened too often. With
        `counted` False it was we who ended it, and that is held against nobody."""
        job = self.get(number)
        if job is None:
            return
        if counted and job.starts >= MAX_STARTS:
            self.fail(number, claim, f"{problem}, {job.starts} times")
        else:
            more = {} if counted else {"starts": JobRow.starts - 1}
            self._tell(number, claim, state=JobState.WAITING, problem=problem, host="", **more)

    def orphans(self, host: str) -> tuple[tuple[int, str], ...]:
        """(number, claim) of the jobs that run on a host: when its background process begins, nobody works on them."""
        query = select(JobRow.id, JobRow.claim).where(
            JobRow.state == JobState.RUNNING, JobRow.host == clean(host)
        )
        with self._database.read() as session:
            return tuple((number, claim) for number, claim in session.execute(query))

    def cancel(self, number: int, *, by: str, now: datetime | None = None) -> bool:
        """Whether it was still open; what it found so far stays."""
        now = now or datetime.now(UTC)
        with self._database.write() as session:
            done = session.execute(
                update(JobRow)
                .where(JobRow.id == number, JobRow.state.in_(OPEN))
                .values(state=JobState.CANCELLED, claim="", changed_at=now)
                .returning(JobRow.scope)
            ).scalar()
            if done is not None:
                audit(session, now, by, "cancel job", f"job {number} of {done}", scope=done)
        return done is not None

    def expire(self, now: datetime | None = None) -> int:
        """Forget those that are older than KEPT; how many."""
        gone = delete(JobRow).where(JobRow.at < (now or datetime.now(UTC)) - KEPT).returning(JobRow.id)
        with self._database.write() as session:
            return len(session.scalars(gone).all())

    def _tell(self, number: int, claim: str, **values: Any) -> bool:
        mine = (JobRow.id == number, JobRow.claim == claim, JobRow.state == JobState.RUNNING)
        with self._database.write() as session:
            return _changed(session, mine, values | {"changed_at": datetime.now(UTC)})


def _changed(session: Session, which: tuple[Any, ...], values: Mapping[str, Any]) -> bool:
    changed = update(JobRow).where(*which).values(**values).returning(JobRow.id)
    return session.execute(changed).scalar() is not None


def _job(row: JobRow) -> Job:
    return Job(
        *(row.id, row.at, row.kind, row.who, row.scope, row.asked, JobState(row.state), row.done, row.total),
        *(row.result, row.problem, row.starts, row.changed_at),
    )
