"""Through Postfix, behind another filter: what is observed is delivered as it came, and recorded beside its verdict."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.real import Client, wait_until
from tests.road.installation import Installation, ham, spam
from tests.road.test_outcomes import header, only, subject

pytestmark = pytest.mark.real

ALICE, GREY = "alice@example.com", "bob@example.com"
TAGGED = "junk@example.org"
STRANGER = Client("192.0.2.7")
POLICY = {
    "mode": "observe",
    "filters": {"cyrillic": {"state": "on"}},
    "mailboxes": {GREY: {"filters": {"greylisting": {"state": "on"}}}},
    "domains": {"example.org": {"mode": "enforce", "outcome": "tag"}},
}
OTHER = b"X-Spam-Flag: NO\r\nX-Spam-Status: No, score=1.5 required=5.0 tests=HTML_MESSAGE autolearn=no\r\n"
"""As SpamAssassin left it: it took the message for ham."""


@pytest.fixture(scope="module")
def running() -> Iterator[Installation]:
    """Example.com is observed, example.org is not."""
    settings = {"history": {"other_filter": "spamassassin"}}
    with Installation(policy=POLICY, settings=settings) as installation:
        yield installation


def recorded(installation: Installation, number: int) -> dict[str, object]:
    """The story of a message, once it is in the store."""
    with installation.store() as store:
        wait_until(
            lambda: any(one.story.message_id == f"<{number}@example.net>" for one in store.history.find()),
            timeout=60,
            what=f"the story of message {number}",
        )
        (kept,) = (one for one in store.history.find() if one.story.message_id == f"<{number}@example.net>")
    return {who: (told.decision, told.outcome, told.observed) for who, told in kept.story.recipients}


def test_spam_is_delivered_as_it_came_and_recorded(running: Installation) -> None:
    sent = OTHER + spam(1)
    assert running.postfix.send(sent, to=[ALICE], client=STRANGER).accepted
    running.postfix.wait_idle()
    copy = only(running.postfix.maildir(ALICE), 1)
    assert copy.endswith(sent.replace(b"\r\n", b"\n"))
    assert copy.lower().count(b"x-spam") == 2
    assert b"authentication-results" not in copy.lower()
    assert recorded(running, 1) == {ALICE: ("spam", "quarantine", True)}
    assert running.held() == []


def test_nobody_is_deferred(running: Installation) -> None:
    """Greylisting answers 451 at RCPT where it is in force."""
    assert running.postfix.send(ham(2), to=[GREY], client=STRANGER).accepted
    running.postfix.wait_idle()
    assert only(running.postfix.maildir(GREY), 2)
    assert recorded(running, 2) == {GREY: ("defer", "defer", True)}


def test_others_of_the_same_message_get_what_their_policy_says(running: Installation) -> None:
    sent = OTHER + spam(3)
    assert running.postfix.send(sent, to=[ALICE, TAGGED], client=STRANGER).accepted
    running.postfix.wait_idle()
    assert only(running.postfix.maildir(ALICE), 3).endswith(sent.replace(b"\r\n", b"\n"))
    tagged = only(running.postfix.maildir(TAGGED), 3)
    assert subject(tagged).startswith("SPAM: ")
    assert header(tagged, "X-Spam-Flag") is None
    assert recorded(running, 3) == {ALICE: ("spam", "quarantine", True), TAGGED: ("spam", "tag", False)}


def test_compare_shows_where_the_two_differ(running: Installation) -> None:
    assert running.postfix.send(OTHER + ham(4), to=[ALICE], client=STRANGER).accepted
    sent = OTHER + spam(5)
    assert running.postfix.send(sent, to=[ALICE], client=STRANGER).accepted
    assert running.postfix.send(
        spam(6), to=[ALICE], client=STRANGER
    ).accepted  # of which nobody said anything
    for number in (4, 5, 6):
        recorded(running, number)
    told = running.tamis("compare", "--for", ALICE, "--json")
    counts = {(one["tamis"], one["other"]): one["copies"] for one in told["counts"]}
    assert counts["ham", "ham"] == 1
    assert counts["spam", "ham"] >= 1
    assert told["decided_by"][0]["filter"] == "cyrillic"
    newest = told["examples"][0]
    assert (newest["tamis"]["decided_by"], newest["tamis"]["observed"]) == ("cyrillic", True)
    assert (newest["other"]["by"], newest["other"]["score"], newest["other"]["tests"]) == (
        "spamassassin",
        1.5,
        "HTML_MESSAGE",
    )
    text = running.tamis("compare", "--for", ALICE)
    assert "Tamis: spam" in text
    assert "spamassassin: ham, 1.5 of 5.0 (HTML_MESSAGE)" in text
    shown = running.tamis("history", "show", str(newest["id"]))
    assert "observed only: the message was delivered untouched" in shown
    assert "spamassassin before us: ham" in shown
