"""What people's words on a copy come to: an operator's count more than others', a later one more than an earlier."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from tamis.database.statistics_schema import LabelRow

_AT_ONCE = 500


class LabelSource(StrEnum):
    """How somebody said whether a message was wanted."""

    RELEASE = "release"  # its recipient delivered it
    CHALLENGE = "challenge"  # its sender proved to be a person
    SPAM_BUTTON = "spam-button"  # its recipient pressed "This is spam"
    JUNK_MOVE = "junk-move"  # its recipient moved it to Junk, or out of it
    OPERATOR = "operator"  # somebody else who may


def effective(words: Iterable[LabelRow]) -> bool | None:
    """Whether a copy was wanted, as the word that counts has it; None when none does."""
    standing = [one for one in words if one.undone_at is None]
    if not standing:
        return None
    return max(standing, key=lambda one: (one.source == LabelSource.OPERATOR, one.at, one.wanted)).wanted


def words_on(session: Session, messages: Sequence[str]) -> Mapping[tuple[str, str], bool]:
    """(message, mailbox) -> whether it was wanted, of those of these messages on which a word counts."""
    named = sorted({one for one in messages if one})
    found: dict[tuple[str, str], list[LabelRow]] = {}
    for start in range(0, len(named), _AT_ONCE):
        query = select(LabelRow).where(LabelRow.message.in_(named[start : start + _AT_ONCE]))
        for row in session.scalars(query):
            found.setdefault((row.message, row.mailbox), []).append(row)
    told = ((copy, effective(words)) for copy, words in found.items())
    return {copy: wanted for copy, wanted in told if wanted is not None}
