"""Suggestions: the cheapest change of policy that mends chosen mistakes, with what else it would do.

known mistakes, some of them ticked -> POST: a job -> /suggest/JOB: changes, the best first -> each to be tried
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from tamis.database.history import KeptStory
from tamis.database.history_search import Wanted
from tamis.database.replay_jobs import SUGGEST, asked_suggestions
from tamis.database.replaying import is_mistake
from tamis.people.rights import Right
from tamis.web.console.console import Console
from tamis.web.console.replay_pages import (
    OUTCOMES,
    SPANS,
    STATES,
    begin,
    days_of,
    found_job,
    reach_of,
    require_both,
    since,
)
from tamis.web.visit import NOT_HERE, NoAccessError

MOST = 50
"""Mistakes that are offered, the newest; beyond: they are counted by a replay, and not offered."""


@dataclass(frozen=True, slots=True)
class KnownMistake:
    """A copy that went where people say it should not."""

    kept: KeptStory
    recipient: str
    outcome: str
    wanted: bool

    @property
    def name(self) -> str:
        """What stands in a form for it."""
        return f"{self.kept.id} {self.recipient}"


def show(console: Console) -> Response:
    """The known mistakes, to choose from."""
    require_both(console)
    days = days_of(console)
    return _choice(console, days, _mistakes(console, days))


def start(console: Console) -> Response:
    """Find what would mend those that are ticked: a job."""
    require_both(console)
    days = days_of(console)
    ticked = set(console.visit.fields("mistake"))
    found = _mistakes(console, days)
    chosen = [(one.kept.id, one.recipient) for one in found if one.name in ticked]
    if not chosen:
        return _choice(console, days, found, empty=True)
    return begin(console, SUGGEST, asked_suggestions(chosen, since(days), days, reach_of(console)))


def show_job(console: Console) -> Response:
    """What was found so far."""
    job = found_job(console)
    if job.kind != SUGGEST:
        raise NoAccessError(NOT_HERE)
    if console.scope != job.scope:
        return console.redirect(f"/suggest/{job.id}", **{"in": job.scope})
    return console.render(
        "suggestions.html", job=job, result=job.result, states=STATES, days=str(job.asked["days"])
    )


def _choice(console: Console, days: int, found: Sequence[KnownMistake], *, empty: bool = False) -> Response:
    """The page to choose from; `empty` says that nothing was chosen."""
    return console.render(
        "suggest.html",
        mistakes=found,
        days=days,
        spans=sorted({*SPANS, days}),
        outcomes=OUTCOMES,
        empty=empty,
    )


def _mistakes(console: Console, days: int) -> Sequence[KnownMistake]:
    """Those that may be seen, the newest first."""
    reach, history = console.visible(Right.HISTORY), console.visit.store.history
    said = history.words(Wanted(since=since(days), reach=reach))
    newest = sorted({message for message, _ in said}, reverse=True)[: 20 * MOST]
    found = [
        KnownMistake(kept, recipient, told.outcome, said[kept.id, recipient])
        for kept in history.kept(newest, reach)
        for recipient, told in kept.story.recipients
        if (kept.id, recipient) in said and is_mistake(told.outcome, wanted=said[kept.id, recipient])
    ]
    return found[:MOST]
