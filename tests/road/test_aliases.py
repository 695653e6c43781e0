"""Aliases through a real Postfix: whose policy, whose list, whose digest, and how many copies."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.real import Client, wait_until
from tests.road.installation import Installation, ham, spam

pytestmark = pytest.mark.real

STRANGER = Client("192.0.2.7")
ALICE, BOB, CAROL, DAVE = (f"{name}@example.com" for name in ("alice", "bob", "carol", "dave"))
TRAP = "junk@example.com"  # has a mailbox in every set-up
ALIASES = {
    "info@example.org": ALICE,
    "@example.org": CAROL,
    "team@example.com": f"{ALICE}, {BOB}, {DAVE}",
    "press@example.com": f"{BOB}, press@example.net",
    "club@example.com": "club@example.net",
    "all@example.com": f"{DAVE}, {CAROL}",
    "former@example.org": TRAP,
}
POLICY = {
    "outcome": "quarantine",
    "challenge": "off",
    "digest": ["17:00"],
    "filters": {"cyrillic": {"state": "on"}},
    "domains": {"example.org": {"outcome": "tag"}},
    "mailboxes": {BOB: {"outcome": "junk"}, DAVE: {"outcome": "inbox"}},
}


@pytest.fixture
def installation() -> Iterator[Installation]:
    with Installation(
        policy=POLICY,
        aliases=ALIASES,
        domains=("example.com",),
        main={"virtual_alias_domains": "example.org", "recipient_delimiter": "+"},
        settings={"web": {"url": "https://mail.example.com"}, "platform": {"honeypots": [TRAP]}},
    ) as running:
        yield running


def held(installation: Installation) -> set[tuple[str, str]]:
    return {(one["recipient"], one["mailbox"]) for one in installation.held()}


def sent(installation: Installation, number: int, *to: str) -> None:
    assert installation.postfix.send(spam(number), to=to, client=STRANGER).accepted
    installation.postfix.wait_idle()


def copies(installation: Installation, who: str, number: int) -> list[bytes]:
    return [m for m in installation.postfix.maildir(who) if f"<{number}@example.net>".encode() in m]


def test_an_alias_of_one_mailbox_is_that_mailbox(installation: Installation) -> None:
    """Alice's policy holds; the domain of the alias would tag. Catch-all addresses are in one list, not in fifteen."""
    sent(installation, 1, "info@example.org")
    sent(installation, 4, "Info+x@Example.ORG")
    sent(installation, 2, *(f"anybody{n}@example.org" for n in range(5)))
    assert {mailbox for _, mailbox in held(installation)} == {ALICE, CAROL}
    shown = installation.tamis("quarantine", "list", "--mailbox", CAROL, "--json")
    assert len(shown) == 1  # one copy, which goes to all five addresses
    assert installation.tamis("quarantine", "list", "--mailbox", "any@example.org", "--json") == shown

    def recorded() -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = installation.tamis("history", "list", "--for", ALICE, "--json")
        return told

    wait_until(lambda: len(recorded()) == 2, timeout=60, what="both stories")
    history = recorded()
    assert installation.tamis("history", "list", "--for", "info@example.org", "--json") == history
    told = {copy["recipient"] for one in history for copy in one["recipients"]}
    assert told == {"info@example.org", "info+x@example.org"}
    released = next(one for one in installation.held() if one["recipient"].lower() == "info@example.org")
    installation.tamis("quarantine", "release", released["id"])
    installation.postfix.wait_idle()
    assert len(copies(installation, ALICE, 1)) == 1
    installation.tamis("lists", "add", "white", "sender", "sender@example.net", "--scope", ALICE)
    installation.in_force()
    sent(installation, 3, "info@example.org")
    assert len(copies(installation, ALICE, 3)) == 1  # by her list


