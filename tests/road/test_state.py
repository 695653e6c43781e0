"""The filters on the shared state, through Postfix, with two workers that share it."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

import pytest

from tests.real import Client, PrivateRedis, wait_until
from tests.road.installation import Installation, ham
from tests.road.test_outcomes import header, only

pytestmark = pytest.mark.real

ALICE, BOB, CAROL = "alice@example.com", "bob@example.com", "carol@example.com"
FRIEND = "friend@example.net"


def client(number: int, **more: Any) -> Client:
    """A stranger of a network of its own."""
    return Client(f"203.0.113.{number}", **more)


def filters(**options: Mapping[str, Any]) -> Mapping[str, Any]:
    """A policy whose filters are set so."""
    return {"outcome": "quarantine", "filters": options}


def test_one_recipient_is_asked_to_come_back_and_the_other_is_served() -> None:
    policy = {"mailboxes": {ALICE: filters(greylisting={"state": "on", "delay": 1})}}
    with Installation(policy=policy) as installation:
        postfix = installation.postfix
        first = postfix.send(ham(1), to=[ALICE, BOB], client=client(1))
        assert (first.replies[ALICE].code, first.replies[BOB].code) == (451, 250)
        assert "greylisted" in first.replies[ALICE].text

        def taken() -> bool:
            return postfix.send(ham(2), to=[ALICE], client=client(1)).accepted

        wait_until(taken, timeout=60, what="the second attempt to be taken")
        known = postfix.send(ham(3), to=[ALICE], sender="other@example.net", client=client(99))
        assert known.accepted, "the network is known"
        postfix.wait_idle()
        assert len(postfix.maildir(ALICE)) == 2
        assert len(postfix.maildir(BOB)) == 1

        installation.tamis("lists", "add", "white", "sender", FRIEND, "--scope", ALICE)
        stranger = Client("198.51.100.9")

        def white() -> bool:
            return postfix.send(ham(4), to=[ALICE], sender=FRIEND, client=stranger).accepted

        wait_until(white, timeout=60, what="the white entry to count")


def test_the_same_message_for_thirty_recipients_of_two_workers_is_bulk() -> None:
    policy = filters(message_checksum={"state": "on", "recipients": 30})
    mailboxes = [f"user{n}@example.com" for n in range(31)]
    with Installation(policy=policy, mailboxes=mailboxes) as installation:
        for n, recipient in enumerate(mailboxes[:29]):
            sent = installation.postfix.send(_copy(n), to=[recipient], client=client(n + 1))
            assert sent.accepted
        installation.postfix.wait_idle()
        assert installation.held() == []
        installation.postfix.send(_copy(29), to=[mailboxes[29]], client=client(40))
        installation.postfix.send(_copy(30), to=[mailboxes[0]], client=client(41))
        installation.postfix.send(ham(99), to=[mailboxes[30]], client=client(42))
        installation.postfix.wait_idle()
        assert {(h["recipient"], h["decided_by"]) for h in installation.held()} == {
            (mailboxes[29], "message_checksum"),
            (mailboxes[0], "message_checksum"),
        }


def _copy(number: int) -> bytes:
    return ham(7).replace(b"<7@", f"<copy{number}@".encode())


def test_an_operators_block_holds_where_no_recipient_is_asked_early(installation: Installation) -> None:
    installation.tamis("blocked", "add", "203.0.113.77")
    refused = installation.postfix.send(ham(1), to=[ALICE], client=client(77))
    assert refused.reply.code == 451


def test_mail_flows_while_redis_is_lost_and_after() -> None:
    policy = filters(greylisting={"state": "on", "delay": 1}, message_checksum={"state": "on"})
    with (
        PrivateRedis() as redis,
        Installation(policy=policy, settings={"state": {"url": redis.url}}) as running,
    ):
        postfix = running.postfix
        running.tamis("blocked", "add", "203.0.113.77")
        assert not postfix.send(ham(1), to=[ALICE], client=client(1)).accepted
        redis.stop()
        assert postfix.send(ham(2), to=[ALICE], client=client(1)).accepted
        postfix.wait_idle()
        unavailable = header(only(postfix.maildir(ALICE), 2), "X-Spam-Unavailable") or ""
        assert {"temporary_blacklist", "greylisting", "message_checksum"} <= set(unavailable.split(", "))
        redis.start()

        def waits_again() -> bool:
            return not postfix.send(ham(3), to=[BOB], client=Client("198.51.100.7")).accepted

        wait_until(waits_again, timeout=60, what="greylisting to work again")
        wait_until(
            lambda: [one["client"] for one in running.tamis("blocked", "show", "--json")] == ["203.0.113.77"],
            timeout=60,
            what="whom an operator blocked, whatever Redis forgot",
        )


def test_whom_a_user_wrote_to_may_answer_until_a_bounce_comes() -> None:
    """L4."""
    policy = filters(automatic_whitelist={"state": "on", "outgoing": True}, empty={"state": "on"})
    own = client(5, login=ALICE)
    empty = b"From: friend@example.net\r\nDate: Sun, 22 Nov 2026 11:00:00 +0000\r\n\r\n"
    with Installation(policy=policy, main={"relay_domains": "example.net"}) as installation:
        postfix = installation.postfix
        sent = postfix.send(ham(1), to=[FRIEND, BOB], sender=ALICE, client=own)
        assert sent.accepted

        def entries() -> list[Any]:
            found = installation.tamis("senders", "show", "--json")
            assert isinstance(found, list)
            return found

        wait_until(lambda: bool(entries()), timeout=60, what="the entry")
        assert [(e["domain"], e["address"], e["author"]) for e in entries()] == [
            ("example.com", FRIEND, ALICE)
        ]

        def passes() -> bool:
            before = len(postfix.maildir(ALICE))
            postfix.send(empty, to=[ALICE], sender=FRIEND, client=client(6))
            postfix.wait_idle()
            return len(postfix.maildir(ALICE)) > before

        wait_until(passes, timeout=60, what="the friend's empty mail to pass")
        reason = header(postfix.maildir(ALICE)[-1], "X-Spam-Whitelist") or ""
        assert reason == f"Automatically Whitelisted ({FRIEND}, weight 3)"

        assert postfix.send(_bounce(CAROL), to=[CAROL], sender="", client=client(7)).accepted
        assert postfix.send(_bounce(ALICE), to=[ALICE], sender="", client=client(7)).accepted
        wait_until(lambda: entries()[0]["author"] == "", timeout=60, what="the bounce to cancel the entry")
        wait_until(lambda: not passes(), timeout=60, what="the friend's empty mail to be held")


def _bounce(to: str) -> bytes:
    return (
        "From: MAILER-DAEMON@example.net\r\nSubject: Undelivered\r\n"
        f"To: {to}\r\nDate: Sun, 22 Nov 2026 11:00:00 +0000\r\n"
        "MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
        "--b\r\n\r\nIt failed.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        "Reporting-MTA: dns; mx.example.net\r\n\r\n"
        f"Final-Recipient: rfc822; {FRIEND}\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b--\r\n"
    ).encode()


def test_a_list_of_complaints_that_hangs_holds_up_no_stop() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        feeds = [f"http://127.0.0.1:{silent.getsockname()[1]}/list"]
        platform = {"domains": ["example.com", "example.org"], "complaint_feeds": feeds}
        with Installation(settings={"platform": platform}) as installation:
            asked, _ = silent.accept()
            with asked:
                assert asked.recv(100)
                assert installation.daemon.stop() == 0
            assert "killed" not in installation.daemon.log()
