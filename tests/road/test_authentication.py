"""DKIM, DMARC, ARC and Authentication-Results through Postfix, with keys and policies in a real DNS server."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from email.message import EmailMessage

import pytest

from tests.real import Client, PrivateDNS
from tests.road.installation import Installation
from tests.signing import RECORDS, SIGNED_FIELDS, sealed, signed

pytestmark = pytest.mark.real

INBOX, JUNK, QUARANTINE = "inbox@example.com", "junk@example.org", "quarantine@example.org"
SENDER, ELSEWHERE = Client("192.0.2.7"), Client("192.0.2.8")


def _strings(text: str) -> str:
    """A TXT record's strings as a zone file has them."""
    return " ".join(f'"{text[at : at + 200]}"' for at in range(0, len(text), 200))


_KEYS = "".join(f"{name}._domainkey TXT {_strings(record)}\n" for name, record in RECORDS.items())
ZONES = {
    "com": "",
    "net": "",
    "org": "",
    "2.0.192.in-addr.arpa": "7 PTR mail.example.net.\n8 PTR mail.example.net.\n",
    "example.net": (
        '@ MX 10 mail\n@ TXT "v=spf1 ip4:192.0.2.7 ?all"\nmail A 192.0.2.7\nmail A 192.0.2.8\n'
        '_dmarc TXT "v=DMARC1; p=reject"\n' + _KEYS
    ),
    "lists.example.org": "@ MX 10 mail\nmail A 192.0.2.8\n" + _KEYS,
}
POLICY = {
    "filters": {"dmarc": {"trusted_arc": ["lists.example.org"]}},
    "mailboxes": {
        INBOX: {"outcome": "inbox"},
        JUNK: {"outcome": "junk"},
        QUARANTINE: {"outcome": "quarantine"},
    },
}


@pytest.fixture(scope="module")
def served() -> Iterator[Installation]:
    """An installation that asks this server."""
    with PrivateDNS(ZONES) as nameserver:
        settings = {
            "dns": {"servers": [nameserver.address]},
            "platform": {"domains": ["example.com", "example.org"], "dnsbl": [], "rhsbl": [], "uribl": []},
            "headers": {"authserv_id": "mx.example.com"},
            "milter": {"max_examined": 64 * 1024},
        }
        with Installation(policy=POLICY, settings=settings) as running:
            yield running


def awkward(number: int) -> bytes:
    """What canonical forms differ in: blanks, folds, 8-bit, lines with a dot, empty lines at the end."""
    return (
        b"From:  =?utf-8?q?S=C3=A9nder?=\r\n\t<sender@example.net>\r\n"
        b"To:somebody@example.com,\r\n   \t other@example.org\r\n"
        b"Subject: \t A  very long   subject"
        + b" of many words" * 5
        + b"\r\n "
        + b" folded again" * 5
        + b"\r\n"
        b"Date: Sun, 22 Nov 2026 11:00:00 +0000\r\n"
        b"Message-ID: <%d@example.net>\r\n"
        b"X-Raw:\xc3\xa9 \xff \t x \t\r\n"
        b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        % number
    ) + "Grüße  aus \t Köln \t\r\n.\r\n..dots\r\n\t\r\n \r\nthe end\r\n\r\n \r\n\r\n\r\n".encode()


def deliver(installation: Installation, message: bytes, *, client: Client = SENDER, to: str = INBOX) -> None:
    sent = installation.postfix.send(message, to=[to], client=client, mail_options=["BODY=8BITMIME"])
    assert sent.accepted
    installation.postfix.wait_idle()


def copy_of(installation: Installation, number: int, where: str = INBOX) -> EmailMessage:
    """The delivered message with this number."""
    (found,) = (m for m in installation.postfix.maildir(where) if b"<%d@example.net>" % number in m)
    return email.message_from_bytes(found, policy=email.policy.default)


def results(installation: Installation, number: int, where: str = INBOX) -> str:
    """Our Authentication-Results on it, unfolded: the only one, and on top of everything that Postfix wrote."""
    copy = copy_of(installation, number, where)
    (found,) = (
        one for one in copy.get_all("Authentication-Results", []) if one.startswith("mx.example.com;")
    )
    names = [name for name in copy if name not in ("Return-Path", "X-Original-To", "Delivered-To")]
    assert names.index("Authentication-Results") < names.index("Received")
    return " ".join(found.split())


CANONICAL = ("simple/simple", "simple/relaxed", "relaxed/simple", "relaxed/relaxed")


@pytest.mark.parametrize(("number", "canonical"), [*enumerate(CANONICAL, 1)])
@pytest.mark.parametrize("selector", ["rsa", "ed"])
def test_signatures_hold_to_the_octet(
    served: Installation, number: int, canonical: str, selector: str
) -> None:
    """Whatever Postfix and libmilter do to a message on its way, what is verified is what was signed."""
    number += 10 if selector == "ed" else 0
    fields = (*SIGNED_FIELDS, "x-raw", "mime-version", "content-type")
    deliver(
        served,
        signed(awkward(number), selector=selector, canonical=canonical, fields=fields),
        client=ELSEWHERE,
    )
    found = results(served, number)
    bits = {"rsa": "2048", "ed": "256"}[selector]
    assert f"dkim=pass ({bits}-bit key) header.d=example.net header.s={selector}" in found
    assert "spf=neutral smtp.mailfrom=example.net" in found
    assert "dmarc=pass header.from=example.net policy.dmarc=reject" in found
    assert "iprev=pass (mail.example.net) policy.iprev=192.0.2.8" in found


