"""What a message says of itself as a whole."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from tamis.message.mail import ATTRIBUTION, Attribution, Defect, DefectKind, Limits, Mail, Scripts
from tests.message.mail import fuzz

GOOD = (
    b"From: Ann <ann@example.com>\r\nTo: bob@example.org\r\nSubject: hello\r\n"
    b"Date: Thu, 22 Aug 2002 18:26:25 +0700\r\nMessage-ID: <1@example.com>\r\n\r\nHello Bob.\r\n"
)


def kinds(mail: Mail) -> set[DefectKind]:
    return {defect.kind for defect in mail.defects}


def test_a_good_message_has_no_defects() -> None:
    mail = Mail(GOOD)
    assert mail.defects == ()
    assert (mail.raw, mail.size, mail.complete) == (GOOD, len(GOOD), True)
    assert mail.subject == "hello"
    assert mail.message_id == "1@example.com"
    assert mail.date == datetime(2002, 8, 22, 18, 26, 25, tzinfo=timezone(timedelta(hours=7)))
    assert mail.text == "Hello Bob.\n"
    assert not mail.is_empty
    assert not mail.is_dsn


def test_nothing_is_derived_twice() -> None:
    mail = Mail(GOOD)
    for name in ("parts", "text", "urls", "scripts", "defects", "html", "from_addresses"):
        assert getattr(mail, name) is getattr(mail, name)


def test_a_message_cut_by_the_caller_says_so() -> None:
    mail = Mail(GOOD, complete=False, size=10_000_000)
    assert (mail.size, mail.complete) == (10_000_000, False)
    assert kinds(mail) == {DefectKind.TRUNCATED}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Thu, 22 Aug 2002 18:26:25 GMT", datetime(2002, 8, 22, 18, 26, 25, tzinfo=UTC)),
        ("22 Aug 02 18:26 -0000", datetime(2002, 8, 22, 18, 26, tzinfo=UTC)),
        ("Thu, 22 Aug 2002 18:26:60 +0000 (leap)", datetime(2002, 8, 22, 18, 26, 59, tzinfo=UTC)),
        ("Thu, 99 Aug 2002 18:26:25 +0000", None),
        ("Thu, 22 Aug 2002 18:26:25 +99999999", None),
        ("22 Aug 99999 00:00:00 +0000", None),
        ("yesterday", None),
        ("1" * 5000, None),
        ("", None),
    ],
)
def test_dates(value: str, expected: datetime | None) -> None:
    mail = Mail(f"Date: {value}\r\n\r\n".encode())
    assert mail.date == expected
    assert (DefectKind.IMPOSSIBLE_DATE in kinds(mail)) == (expected is None)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("<a@example.com>", "a@example.com"), ("a@example.com", "a@example.com"), ("<>", None)],
)
def test_message_ids(value: str, expected: str | None) -> None:
    assert Mail(f"Message-ID: {value}\r\n\r\n".encode()).message_id == expected
    assert Mail(b"\r\n").message_id is None


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", True),
        (b"From: a@example.com\r\n\r\n", True),
        (b"Subject: \r\n\r\n \r\n\t\r\n", True),
        (b"Content-Type: text/html\r\n\r\n<html><body><p>&nbsp;</p></body></html>", True),
        (b"Content-Type: text/plain; charset=utf-8\r\n\r\n\xe2\x80\x8b", True),
        (b"Content-Type: text/html\r\n\r\n<img src=http://example.com/a.gif>", False),
        (b"Subject: x\r\n\r\n", False),
        (b"\r\nx", False),
        (b"Content-Type: application/pdf\r\n\r\n%PDF", False),
    ],
)
def test_emptiness(raw: bytes, expected: bool) -> None:
    assert Mail(raw).is_empty is expected


def dsn(report_type: str = "delivery-status", status: str = "message/delivery-status") -> Mail:
    return Mail(
        f"Content-Type: multipart/report; report-type={report_type}; boundary=b\r\n\r\n--b\r\n\r\nfailed\r\n"
        f"--b\r\nContent-Type: {status}\r\n\r\nReporting-MTA: dns; mx.example.com\r\n\r\n--b--\r\n".encode()
    )


def test_delivery_status_notifications() -> None:
    assert dsn().is_dsn
    assert dsn("Delivery-Status", "message/global-delivery-status").is_dsn
    assert not dsn("disposition-notification").is_dsn
    assert not dsn(status="text/plain").is_dsn


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (GOOD + b"\0", DefectKind.NUL),
        (GOOD + b"a\rb", DefectKind.BARE_CR),
        (GOOD + b"a\nb", DefectKind.BARE_LF),
        (GOOD.replace(b"From:", b"X:"), DefectKind.MISSING_FROM),
        (GOOD.replace(b"Date:", b"X:"), DefectKind.MISSING_DATE),
    ],
)
def test_defects_of_the_whole(raw: bytes, kind: DefectKind) -> None:
    assert kinds(Mail(raw)) == {kind}


def test_lf_lines_are_no_defect_by_themselves() -> None:
    assert Mail(GOOD.replace(b"\r\n", b"\n")).defects == ()


def test_line_ends_do_not_change_what_is_derived() -> None:
    crlf, lf = Mail(fuzz.GOOD), Mail(fuzz.GOOD.replace(b"\r\n", b"\n"))
    for name in ("subject", "from_addresses", "date", "text", "urls", "scripts", "containers", "defects"):
        if name == "containers":
            assert [c.path for c in crlf.containers] == [c.path for c in lf.containers]
        else:
            assert getattr(crlf, name) == getattr(lf, name), name
    assert [html.source for html in crlf.html] == [html.source for html in lf.html]


def test_defects_do_not_depend_on_what_was_asked_before() -> None:
    raw = b"Subject: =?x?q?a?=\r\nContent-Type: text/html; charset=hex\r\n\r\n<p>\xff"
    first, second = Mail(raw), Mail(raw)
    _ = second.urls, second.subject, second.is_empty, second.parts
    assert set(first.defects) == set(second.defects)


def test_defects_are_bounded_and_printable() -> None:
    mail = Mail(b"".join(b"X%d: =?\xff\r\n" % n for n in range(500)) + b"\r\n", limits=Limits(defects=20))
    assert len(mail.defects) == 20
    for defect in mail.defects:
        assert isinstance(defect, Defect)
        assert (defect.detail + defect.where).isprintable()
        assert len(defect.detail) <= 120


def test_every_kind_is_attributed() -> None:
    assert set(ATTRIBUTION) == set(DefectKind)
    assert ATTRIBUTION[DefectKind.NUL] is Attribution.SENDER
    assert ATTRIBUTION[DefectKind.TOO_MANY_PARTS] is Attribution.BOUND


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("abc, 123!", Scripts(latin=3)),
        ("Привет abc", Scripts(cyrillic=6, latin=3)),
        ("漢字 ひら カナ 한국", Scripts(han=2, hiragana=2, katakana=2, hangul=2)),
        ("αβ שלום سلام ไทย é", Scripts(greek=2, hebrew=4, arabic=4, thai=3, latin=1)),
        ("ԱԲ हि", Scripts(other=3)),
        ("", Scripts()),
    ],
)
def test_scripts(text: str, expected: Scripts) -> None:
    found = Mail(b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + text.encode()).scripts
    if "हि" in text:  # whether a vowel sign is a letter is up to the Unicode version
        assert found.other in {3, 4}
    else:
        assert found == expected


def test_scripts_count_subject_text_and_names() -> None:
    scripts = Mail("Subject: яж\r\nFrom: Ян <a@example.com>\r\n\r\nwxyz".encode()).scripts
    assert (scripts.cyrillic, scripts.latin, scripts.letters) == (4, 4, 8)
    assert scripts.share("cyrillic") == 0.5
    assert Scripts().share("han") == 0
    with pytest.raises(ValueError, match="no such script"):
        scripts.share("klingon")
