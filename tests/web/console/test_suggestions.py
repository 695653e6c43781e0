"""Suggestions in the console: from known mistakes to a change that is tried."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tamis.background.job_process import Bench, work
from tamis.database.effective_labels import LabelSource
from tests.builders import FILTERS, book
from tests.database.test_replaying import story
from tests.web.console.tuned import fittable
from tests.web.pages import ADMIN, JEAN, MARIE, Pages

HERE = "?in=example.com"


@pytest.fixture(scope="module")
def mistaken(pages: Pages) -> Pages:
    """Four messages that filter "empty" held; Marie released two of them, Jean, whose mailbox is locked, one."""
    now = datetime.now(UTC)
    told = [story(n, book(""), "empty", recipients=(MARIE, JEAN)) for n in range(4)]
    fresh = [(f"s:{n}", replace(one, at=now - timedelta(hours=n + 1))) for n, one in enumerate(told)]
    pages.store.history.add(fresh, {MARIE: MARIE, JEAN: JEAN})
    for number, mailbox in ((0, MARIE), (1, MARIE), (2, JEAN)):
        pages.store.labels.say(f"t{number}", mailbox, True, LabelSource.RELEASE, mailbox)
    return pages


def test_from_mistakes_to_a_change(mistaken: Pages) -> None:
    admin = mistaken.visitor(ADMIN)
    page = admin.get(f"/admin/suggest{HERE}")
    assert page.text.count('name="mistake"') == 2
    assert JEAN not in page.text
    names = [f"{number} {MARIE}" for number in (1, 2)]
    assert all(f'value="{name}"' in page.text for name in names)
    begun = admin.send(f"/admin/suggest{HERE}", {"mistake": names}, f"/admin/suggest{HERE}")
    assert begun.status == 303
    job = mistaken.store.jobs.begin("here")
    assert job is not None
    work(Bench(mistaken.file, FILTERS, mistaken.store), *job)
    found = admin.get(begun.location).text
    assert "filters.empty.state = off" in found
    assert "mends 2 known mistakes (2 of the chosen ones), makes 0, moves 4 copies in all" in found
    assert "/admin/replay?in=example.com&amp;set=filters.empty.state%3Doff&amp;days=7" in found
    assert begun.location.partition("?")[0] in admin.get(f"/admin/jobs{HERE}").text


def fit_next(pages: Pages) -> str:
    """Ask for a fit of example.com's points, do it, and give the page of it."""
    admin = pages.visitor(ADMIN)
    begun = admin.send(f"/admin/suggest{HERE}", {}, f"/admin/suggest/points{HERE}")
    assert begun.status == 303
    job = pages.store.jobs.begin("here")
    assert job is not None
    work(Bench(pages.file, FILTERS, pages.store), *job)
    return admin.get(begun.location).text


def test_too_few_words_of_people_are_said(mistaken: Pages) -> None:
    told = fit_next(mistaken)
    assert (
        "people said of 0 that they were wanted and of 0 that they were not; 200 of each are needed." in told
    )
    assert "2 more copies are no part of it" in told  # a filter decided about them


def test_points_are_fitted_and_tried(mistaken: Pages) -> None:
    with fittable(mistaken):
        told = fit_next(mistaken)
    assert "Fitted on 22 wanted and 20 unwanted copies." in told  # the two of before among them
    assert "0 of 20 (between 0" in told
    assert 'name="set" value="filters.empty.score=' in told
    assert "known mistakes mended, 0 new." in told


def test_only_ones_own_mistakes_can_be_chosen(mistaken: Pages) -> None:
    admin = mistaken.visitor(ADMIN)
    for name in (f"3 {JEAN}", "1 nobody@example.com", "x", ""):
        told = admin.send(f"/admin/suggest{HERE}", {"mistake": name}, f"/admin/suggest{HERE}")
        assert "Tick at least one mistake." in told.text
    assert admin.post(f"/admin/suggest{HERE}", {"mistake": f"1 {MARIE}"}).status == 403
    for path in ("/admin/suggest?in=platform", "/admin/suggest?in=example.org", f"/admin/suggest/999{HERE}"):
        assert admin.get(path).status == 404
