"""Rare patterns in markup are found as one pattern with all of them finds them."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from tamis.message.mail.hints import Hints
from tests.builders import PROPERTY

PAIRS = [("order", r"order(?<![\w-]order)[\w-]{0,7}\s*:"), ("dir", r"dir\s*=\s*[\"']?\s*rtl"), ("ask", "ask")]
WHOLE = re.compile(r"(?<![\w-])order[\w-]{0,7}\s*:|dir\s*=\s*[\"']?\s*rtl|ask", re.IGNORECASE)
PIECES = st.sampled_from(
    [
        *("order", "ORDER", "-", "b", ":", " ", "\n", "=", "'", "dir", "Dir", "rtl", "RTL", "as", "k", "K"),
        *("\u212a", "\u017f", "a", "é", "\u0130", "d", "\u0131r"),  # what lower case makes other letters of
    ]
)


@PROPERTY
@given(st.lists(PIECES, max_size=12).map("".join))
def test_hints_are_found_as_one_pattern_finds_them(text: str) -> None:
    assert Hints(PAIRS).are_in(text) is (WHOLE.search(text) is not None)
