"""Messages to many recipients: one held copy a mailbox, and every address served."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.real import Client, Envelope, wait_until
from tests.road.installation import Installation, spam

pytestmark = pytest.mark.real

MANY = 120
STRANGER = Client("192.0.2.7")


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    """Sub-addresses are delivered; two mailboxes' spam is held, one's is tagged. Postfix gives the desk 50 at once."""
    policy = {
        "outcome": "quarantine",
        "filters": {"cyrillic": {"state": "on"}},
        "mailboxes": {"tag@example.com": {"outcome": "tag"}, "paul@example.com": {"required": 5.0}},
    }
    mailboxes = ["marie@example.com", "paul@example.com", "tag@example.com"]
    main = {"recipient_delimiter": "+", "smtpd_recipient_limit": "1000"}
    with Installation(policy=policy, mailboxes=mailboxes, main=main) as running:
        yield running


def send(installation: Installation, number: int, *recipients: str) -> None:
    """One spam to all of them, and wait until nothing is queued."""
    envelope = Envelope("sender@example.net", recipients, spam(number), STRANGER)
    (sent,) = installation.postfix.send_many([envelope], sessions=1)
    assert sent.accepted, sent.reply
    installation.postfix.wait_idle(120)


def of(installation: Installation, number: int) -> list[dict[str, object]]:
    """The held copies of one message."""
    return [one for one in installation.held() if str(number) in str(one["message_id"])]


def test_sub_addresses_share_a_held_copy_and_all_of_them_get_it(installation: Installation) -> None:
    addresses = [f"Marie+{number}@example.com" for number in range(MANY)]
    send(installation, 11, *addresses, "paul@example.com")
    copies = {str(one["mailbox"]): str(one["id"]) for one in of(installation, 11)}
    assert set(copies) == {"marie@example.com", "paul@example.com"}
    record = installation.tamis("quarantine", "show", copies["marie@example.com"], "--json")
    assert sorted(address for address, _ in record["recipients"]) == sorted(addresses)
    assert (
        "marie"
        not in str(installation.tamis("quarantine", "show", copies["paul@example.com"], "--json")).lower()
    )
    installation.tamis("quarantine", "release", copies["marie@example.com"])
    installation.postfix.wait_idle(120)
    delivered = installation.postfix.maildir("marie@example.com")
    originals = sorted(
        line for one in delivered for line in one.splitlines() if line.startswith(b"X-Original-To:")
    )
    assert originals == sorted(f"X-Original-To: {one}".encode() for one in addresses)


def test_tagged_copies_of_sub_addresses_arrive_once_each(installation: Installation) -> None:
    addresses = [f"tag+{number}@example.com" for number in range(60)]
    send(installation, 12, *addresses, "paul@example.com")
    delivered = installation.postfix.maildir("tag@example.com")
    originals = [line for one in delivered for line in one.splitlines() if line.startswith(b"X-Original-To:")]
    assert len(originals) == len(set(originals)) == 60
    assert all(b"Subject: SPAM:" in one for one in delivered)


def test_notes_go_with_their_last_address(installation: Installation) -> None:
    send(installation, 13, *(f"marie+{number}@example.com" for number in range(MANY)))
    notes = installation.state_directory / "redirections"
    wait_until(lambda: not list(notes.iterdir()), timeout=30, what="the notes to go")


def test_who_holds_most_is_told(installation: Installation) -> None:
    send(installation, 14, "paul@example.com", "marie@example.com")
    told = installation.tamis("quarantine", "usage", "--json")
    assert {"paul@example.com", "marie@example.com", "platform"} <= {one["scope"] for one in told}
    assert told[-1]["copies"] == len(installation.held())


def test_recipients_beyond_postfix_s_limit_are_asked_back_and_none_is_lost() -> None:
    """The lines that we ship: 100 at once, 452 for the others, to whom the sender's server sends the message again."""
    mailboxes = [f"user{number}@example.com" for number in range(150)]
    policy = {"outcome": "quarantine", "filters": {"cyrillic": {"state": "on"}}}
    with Installation(policy=policy, mailboxes=mailboxes) as running:
        assert running.postfix.parameter("smtpd_recipient_limit") == "100"
        envelope = Envelope("sender@example.net", tuple(mailboxes), spam(15), STRANGER)
        (sent,) = running.postfix.send_many([envelope], sessions=1)
        assert sent.accepted, sent.reply
        running.postfix.wait_idle(120)
        assert sorted(str(one["recipient"]) for one in running.held()) == sorted(mailboxes)
