"""What is asked of senders, what they are shown and what comes of their answers, apart from the database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from tamis.contract.finding import Finding
from tamis.judging.policy import Terms
from tamis.judging.suppression import NotAsked

MOST_WRONG = 20
"""Wrong answers to one challenge, after which it is closed; its recipients can still release the message."""

Agrees = Callable[[str], Terms]
"""The policy of a recipient's address: a copy is spoken of, and released, only if it asks senders."""


class ChallengeState(StrEnum):
    """Where a challenge stands."""

    SUPPRESSED = "suppressed"  # nobody was asked, for a reason
    PENDING = "pending"  # a notice is to be mailed
    SENDING = "sending"  # it is being handed to Postfix; a crash leaves it so
    LOST = "lost"  # that was interrupted: it may have gone, and never goes again
    ASKED = "asked"  # the sender has the link
    SOLVED = "solved"  # the sender has confirmed; copies are on their way
    DELIVERED = "delivered"  # all of that is done


OPEN = (ChallengeState.PENDING, ChallengeState.SENDING, ChallengeState.LOST, ChallengeState.ASKED)
"""States in which the link, however the sender got it, may be answered."""


@dataclass(frozen=True, slots=True)
class Undecided:
    """A held copy whose sender was neither asked nor ruled out; `head` is the beginning of its content."""

    message: str
    transaction: str
    domain: str
    recipient: str
    sender: str
    held_at: datetime
    expires_at: datetime
    findings: Mapping[str, Finding]
    head: bytes


@dataclass(frozen=True, slots=True)
class ChallengeDecision:
    """What is to become of an undecided copy: budgets may still turn a question (`reason` None) down."""

    copy: Undecided
    reason: NotAsked | None
    language: str
    authenticated: bool


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge as it is kept; `sender` is in comparing form, `reason` "" when the sender was asked."""

    id: str
    transaction: str
    domain: str
    sender: str
    transport: str
    state: ChallengeState
    reason: str
    authenticated: bool
    whitelisted: bool
    language: str
    at: datetime
    attempts: int
    sent_at: datetime | None
    solved_at: datetime | None
    expires_at: datetime

    def to_dict(self) -> dict[str, Any]:
        """A form that JSON can hold."""
        return {k: v.isoformat() if isinstance(v, datetime) else v for k, v in asdict(self).items()}


class PageState(StrEnum):
    """What the sender's page can offer."""

    OPEN = "open"  # it may be answered
    LOCKED = "locked"  # too many wrong answers
    DELIVERED = "delivered"  # it was answered, or a recipient let the message through
    GONE = "gone"  # expired, deleted, or policy asks nobody any more


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderPage:
    """What the sender's page may say: nothing of the message but its subject (as hostile as it came).

    `recipients` are those who agreed to be asked for; `decided_by` is for `reasons.plain_reason`; `whitelists`
    promises that an answer is the last one wanted; `language` and `time_zone` are the defaults for this reader.
    """

    id: str
    state: PageState
    recipients: tuple[str, ...]
    domain: str
    sender: str
    subject: str
    message_id: str
    sent_at: datetime
    held_until: datetime
    decided_by: str
    attempts_left: int
    solved_at: datetime | None
    whitelists: bool
    language: str
    time_zone: str


class SolveResult(StrEnum):
    """What came of a right answer."""

    DELIVERED = "delivered"
    ALREADY = "already"  # it was answered before: nothing happened now
    LOCKED = "locked"
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What the sender is told. `waiting` are recipients whose copies Postfix could not take just now: the background
    process sees to them. `at` is when the challenge was answered, the first time."""

    result: SolveResult
    delivered: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    at: datetime
    whitelisted: bool = False
    domain: str = ""
