"""What strangers can bring about and what they can't (docs/trust.md), tried their way through Postfix."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.real import Client, PrivateDNS, wait_until
from tests.road.installation import Installation, ham

pytestmark = pytest.mark.real

ALICE, BOB = "alice@example.com", "bob@example.com"
TRAP = "dave@example.com"
ZONES = {
    "com": "",
    "net": "",
    "113.0.203.in-addr.arpa": "7 PTR mail.provider.example.\n",
    "example": (
        "mail.provider A 203.0.113.7\n"
        + "".join(
            f'shop{n} TXT "v=spf1 ip4:203.0.113.0/24 -all"\nforged{n} TXT "nothing"\n' for n in range(9)
        )
    ),
    "example.net": '@ TXT "nothing"\n',
}
OFF = {"state": "off"}
QUIET = dict.fromkeys(("reverse_dns", "helo", "sender_mx", "dnsbl", "uribl"), OFF)
"""Filters that would speak of clients without a name."""


@pytest.fixture(scope="module")
def nameserver() -> Iterator[PrivateDNS]:
    with PrivateDNS(ZONES) as running:
        yield running


def guarded(nameserver: PrivateDNS, filters: Mapping[str, Any] = {}, **platform: Any) -> Installation:
    """An installation with a honeypot, whose mailboxes have the filters of QUIET off."""
    return Installation(
        policy={"outcome": "quarantine", "filters": {**QUIET, **filters}},
        settings={
            "dns": {"servers": [nameserver.address]},
            "platform": {
                "domains": ["example.com", "example.org"],
                "honeypots": [TRAP],
                **{name: [] for name in ("dnsbl", "rhsbl", "uribl")},
                **platform,
            },
        },
        main={"recipient_delimiter": "+"},
    )


def client(number: int, **more: Any) -> Client:
    return Client(f"203.0.113.{number}", **more)


@pytest.fixture(scope="module")
def innocent(nameserver: PrivateDNS) -> Iterator[Installation]:
    with guarded(nameserver) as running:
        yield running


PROMPTED = {
    "bounces": ("", b"Auto-Submitted: auto-replied\r\n"),
    "programs": ("forged{n}.example", b"Auto-Submitted: auto-replied\r\n"),
    "out-of-office": ("forged{n}.example", b"X-Auto-Response-Suppress: All\r\n"),
    "lists": ("forged{n}.example", b"List-Id: <news.example.net>\r\n"),
    "bulk": ("forged{n}.example", b"Precedence: bulk\r\n"),
    "answers": ("forged{n}.example", b"In-Reply-To: <0@example.org>\r\n"),
    "authenticated confirmations": ("shop{n}.example", b""),
    "one form": ("forged1.example", b""),
}
"""What strangers can have sent to a honeypot: the sender's domain, and fields."""


@pytest.mark.parametrize("kind", PROMPTED)
def test_what_strangers_bring_about_accuses_nobody(innocent: Installation, kind: str) -> None:
    """Neither the server nor those who write by it, nor the other recipients of the same message."""
    domain, field = PROMPTED[kind]
    own = client(10 + list(PROMPTED).index(kind))
    number = 100 * (1 + list(PROMPTED).index(kind))
    before = len(innocent.postfix.maildir(ALICE))
    for n in range(5):
        sender = f"news@{domain.format(n=n)}" if domain else ""
        assert innocent.postfix.send(field + ham(number + n), to=[TRAP], sender=sender, client=own).accepted
    sent = innocent.postfix.send(ham(number + 50), to=[ALICE], sender="friend@example.net", client=own)
    assert sent.accepted
    innocent.postfix.wait_idle()
    assert len(innocent.postfix.maildir(ALICE)) == before + 1
    if field:
        sent = innocent.postfix.send(field + ham(number + 51), to=[TRAP, ALICE], sender=sender, client=own)
        assert sent.accepted
        innocent.postfix.wait_idle()
        assert len(innocent.postfix.maildir(ALICE)) == before + 2, "the other recipient has its copy"
    assert innocent.tamis("blocked", "show", "--json") == []


def test_a_providers_server_is_not_blocked_for_some_who_write_by_it(innocent: Installation) -> None:
    provider = client(7, name="mail.provider.example")
    for n in range(6):
        sender = f"{n}@forged{n}.example"
        assert innocent.postfix.send(ham(3000 + n), to=[TRAP], sender=sender, client=provider).accepted
    assert innocent.postfix.send(ham(3010), to=[BOB], client=provider).accepted
    innocent.postfix.wait_idle()
    assert len(innocent.postfix.maildir(BOB)) == 1


