"""The console's frame: for whom it is, and what it looks at."""

from __future__ import annotations

import re
from email import message_from_bytes
from email.policy import default

import pytest

from tests.web.console.conftest import PLATFORM_ADMIN
from tests.web.pages import ADMIN, JEAN, MARIE, Pages


def test_it_is_for_who_was_granted_something(pages: Pages) -> None:
    assert pages.visitor().get("/admin").location == "/sign-in?to=%2Fadmin"
    way_in = pages.visitor().get("/sign-in?to=%2Fadmin").text
    assert 'href="/admin/sign-in?to=%2Fadmin"' in way_in, "password and code without a mailed link"
    assert "/admin/sign-in" not in pages.visitor().get("/sign-in").text
    refused = pages.visitor(MARIE).get("/admin")
    assert refused.status == 404
    page = pages.visitor(ADMIN).get("/admin").text
    assert "<h1>Overview</h1>" in page
    assert 'value="example.com"' in page


@pytest.mark.parametrize("scope", ["example.org", "nowhere", "@", "a" * 500, "example.com", JEAN.upper(), ""])
def test_it_looks_at_nothing_that_was_not_granted(pages: Pages, scope: str) -> None:
    answer = pages.visitor(ADMIN).get(f"/admin?in={scope}")
    assert answer.status == (200 if scope in ("", JEAN.upper(), "example.com") else 404)


def test_the_scope_stays_in_every_address(pages: Pages) -> None:
    page = pages.visitor(PLATFORM_ADMIN).get("/admin?in=EXAMPLE.com").text
    assert 'href="/admin?in=example.com" aria-current="page"' in page
    assert 'value="example.com"' in page


@pytest.mark.parametrize(
    ("path", "entry", "marked"),
    [
        ("", "/admin?in=example.com", "page"),
        ("/policy", "/admin/policy?in=example.com", "page"),
        ("/policy/versions", "/admin/policy?in=example.com", "true"),
        ("/policy/statistics", "/admin/policy?in=example.com", "true"),
        (f"/mailboxes/{MARIE}", "/admin/mailboxes?in=example.com", "true"),
        ("/suggest", "/admin/replay?in=example.com", "true"),
        ("/me", "/admin/me?in=example.com", "page"),
    ],
)
def test_a_page_marks_its_entry_of_the_menu(pages: Pages, path: str, entry: str, marked: str) -> None:
    menu = (
        pages.visitor(ADMIN)
        .get(f"/admin{path}?in=example.com")
        .text.partition('<nav aria-label="Console">')[2]
    )
    assert re.findall(r'<a href="([^"]*)" aria-current="([a-z]*)"', menu.partition("</nav>")[0]) == [
        (entry, marked)
    ]


def test_the_link_to_the_console_says_where_it_leads(pages: Pages) -> None:
    visitor = pages.visitor()
    visitor.submit("/sign-in?to=%2Fadmin%2Fheld", address=ADMIN, how="link")
    pages.wait_for_mail(1)
    mail = message_from_bytes(pages.postbox.got[-1].content, policy=default)
    assert mail["subject"] == "Your link to the console"
    assert "Open the console" in visitor.get(pages.mailed_link()).text
