"""Test messages through Postfix: each goes where it asks, `tamis try` tells, and nothing is learned."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tamis.message.test_strings import TEST_STRINGS
from tests.real import Client, wait_until
from tests.road.installation import Installation, ham
from tests.road.test_outcomes import header, only, subject

pytestmark = pytest.mark.real

MARIE, PAUL, OFF = "inbox@example.com", "quarantine@example.org", "off@example.com"
TRAP = "tag@example.com"
STRANGER = Client("203.0.113.7")
POLICY = {
    "mailboxes": {
        MARIE: {"outcome": "junk"},
        PAUL: {"outcome": "quarantine"},
        OFF: {"filters": {"test_string": {"state": "off"}}},
    }
}
SETTINGS = {"platform": {"domains": ["example.com", "example.org"], "honeypots": [TRAP]}}


@pytest.fixture(scope="module")
def running() -> Iterator[Installation]:
    boxes = [MARIE, PAUL, OFF, TRAP]
    with Installation(policy=POLICY, settings=SETTINGS, mailboxes=boxes) as installation:
        yield installation


def tried(running: Installation, who: str, outcome: str, status: int = 0) -> str:
    """Where `tamis try` says that its message went."""
    smtp = f"127.0.0.1:{running.postfix.port}"
    told = running.tamis(
        "try", who, "--outcome", outcome, "--smtp", smtp, "--wait", "60", "--json", status=status
    )
    assert told["recipients"][0]["recipient"] == who
    running.postfix.wait_idle()
    return str(told["recipients"][0]["outcome"])


@pytest.mark.parametrize(("who", "outcome"), [(MARIE, "junk"), (PAUL, "quarantine")])
def test_gtube_goes_where_the_policy_sends_spam(running: Installation, who: str, outcome: str) -> None:
    assert tried(running, who, "spam") == outcome


@pytest.mark.parametrize("outcome", ["tag", "junk", "quarantine", "defer"])
def test_each_outcome_can_be_tried(running: Installation, outcome: str) -> None:
    before, held = len(running.postfix.maildir(PAUL)), len(running.held())
    assert tried(running, PAUL, outcome) == outcome
    new = running.postfix.maildir(PAUL)[before:]
    assert len(new) == (outcome in ("tag", "junk"))
    assert len(running.held()) - held == (outcome == "quarantine")
    if new:
        status = header(new[0], "X-Spam-Status") or ""
        assert status.startswith("Yes, ")
        assert f"test_string={outcome}" in status
        assert "decided=test_string" in status
        assert subject(new[0]).startswith("SPAM: ") is (outcome == "tag")
        assert header(new[0], "X-Spam-Flag") == ("YES" if outcome == "junk" else None)


def test_where_the_filter_is_off_it_says_that_nothing_came_of_it(running: Installation) -> None:
    assert tried(running, OFF, "spam", status=1) == "inbox"


def test_who_reaches_no_tamis_is_told(running: Installation) -> None:
    smtp = f"127.0.0.1:{running.postfix.reinjection_port}"
    told = running.tamis("try", MARIE, "--smtp", smtp, "--wait", "1", status=69)
    assert "Tamis did not see the message" in told


def test_tests_teach_nothing_and_nobody_is_asked(running: Installation) -> None:
    for number, who in ((41, PAUL), (43, TRAP)):
        raw = ham(number).replace(b"\r\n\r\n", f"\r\n\r\n{TEST_STRINGS['quarantine']}\r\n".encode(), 1)
        assert running.postfix.send(raw, to=[who], client=STRANGER).accepted
        running.postfix.wait_idle()
        (held,) = [one for one in running.held() if f"{number}@example.net" in one["message_id"]]
        assert held["recipient"] == who
    assert running.postfix.send(ham(42), to=[MARIE], client=STRANGER).accepted
    running.postfix.wait_idle()
    assert (header(only(running.postfix.maildir(MARIE), 42), "X-Spam-Status") or "").startswith("No, ")

    def told() -> set[str]:
        return {one["reason"] for one in running.tamis("challenges", "count", "--json")}

    wait_until(lambda: "test" in told(), timeout=60, what="the reason why nobody was asked")
    about = running.tamis("model", "status", "--json")
    assert (about["ham"], about["spam"]) == (0, 0)
