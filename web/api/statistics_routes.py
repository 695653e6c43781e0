"""Sums: what came, where it went, what caught it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import AwareDatetime, BaseModel

from tamis.database.counts import (
    DayCount,
    Days,
    DeciderCount,
    FilterCount,
    LabelCount,
    MailboxCount,
    PartnerCount,
    Questions,
    ScoreCount,
)
from tamis.handover.glance import Glance, look
from tamis.message.address import PLATFORM
from tamis.models.learned_so_far import model_state
from tamis.people.rights import Reach
from tamis.people.token_scopes import TokenScope
from tamis.web.api.caller import Caller, needs
from tamis.web.api.problems import ProblemError
from tamis.web.api.routes import In, RowLimit, router

ROUTES = router("statistics")
MOST_DAYS = 400
"""Days of one answer. Beyond: refused."""

SumReader = Annotated[Caller, needs(TokenScope.STATISTICS_READ)]
First = Annotated[date | None, Query(description="The first day; a week before the last one by itself.")]
Last = Annotated[date | None, Query(description="The last day, today by itself.")]


class SumSpan(BaseModel):
    """What an answer is about: days from the first to the last, in a scope. With `withheld`, sums of whole domains are
    not shown: so few mailboxes are in them that those of a locked one could be told."""

    scope: str
    first: date
    last: date
    withheld: bool


class TrafficSums(SumSpan):
    """Copies by day and outcome, and by what decided."""

    by_day: list[DayCount]
    by_decider: list[DeciderCount]


class FilterSums(SumSpan):
    """What each filter did, and what people said of the copies that it decided."""

    filters: list[FilterCount]
    labels: list[LabelCount]


class PartnerSums(SumSpan):
    """The domains with which most mail was exchanged."""

    partners: list[PartnerCount]


class ScoreSums(SumSpan):
    """The totals of what no filter decided."""

    scores: list[ScoreCount]


class MailboxSums(SumSpan):
    """Mailboxes in numbers, in alphabetical order."""

    mailboxes: list[MailboxCount]


class QuestionSums(SumSpan):
    """What became of the senders of held mail."""

    questions: Questions


class TodaySums(BaseModel):
    """What came since a moment, and what is held now; `domain` is null for the platform."""

    domain: str | None
    since: datetime
    now: datetime
    messages: dict[str, int]
    copies: dict[str, int]
    went_to: dict[str, int]
    observed: dict[str, int]
    decided_by: dict[str, dict[str, int]]
    unavailable: dict[str, int]
    held: dict[str, int]


class LearningState(BaseModel):
    """What the statistical filter has learned, and what its levels promise and achieve."""

    ham: int
    spam: int
    needed: int
    deciding: bool
    corrections: int
    waiting: int
    levels: list[dict[str, Any]]
    unproven: list[str]
    """Kinds of mail of which so little ham was learned that a number of theirs doesn't decide alone."""
    sources: list[dict[str, Any]]
    taken_back: list[dict[str, Any]]
    """Lessons that nobody looked at and that were taken back, by the domain that answered for them: how many, and of
    the last that were measured, how many were spam to a model without them."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a question is about."""

    scope: str
    reach: Reach
    days: Days

    def span(self, caller: Caller) -> dict[str, Any]:
        """The members that every answer has."""
        return {
            "scope": self.scope,
            "first": self.days.first,
            "last": self.days.last,
            "withheld": caller.store.statistics.is_withheld(self.reach, self.days),
        }


def _asked(caller: Caller, within: str, first: date | None, last: date | None) -> _Asked:
    scope = caller.scope(within)
    end = last or datetime.now(UTC).date()
    try:
        begin = first or end - timedelta(days=6)
    except OverflowError:
        raise ProblemError(422, "last: is no day of this calendar") from None
    if not begin <= end or (end - begin).days >= MOST_DAYS:
        raise ProblemError(422, f"first, last: must be at most {MOST_DAYS} days, in order")
    seen = replace(caller.visible(TokenScope.STATISTICS_READ, scope), closed=caller.locks)
    return _Asked(scope, seen, Days(begin, end))


