"""Mail that the history and the quarantine know, as it is after it came: stories with held copies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from tamis.contract.finding import Finding, Status
from tamis.judging.story import Story, Told
from tests.web.pages import MARIE, Pages
from tests.web.samples import NOW, TRACE, content, message

HELD = Told("spam", "quarantine", "reverse_dns", "192.0.2.7 has no PTR record", 0.0, 7.5, "reverse_dns=spam")
INBOX = Told("ham", "inbox", "", "", 1.2, 7.5, "")
GARAGE = "contact@garage.example.net"
PAUL = "paul@example.com"
LISTS = ("sender_whitelist", "sender_blacklist", "ip_whitelist", "ip_blacklist")


def story(number: int, *recipients: tuple[str, Told], **changes: Any) -> Story:
    """The story of a message, whose held copies `arrive` holds under the same id."""
    seen = [Finding(name, status, text, dict(facts), 0.14) for name, _, status, text, facts, _, _ in TRACE]
    known = {one.filter for one in seen}
    quiet = [Finding(name, Status.CLEAR, "not on the list", {}, 0.001) for name in LISTS if name not in known]
    given: dict[str, Any] = {
        "at": NOW - timedelta(minutes=number),
        "queue_id": f"4F2A91C{number:04}",
        "sender": GARAGE,
        "client_ip": "192.0.2.7",
        "helo": "mail.garage.example.net",
        "login": "",
        "message_id": f"<{number}@garage.example.net>",
        "size": 31_000,
        "findings": (*quiet, *seen),
        "recipients": recipients or ((MARIE, HELD),),
        "transaction": f"transaction{number}",
        "subject": "Votre devis",
        "header_from": f"Garage Martin <{GARAGE}>",
        "host": "mx1.example.com",
    }
    return Story(**(given | changes))


def arrive(pages: Pages, *stories: Story) -> list[int]:
    """Have these come: in the history, and held where they were; their numbers in the history."""
    for one in stories:
        for recipient, told in one.recipients:
            if told.outcome == "quarantine" and not told.observed:
                number = int(one.transaction.removeprefix("transaction"))
                held = message(
                    number,
                    recipient=recipient,
                    sender=one.sender,
                    header_from=one.header_from,
                    subject=one.subject,
                    decided_by=told.decided_by,
                )
                pages.hold(replace(held, score=told.score), content(f"Bonjour, {number}"))
    pages.store.history.add([(f"m:{one.transaction}", one) for one in stories])
    return [kept.id for one in stories for kept in pages.store.history.show(one.transaction)]


def a_day(pages: Pages) -> list[int]:
    """A day's mail of two mailboxes, every second message held for want of a PTR record; the newest comes last."""
    authors = (
        ("Votre devis", "Garage Martin", GARAGE),
        ("Photos du week-end", "Sophie", "sophie@voyage.example.org"),
        ("Your parcel waits at the depot", "Parcels", "service@parcels.example.net"),
        ("Réunion de parents", "École Pasteur", "ecole@ecole.example.org"),
        ("Last chance: half price", "Newsletter", "news@offers.example.net"),
    )
    quiet = tuple(Finding(name, Status.CLEAR, "clean", {}, 0.01) for name, *_ in TRACE)
    mail = []
    for number in range(20, 0, -1):
        subject, name, address = authors[number % len(authors)]
        is_held = number % 2 == 0
        one = story(
            500 + number,
            (MARIE if number % 3 else PAUL, HELD if is_held else INBOX),
            at=NOW - timedelta(minutes=37 * number),
            subject=subject,
            sender=address,
            header_from=f"{name} <{address}>",
        )
        mail.append(one if is_held else replace(one, findings=quiet))
    return arrive(pages, *mail)


def held_ids(pages: Pages, mailbox: str = MARIE) -> Sequence[str]:
    """What is held for a mailbox, newest first."""
    return [one.id for one in pages.store.quarantine.list(mailbox)]
