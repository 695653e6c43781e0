"""Fields: names, folding, encoded words, and what ends a header."""

from __future__ import annotations

import pytest

from tamis.message.mail import DefectKind, Limits, Mail


def kinds(mail: Mail) -> set[DefectKind]:
    return {defect.kind for defect in mail.defects}


def subject(value: str | bytes) -> str | None:
    octets = value.encode() if isinstance(value, str) else value
    return Mail(b"Subject: " + octets + b"\r\n\r\n").subject


def test_fields_keep_their_order_and_are_looked_up_without_case() -> None:
    headers = Mail(b"A: 1\nb: 2\nA: 3\n\nbody").headers
    assert [(field.name, field.value) for field in headers] == [("a", "1"), ("b", "2"), ("a", "3")]
    assert headers.all("a") == ("1", "3")
    assert headers.first("B") == "2"
    assert headers.first("c") is None
    assert headers.raw("a") == (b" 1", b" 3")
    assert len(headers) == 3
    assert "B" in headers


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_folding_is_undone(end: bytes) -> None:
    mail = Mail(b"Subject: a" + end + b" b" + end + b"\tc" + end + end + b"text")
    assert mail.subject == "a b\tc"
    assert mail.headers.fields[0].raw_value == b" a" + end + b" b" + end + b"\tc"
    assert mail.text == "text"


def test_a_name_keeps_its_octets() -> None:
    field = Mail(b"X-Odd \t: v\r\n\r\n").headers.fields[0]
    assert (field.name, field.raw_name, field.raw_value) == ("x-odd", b"X-Odd", b" v")


def test_a_line_without_colon_ends_the_header_and_belongs_to_the_body() -> None:
    mail = Mail(b"A: 1\r\nno field\r\nB: 2\r\n\r\nx")
    assert mail.headers.names() == ("a",)
    assert mail.text.startswith("no field")
    assert DefectKind.HEADER_WITHOUT_COLON in kinds(mail)


def test_an_mbox_line_is_skipped() -> None:
    mail = Mail(b"From ann@example.com Thu Aug 22 12:36:23 2002\nSubject: s\n\n")
    assert mail.subject == "s"
    assert DefectKind.MBOX_FROM in kinds(mail)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain", "plain"),
        ("=?utf-8?q?caf=C3=A9?=", "café"),
        ("=?utf-8?Q?a_b=5Fc?=", "a b_c"),
        ("=?UTF-8?B?Y2Fmw6k=?=", "café"),
        ("=?UTF-8?B?Y2Fmw6k?=", "café"),  # padding left out
        ("=?iso-8859-1*fr?q?=E9t=E9?=", "été"),
        ("a =?utf-8?q?b?= c", "a b c"),
        ("=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
        ("=?utf-8?q?a?=\r\n =?utf-8?q?b?=", "ab"),
        ("=?utf-8?q?a?==?utf-8?q?b?=", "ab"),
        ("=?utf-8?b?5pc=?= =?utf-8?b?pQ==?=", "日"),  # one character over two words
        ("=?utf-8?b?5pc=?= =?UTF-8?q?=A5?=", "日"),
        ("=?gb2312?B?yrLDtA==?=", "什么"),
        ("=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "日本"),
        ("=?koi8-r?B?8NLJ18XU?=", "Привет"),
        ("=?utf-8?q?with space inside?=", "with space inside"),
        ("=?utf-8?q?unfinished", "unfinished"),
        ("=?x-none?q?caf=C3=A9?=", "café"),
        ("=?utf-8?b?!!!!?=", "=?utf-8?b?!!!!?="),
        ("=?utf-7?q?+ADw-b+AD4-?=", "<b>"),
        ("=?utf-8?q??=", ""),
        ("50% =? off ?=", "50% =? off ?="),
        (b"caf\xc3\xa9", "café"),
        (b"caf\xe9", "café"),
    ],
)
def test_encoded_words(value: str | bytes, expected: str) -> None:
    assert subject(value) == expected


def test_a_flood_of_encoded_words_is_decoded_in_part() -> None:
    mail = Mail(b"Subject:" + b" =?utf-8?q?a?=" * 1500 + b"\r\n\r\n")
    assert mail.subject == "a" * 1000 + " =?utf-8?q?a?=" * 500
    assert kinds(mail) >= {DefectKind.HEADER_TOO_LONG}
    assert DefectKind.UNDECODABLE_WORD not in kinds(mail)


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"caf\xe9", DefectKind.RAW_8BIT_HEADER),
        (b"=?utf-8?b?!!!!?=", DefectKind.UNDECODABLE_WORD),
        (b"=?utf-8?q?unfinished", DefectKind.UNDECODABLE_WORD),
        (b"=?hex?q?6869?=", DefectKind.UNKNOWN_CHARSET),
        (b"=?utf-8?q?=C3?=", DefectKind.MISLABELLED_CHARSET),
        (b"x" * 999, DefectKind.LINE_TOO_LONG),
    ],
)
def test_defects_of_values_name_the_field(raw: bytes, kind: DefectKind) -> None:
    mail = Mail(b"Subject: " + raw + b"\r\n\r\n")
    assert [defect.where for defect in mail.defects if defect.kind is kind] == ["subject"]


def test_well_formed_utf8_is_no_defect() -> None:
    assert DefectKind.RAW_8BIT_HEADER not in kinds(Mail("Subject: é\r\n\r\n".encode()))


@pytest.mark.parametrize("name", ["From", "To", "Subject", "Date", "Message-ID", "Content-Type", "Reply-To"])
def test_what_may_occur_once_is_reported_when_it_occurs_twice(name: str) -> None:
    field = name.encode() + b": a@example.com\r\n"
    once, twice = Mail(field + b"\r\n"), Mail(field * 2 + b"\r\n")
    assert DefectKind.DUPLICATE_SINGLETON not in kinds(once)
    assert (DefectKind.DUPLICATE_SINGLETON, name.lower()) in {(d.kind, d.where) for d in twice.defects}


def test_received_may_repeat() -> None:
    assert DefectKind.DUPLICATE_SINGLETON not in kinds(Mail(b"Received: x\r\n" * 9 + b"\r\n"))


def test_bounds_of_the_header() -> None:
    limits = Limits(headers=3, header_octets=10)
    mail = Mail(b"A: 1\r\n" * 5 + b"\r\ntext", limits=limits)
    assert len(mail.headers) == 3
    assert mail.text == "text"
    assert DefectKind.TOO_MANY_HEADERS in kinds(mail)
    long = Mail(b"A: " + b"x" * 2000 + b"\r\n\r\ntext", limits=limits)
    assert len(long.headers.raw("a")[0]) == 10
    assert long.text == "text"
    assert DefectKind.HEADER_TOO_LONG in kinds(long)
