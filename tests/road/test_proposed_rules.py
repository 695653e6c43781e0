"""From honeypots and readers to a rule in force: reports -> propose -> shadow, accept -> the next message."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tamis.models.reports import Spool
from tests.real import Client, wait_until
from tests.road.installation import Installation
from tests.road.test_outcomes import header, only

pytestmark = pytest.mark.real

MARIE, TRAP = "inbox@example.com", "tag@example.com"


def offer(number: int) -> bytes:
    """One campaign, each copy from another sender and with words of its own around the phrase."""
    return (
        f"From: Sales <sales{number}@example.net>\r\nTo: you\r\nSubject: News {number}\r\n"
        f"Message-ID: <{number}@example.net>\r\nDate: Sun, 22 Nov 2026 11:00:00 +0000\r\n\r\n"
        f"Dear reader {number}, remarkable garden sheds for everybody, only today and only number {number}.\r\n"
    ).encode()


def letter(number: int) -> bytes:
    return (
        f"From: Paul <paul@example.org>\r\nSubject: Re: {number}\r\nMessage-ID: <ham{number}@example.org>\r\n\r\n"
        f"Thank you for your letter of Tuesday, the {number}th of its kind, see you tomorrow.\r\n"
    ).encode()


@pytest.mark.parametrize("propose", ["ask", "shadow"])
def test_reports_lead_to_a_rule_that_the_next_message_meets(propose: str, tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "platform": {"domains": ["example.com"], "honeypots": [TRAP], "honeypot_block_from": 1000},
        "learning": {"per_reporter": 1000, "per_domain": 10_000},
        "rules": {"propose": "ask"},
    }
    policy = {
        "outcome": "inbox",
        "required": 1.0,
        "filters": {"honeypot": {"remember_from": 0}, "knowledge": {"state": "off"}},
    }
    with Installation(settings=settings, policy=policy, mailboxes=[MARIE, TRAP]) as installation:
        postfix = installation.postfix
        for number in range(8):
            sent = postfix.send(offer(number), to=[TRAP], client=Client(f"198.51.{number}.9"))
            assert sent.accepted
        spool = Spool(installation.state_directory / "reports")
        for number in range(220):
            spool.put("ham", "web", f"reader{number % 9}@example.com", letter(number))

        def known() -> tuple[int, int]:
            told = installation.tamis("rules", "propose", "--json")
            return told["spam"], told["ham"]

        wait_until(
            lambda: known() == (8, 220),
            timeout=120,
            what="the reports to be taken in",
            detail=lambda: f"{known()} {installation.daemon.failure_report()}",
        )
        told = installation.tamis("rules", "propose", "--json")
        (name,) = [one["name"] for one in told["proposals"] if "garden" in one["trait"]]

        def status(number: int) -> str:
            """What the header of one more message says of rules."""
            assert postfix.send(offer(number), to=[MARIE], client=Client("203.0.113.9")).accepted
            postfix.wait_idle()
            copy = only(postfix.maildir(MARIE), number)
            return f"{header(copy, 'X-Spam-Rules')} {(header(copy, 'X-Spam-Status') or '').partition(',')[0]}"

        numbers = iter(range(100, 1000))

        def until(wanted: str) -> None:
            wait_until(lambda: status(next(numbers)) == wanted, timeout=60, what=wanted)

        assert status(99) == "None No"
        if propose == "shadow":
            installation.daemon.write_settings(rules={"propose": "shadow"})
            installation.daemon.hup()
        else:
            installation.tamis("rules", "shadow", name)
        until(f"{name} (shadow) No")
        installation.tamis("rules", "accept", name)
        until(f"{name} Yes")
        asked = ("history", "list", "--for", MARIE, "--verdict", "spam", "--json")
        wait_until(lambda: bool(installation.tamis(*asked)), timeout=30, what="the story to be in the store")
        (story, *_) = installation.tamis(*asked)
        (shown,) = installation.tamis("history", "show", str(story["id"]), "--json")
        assert [one["text"] for one in shown["findings"] if one["filter"] == "keywords"] == [name]
        (taken,) = installation.tamis("rules", "taken", "--json")
        assert (taken["name"], taken["shadow"], taken["networks"], taken["false_hits"]) == (name, False, 8, 0)
        installation.tamis("rules", "forget", name)
        until("None No")
        assert installation.tamis("rules", "propose", "--json")["proposals"] == []
