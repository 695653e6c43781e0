"""Held mail to look at: plain, rich and hostile."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

from tamis.contract.finding import Finding, Status
from tamis.message.envelope import Envelope, Recipient
from tamis.quarantine.records import HeldMessage
from tests.web.pages import MARIE

NOW = datetime.now(UTC).replace(microsecond=0)

TRACE: tuple[tuple[str, str, Status, str, Mapping[str, Any], str | None, float], ...] = (
    ("ip_whitelist", "S4", Status.CLEAR, "on no list", {}, None, 0.0),
    ("spf", "S5", Status.CLEAR, "{shown}", {"shown": "pass"}, None, 0.0),
    ("reverse_dns", "S11", Status.HIT, "{ip} has no PTR record", {"ip": "192.0.2.7"}, "spam", 0.0),
    ("dnsbl", "S17", Status.UNAVAILABLE, "none of {lists} lists answered", {"lists": 5}, None, 0.0),
    ("link_text", "S31e", Status.CLEAR, "links go where they say", {}, None, 0.0),
    ("malformed", "S33", Status.CLEAR, "well-formed", {}, None, 0.0),
)
"""filter, spec id, status, sentence, facts, effect, points: what a message without a PTR record meets."""


def message(
    number: int = 1,
    *,
    recipient: str = MARIE,
    sender: str = "contact@garage.example.net",
    header_from: str = "Garage Martin <contact@garage.example.net>",
    subject: str = "Votre devis",
    age: timedelta = timedelta(hours=2),
    decided_by: str = "reverse_dns",
) -> HeldMessage:
    """One held message, without its content."""
    findings = [Finding(n, status, text, dict(facts)) for n, _, status, text, facts, _, _ in TRACE]
    opinions = [
        {
            "filter": name,
            "spec_id": spec,
            "status": str(status),
            "effect": effect,
            "points": points,
            "text": text.format_map(facts),
            "shadow": False,
        }
        for name, spec, status, text, facts, effect, points in TRACE
    ]
    return HeldMessage(
        transaction=f"transaction{number}",
        recipients=(Recipient(recipient),),
        mailbox=recipient,
        envelope=Envelope(
            client_ip="192.0.2.7",
            helo="mail.garage.example.net",
            sender=sender,
            recipients=(Recipient(recipient),),
            received_at=NOW - age,
        ),
        header_from=header_from,
        subject=subject,
        message_id=f"{number}@garage.example.net",
        decided_by=decided_by,
        because="192.0.2.7 has no PTR record",
        score=0.0,
        required=7.5,
        findings=[finding.to_dict() for finding in findings],
        verdict={"decision": "spam", "opinions": opinions},
    )


def content(
    text: str = "Bonjour,\n\nVoici le devis que vous avez demandé.\n\nGarage Martin\n",
    *,
    html: str = "",
    files: Mapping[str, bytes] | None = None,
    subject: str = "Votre devis",
) -> bytes:
    """The content of one."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = "Garage Martin <contact@garage.example.net>"
    mail["To"] = MARIE
    mail["Subject"] = subject
    mail["Date"] = NOW
    mail["Message-ID"] = "<1@garage.example.net>"
    mail.set_content(text, cte="quoted-printable")
    if html:
        mail.add_alternative(html, subtype="html", cte="quoted-printable")
    for name, octets in (files or {}).items():
        mail.add_attachment(octets, maintype="application", subtype="octet-stream", filename=name)
    return mail.as_bytes()


LISTED = (
    ("Garage Martin <contact@garage.example.net>", "Votre devis", "reverse_dns", timedelta(hours=2)),
    (
        "Sophie Bernard <sophie@voyage.example.org>",
        "Photos du week-end",
        "attachment_types",
        timedelta(hours=5),
    ),
    (
        "Newsletter <news@offers.example.net>",
        "Last chance: everything at half price",
        "statistics",
        timedelta(hours=9),
    ),
    ("Banque <service@secure.example.net>", "Votre compte est suspendu", "link_text", timedelta(days=1)),
    (
        "Dr. A. Lambert <a.lambert@clinique.example.org>",
        "Résultats d'analyse du 18 novembre",
        "score",
        timedelta(days=1),
    ),
    ("HR <hr@jobs.example.net>", "Invoice 2041", "dnsbl", timedelta(days=2)),
    ("offers@example.net", "Re: Re: your order", "uribl", timedelta(days=3)),
)
"""header From, subject, filter, age: what a list looks like."""
