"""ULIDs: octets and text say the same, and nothing else is one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.base.ulids import DIGITS, ulid_octets, ulid_text


@given(st.binary(min_size=16, max_size=16))
def test_there_and_back(octets: bytes) -> None:
    assert ulid_octets(ulid_text(octets)) == octets


@given(st.text(alphabet=DIGITS, min_size=26, max_size=26))
def test_every_text_of_its_form_is_one_id(text: str) -> None:
    octets = ulid_octets(text)
    assert (octets is None) is (text[0] > "7")
    if octets is not None:
        assert ulid_text(octets) == text


@given(st.lists(st.binary(min_size=16, max_size=16), min_size=2))
def test_texts_sort_as_their_numbers(several: list[bytes]) -> None:
    assert [ulid_octets(one) for one in sorted(map(ulid_text, several))] == sorted(several)


@pytest.mark.parametrize(
    "text", ["", "0" * 25, "0" * 27, "8" + "0" * 25, "I" * 26, "0" * 25 + "é", "01jdcha77engecgxv4q3j4s8c1"]
)
def test_other_texts_are_none(text: str) -> None:
    assert ulid_octets(text) is None
