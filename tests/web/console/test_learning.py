"""Learning in the console: promises, what was measured, and what people said of mail that may be seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tamis.base.shared_files import write_json
from tamis.database.effective_labels import LabelSource
from tamis.models.kinds import MailKind
from tamis.models.ledger import LEDGER, Ledger
from tamis.models.taken_back import TAKEN_BACK, TakenBack
from tamis.people.rights import Right
from tamis.web.console import learning_page
from tests.web.console.conftest import PLATFORM_ADMIN
from tests.web.console.mail import HELD, INBOX, story
from tests.web.pages import ADMIN, JEAN, MARIE, Pages

HOSTILE = "<img src=x onerror=alert(1)>\u202e"


def told(pages: Pages, who: str, scope: str = "example.com") -> str:
    page = pages.visitor(who).get(f"/admin/learning?in={scope}")
    assert page.status == 200
    return " ".join(page.text.split())


def measured(low: float) -> Mapping[str, Any]:
    """A model that decides, whose usual level was measured; `low` is the lower end of what ham may have reached."""
    rate = {"count": 2, "total": 5120, "low": low, "high": 0.014}
    level = {
        "level": 7.5,
        "promised": 0.001,
        "false_positives": rate,
        "caught": rate,
        "plausible": (0.0, 0.1),
    }
    sources = [
        {"source": "web", "learned": 212, "dropped": 3, "reports": 100, "contradictions": 40, "alarm": True}
    ]
    return dict(learning_page.NO_MODEL) | {
        "ham": 4000,
        "spam": 3000,
        "needed": 200,
        "deciding": True,
        "levels": [level],
        "sources": sources,
        "file": {"age": 60.0},
    }


def test_before_enough_is_learned_it_says_how_much_is(pages: Pages) -> None:
    assert "0 of 200 wanted and 0 of 200 unwanted messages are learned" in told(pages, ADMIN)


@pytest.mark.parametrize(
    ("low", "says"),
    [(0.0001, "keeps its word: level 7.5 promises that at most 0.1%"), (0.002, "does not keep its word")],
)
def test_its_word_is_held_against_what_was_measured(
    pages: Pages, monkeypatch: pytest.MonkeyPatch, low: float, says: str
) -> None:
    monkeypatch.setattr(learning_page, "model_state", lambda _: measured(low))
    mine, theirs = told(pages, ADMIN), told(pages, PLATFORM_ADMIN, "platform")
    for page in (mine, theirs):
        assert says in page
        assert "<strong>in force here</strong>" in page
    assert "40 of the last 100 <strong>too many</strong>" in theirs
    assert "What comes from pages contradicts the model too often" in theirs
    for secret in ("From where it has learned", "5,120", "too many"):
        assert secret in theirs
        assert secret not in mine, "what the whole platform taught is for who sees the platform"


def test_kinds_that_it_never_decides_about_alone_are_named(
    pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = dict(measured(0.0001)) | {"unproven": ["bulk", "made"]}
    monkeypatch.setattr(learning_page, "model_state", lambda _: state)
    for page in (told(pages, ADMIN), told(pages, PLATFORM_ADMIN, "platform")):
        assert "<li>newsletters</li><li>receipts, notices and other HTML</li>" in page
    assert set(learning_page.KINDS) == set(MailKind)
    monkeypatch.setattr(learning_page, "model_state", lambda _: measured(0.0001))
    assert 'id="unproven"' not in told(pages, ADMIN)


def test_lessons_taken_back_are_shown_to_the_platforms_owner(pages: Pages) -> None:
    book = TakenBack()
    book.call(7, HOSTILE)
    book.note(7, lessons=70, measured=69, against=60, at=1_772_366_400.0)
    book.note(8, lessons=3, measured=3, against=3, at=1_772_366_400.0)
    folder = pages.settings.model_directory
    folder.mkdir(parents=True)
    book.save(folder / TAKEN_BACK)
    shown = told(pages, PLATFORM_ADMIN, "platform")
    assert "60 of 69" in shown
    assert "not known on this host" in shown
    assert "<img src=x" not in shown
    assert "Lessons that were taken back" not in told(pages, ADMIN)


def test_each_domain_says_what_it_taught_today_to_its_own(pages: Pages) -> None:
    day = int(datetime.now(UTC).timestamp() // 86400)
    taught = {"domain example.com": 7, "domain example.org": 31, f"reporter {JEAN}": 7}
    for today in (day, day + 1):  # whichever day it is when the page looks
        write_json(pages.settings.model_directory / LEDGER, asdict(Ledger(today, taught)))
        mine = told(pages, ADMIN)
        assert "31 of at most" not in mine
        assert "example.org" not in mine
        assert JEAN not in mine


def test_what_people_said_is_of_mail_that_may_be_seen(pages: Pages) -> None:
    wanted = replace(story(91, (MARIE, HELD)), subject=HOSTILE)
    locked = replace(story(92, (JEAN, INBOX)), subject="of Jean")
    away = replace(story(93, ("zoe@example.org", INBOX)), subject="of Zoe")
    pages.store.history.add([(f"l:{one.transaction}", one) for one in (wanted, locked, away)])
    say = pages.store.labels.say
    say(wanted.transaction, MARIE, True, LabelSource.RELEASE, MARIE)
    say(wanted.transaction, MARIE, False, LabelSource.OPERATOR, f"{HOSTILE}@example.com")
    for one, who in ((locked, JEAN), (away, "zoe@example.org")):
        say(one.transaction, who, False, LabelSource.SPAM_BUTTON, who)
        say(one.transaction, who, True, LabelSource.OPERATOR, who)
    page = told(pages, ADMIN)
    assert "Words that disagree" in page
    assert "said by marie@example.com by delivering it" in page
    for hidden in ("of Jean", "of Zoe", JEAN, "zoe@example.org", "<img src=x", "\u202e"):
        assert hidden not in page
    pages.store.labels.take_back(wanted.transaction, MARIE, LabelSource.RELEASE, MARIE)
    page = told(pages, ADMIN)
    assert "Words that were taken back" in page
    assert "Words that disagree" not in page


def test_numbers_alone_show_no_mail(pages: Pages) -> None:
    pages.store.people.grant("sums@example.com", "example.com", [Right("statistics")], by="root")
    page = told(pages, "sums@example.com")
    assert "What people said" in page
    assert "Words that" not in page


def test_a_model_that_cannot_be_read_is_said(pages: Pages) -> None:
    pages.settings.model_directory.mkdir(exist_ok=True)
    file = pages.settings.model_directory / "current.model"
    file.write_bytes(b"no model at all" * 10)
    assert "so the statistical filter says nothing" in told(pages, ADMIN)
    file.unlink()
