"""Marks by hand (S8b): a reader moves spam to Junk, and its siblings are spam for the domain; through real servers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tamis.message.address import PLATFORM
from tamis.store import Store
from tests.real import Client, PrivateDovecot, wait_until
from tests.road.installation import Installation

pytestmark = pytest.mark.real

ALICE, BOB, CAROL = "alice@example.com", "bob@example.com", "carol@example.org"
ORIGIN, ELSEWHERE = Client("192.0.2.7"), Client("192.0.2.8")


def offer(number: int) -> bytes:
    """One campaign: what differs is what differs with every copy."""
    return (
        f"From: Sales <sales@example.net>\r\nTo: you\r\nSubject: Offer\r\nMessage-ID: <{number}@example.net>\r\n"
        f"Date: Sun, 22 Nov 2026 11:00:{number % 60:02} +0000\r\n\r\nCheap and cheerful.\r\n"
    ).encode()


def test_what_a_reader_marks_is_spam_for_the_domain_until_somebody_says_no(tmp_path: Path) -> None:
    with PrivateDovecot(learning=True) as dovecot:
        settings = {"learning": {"spool": str(dovecot.spool)}}
        with Installation(settings=settings, mailbox_transport=dovecot.transport) as installation:
            numbers = iter(range(1, 1000))
            known: set[str] = set()

            def held(recipient: str, client: Client = ORIGIN) -> bool:
                """Whether one more copy was held because of a mark; else it is in the INBOX."""
                assert installation.postfix.send(offer(next(numbers)), to=[recipient], client=client).accepted
                installation.postfix.wait_idle()
                with Store(
                    f"sqlite:///{installation.daemon.settings['state_directory']}/tamis.sqlite"
                ) as store:
                    new = [one for one in store.quarantine.list(PLATFORM) if one.id not in known]
                known.update(one.id for one in new)
                assert all(one.decided_by == "marked_spam" for one in new)
                return bool(new)

            def until(recipient: str, *, marked: bool) -> None:
                wait_until(
                    lambda: held(recipient) is marked,
                    timeout=60,
                    what=f"the mark of {recipient} to count: {marked}",
                    detail=installation.daemon.failure_report,
                )

            assert not held(ALICE)
            dovecot.move(ALICE, "INBOX", "Junk")
            until(BOB, marked=True)
            assert held(ALICE)
            assert not held(CAROL), "another domain"
            assert not held(BOB, ELSEWHERE), "another origin"
            dovecot.move(ALICE, "Junk", "INBOX")
            until(BOB, marked=False)

            copy = tmp_path / "copy.eml"
            copy.write_bytes(dovecot.mailbox(CAROL)[0])
            assert "1 marked" in installation.tamis("fingerprint", "add", "message", str(copy))
            assert held(CAROL), "at once, without a restart"
            (shown,) = installation.tamis("fingerprint", "show", "message", "--json")
            assert (shown["scope"], shown["marks"]) == ("platform", 1)
            assert shown["fingerprint"].startswith("192.0.2.7 ")
            installation.tamis("fingerprint", "remove", "message", str(copy))
            assert not held(CAROL)

            installation.tamis("quarantine", "delete", min(known), "--learn")
            until(CAROL, marked=True)
