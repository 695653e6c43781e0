"""Replay: what a change would have done to past mail, before it is made.

knobs (set=KEY=VALUE, days) -> at once: what the sums of totals say of `required` and `outcome`
                            -> POST: a job -> /replay/JOB, which tells what is known so far -> save as a version
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.responses import Response

from tamis.database.history import KeptStory
from tamis.database.jobs import Job, JobState, TooManyJobsError
from tamis.database.replay_jobs import FIT, REPLAY, SUGGEST, asked_replay, changes_of
from tamis.judging.policy_settings import PolicySetting, settings_of, value_text
from tamis.judging.stored_policy import Override
from tamis.language.translation import marked
from tamis.people.rights import Reach, Right
from tamis.web.console.asked_changes import AskedChanges, asked_changes
from tamis.web.console.at_once import LIMIT, OUTCOME, at_once
from tamis.web.console.console import Console
from tamis.web.rate_limits import CHANGES
from tamis.web.typed_numbers import typed_number
from tamis.web.visit import NOT_HERE, NoAccessError, PageRefusedError

SPANS = (1, 7, 30)
KNOBS = (LIMIT, OUTCOME)
"""Settings that are always there to be tried."""
BUSY = marked("You have several jobs under way. Wait for one of them, or end it.")


@dataclass(frozen=True, slots=True)
class Knob:
    """A setting to be tried: as it is in force, and as it is tried."""

    setting: PolicySetting
    tried: str
    is_reset: bool = False

    @property
    def is_moved(self) -> bool:
        """Whether it is tried at all."""
        return self.is_reset or self.tried != self.setting.text


def show(console: Console) -> Response:
    """The knobs, and what can be said at once."""
    require_both(console)
    if limit := console.visit.query("limit"):  # as the form beside the histogram says it
        return console.redirect("/replay", set=f"{LIMIT}={limit}", days=str(days_of(console)))
    return _page(console, asked_changes(console), days_of(console))


def start(console: Console) -> Response:
    """Try it on past mail: a job."""
    require_both(console)
    asked, days = asked_changes(console), days_of(console)
    if asked.refused:
        return _page(console, asked, days)
    return begin(console, REPLAY, asked_replay(asked.changes, since(days), days, reach_of(console)))


def since(days: int) -> datetime:
    """So many days ago, in whole hours: who asks for the same again finds the job that is under way."""
    return (datetime.now(UTC) - timedelta(days=days)).replace(minute=0, second=0, microsecond=0)


def begin(console: Console, kind: str, asked: Mapping[str, Any]) -> Response:
    """Ask for a job, and go to its page."""
    console.visit.spend(CHANGES, console.holder.mailbox)
    try:
        job = console.visit.store.jobs.ask(kind, console.holder.mailbox, console.scope, asked)
    except TooManyJobsError:
        raise PageRefusedError(BUSY, 409) from None
    return console.redirect(f"{PAGES[kind]}/{job.id}")


def show_job(console: Console) -> Response:
    """A replay as far as it is. Its address is for everybody who may see the scope's history and policy."""
    job = found_job(console)
    if job.kind != REPLAY:
        raise NoAccessError(NOT_HERE)
    if console.scope != job.scope:
        return console.redirect(f"/replay/{job.id}", **{"in": job.scope})
    asked = AskedChanges(tuple(changes_of(job.asked)), base=console.visit.store.overrides.versions.newest())
    return _page(console, asked, int(job.asked["days"]), job)


def jobs(console: Console) -> Response:
    """What this person asked for."""
    found = console.visit.store.jobs.of(console.holder.mailbox)
    return console.render("jobs.html", jobs=found, states=STATES, pages=PAGES)


def cancel(console: Console) -> Response:
    """End an own job; what it found stays."""
    job = found_job(console)
    if job.who != console.holder.mailbox:
        raise NoAccessError(NOT_HERE)
    console.visit.store.jobs.cancel(job.id, by=console.holder.mailbox)
    return console.redirect(f"{PAGES[job.kind]}/{job.id}" if job.kind in PAGES else "/jobs")


PAGES = {REPLAY: "/replay", SUGGEST: "/suggest", FIT: "/suggest"}
"""Where a job of each kind is looked at."""

