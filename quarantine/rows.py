"""A held message as the tables have it: `messages` for lists, `details` for the one that is looked at. Pure."""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from tamis.base.errors import StoreError
from tamis.database.connection import clean, exact, json_text
from tamis.database.schema import MessageRow
from tamis.message.address import domain_of
from tamis.message.envelope import Envelope, Recipient
from tamis.quarantine.content import pack, unpack
from tamis.quarantine.records import (
    SUMMARY_FIELDS,
    HeldMessage,
    HeldRecord,
    HeldState,
    Summary,
    new_id,
)

TEXT = 500
"""Characters of a text of the sender's that a list shows (beyond: it is cut off there, the message has the whole)."""
_MAX_RECORD = 16 * 1024 * 1024
"""Octets of an unpacked record or of findings (beyond: it counts as damaged, and the message is shown without it)."""


MAX_WORDS = 20
"""Words of a search that count (beyond: they narrow nothing)."""


def folded(text: str) -> str:
    """Text as it is searched: without case and accents."""
    return without_accents(clean(text, TEXT).casefold())


def without_accents(text: str) -> str:
    """Letters without their marks, and compatible signs as the letters that they stand for."""
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def search_words(text: str) -> list[str]:
    """The words of a search, as `folded`; each once."""
    return list(dict.fromkeys(folded(text).split()))[:MAX_WORDS]


def message_values(message: HeldMessage, now: datetime) -> dict[str, Any]:
    """The columns of `messages` that follow from what is held, under a new id."""
    envelope = message.envelope
    shown = (envelope.sender, message.header_from, message.subject)
    return {
        "id": new_id(now),
        "transaction": exact(message.transaction),
        "recipient": exact(message.recipients[0].address),
        "domain": clean(domain_of(message.mailbox) or domain_of(message.recipients[0].address), TEXT),
        "mailbox": exact(message.mailbox),
        "sender": clean(envelope.sender, TEXT),
        "header_from": clean(message.header_from, TEXT),
        "subject": clean(message.subject, TEXT),
        "search": "\n".join(folded(text) for text in shown),
        "message_id": clean(message.message_id, TEXT),
        "client_ip": clean(envelope.client_ip, TEXT),
        "helo": clean(envelope.helo, TEXT),
        "received_at": envelope.received_at,
        "held_at": now,
        "expires_at": now + timedelta(days=message.retention_days),
        "state": HeldState.HELD,
        "decided_by": clean(message.decided_by, TEXT),
        "because": clean(message.because),
        "score": _finite(message.score),
        "required": _finite(message.required),
    }


def _finite(number: float) -> float:
    return number if math.isfinite(number) else 0.0


def summary_of(row: MessageRow) -> Summary:
    """What a list shows of a row."""
    values = {name: getattr(row, name) for name in SUMMARY_FIELDS}
    return Summary(**values | {"state": HeldState(row.state), "released_by": row.released_by or ""})


def details_record(message: HeldMessage) -> bytes:
    """The record of `details`: recipients, envelope, verdict, and the return path where it was rewritten."""
    envelope = message.envelope
    rewritten = message.return_path is not None and message.return_path != envelope.sender
    return _packed(
        {
            "envelope": replace(envelope, recipients=message.recipients).to_dict(),
            "verdict": dict(message.verdict or {}),
            **({"return_path": message.return_path or ""} if rewritten else {}),
        }
    )


def recipients_of(record: bytes) -> tuple[Recipient, ...]:
    """Whom a record of `details` is for. Raises StoreError when it is damaged."""
    try:
        return Envelope.from_dict(_unpacked(record)["envelope"]).recipients
    except (KeyError, ValueError, TypeError) as error:
        raise StoreError(f"the record is damaged: {error!r}") from error


def with_recipients(record: bytes, more: Iterable[Recipient]) -> bytes:
    """The record for further recipients, too. Raises StoreError when it is damaged."""
    data = _unpacked(record)
    data["envelope"]["recipients"] += [[one.address, list(one.args)] for one in more]
    return _packed(data)


def findings_content(findings: Sequence[Mapping[str, Any]]) -> bytes:
    """Findings as `bodies` keeps them: equal ones in the same octets."""
    return _json([dict(finding) for finding in findings])


def read_findings(packed: bytes) -> list[dict[str, Any]]:
    """What `bodies` has of `findings_content`. Raises StoreError when it is damaged."""
    try:
        found = json.loads(unpack(packed, most=_MAX_RECORD))
    except ValueError as error:
        raise StoreError(f"the findings are damaged: {error}") from error
    return [one for one in found if isinstance(one, dict)]


def held_record(row: MessageRow, record: bytes, findings: bytes | None) -> HeldRecord:
    """Everything about one message. Raises StoreError when something of it is damaged."""
    try:
        data = _unpacked(record)
        envelope = Envelope.from_dict(data["envelope"])
        return HeldRecord(
            summary=summary_of(row),
            recipients=envelope.recipients,
            envelope=envelope,
            return_path=str(data.get("return_path", envelope.sender)),
            findings=[] if findings is None else read_findings(findings),
            verdict=data["verdict"],
        )
    except (KeyError, ValueError, TypeError) as error:
        raise StoreError(f"the record of {row.id} is damaged: {error!r}") from error


def _packed(data: Any) -> bytes:
    return pack(_json(data))


def _unpacked(record: bytes) -> Any:
    return json.loads(unpack(record, most=_MAX_RECORD))


def _json(data: Any) -> bytes:
    return json_text(data).encode()
