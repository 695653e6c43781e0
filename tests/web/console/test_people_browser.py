"""In Chromium: signing in with an app, inviting a colleague in three steps, the audit trail; wide and narrow."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tamis.people.rights import BUNDLES, Grant
from tamis.web.visit import SESSION
from tests.web.browser import DESKTOP
from tests.web.pages import ADMIN, MARIE, Pages
from tests.web.signing import PASSWORD, code, enrolled
from tests.web.test_browser import NARROW, accessible, no_overflow, opened

ANNE = "anne@example.com"


@pytest.fixture
def strong(pages: Pages) -> Iterator[Pages]:
    """An administrator who has chosen a password and an app."""
    enrolled(pages, ADMIN)
    yield pages
    pages.store.factors.reset(ADMIN, by="root")


def test_signing_in_by_keys_and_giving_a_colleague_the_held_mail_in_three_steps(
    browser: Browser, strong: Pages
) -> None:
    with opened(browser, strong) as tab:
        tab.goto(f"{strong.url}/admin/sign-in")
        press = tab.keyboard.press
        expect(tab.get_by_label("Email address")).to_be_focused()
        tab.keyboard.type(ADMIN)
        press("Tab")
        tab.keyboard.type(PASSWORD)
        press("Tab")
        tab.keyboard.type(code())
        press("Enter")
        expect(tab).to_have_url(f"{strong.url}/admin")
        tab.get_by_role("link", name="People").click()  # 1
        tab.get_by_label("Email address").fill(ANNE)  # 2
        tab.get_by_role("radio", name="Helper").check()
        tab.get_by_role("button", name="Invite").click()  # 3
        expect(tab.get_by_role("status")).to_contain_text("anne@example.com gets a link by mail")
    strong.wait_for_mail(1)
    link = strong.mailed_link()
    with opened(browser, strong, language="fr", size=NARROW) as tab:
        tab.goto(strong.url + link)
        accessible(tab)
        tab.get_by_role("button", name="Accepter").click()
        expect(tab.get_by_role("heading", name="Choisir un mot de passe")).to_be_visible()
        accessible(tab)
        no_overflow(tab)
        secret = tab.locator("figure code").inner_text().replace(" ", "")
        tab.get_by_label("Nouveau mot de passe").fill(PASSWORD)
        tab.get_by_label("Le code que l’application affiche maintenant").fill(code(secret=secret))  # noqa: RUF001
        tab.get_by_role("button", name="Enregistrer et continuer").click()
        expect(tab.locator(".codes li")).to_have_count(8)
        accessible(tab)
        no_overflow(tab)
        tab.get_by_role("link", name="Je les ai notés").click()
        menu = tab.locator(".side details")
        expect(menu).not_to_have_attribute("open", "")  # in the hand it is folded, once its script has run
        menu.locator("summary").click()
        expect(tab.get_by_role("link", name="Mon accès")).to_be_visible()
    assert strong.store.people.grants_of(ANNE) == (Grant("example.com", BUNDLES["helper"]),)
    strong.store.people.remove(ANNE, by="root")


def paths(pages: Pages) -> list[str]:
    """The pages about people, with something on each."""
    pages.store.people.grant(MARIE, "example.com", BUNDLES["manager"], by=ADMIN)
    pages.store.invitations.invite(ANNE, Grant("example.com", BUNDLES["helper"]), by=ADMIN)
    found = pages.store.people.find(MARIE)
    assert found is not None
    return ["/people", f"/people/{found.id}", "/audit", "/audit?who=nobody", "/me", "/me/app"]


@pytest.mark.parametrize(
    ("size", "language", "dark"), [(DESKTOP, "en", False), (NARROW, "fr", True)], ids=["wide", "narrow"]
)
def test_every_page_is_accessible_and_fits(
    browser: Browser, strong: Pages, size: tuple[int, int], language: str, *, dark: bool
) -> None:
    with opened(browser, strong, signed_in=ADMIN, size=size, language=language, dark=dark) as tab:
        for path in paths(strong):
            tab.goto(f"{strong.url}/admin{path}")
            looked_at(tab)
        tab.goto(f"{strong.url}/admin/confirm?to=/admin/people")
        looked_at(tab)
        tab.context.clear_cookies(name=SESSION)
        tab.goto(f"{strong.url}/admin/sign-in")
        looked_at(tab)
    strong.store.people.remove(MARIE, by="root")


def looked_at(tab: Page) -> None:
    accessible(tab)
    no_overflow(tab)
    assert "%(" not in tab.inner_text("body")
