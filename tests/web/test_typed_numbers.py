"""Numbers in addresses and forms: anybody can write anything there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.web.typed_numbers import MOST_DIGITS, typed_number

MOST = 10**MOST_DIGITS - 1


@given(st.integers(0, MOST))
def test_every_number_that_a_database_holds_is_read(number: int) -> None:
    assert typed_number(str(number)) == number


@given(
    st.text(
        alphabet=st.characters(categories=["Nd", "No", "Nl", "Zs", "Sm"])
        | st.sampled_from("0123456789-+_.e \n")
    )
)
def test_a_number_is_in_ascii_digits_alone(text: str) -> None:
    number = typed_number(text)
    assert number is None or (set(text) <= set("0123456789") and number == int(text))


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", "1_000", " 7", "7 ", "7\n", "٣", "²", "1e3", "0x10", "1" * 19, "9" * 100_000]
)
def test_all_else_is_no_number(text: str) -> None:
    assert typed_number(text) is None


def test_beyond_the_most_is_no_number() -> None:
    assert typed_number("999", most=999) == 999
    assert typed_number("1000", most=999) is None
    assert typed_number(str(MOST)) == MOST
    assert typed_number(str(MOST + 1)) is None
