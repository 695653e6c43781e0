"""The audit trail on the pages: whose it is, in pages, and as a file that runs nowhere."""

from __future__ import annotations

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.people.rights import Reach
from tamis.web.table_file import inert
from tests.web.console.conftest import PLATFORM_ADMIN
from tests.web.pages import ADMIN, JEAN, MARIE, Pages

COM = Reach(frozenset({"example.com"}))


@pytest.fixture(scope="module", autouse=True)
def rows(pages: Pages) -> None:
    note = pages.store.trail.note
    for n in range(60):
        note(MARIE, "preview", f"message {n}", scope=MARIE)
    note("op", "list add", "of the platform")
    note(ADMIN, "policy set", "of the domain", {"value": '=cmd|" /C calc"!A0'}, scope="example.com")
    note(JEAN, "list add", "behind the lock", scope=JEAN)
    note(ADMIN, "policy set", "jean's policy", scope=JEAN)
    note("=HYPERLINK(1)", "delete", "@evil", scope="example.com")
    note("zoe@example.org", "delete", "elsewhere", scope="example.org")


def told(pages: Pages, who: str, path: str = "/admin/audit") -> str:
    return pages.visitor(who).get(path).text


def test_an_owner_reads_the_own_domain_alone(pages: Pages) -> None:
    page = told(pages, ADMIN)
    assert "of the domain" in page
    assert "jean&#39;s policy" in page  # done to a locked mailbox by somebody else
    for hidden in ("of the platform", "elsewhere", "behind the lock"):
        assert hidden not in page
    everything = told(pages, PLATFORM_ADMIN)
    assert "of the platform" in everything
    assert "elsewhere" in everything
    assert "behind the lock" not in everything


def test_pages_go_on_where_they_ended(pages: Pages) -> None:
    path, seen = f"/admin/audit?who={MARIE}&action=preview", []
    while path:
        page = told(pages, ADMIN, path)
        seen += re.findall(r"<bdi>(message \d+)</bdi>", page)
        after = re.search(r'href="([^"]+)" rel="next"', page)
        path = after[1].replace("&amp;", "&") if after else ""
    assert seen == [f"message {n}" for n in reversed(range(60))]


@pytest.mark.parametrize("query", ["before=x", "before=" + "9" * 400, "who=%00", "action='--", "before=-1"])
def test_whatever_is_asked_for_is_answered(pages: Pages, query: str) -> None:
    assert pages.visitor(ADMIN).get(f"/admin/audit?{query}").status == 200


def test_the_file_has_the_same_and_nothing_in_it_runs(pages: Pages) -> None:
    answer = pages.visitor(ADMIN).get("/admin/audit.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="audit.csv"'
    table = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert table[0][:3] == ["at", "who", "action"]
    assert ["'=HYPERLINK(1)", "delete", "'@evil"] in [row[1:4] for row in table]
    assert [cell for row in table for cell in row if cell[:1] in ("=", "+", "-", "@")] == []
    assert len([row for row in table if row[2] == "preview"]) == 60
    assert "behind the lock" not in answer.text


@given(st.text(max_size=40))
def test_no_cell_is_a_formula(text: str) -> None:
    shown = inert(text)
    assert shown.isprintable()
    assert not shown.lstrip().startswith(("=", "+", "-", "@"))