def test_who_writes_to_honeypots_is_refused_for_a_time(nameserver: PrivateDNS) -> None:
    """Under any of its addresses, by senders that nobody answers for; until an operator says otherwise."""
    with guarded(nameserver, honeypot_block_from=2) as installation:
        postfix = installation.postfix
        for number, trap in enumerate((TRAP, "dave+x@example.com")):
            sender = f"x@forged{number}.example"
            assert postfix.send(ham(number), to=[trap], sender=sender, client=client(1)).accepted
        refused = postfix.send(ham(3), to=[ALICE], client=client(1))
        assert (refused.reply.code, "blocked temporarily" in refused.reply.text) == (451, True)
        assert postfix.send(ham(4), to=[ALICE], client=client(2)).accepted
        postfix.wait_idle()
        assert {h["decided_by"] for h in installation.held()} == {"honeypot"}
        (blocked,) = installation.tamis("blocked", "show", "--json")
        assert (blocked["client"], blocked["by"]) == ("203.0.113.1", "honeypot")
        installation.tamis("blocked", "remove", "203.0.113.1")
        assert postfix.send(ham(5), to=[ALICE], client=client(1)).accepted
        installation.tamis("blocked", "add", "203.0.113.2", "--for", "1h", "--why", "operator says")
        again = postfix.send(ham(6), to=[ALICE], client=client(2))
        assert (again.reply.code, "operator says" in again.reply.text) == (451, True)


@pytest.mark.parametrize(
    ("sender", "to"),
    [
        (ALICE, "alice+z@example.com"),
        ("alice+a@example.com", ALICE),
        ("Alice+a@example.com", "alice+b+c@example.com"),
        ('"alice+a"@example.com', ALICE),
    ],
)
def test_sub_addresses_are_the_mailbox_for_s13(innocent: Installation, sender: str, to: str) -> None:
    before = len(innocent.held())
    assert innocent.postfix.send(ham(4000 + before), to=[to], sender=sender, client=client(90)).accepted
    innocent.postfix.wait_idle()
    held = innocent.held()
    assert (len(held), held[0]["decided_by"]) == (before + 1, "same_address")


def test_a_list_of_complaints_accuses_no_provider_and_leads_nowhere_inside(
    nameserver: PrivateDNS, tmp_path: Path
) -> None:
    """Whoever publishes it lists a provider, a public suffix and our own domain; another one redirects inside."""
    feed = tmp_path / "list.txt"
    feed.write_text("gmail.com\nco.uk\nexample.com\nboss@example.com\nforged1.example\n")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Inside) as inside:
        threading.Thread(target=inside.serve_forever, daemon=True).start()
        feeds = [str(feed), f"http://127.0.0.1:{inside.server_port}/list"]
        with guarded(nameserver, complaint_feeds=feeds) as installation:
            for words in ("4 entries are left out", "169.254.169.254, which is no public address"):
                told = partial(log_says, installation, words)
                wait_until(told, timeout=60, what=f"the log to say: {words}")

            def is_held() -> bool:
                sender = "x@forged1.example"
                installation.postfix.send(ham(1), to=[BOB], sender=sender, client=client(2))
                installation.postfix.wait_idle()
                return any(one["decided_by"] == "sender_complaints" for one in installation.held())

            wait_until(is_held, timeout=60, what="the list to count")
            for number, sender in enumerate(("friend@gmail.com", "shop@shop.co.uk"), 10):
                assert installation.postfix.send(
                    ham(number), to=[ALICE], sender=sender, client=client(3)
                ).accepted
            installation.postfix.wait_idle()
            assert len(installation.postfix.maildir(ALICE)) == 2
        inside.shutdown()


def log_says(installation: Installation, words: str) -> bool:
    return words in installation.daemon.log()


class Inside(http.server.BaseHTTPRequestHandler):
    """A list that redirects to where machines of clouds keep their secrets."""

    def do_GET(self) -> None:
        self.send_response(302)
        self.send_header("Location", "http://169.254.169.254/latest/meta-data/")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


def test_the_newer_of_two_contrary_entries_counts(innocent: Installation) -> None:
    """It takes the other's place, whichever colour it has."""
    sender = "shop@shop8.example"
    for number, (colour, arrives) in enumerate((("white", True), ("black", False), ("white", True)), 5000):
        innocent.tamis("lists", "add", colour, "sender", sender)
        innocent.in_force()
        before = len(innocent.postfix.maildir(BOB))
        innocent.postfix.send(ham(number), to=[BOB], sender=sender, client=client(80))
        innocent.postfix.wait_idle()
        assert (len(innocent.postfix.maildir(BOB)) > before) is arrives
    refused = innocent.tamis("lists", "add", "white", "ip", "0.0.0.0/0", status=65)
    assert "--yes" in refused