@ROUTES.get("/statistics/traffic")
def show_traffic(
    caller: SumReader, within: In = PLATFORM, first: First = None, last: Last = None
) -> TrafficSums:
    """What came, and where it went."""
    asked, sums = _asked(caller, within, first, last), caller.store.statistics
    return TrafficSums(
        **asked.span(caller),
        by_day=sums.by_day(asked.reach, asked.days),
        by_decider=sums.by_decider(asked.reach, asked.days),
    )


@ROUTES.get("/statistics/filters")
def show_filters(
    caller: SumReader, within: In = PLATFORM, first: First = None, last: Last = None
) -> FilterSums:
    """What catches it."""
    asked, sums = _asked(caller, within, first, last), caller.store.statistics
    return FilterSums(
        **asked.span(caller),
        filters=sums.filters(asked.reach, asked.days),
        labels=sums.labels(asked.reach, asked.days),
    )


@ROUTES.get("/statistics/partners")
def show_partners(
    caller: SumReader,
    within: In = PLATFORM,
    first: First = None,
    last: Last = None,
    side: Annotated[
        Literal["in", "out"], Query(description="in: who writes; out: to whom is written.")
    ] = "in",
    limit: RowLimit = 50,
) -> PartnerSums:
    """Who sends most, and who gets most."""
    asked = _asked(caller, within, first, last)
    found = caller.store.statistics.partners(asked.reach, asked.days, side, limit)
    return PartnerSums(**asked.span(caller), partners=found)


@ROUTES.get("/statistics/scores")
def show_scores(
    caller: SumReader, within: In = PLATFORM, first: First = None, last: Last = None
) -> ScoreSums:
    """How far from the limit the totals are."""
    asked = _asked(caller, within, first, last)
    return ScoreSums(**asked.span(caller), scores=caller.store.statistics.scores(asked.reach, asked.days))


@ROUTES.get("/statistics/mailboxes")
def show_mailboxes(
    caller: SumReader,
    within: In = PLATFORM,
    first: First = None,
    last: Last = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
) -> MailboxSums:
    """How each mailbox is doing."""
    asked = _asked(caller, within, first, last)
    found = caller.store.statistics.mailboxes(asked.reach, asked.days, limit=limit)
    return MailboxSums(**asked.span(caller), mailboxes=found)


@ROUTES.get("/statistics/challenges")
def show_questions(
    caller: SumReader, within: In = PLATFORM, first: First = None, last: Last = None
) -> QuestionSums:
    """What became of the questions to senders."""
    asked = _asked(caller, within, first, last)
    begin = datetime.combine(asked.days.first, time.min, UTC)
    end = datetime.combine(asked.days.last, time.max, UTC)
    return QuestionSums(
        **asked.span(caller), questions=caller.store.statistics.questions(asked.reach, begin, end)
    )


@ROUTES.get("/statistics/today")
def show_today(caller: SumReader, within: In = PLATFORM, since: AwareDatetime | None = None) -> TodaySums:
    """The platform or a domain at a glance: what came since a moment (midnight UTC by itself), and what is held now."""
    scope = caller.scope(within)
    if "@" in scope:
        raise ProblemError(422, "in: is a mailbox, not a domain")
    caller.require(TokenScope.STATISTICS_READ, scope)
    told = glance_of(caller, scope, since).to_dict()
    return TodaySums(**{name: told[name] for name in TodaySums.model_fields})


@ROUTES.get("/learning")
def show_learning(caller: SumReader) -> LearningState:
    """Whether the statistical filter keeps its promises; there is one for the whole platform."""
    caller.require(TokenScope.STATISTICS_READ, PLATFORM)
    told = model_state(caller.site.settings)
    return LearningState(**{name: told[name] for name in LearningState.model_fields})


def glance_of(caller: Caller, scope: str, since: datetime | None) -> Glance:
    """A scope at a glance."""
    now = datetime.now(UTC)
    start = (since or now.replace(hour=0, minute=0, second=0, microsecond=0)).astimezone(UTC)
    return look(caller.store, caller.site.settings, "" if scope == PLATFORM else scope, start, now)
