"""Delivery status notifications (RFC 3464): which addresses failed for good."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tamis.message.address import address_key
from tamis.message.mail import Mail

_TYPES = frozenset({"message/delivery-status", "message/global-delivery-status"})
_MAX_OCTETS = 64 * 1024
"""Octets of a report's part that are read. Beyond: not read: what stands at its top counts."""
_MAX_RECIPIENTS = 100  # recipients taken from a report; beyond: they keep what they have earned
_MAX_ADDRESS = 320  # characters of an address in a report; beyond: it is none
_FOLD = re.compile(r"\n[ \t]+")


def failed_recipients(mail: Mail) -> tuple[str, ...]:
    """The address keys whose delivery a notification calls failed (RFC 3464 2.3.3); () for any other message.

    A delayed message may still arrive, so it is no failure.
    """
    if not mail.is_dsn:
        return ()
    found: dict[str, None] = {}
    for part in mail.parts:
        if part.content_type in _TYPES and part.depth == 1:
            for address in _of_report(part.payload[:_MAX_OCTETS].decode("utf-8", "replace")):
                found[address] = None
    return tuple(found)[:_MAX_RECIPIENTS]


def _of_report(text: str) -> Iterator[str]:
    """Blocks of fields, the first about the message, each further one about a recipient (RFC 3464 2.1)."""
    text = _FOLD.sub(" ", text.replace("\r\n", "\n"))
    for block in text.split("\n\n"):
        fields: dict[str, str] = {}
        for line in block.split("\n"):
            name, colon, value = line.partition(":")
            if colon:
                fields.setdefault(name.strip().lower(), value.strip())
        if fields.get("action", "").lower() != "failed":
            continue
        for name in ("original-recipient", "final-recipient"):  # an alias was written to under the first
            kind, _, address = fields.get(name, "").partition(";")
            key = address_key(address.strip())
            if kind.strip().lower() in ("rfc822", "utf-8") and "@" in key and len(key) <= _MAX_ADDRESS:
                yield key
