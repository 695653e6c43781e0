"""Tokens: what was made is read; everything else is refused alike."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.base.errors import TokenError
from tamis.base.tokens import MAX_LENGTH, Purpose, Tokens

NOW = datetime(2026, 11, 22, 14, 2, tzinfo=UTC)
LATER = NOW + timedelta(days=30)
TOKENS = Tokens(b"k" * 32)


def test_a_token_gives_its_words_back() -> None:
    token = TOKENS.make(Purpose.ACTION, "marie@example.com", "01ABC", "release", expires=LATER)
    assert TOKENS.read(Purpose.ACTION, token, now=NOW) == ("marie@example.com", "01ABC", "release")
    assert len(token) <= MAX_LENGTH


def test_its_end_is_its_end() -> None:
    token = TOKENS.make(Purpose.CHALLENGE, "01ABC", expires=LATER)
    assert TOKENS.read(Purpose.CHALLENGE, token, now=LATER - timedelta(seconds=1)) == ("01ABC",)
    with pytest.raises(TokenError):
        TOKENS.read(Purpose.CHALLENGE, token, now=LATER)


def test_every_wrong_token_is_refused_in_the_same_words() -> None:
    good = TOKENS.make(Purpose.CHALLENGE, "01ABC", expires=LATER)
    expired = TOKENS.make(Purpose.CHALLENGE, "01ABC", expires=NOW)
    foreign = Tokens(b"x" * 32).make(Purpose.CHALLENGE, "01ABC", expires=LATER)
    purpose = TOKENS.make(Purpose.SIGN_IN, "01ABC", expires=LATER)
    wrong = ["", ".", "é", good[:-1], good[1:], good + "A", good * 20, "." + good, expired, foreign, purpose]
    said = set()
    for token in wrong:
        with pytest.raises(TokenError) as refused:
            TOKENS.read(Purpose.CHALLENGE, token, now=NOW)
        said.add(str(refused.value))
    assert len(said) == 1


@given(st.text(max_size=2 * MAX_LENGTH))
def test_no_made_up_text_is_a_token(text: str) -> None:
    with pytest.raises(TokenError):
        TOKENS.read(Purpose.CHALLENGE, text, now=NOW)


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_no_changed_octet_goes_unnoticed(place: int, change: int) -> None:
    token = TOKENS.make(Purpose.CHALLENGE, "01ABC", expires=LATER)
    place %= len(token)
    changed = token[:place] + chr(ord(token[place]) ^ change) + token[place + 1 :]
    try:
        words = TOKENS.read(Purpose.CHALLENGE, changed, now=NOW)
    except TokenError:
        return
    assert words == ("01ABC",)  # base64 has spare bits in its last letter
    assert place == len(token) - 1 or changed == token


def test_the_longest_addresses_have_tokens_too() -> None:
    address = f"{secrets.token_hex(32)}@{'.'.join(secrets.token_hex(30) for _ in range(3))}.exam"
    assert len(address) > 250
    words = (address, "deliver", "01KJMMA2G0VP6N10Y4EVBKWDN6", str(2**63 - 1), "1")
    token = TOKENS.make(Purpose.UNDO, *words, expires=LATER)
    assert TOKENS.read(Purpose.UNDO, token, now=NOW) == words
