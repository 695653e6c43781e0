"""All attacks at once through Postfix: each gets its answer in time, and ordinary mail goes on.

How long ordinary mail takes meanwhile is measured by benchmarks/hostile, not here.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.builders import FILTERS
from tests.hostile import ATTACKS, RULES, TARPIT
from tests.real import Client, Envelope, PrivateDNS, Session
from tests.real.scanners import SilentServer
from tests.real.tarpit import SilentDNS, TarpitDNS
from tests.road.installation import Installation, ham
from tests.road.steady import Steady

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

INBOX, ATTACKED = "inbox@example.com", "tag@example.com"
DEADLINE = 15.0
"""Seconds: milter.message_deadline here."""
GRACE = 15.0
"""Seconds for everything around the examination on a busy machine: this bound detects hangs, and measures nothing."""
ZONES = {".": "", "com": ""}


def settings(rules: Path, clamd: str, servers: list[str]) -> dict[str, Any]:
    """Everything that can be attacked is on."""
    rules.write_text(RULES)
    return {
        "milter": {"workers": 2, "message_deadline": DEADLINE},
        "rules": {"files": [str(rules)]},
        "dns": {"servers": servers},
        "images": {"seconds": 5.0},
        "antivirus": {"seconds": 3.0, "engines": [{"name": "clamav", "socket": clamd}]},
    }


def policy() -> dict[str, Any]:
    """Every filter on for hostile mail and for ordinary mail; all of it stays in place."""
    off = ("greylisting", "rate_limit")  # they would defer ordinary mail
    states = {one.name: {"state": "off" if one.name in off else "on"} for one in FILTERS if one.switchable}
    return {
        "outcome": "inbox",
        "examine_everything": True,
        "filters": states,
    }


def ordinary() -> Iterator[Envelope]:
    """Letters from different clients, without end."""
    for number in count():
        yield Envelope("sender@example.net", (INBOX,), ham(number), Client(f"192.0.2.{number % 250}"))


def attack(port: int, name: str) -> float:
    """Seconds until an attack had its answer, which must be that the mail is taken or may come again."""
    sender = f"sender@{TARPIT}" if "tarpit" in name else "sender@example.net"
    envelope = Envelope(sender, (ATTACKED,), ATTACKS[name](), Client("198.51.100.7"))
    with Session(port) as session:
        begun = time.monotonic()
        (reply,) = session.transact(envelope).values()
        assert reply.accepted, (name, reply)
        return time.monotonic() - begun


@pytest.mark.parametrize("dead", [False, True], ids=["names that never answer", "20 dead DNS servers"])
def test_every_attack_gets_its_answer_and_ordinary_mail_goes_on(dead: bool, tmp_path: Path) -> None:
    with (
        PrivateDNS(ZONES) as nameserver,
        TarpitDNS(nameserver.port, TARPIT) as tarpit,
        SilentDNS(20) as silent,
        SilentServer() as clamd,
        Installation(
            settings=settings(tmp_path / "rules.toml", clamd.inet, [*silent] if dead else [tarpit.address]),
            policy=policy(),
        ) as installation,
    ):
        port = installation.postfix.port
        names = ["links into a tarpit", "OCR bomb", "10,000 URLs"] if dead else [*ATTACKS]
        with Steady(port, ordinary(), rate=5.0) as steady, ThreadPoolExecutor(4) as attackers:
            took = dict(zip(names, attackers.map(lambda name: attack(port, name), names), strict=True))
        assert max(took.values()) < DEADLINE + GRACE, took
        assert steady.replies
        assert all(reply.accepted for reply in steady.replies)
        installation.postfix.wait_idle(60)
        assert len(installation.postfix.maildir(INBOX)) == len(steady.replies)
        log = installation.daemon.log()
        assert " failed" not in log, [line for line in log.splitlines() if " failed" in line][:5]
        assert "died with status" not in log
