"""URLs of text and of markup."""

from __future__ import annotations

import pytest

from tamis.message.mail import DefectKind, Limits, Mail


def text_urls(text: str) -> list[tuple[str, str]]:
    mail = Mail(b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + text.encode())
    return [(url.raw, url.host) for url in mail.urls]


def html_mail(source: str) -> Mail:
    return Mail(b"Content-Type: text/html; charset=utf-8\r\n\r\n" + source.encode())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see http://example.com/a?b=c#d now", [("http://example.com/a?b=c#d", "example.com")]),
        ("HTTPS://WWW.Example.COM/", [("HTTPS://WWW.Example.COM/", "www.example.com")]),
        ("(http://example.com/a).", [("http://example.com/a", "example.com")]),
        ("http://example.com/a_(b)", [("http://example.com/a_(b)", "example.com")]),
        ("<http://example.com>", [("http://example.com", "example.com")]),
        ('"http://example.com",', [("http://example.com", "example.com")]),
        ("http://u:p@example.com:8080/", [("http://u:p@example.com:8080/", "example.com")]),
        ("http://example.com@192.0.2.1/", [("http://example.com@192.0.2.1/", "192.0.2.1")]),
        ("http://[2001:db8::1]:80/", [("http://[2001:db8::1]:80/", "2001:db8::1")]),
        ("http://ex%61mple.com/", [("http://ex%61mple.com/", "example.com")]),
        (
            "http://example.com\\@example.net/",
            [
                ("http://example.com\\@example.net/", "example.com"),
                ("http://example.com\\@example.net/", "example.net"),
            ],
        ),
        ("ftp://example.com/f", [("ftp://example.com/f", "example.com")]),
        ("www.example.com/x, and", [("www.example.com/x", "www.example.com")]),
        ("www.", []),
        ("http://", []),
        ("http:///path", []),
        ("buy at example.com today", [("example.com", "example.com")]),
        ("example.com/path.", [("example.com/path", "example.com")]),
        ("shop.example.co.uk", [("shop.example.co.uk", "shop.example.co.uk")]),
        ("ann@example.com", []),
        ("setup.py readme.md 3.14 e.g.this", []),
        ("end.it all.In", []),
        ("bit.example.com:8080/a", [("bit.example.com:8080/a", "bit.example.com")]),
        ("http://münchen.example.com/", [("http://münchen.example.com/", "xn--mnchen-3ya.example.com")]),
        ("http://example。com/", [("http://example。com/", "example.com")]),
        ("http://\uff45xample.com/", [("http://\uff45xample.com/", "example.com")]),
        ("mailto:ann@example.com javascript://x", []),
        (
            "\u00abhttp://example.com\u00bb",
            [
                ("http://example.com\u00bb", "example.xn--com-3ga"),
                ("http://example.com\u00bb", "example.com"),
            ],
        ),
        ("http:\\\\example.com\\a", [("http://example.com\\a", "example.com")]),
        ("Link:example.com, sip:example.com", [("example.com", "example.com")]),
        ("\u8a73\u7d30\u306fexample.com\u3078", [("example.com", "example.com")]),
        ("example.comma", []),
        (
            "<http://www.exam\r\n  ple.com/a>",
            [
                ("http://www.exam", "www.exam"),
                ("ple.com/a", "ple.com"),
                ("http://www.example.com/a", "www.example.com"),
            ],
        ),
        (
            "<URL: http://example.com/ a>",
            [("http://example.com/", "example.com"), ("http://example.com/a", "example.com")],
        ),
        (
            "h t t p s : / / example.com/a",
            [("example.com/a", "example.com"), ("https://example.com/a", "example.com")],
        ),
        ("h t t p : / / e x a m p l e . c o m / a", [("http://example.com/a", "example.com")]),
        ("http : // example . com/a", [("http://example.com/a", "example.com")]),
        ("shop[.]example (dot) com", [("http://shop.example.com", "shop.example.com")]),
        ("what pps: / / is", []),
        ("see \\\\example.com\\share.", [("\\\\example.com\\share", "example.com")]),
        ("see \\\\[2001:db8::1]\\share", [("\\\\[2001:db8::1]\\share", "2001:db8::1")]),
        ("see \\\\server\\share, C:\\\\a.b\\c and a\\\\b.c\\d", []),
        ("file:///C:/a.b/c or file:////example.com/a", [("file:////example.com/a", "example.com")]),
        ("ftp.example.com, sftp.example", [("ftp.example.com", "ftp.example.com")]),
    ],
)
def test_urls_of_text(text: str, expected: list[tuple[str, str]]) -> None:
    assert text_urls(text) == expected


