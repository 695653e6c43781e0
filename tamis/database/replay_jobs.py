"""What a replay job is asked, in a form that JSON can hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from tamis.database.history_search import Wanted
from tamis.judging.stored_policy import Override
from tamis.people.rights import Locks, Reach

REPLAY = "replay"
SUGGEST = "suggest"
FIT = "fit"


def asked_replay(changes: Sequence[Override], since: datetime, days: int, reach: Reach) -> Mapping[str, Any]:
    """To try changes on the copies since then (`days` ago, as somebody asked for it) that `reach` covers."""
    return {
        "set": [[one.scope, one.key, one.value] for one in changes],
        "since": since.isoformat(),
        "days": days,
        "scopes": sorted(reach.scopes),
        "own": reach.own,
        "locks": dict(reach.closed.said),
    }


def asked_suggestions(
    mistakes: Sequence[tuple[int, str]], since: datetime, days: int, reach: Reach
) -> Mapping[str, Any]:
    """To find what would mend mistakes, each a message and a recipient."""
    return {**asked_replay((), since, days, reach), "mistakes": [list(one) for one in mistakes]}


def asked_fit(since: datetime, days: int, reach: Reach) -> Mapping[str, Any]:
    """To fit the points of filters on what people said of the copies since then that `reach` covers."""
    return asked_replay((), since, days, reach)


def mistakes_of(asked: Mapping[str, Any]) -> list[tuple[int, str]]:
    """The mistakes that a job is to find changes for."""
    return [(message, recipient) for message, recipient in asked["mistakes"]]


def changes_of(asked: Mapping[str, Any]) -> list[Override]:
    """The changes that a job tries."""
    return [Override(*one) for one in asked["set"]]


def wanted_by(asked: Mapping[str, Any]) -> Wanted:
    """The copies that a job reads."""
    reach = Reach(frozenset(asked["scopes"]), asked["own"], Locks(asked["locks"]))
    return Wanted(since=datetime.fromisoformat(asked["since"]), reach=reach)
