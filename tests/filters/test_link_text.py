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
def test_others_domains_behind_a_gateway_are_told_in_mail_that_answers_nothing(link: str) -> None:
    assert _status(link) is Status.HIT


def test_what_a_gateway_shows_is_held_against_its_target() -> None:
    wrapped = "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fother.example%2F"
    assert _status(wrapped, "In-Reply-To: <1@client.example>\r\n") is Status.HIT
