"""Suggestions: the cheapest change of policy that mends chosen mistakes, with what else it would do.

known mistakes, some of them ticked -> POST: a job -> /suggest/JOB: changes, the best first -> each to be tried
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import Response

from tamis.database.replay_jobs import FIT, SUGGEST, asked_fit, asked_suggestions
from tamis.people.rights import Right
from tamis.web.console.console import Console
from tamis.web.console.known_mistakes import KnownMistake, known_mistakes
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


def show(console: Console) -> Response:
    """The known mistakes, to choose from."""
    require_both(console)
    days = days_of(console)
    return _choice(console, days, _found(console, days))


def start(console: Console) -> Response:
    """Find what would mend those that are ticked: a job."""
    require_both(console)
    days = days_of(console)
    ticked = set(console.visit.fields("mistake"))
    found = _found(console, days)
    chosen = [(one.kept.id, one.recipient) for one in found if one.name in ticked]
    if not chosen:
        return _choice(console, days, found, empty=True)
    return begin(console, SUGGEST, asked_suggestions(chosen, since(days), days, reach_of(console)))


def show_job(console: Console) -> Response:
    """What was found so far."""
    job = found_job(console)
    if job.kind not in _TEMPLATES:
        raise NoAccessError(NOT_HERE)
    if console.scope != job.scope:
        return console.redirect(f"/suggest/{job.id}", **{"in": job.scope})
    return console.render(
        _TEMPLATES[job.kind], job=job, result=job.result, states=STATES, days=str(job.asked["days"])
    )


_TEMPLATES = {SUGGEST: "suggestions.html", FIT: "fitted.html"}


def fit(console: Console) -> Response:
    """Fit the points of all filters on what people said: a job."""
    require_both(console)
    days = days_of(console)
    return begin(console, FIT, asked_fit(since(days), days, reach_of(console)))


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


def _found(console: Console, days: int) -> Sequence[KnownMistake]:
    """Those that may be seen, the newest first."""
    return known_mistakes(console.visit.store, console.visible(Right.HISTORY), since(days), MOST)