@pytest.mark.parametrize(
    ("number", "old", "new"),
    [
        (30, b"the end", b"THE END"),
        (31, b"very long", b"very Long"),
        (32, b"\r\n\r\n \r\n", b"\r\n\r\n\x01\r\n"),
        (33, b"From: ", b"From: Other <other@example.net>\r\nFrom: "),
    ],
)
@pytest.mark.parametrize("canonical", ["simple/simple", "relaxed/relaxed"])
def test_what_was_changed_is_found(
    served: Installation, number: int, old: bytes, new: bytes, canonical: str
) -> None:
    number += 10 if canonical == "relaxed/relaxed" else 0
    message = signed(awkward(number), canonical=canonical)
    head, tail = message[: (at := message.index(b"From: "))], message[at:]
    assert old in tail
    deliver(served, head + tail.replace(old, new, 1), client=ELSEWHERE, to=JUNK)
    found = results(served, number, JUNK)
    assert "dkim=pass" not in found
    assert "dmarc=fail header.from=example.net policy.dmarc=reject" in found
    assert "decided=dmarc" in str(copy_of(served, number, JUNK)["X-Spam-Status"])


def test_a_forged_sender_is_held_and_told_why(served: Installation) -> None:
    deliver(served, awkward(50), client=ELSEWHERE, to=QUARANTINE)
    (held,) = (one for one in served.held() if "50@example.net" in one["message_id"])
    assert held["decided_by"] == "dmarc"
    assert "neither SPF nor DKIM speaks for example.net, whose policy is reject" in held["because"]


def test_a_list_that_is_trusted_may_change_the_subject(served: Installation) -> None:
    listed = awkward(51).replace(b"Subject: ", b"Subject: [list] ")
    message = sealed(listed, domain="lists.example.org", results="dmarc=pass header.from=example.net")
    deliver(served, message, client=ELSEWHERE, to=JUNK)
    found = results(served, 51, JUNK)
    assert "arc=pass (sealed by lists.example.org)" in found
    assert "dmarc=fail" in found
    copy = copy_of(served, 51, JUNK)
    assert str(copy["X-Spam-Status"]).startswith("No, ")
    assert copy["ARC-Seal"] is not None


FORGED = (
    b"Authentication-Results: mx.example.com; dkim=pass header.d=bank.example\r\n"
    b"authentication-results:\r\n (really) MX.example.COM 1;\r\n\tspf=pass smtp.mailfrom=bank.example\r\n"
    b"Authentication-Results: (hidden\r\n"
    b"Authentication-Results: relay.example.net; spf=pass smtp.mailfrom=example.net\r\n"
)


def test_forged_results_go_on_every_road(served: Installation) -> None:
    """In place, by the desk, and out of quarantine; what another server says stays."""
    message = FORGED + awkward(60)
    to = [INBOX, JUNK, QUARANTINE]  # three outcomes: one in place, two by the desk
    served.postfix.send(message, to=to, client=ELSEWHERE, mail_options=["BODY=8BITMIME"])
    served.postfix.wait_idle()
    (held,) = (one for one in served.held() if "60@example.net" in one["message_id"])
    served.tamis("quarantine", "release", held["id"])
    served.postfix.wait_idle()
    for where in to:
        found = copy_of(served, 60, where).get_all("Authentication-Results")
        assert found is not None
        ours, theirs = found
        assert ours.startswith("mx.example.com;")
        assert "dkim=none" in ours
        assert "bank.example" not in ours
        assert theirs == "relay.example.net; spf=pass smtp.mailfrom=example.net"


def test_a_message_too_long_to_be_examined_fails_nothing(served: Installation) -> None:
    deliver(served, signed(awkward(61) + b"more and more\r\n" * 10_000), client=ELSEWHERE, to=QUARANTINE)
    found = results(served, 61, QUARANTINE)
    assert 'dkim=neutral reason="only 66' in found
    assert "dmarc=temperror header.from=example.net" in found


def test_scan_shows_the_same(served: Installation) -> None:
    file = served.directory / "signed.eml"
    file.write_bytes(signed(awkward(70), selector="rsa"))
    shown = served.tamis("scan", "--ip", "192.0.2.8", "--helo", "mail.example.net", str(file))
    assert "example.net (rsa): pass" in shown
    assert "pass: the DKIM signature of example.net speaks for example.net" in shown


def test_a_dead_server_fails_nobody() -> None:
    with PrivateDNS(ZONES) as nameserver:
        settings = {
            "dns": {"servers": [nameserver.address], "deadline": 1.0},
            "headers": {"authserv_id": "mx.example.com"},
        }
        with Installation(policy=POLICY, settings=settings) as installation:
            nameserver.stop()
            deliver(installation, signed(awkward(80)), client=ELSEWHERE)
            found = results(installation, 80)
            for result in ("spf=temperror", "dkim=temperror", "dmarc=temperror"):
                assert result in found
            copy = copy_of(installation, 80)
            assert str(copy["X-Spam-Status"]).endswith(
                " tests=malformed=0.5"
            )  # the raw octets, and nothing else
            for name in ("dkim", "dmarc"):
                assert name in str(copy["X-Spam-Unavailable"])
