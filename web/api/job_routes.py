"""Replays: what changes of policy would have done, as jobs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import Path
from pydantic import BaseModel, Field
from starlette.responses import Response

from tamis.database.jobs import Job, JobState, TooManyJobsError
from tamis.database.replay_jobs import FIT, REPLAY, asked_fit, asked_replay
from tamis.judging.stored_policy import Override
from tamis.message.address import PLATFORM
from tamis.people.token_scopes import TokenScope
from tamis.web.api.caller import Caller, needs
from tamis.web.api.policy_routes import SettingKey, Value
from tamis.web.api.problems import ProblemError, not_there
from tamis.web.api.routes import CHANGES, router

ROUTES = router("replays")
_MOST_TRIED = 100

Trier = Annotated[Caller, needs(TokenScope.HISTORY_READ, TokenScope.POLICY_READ)]
JobNumber = Annotated[int, Path(ge=1, lt=2**63)]


class WantedReplay(BaseModel):
    """Settings of a scope to try on its mail of the last days; null takes one back."""

    scope: str = Field(PLATFORM, max_length=300)
    set: dict[SettingKey, Value | None] = Field(min_length=1, max_length=_MOST_TRIED)
    days: int = Field(7, ge=1, le=90)


class JobTold(BaseModel):
    """A job: how far it is, and what is known so far (null before anything is)."""

    id: int
    at: datetime
    kind: str
    scope: str
    state: JobState
    done: int
    total: int
    result: dict[str, Any] | None
    problem: str

    @classmethod
    def of(cls, job: Job) -> JobTold:
        """Without what only says how it is done: that names locked mailboxes."""
        return cls(**{name: getattr(job, name) for name in cls.model_fields})


class WantedFit(BaseModel):
    """Whose mail of the last days to fit the points of filters on."""

    scope: str = Field(PLATFORM, max_length=300)
    days: int = Field(30, ge=1, le=365)


@ROUTES.post("/replays", dependencies=CHANGES, status_code=202)
def start_replay(caller: Trier, wanted: WantedReplay, response: Response) -> JobTold:
    """Begin to try changes on past mail; nothing is changed. The job's `result` grows until its state is done."""
    scope = caller.scope(wanted.scope)
    caller.require(TokenScope.HISTORY_READ, scope)
    caller.require(TokenScope.POLICY_READ, scope)
    changes = [Override(scope, key, value) for key, value in wanted.set.items()]
    try_out = [one for one in changes if one.value is not None]
    caller.house.check(scope, try_out, try_out)
    reach = caller.visible(TokenScope.HISTORY_READ, scope)  # the scope itself, of which it may read all
    asked = asked_replay(changes, _since(wanted.days), wanted.days, reach)
    return _begin(caller, REPLAY, scope, asked, response)


@ROUTES.post("/fits", dependencies=CHANGES, status_code=202)
def start_fit(caller: Trier, wanted: WantedFit, response: Response) -> JobTold:
    """Begin to fit the points of filters that add to the total on what people said of past mail: a proposal with its
    replay; nothing is changed. The job's `result` says in `refused` why there is none, as when labels are too few."""
    scope = caller.scope(wanted.scope)
    caller.require(TokenScope.HISTORY_READ, scope)
    caller.require(TokenScope.POLICY_READ, scope)
    asked = asked_fit(_since(wanted.days), wanted.days, caller.visible(TokenScope.HISTORY_READ, scope))
    return _begin(caller, FIT, scope, asked, response)


def _since(days: int) -> datetime:
    return (datetime.now(UTC) - timedelta(days=days)).replace(minute=0, second=0, microsecond=0)


def _begin(caller: Caller, kind: str, scope: str, asked: Mapping[str, Any], response: Response) -> JobTold:
    try:
        job = caller.store.jobs.ask(kind, caller.token.maker, scope, asked)
    except TooManyJobsError as error:
        raise ProblemError(429, str(error), headers={"retry-after": "60"}) from None
    response.headers["location"] = f"jobs/{job.id}"
    return JobTold.of(job)


@ROUTES.get("/jobs")
def list_jobs(caller: Trier) -> list[JobTold]:
    """What the token's maker asked for, the newest first."""
    found = caller.store.jobs.of(caller.token.maker)
    return [JobTold.of(one) for one in found if _is_ours(caller, one)]


@ROUTES.get("/jobs/{number}")
def show_job(caller: Trier, number: JobNumber) -> JobTold:
    """A job as far as it is."""
    return JobTold.of(_job(caller, number))


@ROUTES.delete("/jobs/{number}", dependencies=CHANGES, status_code=204, response_class=Response)
def cancel_job(caller: Trier, number: JobNumber) -> Response:
    """End a job; what it found stays."""
    caller.store.jobs.cancel(_job(caller, number).id, by=caller.by)
    return Response(status_code=204)


def _job(caller: Caller, number: int) -> Job:
    job = caller.store.jobs.get(number)
    if job is None or not _is_ours(caller, job):
        raise not_there()
    return job


def _is_ours(caller: Caller, job: Job) -> bool:
    """Whether the token's maker asked for it, and the token may still see what it tells."""
    return job.who == caller.token.maker and all(
        caller.may(one, job.scope) for one in (TokenScope.HISTORY_READ, TokenScope.POLICY_READ)
    )
