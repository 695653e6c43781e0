"""The guides for recipients and senders: served without signing in, linked from pages and mails, and true."""

from __future__ import annotations

import re

import pytest

from tamis.challenge.code_media import LENGTH
from tamis.challenge.links import guide_link
from tamis.quarantine.held_mail import BIN
from tamis.settings import Settings
from tamis.web.app import ROUTES
from tamis.web.guides import RECIPIENTS, SENDERS, Guide
from tests.web.pages import MARIE, Pages
from tests.web.samples import content, message
from tests.web.test_sender import ask


def words(guide: Guide) -> str:
    return " ".join(one for part in guide.parts for one in (part.title, *part.says))


@pytest.mark.parametrize(
    ("path", "english", "french"),
    [
        ("/help", "Your mail and its spam filter", "Votre courrier et son filtre anti-spam"),
        ("/help/confirm", "Somebody asks me to confirm my message", "On me demande de confirmer mon message"),
    ],
)
def test_anybody_reads_them_in_either_language(pages: Pages, path: str, english: str, french: str) -> None:
    for language, title in (("en", english), ("fr", french)):
        answer = pages.visitor().get(f"{path}?lang={language}")
        assert answer.status == 200
        assert f"<h1>{title}</h1>" in answer.text


def test_pages_lead_there(pages: Pages) -> None:
    pages.hold(message(1), content())
    for page in ("/mail", "/done", "/lists", "/settings"):
        assert 'href="/help"' in pages.by_link(MARIE).get(page).text, page
    assert 'href="/help"' in pages.visitor().get("/sign-in").text


def test_the_senders_page_leads_to_theirs(pages: Pages) -> None:
    _, path = ask(pages)
    page = pages.visitor().get(path).text
    assert 'href="/help/confirm"' in page
    assert 'href="/help"' not in page


def test_links_of_mails_lead_to_pages_that_are_there() -> None:
    public = Settings.model_validate({"web": {"url": "https://mail.example.com"}})
    served = {route.path for route in ROUTES}
    for of_sender in (False, True):
        link = guide_link(public, "fr", of_sender=of_sender)
        assert link.startswith("https://mail.example.com/help")
        assert link.endswith("?lang=fr")
        assert link.removeprefix("https://mail.example.com").partition("?")[0] in served
    assert guide_link(Settings(), "en") == ""  # nobody else could open it


def test_the_buttons_are_called_as_on_the_pages(pages: Pages) -> None:
    held = pages.hold(message(1), content())
    page = pages.by_link(MARIE).get(f"/mail/{held}").text
    shown = re.findall(r'<button name="verb"[^>]*>([^<]+)<', page)
    assert [name for part in RECIPIENTS.parts for name, _ in part.choices] == shown


def test_numbers_are_those_of_the_code() -> None:
    assert (LENGTH, BIN.total_seconds()) == (6, 600)
    assert "six digits" in words(SENDERS)
    assert "ten minutes" in words(RECIPIENTS)
