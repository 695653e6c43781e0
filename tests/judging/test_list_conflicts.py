"""Entries that contradict each other, and which of them counts: as the index says it of a sender."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.contract.list_index import ListIndex
from tamis.contract.lists import ListEntry, nearest
from tamis.judging.list_conflicts import conflicts
from tamis.message.address import scopes_of
from tamis.message.envelope import Envelope
from tamis.message.mail import Mail
from tests.builders import MARIE, NOW, PROPERTY, entry

SCOPES = ("platform", "example.com", "example.org", MARIE, "paul@example.org")
PATTERNS = (
    "a@example.net",
    "b@example.net",
    "example.net",
    "*.example.net",
    "a@x.example.net",
    "x.example.net",
)


def told(*entries: ListEntry) -> list[tuple[str, str, str]]:
    return [(one.wins.scope, one.loses.scope, one.scope) for one in conflicts(entries, NOW)]


@pytest.mark.parametrize(
    ("white", "black", "expected"),
    [
        (("a@example.net", MARIE), ("a@example.net", "example.com"), [(MARIE, "example.com", MARIE)]),
        (("a@example.net", "example.com"), ("a@example.net", MARIE), [(MARIE, "example.com", MARIE)]),
        (("a@example.net", "platform"), ("example.net", "platform"), [("platform", "platform", "platform")]),
        (
            ("example.net", "platform"),
            ("a@example.net", "example.com"),
            [("example.com", "platform", "example.com")],
        ),
        (("*.example.net", MARIE), ("a@x.example.net", "platform"), [(MARIE, "platform", MARIE)]),
        (("192.0.2.0/24", "platform"), ("192.0.2.7", MARIE), [(MARIE, "platform", MARIE)]),
        (("a@example.net", "example.com"), ("a@example.net", "example.org"), []),
        (("a@example.net", MARIE), ("b@example.net", MARIE), []),
        (("example.net", MARIE), ("*.example.net", MARIE), []),
    ],
)
def test_the_nearer_wins_and_within_one_scope_the_white_one(
    white: tuple[str, str], black: tuple[str, str], expected: list[tuple[str, str, str]]
) -> None:
    subject = "ip" if white[0][0].isdigit() else "sender"
    one = entry(white[0], "white", scope=white[1], number=1, subject=subject)
    other = entry(black[0], "black", scope=black[1], number=2, subject=subject)
    assert told(one, other) == told(other, one) == expected


def test_what_is_over_contradicts_nothing() -> None:
    over = entry("a@example.net", "black", number=2, expires=NOW - timedelta(days=1))
    assert told(entry("a@example.net"), over) == []


@PROPERTY
@given(
    st.lists(
        st.tuples(st.sampled_from(PATTERNS), st.sampled_from(["white", "black"]), st.sampled_from(SCOPES)),
        min_size=2,
        max_size=2,
    )
)
def test_it_is_what_becomes_of_a_sender(given_entries: list[tuple[str, str, str]]) -> None:
    """Of two entries that are told to contradict each other, the one that wins counts for the sender they share."""
    entries = [
        entry(pattern, colour, scope=scope, number=n, subject="sender")
        for n, (pattern, colour, scope) in enumerate(given_entries, 1)
    ]
    for one in conflicts(entries, NOW):
        recipient = (
            one.scope if "@" in one.scope else f"x@{one.scope if one.scope != 'platform' else 'example.com'}"
        )
        shared = [who for who in ("a@example.net", "b@example.net", "a@x.example.net") if _both(entries, who)]
        assert shared
        for sender in shared:
            scopes = scopes_of(recipient)
            found = ListIndex(entries).matches(
                Envelope(sender=sender, received_at=NOW), Mail(b""), frozenset(scopes)
            )
            counts = nearest(found, scopes)
            assert counts is not None
            assert counts.entry == one.wins.id


def _both(entries: list[ListEntry], sender: str) -> bool:
    scopes = frozenset(one.scope for one in entries)
    return len(ListIndex(entries).matches(Envelope(sender=sender, received_at=NOW), Mail(b""), scopes)) == 2
