"""Who a decoded address field names, whatever was written there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.language.shown_mailbox import shown_mailbox


def test_name_and_address() -> None:
    assert shown_mailbox("Marie (home) <marie@example.com>") == ("Marie (home)", "marie@example.com")
    assert shown_mailbox("nobody") == ("", "nobody")
    assert shown_mailbox("") == ("", "")


@pytest.mark.parametrize("mark", ["(", ":", "a:", '("', "<(", "\\("])
def test_depth_is_no_matter(mark: str) -> None:
    shown_mailbox(mark * 30_000)
    assert shown_mailbox(mark.strip("a") * 2_000 + " marie@example.com")


@given(st.text(alphabet='()<>:;,@"\\ a.', max_size=400))
def test_never_raises(value: str) -> None:
    name, address = shown_mailbox(value)
    assert isinstance(name, str)
    assert isinstance(address, str)
