"""Learning: does the statistical filter keep its promises, from whom has it learned, and what do people disagree about.

model_state (one model for the platform)   -> what it promises and achieves; who taught it, for the platform's owner
labels of copies that may be seen (history) -> who contradicts verdicts, words that disagree, words taken back
lessons_of (domains that may be seen)      -> what each taught today
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.responses import Response

from tamis.database.labels import disagreements, words_by_person
from tamis.database.roll_ups import MISTAKES, UNWANTED_STOPPED, WANTED_PASSED, WOULD
from tamis.installation.teacher import shared_counts
from tamis.judging.policy_settings import settings_of
from tamis.judging.trace import STATISTICS
from tamis.language.translation import marked
from tamis.message.address import PLATFORM
from tamis.models.kinds import MailKind
from tamis.models.learned_so_far import lessons_of, model_state
from tamis.models.model_file import ModelError
from tamis.models.scale import promise
from tamis.people.rights import Right
from tamis.web.console.console import Console
from tamis.web.console.messages import WENT
from tamis.web.console.spans import SPANS, Span
from tamis.web.console.story_page import SAID

_USUAL = "30d"
_MOST_WORDS = 5_000
"""Words of people that are looked through, the newest; beyond: the page says that there are more."""
_ROWS = 20
_LONGEST = timedelta(days=90)
NO_MODEL: dict[str, Any] = {
    **dict.fromkeys(("ham", "spam", "needed", "corrections", "waiting"), 0),
    **dict.fromkeys(("file", "shared"), None),
    **dict.fromkeys(("levels", "sources", "taken_back", "unproven"), ()),
    "deciding": False,
}
"""What is told where the model's file can't be read."""
SOURCES = {
    "learn": marked("tamis learn"),
    "quarantine": marked("held mail, by administrators"),
    "web": marked("pages"),
    "dovecot": marked("moves to Junk and out of it"),
    "honeypot": marked("honeypots"),
    "challenge": marked("answers of senders"),
    "outgoing": marked("outgoing mail"),
    "evident": marked("evident spam"),
}
"""Where lessons come from, in words."""
KINDS: Mapping[str, str] = {
    MailKind.AUTOMATIC: marked("automatic answers and bounces"),
    MailKind.LIST: marked("mail through lists"),
    MailKind.BULK: marked("newsletters"),
    MailKind.ANSWER: marked("answers"),
    MailKind.MADE: marked("receipts, notices and other HTML"),
    MailKind.PLAIN: marked("first letters in plain text"),
}
"""Kinds of mail, in words."""


@dataclass(frozen=True, slots=True)
class LevelShown:
    """A level: what share of ham it promises to reach at most, and what was measured, each with its interval."""

    level: float
    promised: float
    lost: Mapping[str, Any]
    caught: Mapping[str, Any]
    plausible: Sequence[float] | None
    here: bool

    @property
    def share(self) -> float:
        """The share of ham that reached it."""
        return self.lost["count"] / self.lost["total"] if self.lost["total"] else 0.0

    @property
    def caught_share(self) -> float:
        """The share of spam that reached it."""
        return self.caught["count"] / self.caught["total"] if self.caught["total"] else 0.0

    @property
    def is_broken(self) -> bool:
        """Whether the promise lies below all that the measured share may be."""
        return bool(self.lost["total"]) and self.lost["low"] > self.promised


def show(console: Console) -> Response:
    """The page."""
    reach, store = console.visible(Right.STATISTICS), console.visit.store
    domains = [one for one in console.site.settings.platform.domains if reach.covers(one)]
    span = Span.of(console, _USUAL)
    damaged = ""
    try:
        state = model_state(console.site.settings)
        today = int(time.time() // 86400)
        lessons = lessons_of(console.site.settings, domains, today, shared_counts(store))
    except ModelError as error:
        state, lessons, damaged = NO_MODEL, [], str(error)
    level = next(
        one.value
        for one in settings_of(console.site.book, console.scope)
        if one.key == f"filters.{STATISTICS}.level"
    )
    levels = [_level(one, level) for one in state["levels"]]
    seen_mail = console.visible(Right.HISTORY)
    since = max(span.since, datetime.now(UTC) - _LONGEST)
    lately = store.labels.lately(seen_mail, since, _MOST_WORDS + 1) if seen_mail else []
    words = lately[:_MOST_WORDS]
    counts: dict[str, int] = {}
    for one in store.statistics.labels(reach, span.days):
        counts[one.kind] = counts.get(one.kind, 0) + one.copies
    age = state["file"]["age"] if state["file"] else None
    return console.render(
        "learning.html",
        state=state,
        whole=console.may(Right.STATISTICS, PLATFORM),
        published=None if age is None else datetime.now(UTC) - timedelta(seconds=age),
        levels=levels,
        level=next((one for one in levels if one.here), None),
        wanted_level=level,
        promised=promise(level),
        sources=SOURCES,
        unproven=[KINDS[one] for one in state["unproven"]],
        alarms=[one["source"] for one in state["sources"] if one["alarm"]],
        lessons=lessons,
        damaged=damaged,
        confirmed=counts.get(WANTED_PASSED, 0) + counts.get(UNWANTED_STOPPED, 0),
        contradicted=sum(counts.get(kind, 0) for kind in MISTAKES),
        kinds=counts,
        people=words_by_person(words)[:_ROWS],
        disagree=disagreements(words)[:_ROWS],
        unlearned=[
            (one, datetime.fromtimestamp(one["at"], UTC)) for one in state["taken_back"][: -_ROWS - 1 : -1]
        ],
        taken_back=[one for one in words if one.label.undone_at is not None][:_ROWS],
        partly=len(lately) > _MOST_WORDS,
        may_see_mail=bool(seen_mail),
        said=SAID,
        outcome=lambda one: console.visit.reader.gettext(WENT.get(one.removeprefix(WOULD)) or one),
        span=span,
        spans=SPANS,
    )


def _level(one: Mapping[str, Any], here: float) -> LevelShown:
    return LevelShown(
        one["level"],
        one["promised"],
        one["false_positives"],
        one["caught"],
        one["plausible"],
        one["level"] == here,
    )
