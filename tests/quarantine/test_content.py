"""What a released copy looks like, and that stored content survives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.base.errors import StoreError
from tamis.judging.trace import NAMES, OwnFields
from tamis.quarantine.content import pack, released_copy, unpack

OWN = OwnFields("X-Spam-", "mx.example.com")
STATUS = b"X-Spam-Status: No, released by marie\r\n"


def test_our_headers_go_with_their_folds_and_the_rest_stays() -> None:
    ours = b"".join(f"x-SPAM-{name} : YES\r\n folded\r\n\tX-Spam-Score: 1\r\n".encode() for name in NAMES)
    kept = b"From: a@example.net\r\n b\r\nX-Spam-Other: stays\r\nX-Spam-Flagged: no\r\nSubject:\r\n"
    body = b"\r\nX-Spam-Flag: YES in the body\r\n.\r\n"
    assert released_copy(ours + kept + ours + body, OWN, "marie") == STATUS + kept + body


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\r\n",
        b"\r\nbody only",
        b"no header at all",
        b"From: a\r\n\r\n",
        b"From: a\r\nno colon here\r\nX-Spam-Flag: YES\r\n\r\n",
        b"From: a\n\nX-Spam-Flag: bare line ends\n",
        b"From: a\r\n \r\n\r\n",
        b"Subject: \xff\x00\r\n\r\n",
        b":no name\r\n\r\n",
    ],
)
def test_what_is_not_ours_stays(content: bytes) -> None:
    assert released_copy(content, OWN, "marie") == STATUS + content


def test_bare_line_ends_and_other_prefixes() -> None:
    copy = released_copy(b"X-Junk-Flag: YES\nX-Spam-Flag: YES\nTo: b\n\nx", OwnFields("X-Junk-", ""), "marie")
    assert copy == b"X-Junk-Status: No, released by marie\r\nX-Spam-Flag: YES\nTo: b\n\nx"


def test_a_folded_line_on_top_does_not_fold_our_field() -> None:
    content = b" evil\r\nSubject: x\r\n\r\n"
    assert released_copy(content, OWN, "marie") == STATUS + b"\r\n" + content


def test_a_header_that_ends_with_the_message() -> None:
    assert released_copy(b"X-Spam-Flag: YES", OWN, "marie") == STATUS


@given(by=st.text(st.characters(codec=None)))
def test_no_name_breaks_out_of_its_line(by: str) -> None:
    copy = released_copy(b"\r\n", OWN, by)
    assert copy.count(b"\r\n") == copy.count(b"\n") == 2
    assert len(copy.split(b"\r\n")[0]) < 998


@given(st.binary())
def test_a_second_release_changes_the_status_only(content: bytes) -> None:
    once = released_copy(content, OWN, "marie")
    assert released_copy(once, OWN, "marie") == once
    assert once.startswith(STATUS)
    assert len(once) <= len(STATUS + content) + 2


@given(st.binary())
def test_content_survives(content: bytes) -> None:
    assert unpack(pack(content), len(content)) == content


def test_damaged_content_is_refused() -> None:
    packed = pack(b"x" * 1000)
    for wrong, size in ((packed[:-1], 1000), (b"", 1000), (packed, 999), (packed, 1001), (b"no zstd", 3)):
        with pytest.raises(StoreError):
            unpack(wrong, size)
