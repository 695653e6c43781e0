"""Every outcome of spec 3, through Postfix."""

from __future__ import annotations

import email
import email.policy
from email.header import decode_header, make_header

import pytest

from tests.real import Client, PrivateDovecot, body, wait_until
from tests.road.installation import POLICY, Installation, ham, spam

pytestmark = pytest.mark.real

INBOX, TAG = "inbox@example.com", "tag@example.com"
JUNK, QUARANTINE = "junk@example.org", "quarantine@example.org"
STRANGER = Client("192.0.2.7")


def header(message: bytes, name: str) -> str | None:
    """A header field of a delivered message."""
    value = email.message_from_bytes(message)[name]
    return None if value is None else str(value)


def subject(message: bytes) -> str:
    """The decoded subject."""
    return str(make_header(decode_header(header(message, "Subject") or "")))


def only(messages: list[bytes], number: int) -> bytes:
    """The one message with this number."""
    found = [m for m in messages if f"<{number}@example.net>".encode() in m]
    assert len(found) == 1
    return found[0]


def test_four_recipients_with_four_policies_get_four_outcomes(installation: Installation) -> None:
    """Two of them are in one domain; nobody reads of another in a header."""
    sent = installation.postfix.send(spam(1), to=[INBOX, TAG, JUNK, QUARANTINE], client=STRANGER)
    assert sent.accepted
    installation.postfix.wait_idle()
    copies = {who: only(installation.postfix.maildir(who), 1) for who in (INBOX, TAG, JUNK)}
    assert header(copies[INBOX], "X-Spam-Flag") is None
    assert subject(copies[INBOX]) == "Привет"
    assert header(copies[TAG], "X-Spam-Flag") is None
    assert subject(copies[TAG]) == "SPAM: Привет"
    assert header(copies[JUNK], "X-Spam-Flag") == "YES"
    assert subject(copies[JUNK]) == "Привет"
    assert installation.postfix.maildir(QUARANTINE) == []
    (held,) = [h for h in installation.held() if h["message_id"].strip("<>") == "1@example.net"]
    assert (held["recipient"], held["decided_by"], held["subject"]) == (QUARANTINE, "cyrillic", "Привет")
    everyone = {INBOX, TAG, JUNK, QUARANTINE}
    for who, copy in copies.items():
        top, _, _ = copy.partition(b"\nFrom: ")
        assert not [other for other in everyone - {who} if other.encode() in top]
        assert body(copy) == body(spam(1).replace(b"\r\n", b"\n"))
    assert b"X-Spam" not in installation.tamis("quarantine", "show", held["id"], "--raw").encode()


def test_own_names_that_arrive_from_outside_are_removed(installation: Installation) -> None:
    forged = (
        b"X-Spam-Flag: NO\r\nx-spam-status: No, forged\r\nX-Spam-Flag: NO\r\nX-Spam-Other: stays\r\n" + ham(2)
    )
    installation.postfix.send(forged, to=[INBOX], client=STRANGER)
    installation.postfix.wait_idle()
    copy = only(installation.postfix.maildir(INBOX), 2)
    assert b"forged" not in copy
    assert header(copy, "X-Spam-Flag") is None
    assert header(copy, "X-Spam-Other") == "stays"
    assert (header(copy, "X-Spam-Status") or "").startswith("No, score=0.0 required=7.5 tests=none")


def test_the_trace_names_envelope_and_client(installation: Installation) -> None:
    installation.postfix.send(
        ham(3),
        to=[INBOX],
        sender="bounce+x@lists.example.net",
        client=Client("2001:db8::7", helo="mx.example.net"),
    )
    installation.postfix.wait_idle()
    copy = only(installation.postfix.maildir(INBOX), 3)
    assert header(copy, "X-Spam-Return-Path") == "<bounce+x@lists.example.net>"
    assert header(copy, "X-Spam-Helo") == "mx.example.net"
    assert header(copy, "X-Spam-Client-IP") == "2001:db8::7"
    assert header(copy, "X-Spam-Rcpt") == f"<{INBOX}>"


def test_recipients_who_share_a_copy_share_only_common_headers(installation: Installation) -> None:
    installation.postfix.send(ham(4), to=[INBOX, JUNK], client=STRANGER)
    installation.postfix.wait_idle()
    for who in (INBOX, JUNK):
        assert header(only(installation.postfix.maildir(who), 4), "X-Spam-Rcpt") is None


@pytest.mark.parametrize(
    ("number", "value", "text"),
    [
        (10, "Покупай сейчас".encode("koi8-r"), None),
        (11, "Купить".encode(), "SPAM: Купить"),
        (12, b"=?koi8-r?B?8NLJ18XU?=", "SPAM: Привет"),
        (13, b"=?iso-2022-jp?B?GyRCJTMlcyUrJDMlTxsoQg==?=\r\n =?utf-8?q?_?=", None),
        (14, b"plain ascii", "SPAM: plain ascii"),
        (15, b"", "SPAM:"),
    ],
)
def test_a_tagged_subject_stays_decodable(
    installation: Installation, number: int, value: bytes, text: str | None
) -> None:
    message = spam(number).replace(b"Subject: =?utf-8?b?0J/RgNC40LLQtdGC?=", b"Subject: " + value)
    installation.postfix.send(message, to=[TAG], client=STRANGER)
    installation.postfix.wait_idle()
    copy = only(installation.postfix.maildir(TAG), number)
    parsed = email.message_from_bytes(copy, policy=email.policy.default)
    shown = str(parsed["subject"])
    assert shown.startswith("SPAM:")
    if text is not None:
        assert shown.strip() == text


