"""Points fitted on what people said of stored copies, and what past mail says of them.

Wanted -> copies that people spoke about, with their findings -> fit_scores -> changes, to be replayed
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from tamis.contract.finding import Finding
from tamis.database.connection import Database
from tamis.database.history import History
from tamis.database.history_search import Wanted
from tamis.database.replaying import ReplayResult
from tamis.database.schema import StoryRow
from tamis.judging.fitted_scores import FittedScores, LabelledCopy, fit_scores
from tamis.judging.policy import PolicyBook
from tamis.judging.stored_policy import Override
from tamis.judging.story import finding_from
from tamis.message.address import PLATFORM

MOST_LABELLED = 20_000
"""Copies that people spoke about that are looked at, the newest (beyond: older ones are left out)."""
_AT_ONCE = 500


def fitted(url: str, book: PolicyBook, scope: str, wanted: Wanted) -> FittedScores:
    """Points for the filters of a scope, from what people said of the copies that are wanted."""
    database = Database(url)
    try:
        copies = _labelled(database, book, wanted)
    finally:
        database.close()
    return fit_scores(copies, book.policy("" if scope == PLATFORM else scope))


def changes_in(scope: str, found: FittedScores) -> list[Override]:
    """What would be set for a scope."""
    return [Override(scope, f"filters.{name}.score", then) for name, (_, then) in found.changes.items()]


def fit_told(found: FittedScores, replayed: ReplayResult | None) -> Mapping[str, Any]:
    """A form that JSON can hold: what a job keeps, the command prints, and the API answers."""
    replay = None if replayed is None else replayed.plain()
    return found.plain() | {"replay": replay and {key: replay[key] for key in ("copies", "moved", "labels")}}


@dataclass(frozen=True, slots=True)
class _Message:
    sender: str
    author: str | None
    findings: Sequence[int]


def _labelled(database: Database, book: PolicyBook, wanted: Wanted) -> list[LabelledCopy]:
    history = History(database)
    said = sorted(history.words(wanted).items(), reverse=True)[:MOST_LABELLED]
    messages = _messages(database, sorted({message for (message, _), _ in said}))
    contents = history.contents({number for one in messages.values() for number in one.findings})
    known = {number: finding_from(content) for number, content in contents.items()}
    book.mailboxes(list(dict.fromkeys(recipient for (_, recipient), _ in said)))
    copies = []
    for (message, recipient), is_wanted in said:
        one = messages.get(message)
        if one is None or one.author is not None or any(number not in known for number in one.findings):
            continue  # the clean-up took it, or it is of an own user, who is judged by other filters
        findings: dict[str, Finding] = {known[number].filter: known[number] for number in one.findings}
        copies.append(LabelledCopy(one.sender, is_wanted, findings, book.policy(recipient)))
    return copies


def _messages(database: Database, numbers: Sequence[int]) -> dict[int, _Message]:
    found = {}
    columns = (StoryRow.id, StoryRow.sender_key, StoryRow.header_from, StoryRow.login, StoryRow.findings)
    with database.read() as session:
        for start in range(0, len(numbers), _AT_ONCE):
            query = select(*columns).where(StoryRow.id.in_(numbers[start : start + _AT_ONCE]))
            for number, sender, author, login, findings in session.execute(query):
                found[number] = _Message(sender or author, login or None, array("I", findings))
    return found
