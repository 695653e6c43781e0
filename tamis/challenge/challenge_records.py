"""What is asked of senders, what they are shown and what comes of their answers, apart from the database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from tamis.contract.finding import Finding
from tamis.judging.policy_terms import Terms
from tamis.judging.suppression import NotAsked

MOST_WRONG = 20
"""Wrong answers to one challenge, after which it is closed; its recipients can still release the message."""

Agrees = Callable[[str], Terms]
"""The policy of a recipient's address: a copy is spoken of, and released, only if it asks senders."""


class AnswerProof(StrEnum):
    """What an answer proves, from little to much; what it earns depends on it."""

    WORK = "work"  # somebody's processor worked: delivers the message, and earns next to nothing
    CODE = "code"  # somebody read or heard a code: may also whitelist
    RECIPIENT = "recipient"  # a recipient delivered the message


WAYS: Mapping[str, tuple[AnswerProof, ...]] = MappingProxyType(
    {
        "work": (AnswerProof.WORK, AnswerProof.CODE),
        "code": (AnswerProof.CODE, AnswerProof.WORK),
        "work-only": (AnswerProof.WORK,),
        "code-only": (AnswerProof.CODE,),
    }
)
"""What the sender's page takes, by `challenge_proof`; the first is asked for first."""


def ways_for(terms: Iterable[Terms]) -> tuple[AnswerProof, ...]:
    """What is taken for copies under several policies: what all of them take, in the stricter order; where they have
    nothing in common, a code."""
    wanted = [WAYS[one.challenge_proof] for one in terms]
    common = [proof for proof in (AnswerProof.CODE, AnswerProof.WORK) if all(proof in one for one in wanted)]
    if any(one[0] is AnswerProof.CODE for one in wanted):
        return tuple(common) or (AnswerProof.CODE,)
    return tuple(reversed(common)) or (AnswerProof.CODE,)


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
    proof: str
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

    `recipients` are those who agreed to be asked for; `decided_by` is for `reasons.plain_reason`; `ways` are what is
    taken as an answer, the first one first; `whitelists` promises that a code is the last answer wanted, `keeps` that
    it still would be after a proof of work; `language` and `time_zone` are the defaults for this reader.
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
    ways: tuple[AnswerProof, ...]
    whitelists: bool
    keeps: bool
    whitelisted: bool
    language: str
    time_zone: str


class SolveResult(StrEnum):
    """What came of a right answer."""

    DELIVERED = "delivered"
    KEPT = "kept"  # it was answered by a proof of work before; now the sender is whitelisted as well
    ALREADY = "already"  # it was answered before: nothing happened now
    LOCKED = "locked"
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What the sender is told. `waiting` are recipients whose copies Postfix could not take just now: the background
    process sees to them. `at` is when the challenge was answered first; `keeps`: a code would still whitelist."""

    result: SolveResult
    delivered: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    at: datetime
    whitelisted: bool = False
    keeps: bool = False
    domain: str = ""