def test_a_labels_are_shown_as_letters() -> None:
    (url,) = Mail(b"\r\nhttp://xn--mnchen-3ya.example.com/").urls
    assert url.unicode_host == "münchen.example.com"


def test_letters_that_grow_in_lower_case_hide_no_url() -> None:
    found = text_urls("\u0130\u0130 HTTP://A.Example.com/x WWW.Example.org \u0130 EXAMPLE.NET")
    assert [host for _, host in found] == ["a.example.com", "www.example.org", "example.net"]


def test_a_wrong_a_label_stays() -> None:
    (url,) = Mail(b"\r\nhttp://xn--99999999.example.com/").urls
    assert url.unicode_host == "xn--99999999.example.com"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<a href=http://a.example.com/x>y</a>", [("http", "a.example.com", "link", "y")]),
        ("<img src=https://i.example.com/1.gif alt=z>", [("https", "i.example.com", "image", "z")]),
        ("<form action=http://f.example.com/>", [("http", "f.example.com", "form", "")]),
        ("<a href=//a.example.com/>y</a>", [("http", "a.example.com", "link", "y")]),
        ("<a href='http:\\\\a.example.com\\x'>y</a>", [("http", "a.example.com", "link", "y")]),
        ("<a href='ht\ntp://a.exam\tple.com/'>y</a>", [("http", "a.example.com", "link", "y")]),
        ("<a href=http:a.example.com>y</a>", [("http", "a.example.com", "link", "y")]),
        ("<a href=' HTTP://A.Example.com '>y</a>", [("http", "a.example.com", "link", "y")]),
        ("<a href=/relative>y</a>", []),
        (
            "<base href=https://b.example.com/><a href=/relative>y</a>",
            [("https", "b.example.com", "link", "y")],
        ),
        ("<a href=mailto:ann@example.com>y</a><a href=javascript:x>z</a><img src=cid:1>", []),
        ("<td background=http://t.example.com/b.gif>", [("http", "t.example.com", "image", "")][:0]),
        ("<table background=http://t.example.com/b.gif>", [("http", "t.example.com", "image", "")]),
    ],
)
def test_urls_of_markup(source: str, expected: list[tuple[str, str, str, str]]) -> None:
    assert [(u.scheme, u.host, u.source, u.text) for u in html_mail(source).urls] == expected


def test_the_text_of_a_link_is_compared_with_where_it_goes() -> None:
    urls = html_mail("<a href=http://evil.example.net/>http://bank.example.com/</a>").urls
    assert [(url.host, url.source) for url in urls] == [
        ("evil.example.net", "link"),
        ("bank.example.com", "text"),
    ]
    assert urls[0].text == "http://bank.example.com/"


def test_urls_are_distinct_and_bounded() -> None:
    assert len(text_urls("http://example.com/ " * 5)) == 1
    text = b"\r\n" + b"".join(b"http://h%d.example.com/ " % n for n in range(20))
    mail = Mail(text, limits=Limits(urls=6))
    assert len(mail.urls) == 6
    assert DefectKind.URL_LIMIT in {defect.kind for defect in mail.defects}
    long = Mail(b"\r\nhttp://example.com/" + b"a" * 9000, limits=Limits(url_characters=100))
    assert len(long.urls[0].raw) <= 110