def test_what_filters_compare_is_the_mailbox_behind_the_alias(installation: Installation) -> None:
    """Who writes in Alice's name by her alias, and who writes to a honeypot's."""
    for number, sender, to in ((50, ALICE, "info@example.org"), (51, "x@example.net", "former@example.org")):
        assert installation.postfix.send(ham(number), sender=sender, to=[to], client=STRANGER).accepted
    installation.postfix.wait_idle()
    decided = {one["recipient"]: one["decided_by"] for one in installation.held()}
    assert decided == {"info@example.org": "same_address", "former@example.org": "honeypot"}


def test_each_mailbox_behind_an_alias_has_its_copy(installation: Installation) -> None:
    sent(installation, 10, "team@example.com")
    assert held(installation) == {(ALICE, ALICE)}
    (junk,), (clean,) = copies(installation, BOB, 10), copies(installation, DAVE, 10)
    assert b"X-Spam-Flag: YES" in junk
    assert b"X-Spam-Flag: YES" not in clean
    assert copies(installation, ALICE, 10) == []
    sent(installation, 11, "team@example.com", DAVE)
    assert len(copies(installation, DAVE, 11)) == 1  # by name and as one of the team
    assert len(copies(installation, BOB, 11)) == 1
    assert len(held(installation)) == 1
    assert len(installation.held()) == 2
    assert installation.postfix.send(ham(12), to=["team@example.com"], client=STRANGER).accepted
    installation.postfix.wait_idle()
    assert [len(copies(installation, who, 12)) for who in (ALICE, BOB, DAVE)] == [1, 1, 1]
    assert installation.postfix.bounces() == []


def test_what_leads_outside_is_held_and_told_to_nobody_outside(installation: Installation) -> None:
    sent(installation, 20, "press@example.com", "club@example.com", "info@example.org")
    assert held(installation) == {
        ("press@example.net", "press@example.com"),
        ("club@example.com", "club@example.com"),
        ("info@example.org", ALICE),
    }
    assert len(copies(installation, BOB, 20)) == 1
    store = installation.state_directory / "tamis.sqlite"
    with closing(sqlite3.connect(store, timeout=30)) as database, database:
        database.execute("UPDATE messages SET held_at = datetime(held_at, '-2 days')")
    wait_until(lambda: installation.postfix.maildir(ALICE) != [], timeout=60, what="the digest for Alice")
    (digest,) = installation.postfix.maildir(ALICE)
    assert re.search(rb"mail\.example\.com/a/", digest.replace(b"=\n", b""))
    assert installation.postfix.outside() == []
    press = next(one for one in installation.held() if one["recipient"] == "press@example.net")
    installation.tamis("quarantine", "release", press["id"])
    installation.postfix.wait_idle()
    assert len(installation.postfix.outside()) == 1
    assert len(copies(installation, BOB, 20)) == 1  # the others behind the alias had theirs


def test_a_line_that_is_added_counts_at_once_and_a_broken_map_loses_nothing(
    installation: Installation,
) -> None:
    sent(installation, 30, "all@example.com")
    assert held(installation) == {(CAROL, CAROL)}
    table = Path(installation.postfix.directory) / "config" / "aliases"
    table.write_text(table.read_text() + f"new@example.com {ALICE}\n")
    installation.postfix.reload()  # Postfix's own processes keep a texthash
    wait_until(
        lambda: installation.tamis("policy", "show", "new@example.com", "--json") != [],
        timeout=30,
        what="the policy",
    )
    sent(installation, 31, "new@example.com")
    assert held(installation) == {(CAROL, CAROL), ("new@example.com", ALICE)}
    installation.postfix.postconf(
        recipient_canonical_maps="mysql:/nonexistent.cf", canonical_classes="header_sender"
    )
    installation.postfix.postconf(recipient_canonical_classes="header_recipient")
    installation.postfix.reload()
    report = {one["check"]: one for one in installation.tamis("doctor", "--json", status={0, 69})}
    assert report["alias maps"]["health"] == "warning"
