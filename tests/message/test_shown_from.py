"""What is remembered of From names the address that the field has, whatever its encoded words say."""

from __future__ import annotations

from base64 import b64encode
from email.header import Header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.language.shown_mailbox import shown_mailbox
from tamis.message.mail import Mail
from tamis.message.shown_from import shown_from


def _shown(value: str) -> str:
    return shown_from(Mail(f"From: {value}\n\n".encode()).headers)


@pytest.mark.parametrize(
    ("field", "shown"),
    [
        ("Alice <a@example.com>", "Alice <a@example.com>"),
        ("=?utf-8?q?Ren=C3=A9?= <a@example.com>", "René <a@example.com>"),
        (
            "=?utf-8?q?Bank_=3Cboss=40example.org=3E=2C?= <a@example.com>",
            '"Bank <boss@example.org>," <a@example.com>',
        ),
        ("=?utf-8?q?boss=40example.org=2C?= <a@example.com>", '"boss@example.org," <a@example.com>'),
        ("=?utf-8?q?no_address?=", "no address"),
        ("", ""),
    ],
)
def test_as_people_read_it(field: str, shown: str) -> None:
    assert _shown(field) == shown


def test_without_from() -> None:
    assert shown_from(Mail(b"Subject: x\n\n").headers) == ""


@given(st.text(alphabet='<>@,;:"\\() ab.é', min_size=1, max_size=60))
def test_an_encoded_name_is_no_address(name: str) -> None:
    word = f"=?utf-8?b?{b64encode(name.encode()).decode()}?="
    assert shown_mailbox(_shown(f"{word} <a@example.com>"))[1] == "a@example.com"


def test_long_names_in_several_words() -> None:
    word = Header("é" * 200 + " <boss@example.org>", "utf-8").encode(linesep="\n")
    assert shown_mailbox(_shown(f"{word}\n <a@example.com>"))[1] == "a@example.com"
