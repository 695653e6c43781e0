"""Messages, a story and held mail in Chromium: steps that tasks take, widths, languages, dark, without scripts."""

from __future__ import annotations

import itertools

import pytest
from playwright.sync_api import Browser, Page, expect

from tamis.quarantine.records import HeldState
from tests.web.browser import DESKTOP, PHONE
from tests.web.console.mail import HELD, INBOX, arrive, held_ids, story
from tests.web.console.test_messages import pages
from tests.web.pages import ADMIN, MARIE, Pages
from tests.web.test_browser import NARROW, accessible, no_overflow, opened

__all__ = ["pages"]

LONG = "Re: " + "wide" * 60


def fill(pages: Pages, number: int = 6) -> list[int]:
    stories = [story(n, (MARIE, HELD), subject=f"Devis no. {n}") for n in range(1, number + 1)]
    return arrive(
        pages, *stories, story(99, (MARIE, INBOX), subject=LONG, header_from=f"{'x' * 200} <a@example.net>")
    )


def paths(number: int) -> tuple[str, ...]:
    return ("/admin/messages", "/admin/messages?q=ip:foo+is:held", f"/admin/messages/{number}", "/admin/held")


def test_a_mail_is_found_in_two_steps_and_freed_for_good_by_one_more(browser: Browser, pages: Pages) -> None:
    fill(pages)
    with opened(browser, pages, signed_in=ADMIN) as tab:
        tab.goto(f"{pages.url}/admin/messages")
        tab.keyboard.press("/")
        tab.keyboard.type("from:garage no. 3")
        tab.keyboard.press("Enter")  # 1
        expect(tab.get_by_role("link", name="Devis no. 2")).to_have_count(0)
        tab.get_by_role("link", name="Devis no. 3").click()  # 2
        expect(tab.get_by_role("heading", name="Devis no. 3")).to_be_visible()
        tab.get_by_role("button", name="Always allow for example.com").click()  # and 1
        expect(tab.get_by_role("status")).to_contain_text("is always allowed for example.com")
        tab.get_by_role("link", name="← Messages").click()
        expect(tab.get_by_role("searchbox")).to_have_value("from:garage no. 3")


def test_thirty_three_are_emptied_in_two_steps_without_scripts(browser: Browser, pages: Pages) -> None:
    arrive(pages, *(story(n, (MARIE, HELD)) for n in range(1, 34)))
    with opened(browser, pages, signed_in=ADMIN, javascript=False) as tab:
        tab.goto(f"{pages.url}/admin/held")  # 1
        tab.get_by_role("button", name="Delete all").click()  # 2
        expect(tab.get_by_role("status")).to_contain_text("33 messages were deleted.")
        assert held_ids(pages) == []
        tab.get_by_role("button", name="Undo for all of them").click()
        expect(tab.get_by_role("status")).to_contain_text("33 messages are as before.")
    assert len(held_ids(pages)) == 33


def test_the_menu_is_folded_in_the_hand_alone(browser: Browser, pages: Pages) -> None:
    for size, javascript, is_open in ((DESKTOP, True, True), (PHONE, True, False), (PHONE, False, True)):
        with opened(browser, pages, signed_in=ADMIN, size=size, javascript=javascript) as tab:
            tab.goto(f"{pages.url}/admin/held")
            expect(tab.get_by_role("link", name="Policy")).to_be_visible(visible=is_open)
            if not is_open:
                tab.get_by_text("Pages of the console").click()
                expect(tab.get_by_role("link", name="Policy")).to_be_visible()


def test_ticks_by_keys_alone(browser: Browser, pages: Pages) -> None:
    fill(pages, 3)
    with opened(browser, pages, signed_in=ADMIN) as tab:
        tab.goto(f"{pages.url}/admin/held?sort=newest")
        for box in tab.get_by_role("checkbox").all()[:2]:
            box.focus()
            tab.keyboard.press("Space")
        button = tab.get_by_role("group", name="For all that are ticked").get_by_role(
            "button", name="Deliver"
        )
        button.focus()
        tab.keyboard.press("Enter")
        expect(tab.get_by_role("status")).to_contain_text("2 messages were delivered.")
    assert [one.state for one in pages.store.quarantine.list(MARIE, state=None)].count(
        HeldState.RELEASED
    ) == 2


WAYS = list(itertools.product((NARROW, DESKTOP), ("en", "fr"), (False, True)))


@pytest.mark.parametrize(("size", "language", "dark"), WAYS)
def test_everybody_can_use_them(
    browser: Browser, pages: Pages, *, size: tuple[int, int], language: str, dark: bool
) -> None:
    number = fill(pages, 2)[0]
    with opened(browser, pages, signed_in=ADMIN, size=size, language=language, dark=dark) as tab:
        for path in paths(number):
            _fits(tab, f"{pages.url}{path}")


def _fits(tab: Page, address: str) -> None:
    tab.goto(address)
    no_overflow(tab)
    accessible(tab)
