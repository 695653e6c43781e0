"""Rules, Knowledge and Learning in Chromium: hostile rows at every width, both languages, dark, by keys, scriptless."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, replace

import pytest
from playwright.sync_api import Browser, expect

from tamis.base.shared_files import make_folder, write_json
from tamis.contract.finding import Finding, Status
from tamis.database.effective_labels import LabelSource
from tamis.handover.own_rules import write_own_rules
from tamis.rules.proposals import Proposal
from tamis.web.console import learning_page
from tests.web.console.conftest import PLATFORM_ADMIN
from tests.web.console.mail import INBOX, story
from tests.web.console.test_learning import measured
from tests.web.console.test_rules import GOOD, HOSTILE
from tests.web.pages import MARIE, Pages
from tests.web.samples import message
from tests.web.test_browser import accessible, no_overflow, opened

ALL = ("rules?in=platform", "rules/edit?in=platform", "knowledge?in=example.com", "learning?in=platform")
WIDTHS = ((320, 640), (375, 700), (1280, 900))
LONG = "w" * 300


@pytest.fixture(scope="module")
def known(pages: Pages) -> Iterator[Pages]:
    """An installation with rules, proposals, words that disagree and a measured model; hostile names."""
    folder = pages.settings.rules_directory
    make_folder(folder, 0o750)
    trait = f"phrase:{HOSTILE}{LONG}"
    write_json(folder / "proposed.json", [asdict(Proposal("seen_1", trait, 1.0, 9, 9, 9, 9, 0, 900, 0.01))])
    pages.store.rules.save(GOOD, by=PLATFORM_ADMIN, note=f"{HOSTILE}{LONG}")
    write_own_rules(pages.settings, GOOD)
    looked = (
        Finding("keywords", Status.HIT, "x", {"rules": [["casino", "score", 3.0]]}),
        Finding("knowledge", Status.HIT, "x", {"rules": [["answer", -0.68]], "pairs": []}),
    )
    many = [(f"m{n}@example.com", INBOX) for n in range(5)]
    one = replace(story(61, (MARIE, INBOX), *many), findings=looked, subject=f"{HOSTILE}{LONG}")
    pages.store.history.add([("n:61", one)])
    pages.store.labels.say(one.transaction, MARIE, True, LabelSource.RELEASE, MARIE)
    pages.store.labels.say(one.transaction, MARIE, False, LabelSource.OPERATOR, f"{LONG}@example.com")
    pages.store.labels.say(
        one.transaction, "m0@example.com", False, LabelSource.SPAM_BUTTON, "m0@example.com"
    )
    pages.store.labels.take_back(one.transaction, "m0@example.com", LabelSource.SPAM_BUTTON, "m0@example.com")
    pages.hold(
        message(62, recipient=MARIE, subject=f"{HOSTILE}{LONG}"), b"Subject: online casino\r\n\r\nx\r\n"
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(learning_page, "model_state", lambda _: measured(0.0001))
        yield pages


@pytest.mark.parametrize(("language", "dark"), [("en", False), ("fr", True)])
def test_every_page_is_accessible_and_narrow_enough(
    browser: Browser, known: Pages, language: str, dark: bool
) -> None:
    with opened(browser, known, signed_in=PLATFORM_ADMIN, language=language, dark=dark) as tab:
        for page in ALL:
            tab.goto(f"{known.url}/admin/{page}")
            expect(tab.locator("h1")).to_be_visible()
            accessible(tab)
            for width, height in WIDTHS:
                tab.set_viewport_size({"width": width, "height": height})
                no_overflow(tab)


def test_rules_are_tried_mended_and_saved_by_keys_alone(browser: Browser, known: Pages) -> None:
    before = known.store.rules.newest()
    with opened(browser, known, signed_in=PLATFORM_ADMIN, size=WIDTHS[0]) as tab:
        tab.goto(f"{known.url}/admin/rules/edit?in=platform")
        tab.get_by_label("Rules, as TOML").fill(GOOD.replace("online casino", "(?=x)"))
        tab.get_by_role("button", name="Look for mistakes").focus()
        tab.keyboard.press("Enter")
        wrong = tab.get_by_role("alert")
        expect(wrong).to_contain_text("Line 3, column 11:")
        expect(wrong).to_contain_text("linear in the text")
        accessible(tab)
        no_overflow(tab)
        tab.get_by_label("Rules, as TOML").fill(GOOD.replace("3.0", "4.0"))
        tab.get_by_label("A message, with its header").fill(f"Subject: an online casino\n\n{LONG}\n")
        tab.get_by_role("button", name="Try", exact=True).focus()
        tab.keyboard.press("Enter")
        expect(tab.get_by_text(re.compile("It meets 1 rule; all rules together took"))).to_be_visible()
        accessible(tab)
        no_overflow(tab)
        tab.get_by_role("button", name="Save").focus()
        tab.keyboard.press("Enter")
        expect(tab.get_by_role("status")).to_contain_text(f"Saved as version {before + 1}.")
        expect(tab.get_by_role("cell", name="+4 points")).to_be_visible()
    assert "points = 4.0" in known.store.rules.current().text


def test_a_held_message_is_tried_and_a_proposal_taken_without_scripts(browser: Browser, known: Pages) -> None:
    with opened(browser, known, signed_in=PLATFORM_ADMIN, javascript=False) as tab:
        tab.goto(f"{known.url}/admin/rules?in=platform")
        tab.get_by_role("radio").first.check()
        tab.get_by_role("button", name="Try", exact=True).click()
        expect(tab.get_by_text(re.compile("It meets 1 rule; all rules together took"))).to_be_visible()
        tab.get_by_role("checkbox", name="seen_1").check()
        tab.get_by_role("button", name="Put into shadow").click()
        expect(tab.get_by_role("status")).to_contain_text("In shadow within seconds: seen_1.")


def test_a_rule_that_ships_is_put_into_shadow_by_keys_alone(browser: Browser, known: Pages) -> None:
    with opened(browser, known, signed_in=PLATFORM_ADMIN, javascript=False) as tab:
        tab.goto(f"{known.url}/admin/knowledge?in=example.com&sort=met")
        first = tab.get_by_role("checkbox").first
        expect(first).to_have_attribute("aria-label", "answer")
        first.focus()
        tab.keyboard.press("Space")
        tab.get_by_role("button", name="Put into shadow").focus()
        tab.keyboard.press("Enter")
        expect(tab.get_by_text("filters.knowledge.shadowed")).to_be_visible()
        tab.get_by_label("Why").fill("wrong here")
        tab.keyboard.press("Enter")
        expect(tab.get_by_role("status")).to_contain_text("Saved as version")
    own = {one.override.key: one.override.value for one in known.store.overrides.list("example.com")}
    assert own == {"filters.knowledge.shadowed": ["answer"]}


def test_learning_says_whether_promises_are_kept_and_where_words_disagree(
    browser: Browser, known: Pages
) -> None:
    with opened(browser, known, signed_in=PLATFORM_ADMIN) as tab:
        tab.goto(f"{known.url}/admin/learning?in=platform")
        expect(tab.get_by_text(re.compile("keeps its word: level 7.5 promises"))).to_be_visible()
        expect(tab.get_by_role("heading", name="Words that disagree")).to_be_visible()
        expect(tab.get_by_role("heading", name="Words that were taken back")).to_be_visible()
        tab.get_by_role("listitem").get_by_role("link", name=re.compile("alert")).first.click()
        expect(tab.get_by_role("link", name="← Messages")).to_be_visible()
