"""Policy, lists and replay in Chromium: in few steps, by keys alone, at every width, in both languages, scriptless."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, expect

from tests.builders import book
from tests.database.test_replaying import story
from tests.web.console.conftest import PLATFORM_ADMIN
from tests.web.console.tuned import HERE, do_next, fittable, tune
from tests.web.pages import ADMIN, Pages
from tests.web.test_browser import NARROW, accessible, fits, no_overflow, opened

ALL = (
    *("policy", "policy/dnsbl", "policy/versions", "policy/versions/1", "policy/review"),
    *("replay", "replay/1", "suggest", "suggest/2", "jobs", "lists"),
)

FITTING = {
    "en": {
        "fit": "Fit the points",
        "page": "Points that fit this site",
        "try": "Try them in a replay",
    },
    "fr": {
        "fit": "Ajuster les points",
        "page": "Des points adaptés à ce site",
        "try": "Les essayer sur le courrier passé",
    },
}


@pytest.fixture(scope="module")
def tuned(pages: Pages) -> Pages:
    """The pages of an installation whose administrator tunes."""
    tune(pages)
    return pages


@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_page_is_accessible_and_narrow_enough(browser: Browser, tuned: Pages, language: str) -> None:
    with opened(browser, tuned, signed_in=ADMIN, language=language) as tab:
        for page in ALL:
            tab.set_viewport_size({"width": 1280, "height": 900})
            tab.goto(f"{tuned.url}/admin/{page}{HERE}&set=required%3D9")
            expect(tab.locator("h1")).to_be_visible()
            accessible(tab)
            tab.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
            no_overflow(tab)


def test_every_page_is_accessible_in_the_dark(browser: Browser, tuned: Pages) -> None:
    with opened(browser, tuned, signed_in=ADMIN, dark=True) as tab:
        for page in ("policy", "replay/1", "lists"):
            tab.goto(f"{tuned.url}/admin/{page}{HERE}")
            accessible(tab)


@pytest.mark.parametrize("javascript", [True, False])
def test_a_milder_setting_is_tried_and_saved_in_three_steps(
    browser: Browser, tuned: Pages, javascript: bool
) -> None:
    with opened(browser, tuned, signed_in=ADMIN, javascript=javascript) as tab:
        tab.goto(f"{tuned.url}/admin/replay{HERE}")
        milder = "9" if javascript else "9.5"
        tab.get_by_label("required").fill(milder)  # 1
        tab.get_by_role("button", name="Try it").click()  # 2
        expect(tab.get_by_role("heading", name="On past mail")).to_be_visible()
        do_next(tuned)
        if not javascript:
            tab.get_by_role("link", name="Look again").click()
        expect(tab.get_by_text(re.compile("copies were judged again"))).to_be_visible()
        tab.get_by_role("button", name="Save as a new version").click()  # 3
        expect(tab.get_by_text(re.compile("Saved as version"))).to_be_visible()
    stored = {one.override.key: one.override.value for one in tuned.store.overrides.list("example.com")}
    assert stored["required"] == float(milder)


@pytest.mark.parametrize("javascript", [True, False])
def test_a_limit_is_moved_and_says_what_would_move(browser: Browser, tuned: Pages, javascript: bool) -> None:
    """By keys beside the histogram; without scripts by a number and a press."""
    boxes = [f"p{n}@example.org" for n in range(6)]
    one = replace(story(50, book(""), recipients=boxes), at=datetime.now(UTC))
    tuned.store.history.add([("limit", one)], {who: who for who in boxes})  # six totals of 0
    with opened(browser, tuned, signed_in=PLATFORM_ADMIN, javascript=javascript) as tab:
        tab.goto(f"{tuned.url}/admin/replay?in=example.org")
        if javascript:
            tab.get_by_role("slider", name="Limit to try").focus()
            tab.keyboard.press("Home")
            expect(tab.get_by_role("status")).to_have_text(re.compile("^6 copies would no longer pass"))
            accessible(tab)
        else:
            tab.get_by_role("spinbutton", name="Limit to try").fill("0.1")
            tab.get_by_role("button", name="Show what would move").click()
            expect(tab.get_by_text(re.compile("0 to 6 copies have a total between"))).to_be_visible()


def test_a_filter_goes_to_shadow_by_keys_alone(browser: Browser, tuned: Pages) -> None:
    with opened(browser, tuned, signed_in=ADMIN) as tab:
        tab.goto(f"{tuned.url}/admin/policy{HERE}")
        tab.get_by_label("helo", exact=True).focus()
        before = tab.get_by_label("helo", exact=True).input_value()
        tab.keyboard.type("on" if before != "on" else "shadow")
        tab.get_by_role("button", name="Review the changes").first.focus()
        tab.keyboard.press("Enter")
        expect(tab.get_by_role("cell", name="on" if before != "on" else "shadow", exact=True)).to_be_visible()
        tab.get_by_label("Why").fill("looks too close")
        tab.keyboard.press("Enter")
        expect(tab.get_by_role("status")).to_contain_text("Saved as version")
        tab.get_by_role("link", name="Look at it, or take it back").focus()
        tab.keyboard.press("Enter")
        tab.get_by_role("button", name="Take this version back").focus()
        tab.keyboard.press("Enter")
        expect(tab.get_by_role("status")).to_contain_text("Taken back by version")


def test_an_entry_is_added_removed_and_brought_back(browser: Browser, tuned: Pages) -> None:
    with opened(browser, tuned, signed_in=ADMIN, javascript=False) as tab:
        tab.goto(f"{tuned.url}/admin/lists{HERE}")
        tab.get_by_label("Addresses, domains, networks").fill("garage@example.net")
        tab.get_by_role("button", name="Always allow").click()
        tab.get_by_role("checkbox", name="garage@example.net").check()
        tab.get_by_role("button", name="Remove what is ticked").click()
        expect(tab.get_by_role("rowheader", name=re.compile("garage@"))).to_have_count(0)
        tab.get_by_role("button", name="Undo").click()
        expect(tab.get_by_role("rowheader", name=re.compile("garage@"))).to_be_visible()


@pytest.mark.parametrize("language", FITTING)
def test_fitted_points_are_looked_at_and_tried_by_keys(browser: Browser, tuned: Pages, language: str) -> None:
    words = FITTING[language]
    with fittable(tuned), opened(browser, tuned, signed_in=ADMIN, language=language) as tab:
        tab.goto(f"{tuned.url}/admin/suggest{HERE}")
        tab.get_by_role("button", name=words["fit"]).focus()
        tab.keyboard.press("Enter")
        expect(tab.get_by_role("heading", name=words["page"], level=1)).to_be_visible()
        do_next(tuned)
        expect(tab.get_by_role("rowheader", name="filters.empty.score")).to_be_visible()
        accessible(tab)
        fits(tab)
        tab.get_by_role("button", name=words["try"]).focus()
        tab.keyboard.press("Enter")
        expect(tab.get_by_role("spinbutton", name="filters.empty.score")).to_be_visible()
