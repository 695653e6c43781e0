"""What happened since a moment, in numbers: counted by indexes, from what the history and the quarantine have.

since -> ix_history_messages_at -> the messages since then -> their verdicts -> counts
"""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, func, select
from sqlalchemy.orm import Session

from tamis.contract.finding import Status
from tamis.database.connection import Database
from tamis.database.schema import ChallengeRow, FindingRow, MessageRow, StoryRow, ToldRow

_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class CopyCount:
    """How many copies have all this in common; `side` is in, or out for what an authenticated user sent."""

    side: str
    decision: str
    outcome: str
    observed: bool
    decided_by: str
    copies: int


@dataclass(frozen=True, slots=True)
class Traffic:
    """What came: messages by side, and their copies, one for each recipient."""

    messages: Mapping[str, int]
    copies: Sequence[CopyCount]


@dataclass(frozen=True, slots=True)
class HeldNow:
    """What the quarantine holds: messages, their octets, and how many of them wait for the answer of a sender."""

    messages: int
    octets: int
    asked: int


class Today:
    """The part of the store that counts for `tamis status`. Every method raises StoreError when the database can't
    answer. `domain` is "" for all."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def traffic(self, since: datetime, domain: str = "") -> Traffic:
        """Messages and copies since a moment. Reads an index entry and a verdict for each of the copies."""
        common = (ToldRow.decision, ToldRow.outcome, ToldRow.observed, ToldRow.decided_by)
        with self._database.read() as session:
            joined, which = StoryRow.id == ToldRow.message, _since(since, domain)
            messages = select(StoryRow.side, func.count(ToldRow.message.distinct())).join(ToldRow, joined)
            copies = select(StoryRow.side, *common, func.count()).join(ToldRow, joined)
            sides = session.execute(messages.where(*which).group_by(StoryRow.side)).all()
            found = session.execute(copies.where(*which).group_by(StoryRow.side, *common)).all()
        return Traffic({row[0]: row[1] for row in sides}, [CopyCount(*row) for row in found])

    def unavailable(self, since: datetime, domain: str = "") -> dict[str, int]:
        """Filter -> messages since a moment that it could not look at. Findings are read once each, however many
        messages have them; messages only if there is such a finding."""
        with self._database.read() as session:
            filters = _unavailable(session, since)
            if not filters:
                return {}
            query = select(StoryRow.findings).where(StoryRow.at >= since)
            if domain:
                query = query.where(
                    exists()
                    .where(ToldRow.message == StoryRow.id, ToldRow.domain == domain)
                    .correlate(StoryRow)
                )
            counts = Counter[str]()
            for (findings,) in session.connection().execute(query.execution_options(yield_per=_AT_ONCE)):
                counts.update({filters[number] for number in array("I", findings) if number in filters})
        return dict(counts)

    def held(self, asked: Collection[str], now: datetime, domain: str = "") -> HeldNow:
        """What is held. `asked` are the states of a challenge that may yet be answered."""
        waits = and_(
            ChallengeRow.id == MessageRow.challenge,
            ChallengeRow.state.in_(asked),
            ChallengeRow.expires_at > now,
        )
        octets = func.coalesce(func.sum(MessageRow.size), 0)
        query = select(func.count(), octets, func.count(ChallengeRow.id)).select_from(MessageRow)
        query = query.outerjoin(ChallengeRow, waits).where(MessageRow.state == "held")
        if domain:
            query = query.where(MessageRow.domain == domain)
        with self._database.read() as session:
            messages, size, waiting = session.execute(query).one()
        return HeldNow(messages, int(size), waiting)


def _since(since: datetime, domain: str) -> list[ColumnElement[bool]]:
    if not domain:
        return [StoryRow.at >= since]
    # the domain's own index goes by the messages' numbers: none before the first since then is looked at
    first = select(func.min(StoryRow.id + 0)).where(StoryRow.at >= since).scalar_subquery()
    return [StoryRow.at >= since, ToldRow.domain == domain, ToldRow.message >= first]


def _unavailable(session: Session, since: datetime) -> dict[int, str]:
    """The numbers of the findings of those days that say "unavailable", each with its filter."""
    query = select(FindingRow.id, FindingRow.content).where(FindingRow.last_day >= since.toordinal())
    found: dict[int, str] = {}
    mark = f'"{Status.UNAVAILABLE}"'.encode()
    for number, content in session.connection().execute(query.execution_options(yield_per=_AT_ONCE)):
        if mark in content:  # cheap, and so for nearly all the end; a sender's text may hold it as well
            name, status, *_ = json.loads(content)
            if status == Status.UNAVAILABLE:
                found[number] = name
    return found
