"""Copies that Postfix itself changes or adds: rewritten senders and blind copies of the whole server."""

from __future__ import annotations

import pytest

from tests.real import Client, wait_until
from tests.road.installation import Installation, spam

pytestmark = pytest.mark.real

QUARANTINE = "quarantine@example.org"
STRANGER = Client("192.0.2.7")


def test_a_released_copy_keeps_the_sender_that_postfix_had_rewritten() -> None:
    """As SRS does, for the next hop's SPF: re-injected, senders are not rewritten a second time."""
    rewritten = "srs0=x=example.net=sender@example.com"
    main = {
        "sender_canonical_maps": f"inline:{{ {{sender@example.net = {rewritten}}} }}",
        "sender_canonical_classes": "envelope_sender",
    }
    with Installation(main=main) as running:
        assert running.postfix.send(spam(), to=QUARANTINE, client=STRANGER).accepted
        wait_until(lambda: len(running.held()) == 1, timeout=30, what="the message to be held")
        (held,) = running.held()
        assert held["sender"] == "sender@example.net"
        running.tamis("quarantine", "release", held["id"])
        wait_until(lambda: bool(running.postfix.maildir(QUARANTINE)), timeout=30, what="the released copy")
        (copy,) = running.postfix.maildir(QUARANTINE)
        assert copy.startswith(f"Return-Path: <{rewritten}>\n".encode())


def test_a_blind_copy_of_the_server_carries_nothing_that_a_stranger_forged() -> None:
    """always_bcc, as header_checks' BCC, copies what stands in the queue when every recipient is redirected."""
    forged = b"X-Spam-Status: No, forged\r\nX-Spam-Flag: NO\r\n" + spam()
    with Installation(main={"always_bcc": "dave@example.com"}) as running:
        assert running.postfix.send(forged, to=QUARANTINE, client=STRANGER).accepted
        wait_until(lambda: bool(running.postfix.maildir("dave@example.com")), timeout=30, what="the copy")
        (copy,) = running.postfix.maildir("dave@example.com")
        assert b"X-Spam" not in copy
        wait_until(lambda: len(running.held()) == 1, timeout=30, what="the message to be held")
