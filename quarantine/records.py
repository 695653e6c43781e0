"""What goes into the quarantine and what comes out of it, apart from the database."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from tamis.base.ulids import ulid_text
from tamis.message.envelope import Envelope, Recipient


class HeldState(StrEnum):
    """Where a message in quarantine stands."""

    HELD = "held"
    RELEASING = "releasing"  # on its way back to Postfix; taken up again when it stays so
    RELEASED = "released"
    DELETED = "deleted"
    EXPIRED = "expired"


GONE = (HeldState.RELEASED, HeldState.DELETED, HeldState.EXPIRED)
"""States without content, once the bin is emptied: the row stays for a while, so that a late second delivery is
recognised."""

DROPPED = (HeldState.DELETED, HeldState.EXPIRED)
"""States of what nobody wanted to have."""


class Done(StrEnum):
    """What came of asking for a release or a deletion."""

    DONE = "done"
    ALREADY = "already"  # the same was done before: nothing happened now
    BUSY = "busy"  # somebody else is releasing it at this moment
    GONE = "gone"  # released, deleted or expired: there is nothing left to do it to
    UNKNOWN = "unknown"  # no such id


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldMessage:
    """One mailbox's copy, to be held.

    `recipients` are the addresses of the `mailbox` (`Policy.mailbox`) that a transaction named; `return_path` is the
    sender under which Postfix delivers, where it was rewritten on the way to us (SRS); None means that of the envelope.
    `subject` and `header_from` are decoded text; `findings` and `verdict` are plain JSON data; `retention_days` comes
    from the recipients' policy.
    """

    transaction: str
    recipients: tuple[Recipient, ...]
    mailbox: str
    envelope: Envelope
    return_path: str | None = None
    header_from: str = ""
    subject: str = ""
    message_id: str = ""
    decided_by: str = ""
    because: str = ""
    score: float = 0.0
    required: float = 0.0
    findings: Sequence[Mapping[str, Any]] = ()
    verdict: Mapping[str, Any] | None = None
    retention_days: int = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One line of a list of held messages. Texts are bounded and free of NUL, but otherwise as hostile as
    the sender made them; moments are aware; `size` is in octets, of the uncompressed content."""

    id: str
    transaction: str
    recipient: str
    domain: str
    mailbox: str
    sender: str
    header_from: str
    subject: str
    message_id: str
    client_ip: str
    helo: str
    size: int
    received_at: datetime
    held_at: datetime
    expires_at: datetime
    state: HeldState
    decided_by: str
    because: str
    score: float
    required: float
    released_at: datetime | None
    released_by: str

    def to_dict(self) -> dict[str, Any]:
        """A form that JSON can hold."""
        values = {name: getattr(self, name) for name in SUMMARY_FIELDS}
        return {k: v.isoformat() if isinstance(v, datetime) else v for k, v in values.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldRecord:
    """Everything about one held message except its content; `recipients` are the addresses of its mailbox as SMTP named
    them, `return_path` the sender under which it is delivered."""

    summary: Summary
    recipients: tuple[Recipient, ...]
    envelope: Envelope
    return_path: str
    findings: Sequence[Mapping[str, Any]]
    verdict: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """A form that JSON can hold."""
        return {
            **self.summary.to_dict(),
            "recipients": [[one.address, list(one.args)] for one in self.recipients],
            "envelope": self.envelope.to_dict(),
            "return_path": self.return_path,
            "findings": list(self.findings),
            "verdict": dict(self.verdict),
        }


SUMMARY_FIELDS = tuple(Summary.__dataclass_fields__)

Deliver = Callable[[HeldRecord, bytes], str]
"""Hands a held message and its content to Postfix; raises ReinjectError when Postfix did not take it."""

_RANDOM_OCTETS = 10


def new_id(now: datetime) -> str:
    """26 characters that sort by time (milliseconds), then at random (80 bits): a ULID."""
    return ulid_text(int(now.timestamp() * 1000).to_bytes(6, "big") + secrets.token_bytes(_RANDOM_OCTETS))
