"""Where limits of policy lie exactly: the last that is still let through, the first that is not."""

from __future__ import annotations

from typing import Any

import pytest

from tamis.contract.filter import Effect
from tamis.contract.finding import Finding, Status
from tests.builders import MARIE, book, verdict_of

GREYLISTING = '[filters.greylisting]\nstate = "on"\ndelay = 300\n'
RATE = '[filters.rate_limit]\nstate = "on"\nclient_messages = 20\nuser_messages = 50\n'


def decides(policy: str, name: str, **facts: Any) -> bool:
    """Whether a filter's hit with these facts defers Marie's mail."""
    found = Finding(name, Status.HIT, "seen", facts)
    (opinion,) = verdict_of(book(policy).policy(MARIE), found).opinions
    return opinion.effect is Effect.DEFER


@pytest.mark.parametrize(
    ("waited", "patience", "waits"),
    [(299, 0, True), (300, 0, False), (301, 0, False), (0, 299, True), (0, 300, False), (0, 301, False)],
)
def test_who_waited_exactly_the_delay_is_greylisted_no_more(waited: int, patience: int, waits: bool) -> None:
    facts = {"waited": {MARIE: waited}, "patience": patience, "network": "192.0.2.0/24"}
    assert decides(GREYLISTING, "greylisting", **facts) is waits


@pytest.mark.parametrize(
    ("kind", "sent", "over"),
    [
        ("client", 19, False),
        ("client", 20, False),
        ("client", 21, True),
        ("user", 49, False),
        ("user", 50, False),
        ("user", 51, True),
    ],
)
def test_the_limit_itself_may_be_sent(kind: str, sent: int, over: bool) -> None:
    assert decides(RATE, "rate_limit", sent=sent, kind=kind) is over
    assert not decides(
        '[filters.rate_limit]\nstate = "on"\n', "rate_limit", sent=sent, kind=kind
    )  # none is set