def test_authenticated_submissions_skip_the_chain(installation: Installation) -> None:
    """O8: and what they send carries no trace of ours, since it may leave the platform."""
    own = Client("192.0.2.8", login="marie@example.com")
    installation.postfix.send(spam(20), to=["alice@example.com"], sender="marie@example.com", client=own)
    installation.postfix.wait_idle()
    copy = only(installation.postfix.maildir("alice@example.com"), 20)
    assert header(copy, "X-Spam-Status") is None
    assert header(copy, "X-Spam-Client-IP") is None


def test_a_release_goes_to_the_asking_recipient_and_nowhere_else(installation: Installation) -> None:
    installation.postfix.send(spam(30), to=[QUARANTINE, "bob@example.org"], client=STRANGER)
    installation.postfix.wait_idle()
    held = {
        h["recipient"]: h["id"]
        for h in installation.held()
        if h["message_id"].strip("<>") == "30@example.net"
    }
    assert set(held) == {QUARANTINE, "bob@example.org"}
    installation.tamis("quarantine", "release", held[QUARANTINE])
    installation.postfix.wait_idle()
    copy = only(installation.postfix.maildir(QUARANTINE), 30)
    assert header(copy, "X-Spam-Flag") is None
    assert (header(copy, "X-Spam-Status") or "").startswith("No, released by")
    assert installation.postfix.maildir("bob@example.org") == []
    installation.tamis("quarantine", "delete", held["bob@example.org"])
    assert not [h for h in installation.held() if h["message_id"].strip("<>") == "30@example.net"]


def test_lists_take_effect_without_a_restart(installation: Installation) -> None:
    """L1, L2, S6: and the reason stands in a header."""
    carol = "carol@example.com"
    installation.tamis("lists", "add", "white", "sender", "friend@example.net", "--scope", carol)

    def passes() -> bool:
        installation.postfix.send(spam(40), to=[carol], sender="friend@example.net", client=STRANGER)
        installation.postfix.wait_idle()
        return bool(installation.postfix.maildir(carol))

    wait_until(passes, timeout=60, what="the white list entry to count")
    copy = installation.postfix.maildir(carol)[0]
    assert header(copy, "X-Spam-Whitelist") == "Whitelisted EMail Address (friend@example.net)"

    def counted() -> bool:
        entries = installation.tamis("lists", "show", "--scope", carol, "--json")
        return bool(entries[0]["hits"])

    wait_until(counted, timeout=60, what="the hit to be counted")


def test_policy_overrides_take_effect_without_a_restart(installation: Installation) -> None:
    dave = "dave@example.com"
    installation.tamis("policy", "set", dave, "filters.cyrillic.state", "shadow")

    def passes() -> bool:
        installation.postfix.send(spam(50), to=[dave], client=STRANGER)
        installation.postfix.wait_idle()
        return bool(installation.postfix.maildir(dave))

    wait_until(passes, timeout=60, what="the override to count")
    status = header(installation.postfix.maildir(dave)[0], "X-Spam-Status") or ""
    assert status.startswith("No,")
    assert "cyrillic=spam(shadow)" in status


def test_spam_is_never_relayed_outside() -> None:
    """O4: an alias that leads outside makes its recipient a forward, whose spam is quarantined."""
    policy = {**POLICY, "outcome": "junk"}
    with Installation(policy=policy, aliases={"fan@example.com": "fan@example.net"}) as installation:
        table = installation.directory / "virtual"
        table.write_text("fan@example.com fan@example.net\n", encoding="utf-8")
        installation.daemon.write_settings(
            platform={"domains": ["example.com", "example.org"], "alias_maps": [str(table)]}
        )
        installation.daemon.hup()
        installation.postfix.send(spam(60), to=["fan@example.com", "alice@example.com"], client=STRANGER)
        installation.postfix.send(ham(61), to=["fan@example.com"], client=STRANGER)
        installation.postfix.wait_idle()
        assert [h["recipient"] for h in installation.held()] == ["fan@example.com"]
        assert header(only(installation.postfix.maildir("alice@example.com"), 60), "X-Spam-Flag") == "YES"
        assert [b"<61@example.net>" in m for m in installation.postfix.outside()] == [True]


def test_dovecot_files_junk_and_a_release_into_the_inbox(dovecot: PrivateDovecot) -> None:
    """O3 with the shipped Dovecot lines; a released message never lands in Junk again."""
    with Installation(mailbox_transport=dovecot.transport) as installation:
        installation.postfix.send(spam(70), to=[JUNK, TAG, QUARANTINE], client=STRANGER)
        installation.postfix.wait_idle()
        assert len(dovecot.mailbox(JUNK, "Junk")) == 1
        assert dovecot.mailbox(JUNK, "INBOX") == []
        assert len(dovecot.mailbox(TAG, "INBOX")) == 1
        (held,) = installation.held()
        installation.tamis("quarantine", "release", held["id"])
        installation.postfix.wait_idle()
        assert len(dovecot.mailbox(QUARANTINE, "INBOX")) == 1
        assert dovecot.mailbox(QUARANTINE, "Junk") == []
