"""The whole SpamAssassin public corpus through Postfix: every message accounted for, octet by octet."""

from __future__ import annotations

import re
import socket
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tamis.judging.trace import OwnFields
from tamis.message.header_editing import fields_of, split_header
from tamis.message.mail import Mail
from tests.real import Client, Envelope, PrivatePostfix, crlf, undelivered
from tests.road.installation import Installation

pytestmark = [pytest.mark.real, pytest.mark.corpus, pytest.mark.timeout(900)]

RECIPIENTS = ("inbox@example.com", "tag@example.com", "junk@example.org", "quarantine@example.org")
POLICY: dict[str, Any] = {
    "filters": {"cyrillic": {"state": "on"}, "sinograms": {"state": "on", "share": 0.1}},
    "required": 1.0,  # low, so that every outcome has hundreds of messages: accuracy is not looked at here
    "mailboxes": {who: {"outcome": who.partition("@")[0]} for who in RECIPIENTS},
}
_PUBLIC_IP = re.compile(rb"\[((?:[0-9]{1,3}\.){3}[0-9]{1,3})\]")
_OWN = OwnFields("X-Spam-", socket.gethostname())


def envelope(number: int, path: Path) -> Envelope:
    """A corpus message with the sender and client that its headers give."""
    raw = path.read_bytes()
    if raw.startswith(b"From "):
        raw = raw[raw.index(b"\n") + 1 :]
    mail = Mail(raw)
    sender = (mail.headers.first("return-path") or "").strip().strip("<>")
    if not re.fullmatch(r"[\w.+=-]{1,60}@[\w.-]{1,100}", sender, re.ASCII):
        sender = "sender@example.net"
    address = "192.0.2.7"
    for value in mail.headers.raw("received"):
        for found in _PUBLIC_IP.findall(value):
            octets = [int(part) for part in found.split(b".")]
            if max(octets) < 256 and octets[0] not in (0, 10, 127, 169, 172, 192) and octets[0] < 224:
                address = found.decode()
    return Envelope(
        sender, (RECIPIENTS[number % 4],), crlf(b"X-Test-Number: %d\n" % number + raw), Client(address)
    )


def content(message: bytes) -> tuple[list[bytes], bytes]:
    """The header fields from the test's number on without ours, and the body."""
    header, body = split_header(message)
    fields = [field for name, field in fields_of(header) if not _OWN.hold(name, field.partition(b":")[2])]
    first = next(i for i, field in enumerate(fields) if field.startswith(b"X-Test-Number:"))
    return fields[first:], body


def number_of(message: bytes) -> int:
    """The number that the test gave a message."""
    found = re.search(rb"^X-Test-Number: (\d+)", message, re.MULTILINE)
    assert found
    return int(found[1])


def without_subject(fields: list[bytes]) -> list[bytes]:
    """The fields but the subject."""
    return [field for field in fields if not field.lower().startswith(b"subject:")]


def without_milter(envelopes: list[Envelope]) -> dict[int, bytes]:
    """What Postfix delivers by itself: it mends line ends and takes some fields out of arriving mail."""
    with PrivatePostfix() as postfix:
        assert all(s.accepted for s in postfix.send_many(envelopes, sessions=12))
        postfix.wait_idle(120)
        messages = [undelivered(m) for who in RECIPIENTS for m in postfix.maildir(who)]
    return {number_of(message): message for message in messages}


def test_every_message_is_accounted_for(corpus_ham: list[Path], corpus_spam: list[Path]) -> None:
    """Accepted = delivered + tagged + Junk + quarantined; what is untouched is as Postfix alone delivers it."""
    envelopes = [envelope(n, path) for n, path in enumerate((*corpus_ham, *corpus_spam))]
    assert len(envelopes) == 6046
    copies: dict[int, tuple[str, bytes]] = {}

    def found(outcome: str, message: bytes) -> None:
        number = number_of(message)
        assert number not in copies, f"message {number} arrived twice"
        copies[number] = (outcome, message)

    with Installation(policy=POLICY) as installation:
        sent = installation.postfix.send_many(envelopes, sessions=12, attempts=10)
        assert [s.reply for s in sent if not s.accepted] == []
        installation.postfix.wait_idle(120)
        assert "Traceback" not in installation.daemon.log()
        for who in RECIPIENTS:
            for message in installation.postfix.maildir(who):
                is_spam = re.search(rb"^X-Spam-Status: Yes", message, re.MULTILINE)
                found(who.partition("@")[0] if is_spam else "ham", undelivered(message))
        with installation.store() as store:
            for held in store.quarantine.list(limit=len(envelopes)):
                found("quarantine", store.quarantine.content(held.id) or b"")
    assert sorted(copies) == list(range(len(envelopes)))
    outcomes = Counter(outcome for outcome, _ in copies.values())
    assert set(outcomes) == {"ham", "inbox", "tag", "junk", "quarantine"}, outcomes
    plain = without_milter(envelopes)
    for number, (outcome, message) in copies.items():
        fields, body = content(message.replace(b"\r\n", b"\n") if outcome == "quarantine" else message)
        wanted_fields, wanted_body = content(plain[number])
        assert body == wanted_body, f"message {number} ({outcome}) was changed"
        if outcome == "tag":
            assert any(field.startswith(b"Subject: SPAM: ") for field in fields)
            fields, wanted_fields = without_subject(fields), without_subject(wanted_fields)
        assert fields == wanted_fields, f"the header of message {number} ({outcome}) was changed"
