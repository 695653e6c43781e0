"""Tokens: what was made is read; everything else is refused alike."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.base.errors import TokenError
from tamis.base.tokens import MAX_LENGTH, SHORT, Purpose, Tokens

NOW = datetime(2026, 11, 22, 14, 2, tzinfo=UTC)
LATER = NOW + timedelta(days=30)
TOKENS = Tokens(b"k" * 32)


def test_a_token_gives_its_words_back() -> None:
    token = TOKENS.make(Purpose.ACTION, "marie@example.com", "01ABC", "release", expires=LATER)
    assert TOKENS.read(Purpose.ACTION, token, now=NOW) == ("marie@example.com", "01ABC", "release")
    assert len(token) <= MAX_LENGTH


IDS = pytest.mark.parametrize("number", ["01ABC", "01KJMMA2G0VP6N10Y4EVBKWDN6"], ids=["words", "an id"])


def test_a_token_for_an_id_is_short() -> None:
    token = TOKENS.make(Purpose.CHALLENGE, "01KJMMA2G0VP6N10Y4EVBKWDN6", expires=LATER)
    assert re.fullmatch(r"[A-Za-z0-9_-]{40}", token)
    assert len(token) == SHORT
    assert TOKENS.read(Purpose.CHALLENGE, token, now=NOW) == ("01KJMMA2G0VP6N10Y4EVBKWDN6",)
    assert TOKENS.make(Purpose.ACTION, "01KJMMA2G0VP6N10Y4EVBKWDN6", expires=LATER) != token


@IDS
def test_its_end_is_its_end(number: str) -> None:
    token = TOKENS.make(Purpose.CHALLENGE, number, expires=LATER)
    assert TOKENS.read(Purpose.CHALLENGE, token, now=LATER - timedelta(seconds=1)) == (number,)
    with pytest.raises(TokenError):
        TOKENS.read(Purpose.CHALLENGE, token, now=LATER)


@IDS
def test_every_wrong_token_is_refused_in_the_same_words(number: str) -> None:
    good = TOKENS.make(Purpose.CHALLENGE, number, expires=LATER)
    expired = TOKENS.make(Purpose.CHALLENGE, number, expires=NOW)
    foreign = Tokens(b"x" * 32).make(Purpose.CHALLENGE, number, expires=LATER)
    purpose = TOKENS.make(Purpose.SIGN_IN, number, expires=LATER)
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


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=127))
@pytest.mark.parametrize("number", ["01ABC", "01KJMMA2G0VP6N10Y4EVBKWDN6"])
def test_no_changed_octet_goes_unnoticed(number: str, place: int, change: int) -> None:
    token = TOKENS.make(Purpose.CHALLENGE, number, expires=LATER)
    place %= len(token)
    changed = token[:place] + chr(ord(token[place]) ^ change) + token[place + 1 :]
    try:
        words = TOKENS.read(Purpose.CHALLENGE, changed, now=NOW)
    except TokenError:
        return
    assert words == (number,)  # base64 has spare bits in its last letter
    assert place == len(token) - 1 > SHORT or changed == token


@given(st.text(min_size=SHORT, max_size=SHORT) | st.from_regex(r"[A-Za-z0-9_-]{40}", fullmatch=True))
def test_no_made_up_text_is_a_short_token(text: str) -> None:
    with pytest.raises(TokenError):
        TOKENS.read(Purpose.CHALLENGE, text, now=NOW)


def test_the_longest_addresses_have_tokens_too() -> None:
    address = f"{secrets.token_hex(32)}@{'.'.join(secrets.token_hex(30) for _ in range(3))}.exam"
    assert len(address) > 250
    words = (address, "deliver", "01KJMMA2G0VP6N10Y4EVBKWDN6", str(2**63 - 1), "1")
    token = TOKENS.make(Purpose.UNDO, *words, expires=LATER)
    assert TOKENS.read(Purpose.UNDO, token, now=NOW) == words
