"""Challenges: which senders were asked, and why others were not."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query
from pydantic import BaseModel

from tamis.challenge.challenge_records import Challenge, ChallengeState
from tamis.judging.suppression import SENTENCES, NotAsked
from tamis.message.address import domain_key
from tamis.people.token_scopes import TokenScope
from tamis.web.api.caller import Caller, needs
from tamis.web.api.problems import not_there
from tamis.web.api.routes import Before, RowLimit, Rows, router, rows

ROUTES = router("challenges")

ChallengeReader = Annotated[Caller, needs(TokenScope.HISTORY_READ)]


class ChallengeStory(BaseModel):
    """A challenge, why nobody was asked (`why`), and the held messages that it is about."""

    challenge: Challenge
    why: str
    messages: list[str]


@ROUTES.get("/challenges")
def list_challenges(
    caller: ChallengeReader,
    state: ChallengeState | None = None,
    reason: NotAsked | None = None,
    domain: Annotated[str, Query(max_length=255)] = "",
    sender: Annotated[str, Query(max_length=320)] = "",
    before: Before = "",
    limit: RowLimit = 50,
) -> Rows[Challenge]:
    """Challenges for mail that may be seen, the newest first."""
    found = caller.store.challenges.list(
        state=state,
        reason=reason,
        domain=domain_key(domain) if domain else None,
        sender=sender or None,
        limit=limit + 1,
        before=before or None,
        reach=caller.visible(TokenScope.HISTORY_READ),
    )
    return rows(list(found), limit, lambda one: one.id)


@ROUTES.get("/challenges/{number}")
def show_challenge(caller: ChallengeReader, number: Annotated[str, Path(max_length=40)]) -> ChallengeStory:
    """One challenge."""
    messages = caller.store.challenges.messages(number, caller.visible(TokenScope.HISTORY_READ))
    found = caller.store.challenges.get(number) if messages else None
    if found is None:
        raise not_there()
    why = SENTENCES[NotAsked(found.reason)] if found.reason in set(NotAsked) else found.reason
    return ChallengeStory(challenge=found, why=why, messages=list(messages))
