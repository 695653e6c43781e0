"""Addresses as keys, and the scopes in which a recipient's policy may stand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.message.address import (
    PLATFORM,
    address_key,
    domain_key,
    domain_of,
    mailbox_in,
    mailbox_of,
    scopes_of,
    unbracket,
)
from tests.builders import PROPERTY


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("<marie@example.com>", "marie@example.com"),
        (" marie@example.com ", "marie@example.com"),
        ("<>", ""),
        ("", ""),
        ("<@relay.example.net,@b.example.net:marie@example.com>", "marie@example.com"),
        ("@example.com", "@example.com"),  # no source route: there is nothing behind it
        ('<"a b"@example.com>', '"a b"@example.com'),
    ],
)
def test_path(path: str, address: str) -> None:
    assert unbracket(path) == address


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("Marie@Example.COM", "marie@example.com"),
        ("marie@example.com.", "marie@example.com"),
        ("marie@Bücher.example", "marie@xn--bcher-kva.example"),
        ("Root", "root"),
        ("a@b@Example.com", "a@b@example.com"),
        ("marie@" + "x" * 70 + "é", "marie@" + "x" * 70 + "\\xe9"),  # no A-label can be made of it
    ],
)
def test_key(address: str, key: str) -> None:
    assert address_key(address) == key


@pytest.mark.parametrize(
    ("address", "domain"),
    [("a@Example.com", "example.com"), ("root", ""), ("<>", ""), ("@example.com", "example.com")],
)
def test_domain(address: str, domain: str) -> None:
    assert domain_of(address) == domain


@pytest.mark.parametrize(
    ("address", "delimiter", "scopes"),
    [
        ("Marie@Example.com", "+", ("marie@example.com", "example.com", PLATFORM)),
        (
            "marie+news@example.com",
            "+",
            ("marie+news@example.com", "marie@example.com", "example.com", PLATFORM),
        ),
        (
            "marie+a+b@example.com",
            "+",
            ("marie+a+b@example.com", "marie@example.com", "example.com", PLATFORM),
        ),
        (
            "marie-a+b@example.com",
            "+-",
            ("marie-a+b@example.com", "marie@example.com", "example.com", PLATFORM),
        ),
        ("+news@example.com", "+", ("+news@example.com", "example.com", PLATFORM)),
        ("marie+news@example.com", "", ("marie+news@example.com", "example.com", PLATFORM)),
        ("root", "+", ("root", PLATFORM)),
        ("", "+", (PLATFORM,)),
        ("@example.com", "+", ("@example.com", "example.com", PLATFORM)),
    ],
)
def test_scopes(address: str, delimiter: str, scopes: tuple[str, ...]) -> None:
    assert scopes_of(address, delimiter) == scopes


@pytest.mark.parametrize(
    ("address", "delimiter", "mailbox"),
    [
        ("Trap+X@Example.com", "+", "trap@example.com"),
        ("trap+x-y@example.com", "+-", "trap@example.com"),
        ("+a-b@example.com", "+-", "+a-b@example.com"),
        ("trap+@example.com", "+", "trap@example.com"),
        ('"trap+x"@example.com', "+", "trap@example.com"),
        ('"a b+x y"@example.com', "+", '"a b"@example.com'),
        ('"a\\"b+x"@example.com', "+", '"a\\"b"@example.com'),
        ("postmaster-x@example.com", "-", "postmaster@example.com"),
        ("mailer-daemon@example.com", "-", "mailer-daemon@example.com"),
        ("owner-news@example.com", "-", "owner-news@example.com"),
        ("news-request@example.com", "-", "news-request@example.com"),
        ("trap=x@example.com", "=", "trap@example.com"),
        ("trap.x@example.com", ".", "trap@example.com"),
        ("root+x", "+", "root+x"),
    ],
)
def test_mailboxes(address: str, delimiter: str, mailbox: str) -> None:
    """As Postfix divides a local part."""
    assert mailbox_of(address, delimiter) == mailbox
    assert mailbox_in(scopes_of(address, delimiter)) == mailbox


@PROPERTY
@given(st.text(max_size=20), st.text(max_size=4))
def test_a_mailbox_is_its_own_and_its_extensions_are_its(local: str, delimiter: str) -> None:
    mailbox = mailbox_of(f"{local}@example.com", delimiter)
    assert mailbox_of(mailbox, delimiter) == mailbox


@PROPERTY
@given(st.text(max_size=80))
def test_whatever_comes_has_a_stable_key(text: str) -> None:
    assert scopes_of(text)[-1] == PLATFORM
    assert domain_key(domain_key(text)) == domain_key(text)
