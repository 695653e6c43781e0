"""Messages for the quarantine's tests, and a Postfix that only remembers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from tamis.base.errors import ReinjectError
from tamis.message.envelope import Envelope, Recipient
from tamis.quarantine.records import HeldMessage, HeldRecord

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CONTENT = b"From: <offer@example.net>\r\nSubject: Win\r\nX-Spam-Flag: YES\r\n\r\nBuy now.\r\n.dot\r\n"


def held(
    transaction: str = "t1",
    recipient: str = "marie@example.com",
    *,
    sender: str = "offer@example.net",
    subject: str = "Win",
    header_from: str = "Offers <offer@example.net>",
    args: tuple[str, ...] = (),
    retention_days: int = 30,
    mailbox: str | None = None,
) -> HeldMessage:
    envelope = Envelope(
        client_ip="192.0.2.7",
        helo="mail.example.net",
        sender=sender,
        sender_args=("BODY=8BITMIME", "RET=HDRS", "ENVID=abc"),
        recipients=(Recipient(recipient, args),),
        received_at=NOW,
    )
    return HeldMessage(
        transaction=transaction,
        recipients=(Recipient(recipient, args),),
        mailbox=mailbox if mailbox is not None else recipient.lower(),
        envelope=envelope,
        subject=subject,
        header_from=header_from,
        message_id="<1@example.net>",
        decided_by="score",
        because="the total reaches the limit",
        score=9.5,
        required=7.5,
        findings=[{"filter": "x", "status": "hit", "because": "", "facts": {}, "seconds": 0.1}],
        verdict={"decision": "spam"},
        retention_days=retention_days,
    )


@dataclass
class Postbox:
    """A `Deliver` that keeps what it gets; it refuses while `refusing` says why. Its queue ids are `queue_id`."""

    refusing: str = ""
    queue_id: str = ""
    got: list[tuple[HeldRecord, bytes]] = field(default_factory=list)

    def __call__(self, record: HeldRecord, content: bytes) -> str:
        if self.refusing:
            raise ReinjectError(self.refusing)
        self.got.append((record, content))
        return self.queue_id
