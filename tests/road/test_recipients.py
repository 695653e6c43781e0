"""Recipients as clients spell them: whatever Postfix takes, a held copy is held and nothing else."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.real import Client, wait_until
from tests.road.installation import Installation, spam

pytestmark = pytest.mark.real

# What Postfix strips, folds or completes before it looks the mailbox up.
SPELLINGS = (
    b"<BOB@EXAMPLE.COM>",
    b"<Bob@Example.com>",
    b"<bob@example.com.>",
    b"BOB@example.com",
    b"< BOB@Example.com >",
    b"<BOB@example.com> (comment)",
    b"<BOB(c)@example.com>",
    b"<(x)BOB@Example.com>",
    b"<Bob <BOB@EXAMPLE.com>>",
    b"Bob <BOB@example.com>",
    b"<@relay.example.net:BOB@EXAMPLE.COM>",
    b"<@r.example.net,@s.example.net:BOB@EXAMPLE.COM>",
    b'<"BOB"@Example.com>',
    b'<"BOB"@Example.com.>',
    b"<B\\OB@Example.com>",
)


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    """One whose policy holds all of this spam, and files it as Junk for one mailbox."""
    with Installation(
        policy={
            "filters": {"cyrillic": {"state": "on"}},
            "mailboxes": {"junk@example.com": {"outcome": "junk"}},
        },
        main={"smtputf8_enable": "no"},
    ) as running:
        yield running


class Dialogue:
    """SMTP in raw octets: a client library would mend what is tested here."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._lines = self._socket.makefile("rb")
        self._reply()
        self.say(b"EHLO mail.example.net")
        self.say(b"XCLIENT ADDR=192.0.2.7 NAME=[UNAVAILABLE]")
        self.say(b"EHLO mail.example.net")

    def say(self, line: bytes) -> bytes:
        """Send a line; the last line of the reply."""
        self._socket.sendall(line + b"\r\n")
        return self._reply()

    def send(self, recipients: list[bytes], message: bytes) -> bytes:
        """One transaction; the reply to the message, or to the recipient that was refused."""
        self.say(b"MAIL FROM:<sender@example.net>")
        for recipient in recipients:
            reply = self.say(b"RCPT TO:" + recipient)
            if not reply.startswith(b"250"):
                self.say(b"RSET")
                return reply
        self.say(b"DATA")
        return self.say(message + b".")

    def close(self) -> None:
        """Hang up."""
        self._lines.close()
        self._socket.close()

    def _reply(self) -> bytes:
        while True:
            line = self._lines.readline()
            if line[3:4] != b"-":
                return line


def test_every_spelling_is_held_and_not_delivered(installation: Installation) -> None:
    """{rcpt_addr} is folded, Postfix deletes exactly: the copy in place must go in whatever form it was queued."""
    taken = 0
    for number, spelling in enumerate(SPELLINGS, 1):
        dialogue = Dialogue(installation.postfix.port)
        taken += dialogue.send([spelling], spam(number)).startswith(b"250")
        dialogue.close()
    dialogue = Dialogue(installation.postfix.port)
    several = [b"<bob@example.com>", b"<BOB@example.com>", b"<bob@example.com.>", b"<bob@EXAMPLE.com>"]
    assert dialogue.send(several, spam(100)).startswith(b"250")
    dialogue.close()
    installation.postfix.wait_idle()
    assert installation.postfix.maildir("bob@example.com") == []
    held = [h["recipient"].lower() for h in installation.held()]  # each with the case it was given
    assert held == ["bob@example.com"] * (taken + 1)
    assert taken >= 12


def test_a_recipient_in_octets_that_are_no_text_gets_nothing_unfiltered(installation: Installation) -> None:
    before = len(installation.held())
    dialogue = Dialogue(installation.postfix.port)
    reply = dialogue.send([b"<alice+\xff@example.com>"], spam(200))
    dialogue.close()
    installation.postfix.wait_idle()
    assert installation.postfix.maildir("alice@example.com") == []
    assert not reply.startswith(b"250") or len(installation.held()) == before + 1


def test_a_flood_of_forged_headers_is_no_burden(installation: Installation) -> None:
    """20,000 fields of our own name: the message arrives without them, and Postfix's cleanup survives."""
    flood = b"X-Spam-Flag:\r\n" * 20_000
    ham = b"From: <a@example.net>\r\nSubject: Lunch\r\nMessage-ID: <300@example.net>\r\n\r\nTuesday?\r\n"
    dialogue = Dialogue(installation.postfix.port)
    assert dialogue.send([b"<carol@example.com>"], flood + ham).startswith(b"250")
    dialogue.close()
    installation.postfix.wait_idle()
    (copy,) = installation.postfix.maildir("carol@example.com")
    assert b"X-Spam-Flag" not in copy
    assert "panic" not in installation.postfix.log()


def test_raw_utf8_senders_come_back_as_they_came(installation: Installation) -> None:
    """The desk adds no SMTPUTF8 that the sender did not ask for, nor stumbles over the octets."""
    dialogue = Dialogue(installation.postfix.port)
    dialogue.say("MAIL FROM:<café@example.net>".encode())
    assert dialogue.say(b"RCPT TO:<junk@example.com>").startswith(b"250")
    assert dialogue.say(b"RCPT TO:<bob@example.com>").startswith(b"250")
    dialogue.say(b"DATA")
    assert dialogue.say(spam(400) + b".").startswith(b"250")
    dialogue.close()
    installation.postfix.wait_idle()
    assert len(installation.postfix.maildir("junk@example.com")) == 1
    assert installation.postfix.bounces() == []


def test_a_tagged_and_a_released_copy_keep_the_case_of_the_local_part() -> None:
    """RFC 5321 2.4: what a token behind the delimiter means, its mailbox alone knows."""
    given = ("Tag+TokenAbC@example.com", "Quarantine+TokenAbC@example.org")
    with Installation(main={"recipient_delimiter": "+"}) as running:
        assert running.postfix.send(spam(), to=given, client=Client("192.0.2.7")).accepted
        running.postfix.wait_log(
            r"to=<Tag\+TokenAbC@example\.com>, orig_to|to=<Tag\+TokenAbC@example\.com>, relay"
        )
        wait_until(lambda: len(running.held()) == 1, timeout=30, what="the message to be held")
        (held,) = running.held()
        assert (held["recipient"], held["mailbox"]) == (given[1], "quarantine@example.org")
        running.tamis("quarantine", "release", held["id"])
        running.postfix.wait_log(r"to=<Quarantine\+TokenAbC@example\.org>, (orig_to=[^ ]+ )?relay=virtual")
