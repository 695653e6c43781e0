"""Abuse reports in ARF (RFC 5965): whose mail was complained about."""

from __future__ import annotations

import re

from tamis.message.envelope import IPAddress, parse_ip
from tamis.message.mail import Mail

_MAX_OCTETS = 64 * 1024
"""Octets of a report's part that are read. Beyond: not read: what stands at its top counts."""
_FOLD = re.compile(r"\r?\n[ \t]+")
_KINDS = frozenset({"abuse", "fraud", "virus", "other"})
"""Feedback types that speak against the client; "not-spam" and "opt-out" do not (RFC 5965 3.1, 7.3)."""


def reported_client(mail: Mail) -> IPAddress | None:
    """The Source-IP of an abuse report (RFC 5965 3.2); None for any other message and for reports without one."""
    top = mail.containers[0] if mail.containers else None
    if top is None or top.path or top.content_type != "multipart/report":
        return None
    if top.parameters.get("report-type", "").lower() != "feedback-report":
        return None
    for part in mail.parts:
        if part.content_type == "message/feedback-report" and part.depth == 1:
            fields: dict[str, str] = {}
            text = _FOLD.sub(" ", part.payload[:_MAX_OCTETS].decode("utf-8", "replace"))
            for line in text.splitlines():
                name, colon, value = line.partition(":")
                if colon:
                    fields.setdefault(name.strip().lower(), value.strip())
            if fields.get("feedback-type", "").lower() in _KINDS:
                return parse_ip(fields.get("source-ip", "").strip("[]"))
    return None
