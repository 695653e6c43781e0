"""What links lead to, in hostile spellings and numbers."""

from __future__ import annotations

import time

import pytest

from tamis.filters.shared.clients import registered_domain
from tamis.filters.shared.link_hosts import MOST, address_in, subjects_of
from tamis.message.mail import Mail, sampling
from tamis.message.names import is_host_name

HEADER = b"From: a@example.net\r\nMIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"


def subjects(*hrefs: str) -> list[str]:
    links = "\n".join(f'<a href="{href}">x</a>' for href in hrefs)
    return [one for one in subjects_of(Mail(HEADER + links.encode())).names if one != "example.net"]


@pytest.mark.parametrize(
    ("href", "expected"),
    [
        ("http://a.b.example.org/", ["example.org"]),
        ("http://user:pw@example.org:8080/x", ["example.org"]),
        ("http://www.example.com/?u=http://example.org/", ["example.com", "example.org"]),
        ("http://www.example.com/?u=http%3a%2f%2fexample.org", ["example.com", "example.org"]),
        ("http://www.example.com/?u=http%253a%252f%252fexample.org", ["example.com", "example.org"]),
        ("http://www.example.com/r/https://x.example.org/y", ["example.com", "example.org"]),
        ("http://www.example.com/?u=www.example.org&amp;z=1", ["example.com", "example.org"]),
        ("http://example%2eorg/", ["example.org"]),
        ("http://192.0.2.1/", ["192.0.2.1"]),
        ("http://[2001:db8::1]/", ["2001:db8::1"]),
        ("http://0xc0000201/", ["192.0.2.1"]),
        ("http://0300.0.2.1/", ["192.0.2.1"]),
        ("http://co.uk/", []),
        ("http://localhost/", []),
        ("mailto:x@example.org", ["example.org"]),
        ("mailto:x@example.com?body=see%20http%3A%2F%2Fexample.org%2F", ["example.org", "example.com"]),
        ("https://www.example.com/?u=687474703a2f2f6578616d706c652e6f72672f", ["example.com", "example.org"]),
        ("https://protect-eu.mimecast.com/s/AbC?domain=example.org", ["mimecast.com", "example.org"]),
        ("https://a-example-org.translate.goog/x", ["a-example-org.translate.goog", "example.org"]),
        ("https://mandrillapp.com/track/click/3/www.example.org?p=e30", ["mandrillapp.com", "example.org"]),
    ],
)
def test_where_a_link_leads(href: str, expected: list[str]) -> None:
    assert subjects(href) == expected


@pytest.mark.parametrize(
    "field",
    [
        b"List-Unsubscribe: <https://example.org/u?x=1>",
        b"List-Help: <https://example.org/>",
        b"Content-Location: https://example.org/page.html",
        b"Subject: See https://example.org/ now",
        b'Reply-To: "https://example.org/" <b@example.net>',
    ],
)
def test_addresses_in_the_header(field: bytes) -> None:
    assert "example.org" in subjects_of(Mail(field + b"\r\n" + HEADER + b"x")).names


def test_addresses_as_they_look() -> None:
    wide = "".join(chr(ord(c) + 0xFEE0) for c in "https://example.org/")
    assert "example.org" in subjects_of(Mail(HEADER + f"<p>Go to {wide}</p>".encode())).names


def test_links_come_before_images_and_text_and_the_number_is_bounded() -> None:
    images = "".join(f'<img src="http://i{n}.example/x.png">' for n in range(100))
    found = subjects_of(
        Mail(HEADER + f'{images}<p>www.t.example</p><a href="http://l.example/">x</a>'.encode())
    )
    assert "l.example" in found.names
    assert "t.example" in found.names
    assert (len(found.names), found.left_out) == (MOST, 103 - MOST)


def test_no_sender_knows_which_of_many_are_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    links = "".join(f'<a href="http://l{n}.example/">x</a>' for n in range(60))
    raw = HEADER + links.encode() + b'<img src="http://i.example/"><p>www.t.example'
    chosen = []
    for key in range(40):
        monkeypatch.setattr(sampling, "_KEY", bytes([key]))
        found = subjects_of(Mail(raw)).names
        assert (
            found == subjects_of(Mail(raw)).names
        )  # in one process, so that nobody is asked about twice as many
        assert {"l0.example", "i.example", "example.net"} <= set(found)  # the first, the last, the author's
        chosen.append(found)
    assert all(len(set(names)) == MOST for names in chosen)
    assert len({name for names in chosen for name in names}) == 63


def test_ten_thousand_urls_take_little_time() -> None:
    links = [f"http://h{n}.example/?u=http%3A%2F%2Fx.example.com%26aHR0cHM6Ly9" for n in range(10_000)]
    begun = time.process_time()
    assert len(subjects(*links)) == MOST - 1  # and the author's
    assert time.process_time() - begun < 5


@pytest.mark.parametrize("host", ["1.2.3", "0x7f.1", "09.1.1.1", "4294967296", "1.2.3.4.5", "x", ""])
def test_numbers_that_are_addresses(host: str) -> None:
    address = address_in(host)
    assert str(address) == {"1.2.3": "1.2.0.3", "0x7f.1": "127.0.0.1"}.get(host, "None")


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("a.b.example.co.uk", "example.co.uk"),
        ("co.uk", ""),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("a_b.example.org", "example.org"),
        ("a b.example.org", ""),
        ("-a.example.org", ""),
        ("1.2.3.4", ""),
    ],
)
def test_registered_domains(host: str, domain: str) -> None:
    assert registered_domain(host) == domain
    assert is_host_name(host) or not domain
