"""The tagged subject (O2): the tag in front, the original still there, whatever charset it came in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.message.header_editing import edit
from tamis.message.mail import Mail
from tamis.message.subject import tagged_subject
from tests.builders import PROPERTY

TAG = "SPAM: "
RUSSIAN, JAPANESE, FRENCH = "Привет, мир", "こんにちは世界", "Été à la mer"


def with_subject(raw: bytes | None) -> bytes:
    field = b"" if raw is None else b"Subject:" + raw + b"\r\n"
    return b"From: a@example.net\r\n" + field + b"Date: Sun, 1 Mar 2026 12:00:00 +0000\r\n\r\nx\r\n"


def tagged(raw: bytes | None, tag: str = TAG) -> Mail:
    """The message as the desk would send it back."""
    mail = Mail(with_subject(raw))
    values = mail.headers.raw("subject")
    subject = tagged_subject(tag, values[0] if values else None, mail.subject)
    return Mail(edit(mail.raw, subject=subject))


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b" Hello", "Hello"),
        (b"Hello", "Hello"),
        (b"", ""),
        (b" =?utf-8?q?=C3=89t=C3=A9_=C3=A0_la_mer?=", FRENCH),
        (b" =?utf-8?b?" + b"w4l0w6kgw6AgbGEgbWVy?=", FRENCH),
        (b" =?koi8-r?b?8NLJ18XULCDNydI=?=", RUSSIAN),
        (b" =?iso-2022-jp?b?GyRCJDMkcyRLJEEkT0AkMyYbKEI=?=", JAPANESE),
        (b" =?utf-8?q?=C3=89t=C3=A9?=\r\n =?utf-8?q?_=C3=A0_la_mer?=", FRENCH),
        (b"\r\n Hello", "Hello"),
        (b" Hello\r\n world\r\n\tagain", "Hello world\tagain"),
        (b" " + FRENCH.encode(), FRENCH),
        (b" " + RUSSIAN.encode(), RUSSIAN),
        (b" " + FRENCH.encode("latin-1"), FRENCH),
        (b" " + JAPANESE.encode("iso-2022-jp"), None),
        (b" " + RUSSIAN.encode("koi8-r"), None),
        (b" " + b"\xff\xfe" * 200, None),
        (b" Hel\0lo", "Hello"),
        (b" =?nonsense?q?x?=", None),
        (b" =?utf-8?q?broken", None),
        (b" tab\there", None),
    ],
)
def test_tag_and_original(raw: bytes, text: str | None) -> None:
    original = Mail(with_subject(raw)).subject
    assert original is not None
    result = tagged(raw).subject
    assert result is not None
    assert result.rstrip() == (TAG + original.replace("\0", "")).rstrip()
    if text is not None:
        assert result.rstrip() == (TAG + text).rstrip()


def test_a_missing_subject_is_added() -> None:
    assert tagged(None).subject == TAG.strip()
    assert tagged(None).headers.names() == ("from", "date", "subject")


@pytest.mark.parametrize(
    "raw", [b" SPAM: Hello", b"SPAM:Hello", b"\r\n SPAM: Hello", b" SPAM: " + FRENCH.encode()]
)
def test_a_tag_that_is_there_is_not_doubled(raw: bytes) -> None:
    assert tagged_subject(TAG, raw, "whatever") is None


def test_what_is_declared_or_utf8_stays_octet_for_octet() -> None:
    for raw in (b" =?koi8-r?b?8NLJ18XULCDNydI=?=", b" " + RUSSIAN.encode(), b" a\r\n b"):
        assert tagged_subject(TAG, raw, "") == TAG.encode() + raw.strip(b" ")


def test_octets_without_a_charset_become_encoded_words() -> None:
    value = tagged_subject(TAG, b" " + RUSSIAN.encode("koi8-r"), RUSSIAN)
    assert value is not None
    assert value.isascii()
    assert max(map(len, value.split(b"\n"))) < 78
    assert Mail(b"Subject: " + value + b"\n\n").subject == TAG + RUSSIAN


@PROPERTY
@given(st.binary(max_size=200).map(lambda raw: raw.replace(b"\n", b"\n ").replace(b"\0", b"")))
def test_any_octets(raw: bytes) -> None:
    """The field stays one field, the rest of the message untouched, and the text is the tag and the original."""
    before, after = Mail(with_subject(b" " + raw)), tagged(b" " + raw)
    assert after.headers.names() == before.headers.names()
    assert after.raw.endswith(b"\r\nDate: Sun, 1 Mar 2026 12:00:00 +0000\r\n\r\nx\r\n")
    assert after.raw.startswith(b"From: a@example.net\r\nSubject: ")
    assert " ".join((after.subject or "").split()).startswith(TAG.strip())