STATES: Mapping[JobState, str] = {
    JobState.WAITING: marked("waiting"),
    JobState.RUNNING: marked("running"),
    JobState.DONE: marked("done"),
    JobState.FAILED: marked("failed"),
    JobState.CANCELLED: marked("ended by you"),
}


def found_job(console: Console) -> Job:
    """The job of the address, for who may see what it tells."""
    number = typed_number(console.visit.request.path_params["job"])
    job = console.visit.store.jobs.get(number) if number is not None else None
    if job is None:
        raise NoAccessError(NOT_HERE)
    for right in (Right.HISTORY, Right.POLICY_READ):
        console.require(right, job.scope)
    return job


def require_both(console: Console) -> None:
    """What a replay tells wants two rights, in the whole scope."""
    for right in (Right.HISTORY, Right.POLICY_READ):
        console.require(right)


def reach_of(console: Console) -> Reach:
    """The copies of the scope: the same for everybody who may open the job's page."""
    own = console.scope if console.scope == console.holder.mailbox else ""
    return Reach(frozenset({console.scope}), own, console.locks)


def days_of(console: Console) -> int:
    """How far back is looked, a week unless the page says otherwise."""
    days = typed_number(console.visit.field("days") or console.visit.query("days"))
    return 7 if days is None else min(max(days, 1), 365)


def _page(console: Console, asked: AskedChanges, days: int, job: Job | None = None) -> Response:
    known = {one.key: one for one in settings_of(console.site.book, console.scope)}
    result = job.result if job is not None else None
    return console.render(
        "replay.html",
        status=422 if asked.refused else 200,
        asked=asked,
        rows=[(one.key, known.get(one.key), one.value) for one in asked.changes],
        text=value_text,
        knobs=_knobs(known, asked.changes),
        keys=[one.key for one in known.values() if not isinstance(one.value, dict)],
        days=days,
        spans=sorted({*SPANS, days}),
        at_once=None if asked.refused else at_once(console, asked.changes, known, days),
        job=job,
        waiting=console.visit.store.jobs.before(job.id) if job is not None and job.is_open else 0,
        result=result,
        moves=moves_of(result) if result else [],
        moved=_moved(console, job, result) if job is not None and result else [],
        may_change=console.may(Right.POLICY),
        states=STATES,
        outcomes=OUTCOMES,
    )


OUTCOMES = {
    "inbox": marked("inbox"),
    "tag": marked("inbox with a tag"),
    "junk": marked("Junk"),
    "quarantine": marked("held"),
    "defer": marked("put off"),
}


def _knobs(known: Mapping[str, PolicySetting], changes: Sequence[Override]) -> list[Knob]:
    tried = {one.key: one.value for one in changes}
    keys = dict.fromkeys((*KNOBS, *(key for key in tried if key in known)))
    settings = [known[key] for key in keys if not isinstance(known[key].value, dict)]
    return [
        Knob(
            setting=one,
            tried=one.text if (value := tried.get(one.key)) is None else value_text(value),
            is_reset=value is None and one.key in tried,
        )
        for one in settings
    ]


def moves_of(result: Mapping[str, Any]) -> list[tuple[str, str, int]]:
    """(where it goes now, where it would go, copies), the most first."""
    found: Counter[tuple[str, str]] = Counter()
    for one in result["outcomes"]:
        if one["in_force"] != one["would_be"]:
            found[one["in_force"], one["would_be"]] += one["copies"]
    return [(now, then, count) for (now, then), count in found.most_common()]


def _moved(
    console: Console, job: Job, result: Mapping[str, Any]
) -> list[tuple[KeptStory, Mapping[str, Any]]]:
    """The messages that would move, those alone that may be seen by now."""
    changed = result["changed"]
    reach = console.visible(Right.HISTORY)
    kept = {
        one.id: one for one in console.visit.store.history.kept([one["message"] for one in changed], reach)
    }
    return [
        (kept[one["message"]], one)
        for one in changed
        if one["message"] in kept
        and one["recipient"] in {who for who, _ in kept[one["message"]].story.recipients}
    ]
