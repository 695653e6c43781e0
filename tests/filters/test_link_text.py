"""Links that gateways rewrote in mail that is quoted: no deceit of who answers."""

from __future__ import annotations

import pytest

from tamis.contract.finding import Status
from tamis.filters.link_text import LinkText
from tests.builders import message

_GUARDED = (
    "https://url.uk.m.mimecastprotect.com/s/AbC",
    "https://protect-eu.mimecast.com/s/AbC",
    "https://linklock.titanhq.com/analyse?data=AbC",
    "https://eu.vadesecure.com/v4?f=AbC",
)


def _status(link: str, fields: str = "", shown: str = "https://client.example/a") -> Status:
    raw = f'From: a@example.net\r\n{fields}Content-Type: text/html\r\n\r\n<a href="{link}">{shown}</a>\r\n'
    return LinkText().look(message(raw.encode())).status


@pytest.mark.parametrize("link", _GUARDED)
@pytest.mark.parametrize(
    "field", ["In-Reply-To: <1@client.example>\r\n", "References: <1@client.example>\r\n"]
)
def test_an_answer_quotes_what_a_gateway_rewrote(link: str, field: str) -> None:
    assert _status(link, field) is Status.CLEAR


@pytest.mark.parametrize("link", _GUARDED)
def test_the_authors_own_domain_behind_a_gateway_is_no_deceit(link: str) -> None:
    assert _status(link, shown="https://www.example.net/a") is Status.CLEAR


@pytest.mark.parametrize("link", _GUARDED)
def test_what_only_a_gateway_knows_accuses_nobody(link: str) -> None:
    assert _status(link) is Status.CLEAR
    assert _status(f"{link}?domain=client.example") is Status.CLEAR


def test_a_gateways_link_that_names_another_domain_is_told_in_mail_that_answers_nothing() -> None:
    link = "https://protect-eu.mimecast.com/s/AbC?domain=other.example"
    assert _status(link) is Status.HIT
    assert _status(link, "References: <1@client.example>\r\n") is Status.CLEAR


def test_what_a_gateway_shows_is_held_against_its_target() -> None:
    wrapped = "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fother.example%2F"
    assert _status(wrapped, "In-Reply-To: <1@client.example>\r\n") is Status.HIT


@pytest.mark.parametrize(
    "shown",
    [
        "(https://client.example/a)",
        "\u27a4 https://client.example/a",
        "&lt;https://client.example&gt;",
        "https:\\\\client.example",
        "https:/client.example",
        "https:\u2044\u2044client.example",
        "https\u2236//client.example",
        "hxxps://client.example",
        "https:// www.client.example",
        "client.example/login",
        "client.example",
        "[ client.example ]",
        "www\u3002client\u3002example",
        'https://client.example<span style="display:none">.other.example</span>',
        'https://<b><i style="font-size:0">other.</i>client</b>.example/',
        "<bdo dir=rtl>elpmaxe.tneilc//:sptth</bdo>",
        '<img src="cid:a" alt="https://client.example/">',
    ],
)
def test_ways_of_showing_an_address(shown: str) -> None:
    assert _status("https://other.example/", shown=shown) is Status.HIT
    assert _status("https://www.client.example/", shown=shown) is Status.CLEAR


def test_the_authors_own_name_alone_is_no_deceit() -> None:
    """Firms have several domains, and write the one that is known."""
    assert _status("https://other.example/", shown="example.net") is Status.CLEAR
    assert _status("https://other.example/", shown="https://example.net") is Status.HIT


@pytest.mark.parametrize(
    "shown",
    [
        "Read more",
        "Client.example",
        "node.js",
        "draw.io",
        "main.rs",
        "and/or",
        "1.2.2026/a",
        "a.b/c",
        "19.95",
    ],
)
def test_what_promises_no_domain(shown: str) -> None:
    assert _status("https://other.example/", shown=shown) is Status.CLEAR
