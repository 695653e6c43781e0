"""Overview, Mailboxes and Health in Chromium: what they say at first sight, widths, languages, dark, keys, axe."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, expect

from tamis.contract.lists import Colour, Subject
from tamis.database.list_entries import NewEntry
from tamis.database.marks import Mark, MarkKind
from tamis.people.rights import BUNDLES
from tamis.web.app import ROUTES
from tests.web.browser import DESKTOP
from tests.web.console.conftest import PLATFORM_ADMIN
from tests.web.console.numbers import NOW, fill, well
from tests.web.console.tuned import tune
from tests.web.pages import MARIE, Pages
from tests.web.samples import content, message
from tests.web.test_browser import NARROW, accessible, fits, no_overflow, opened

PLACES = (
    "/admin?span=30d",
    "/admin/mailboxes",
    f"/admin/mailboxes/{MARIE}",
    "/admin/health",
    "/admin/challenges",
    "/admin/clients",
    "/admin/fingerprints",
    "/admin/fingerprints?kind=message",
)
LOOKS = [(DESKTOP, "en", False), (NARROW, "fr", True)]


@pytest.fixture(scope="module")
def full(pages: Pages) -> Pages:
    """A month of mail."""
    fill(pages.store, 200)
    pages.store.healths.tell("mx1:/var/lib/tamis", well())
    asked = message(1, sender="contact@garage.example.net")
    pages.store.challenges.hold_asked(asked, content(), language="en", authenticated=True)
    pages.store.complaints.report(["192.0.2.7", "2001:db8:1:2::/64"])
    pages.store.complaints.condemn("192.0.2.8", "sold addresses", by="test")
    pages.store.lists.add(
        [NewEntry(colour=Colour.BLACK, subject=Subject.ATTACHMENT, pattern="ab" * 32, note="devis.exe")]
    )
    marks = [
        Mark(kind, fingerprint, "example.com", "m", MARIE, spam=True)
        for kind, fingerprint in (
            (MarkKind.ATTACHMENT, "cd" * 32),
            (MarkKind.MESSAGE, f"2001:db8:1:2::/64 {'ef' * 20}"),
        )
    ]
    pages.store.marks.note(marks, expires=NOW + timedelta(days=1))
    return pages


@pytest.mark.parametrize(("size", "language", "dark"), LOOKS)
def test_pages_fit_and_are_accessible(
    browser: Browser, full: Pages, size: tuple[int, int], language: str, dark: bool
) -> None:
    with opened(browser, full, signed_in=PLATFORM_ADMIN, size=size, language=language, dark=dark) as tab:
        for place in PLACES:
            tab.goto(full.url + place)
            no_overflow(tab)
            accessible(tab)


SAMPLES = {
    "/admin/messages/{number:int}": "/admin/messages/1",
    "/admin/held/{message}": "",  # leads to the story
    "/admin/challenges/{challenge}": "",  # below
    "/admin/mailboxes/{mailbox:path}": f"/admin/mailboxes/{MARIE}",
    "/admin/people/{person}": "/admin/people/1",
    "/admin/replay/{job}": "/admin/replay/1",
    "/admin/suggest/{job}": "/admin/suggest/2",
    "/admin/policy/versions/{version}": "/admin/policy/versions/1",
    "/admin/policy/{filter}": "/admin/policy/dnsbl",
    "/admin/invitation/{token}": "",  # test_people_browser
    "/admin/enrol": "",  # for who has no app yet: test_people_browser
    "/admin/audit.csv": "",
    "/admin/policy/export": "",
}
"""Pages whose address has a part that depends, and files, which are no pages."""


def test_every_page_of_the_console_fits_every_width_in_both_languages(browser: Browser, full: Pages) -> None:
    tune(full)
    full.store.people.grant(MARIE, "example.com", BUNDLES["helper"], by=PLATFORM_ADMIN)
    (asked, *_) = full.store.challenges.list()
    shown = {one.path for one in ROUTES if one.path.startswith("/admin") and "GET" in (one.methods or ())}
    assert {path for path in shown if "{" in path} <= SAMPLES.keys()
    places = [*(SAMPLES.get(path, path) for path in sorted(shown)), f"/admin/challenges/{asked.id}"]
    for language in ("en", "fr"):
        with opened(browser, full, signed_in=PLATFORM_ADMIN, language=language) as tab:
            for place in filter(None, places):
                answer = tab.goto(f"{full.url}{place}?in=platform")
                assert answer is not None
                assert answer.ok, place
                fits(tab)


def test_whether_all_is_well_is_read_without_a_step(browser: Browser, full: Pages) -> None:
    with opened(browser, full, signed_in=PLATFORM_ADMIN, javascript=False) as tab:
        tab.goto(f"{full.url}/admin")
        said = tab.locator(".answer")
        expect(said).to_contain_text(re.compile(r"messages? came"))
        box = said.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] < DESKTOP[1], "it stands in the first window"


def test_numbers_and_times_are_reached_by_keys(browser: Browser, full: Pages) -> None:
    with opened(browser, full, signed_in=PLATFORM_ADMIN) as tab:
        tab.goto(f"{full.url}/admin?span=30d")
        tab.get_by_role("link", name="7 days").focus()
        tab.keyboard.press("Enter")
        expect(tab).to_have_url(re.compile("span=7d"))
        expect(tab.get_by_role("link", name="7 days")).to_have_attribute("aria-current", "true")
        first = tab.locator("summary", has_text="Numbers").first
        first.focus()
        tab.keyboard.press("Enter")
        expect(tab.get_by_role("table").first).to_be_visible()


def test_a_column_sorts_and_a_row_opens(browser: Browser, full: Pages) -> None:
    with opened(browser, full, signed_in=PLATFORM_ADMIN) as tab:
        tab.goto(f"{full.url}/admin/mailboxes")
        tab.get_by_role("link", name="Mailbox", exact=True).click()
        expect(tab.get_by_role("columnheader", name="Mailbox", exact=True)).to_have_attribute(
            "aria-sort", "ascending"
        )
        tab.get_by_role("link", name=MARIE).click()
        expect(tab.get_by_role("heading", name=MARIE)).to_be_visible()
        expect(tab.get_by_role("heading", name="Who writes to it?")).to_be_visible()


def test_a_client_is_condemned_and_taken_back_by_keys_without_scripts(browser: Browser, full: Pages) -> None:
    with opened(browser, full, signed_in=PLATFORM_ADMIN, javascript=False) as tab:
        tab.goto(f"{full.url}/admin/clients")
        tab.get_by_label("IP address").fill("203.0.113.99")
        tab.get_by_role("button", name="Take its mail for spam", exact=True).focus()
        tab.keyboard.press("Enter")
        said = tab.get_by_role("status")
        expect(said).to_contain_text("All mail from 203.0.113.99 is taken for spam")
        said.get_by_role("button", name="Undo").focus()
        tab.keyboard.press("Enter")
        expect(tab.get_by_role("status")).to_contain_text("203.0.113.99 stands as before.")


def test_a_filter_leads_to_its_messages(browser: Browser, full: Pages) -> None:
    with opened(browser, full, signed_in=PLATFORM_ADMIN) as tab:
        tab.goto(f"{full.url}/admin?span=30d")
        tab.get_by_role("link", name="reverse dns").first.focus()
        tab.keyboard.press("Enter")
        expect(tab.get_by_role("heading", name="Messages", exact=True)).to_be_visible()
        expect(tab.locator(".chips")).to_contain_text("by:reverse_dns")
