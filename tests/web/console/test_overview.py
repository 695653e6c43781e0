"""The console's numbers: Overview, Mailboxes, Health, without a browser."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tamis.database.counts import Days
from tamis.people.rights import BUNDLES, Reach, Right
from tamis.web import charts
from tamis.web.console.mailbox_table import COLUMNS
from tests.web.console.conftest import PLATFORM_ADMIN
from tests.web.console.numbers import LOST, NOW, PEOPLE, fill, well
from tests.web.pages import ADMIN, JEAN, MARIE, Pages
from tests.web.samples import content, message

HOST = "mx1:/var/lib/tamis"


@pytest.fixture(scope="module")
def full(pages: Pages) -> Pages:
    """A month of mail."""
    fill(pages.store)
    pages.store.healths.tell(HOST, well())
    return pages


@pytest.fixture
def health(full: Pages) -> Iterator[Pages]:
    """A host that is well again afterwards."""
    yield full
    full.store.healths.tell(HOST, well())


def answer(page: str) -> str:
    found = re.search(r'<p class="answer">(.*?)</p>', page, re.DOTALL)
    assert found
    return " ".join(re.sub(r"<[^>]+>", "", found[1]).split())


@pytest.mark.parametrize("span", ["24h", "7d", "30d", "365d", "nonsense", ""])
def test_five_questions_have_five_pictures_for_every_time(full: Pages, span: str) -> None:
    page = full.visitor(PLATFORM_ADMIN).get(f"/admin?span={span}")
    assert page.status == 200
    assert page.text.count("<figure") == 5
    assert page.text.count("<summary>Numbers</summary>") == page.text.count('role="img"')
    assert 'style="' not in page.text
    for picture in re.findall(r"<svg class=\"field\".*?</svg>", page.text, re.DOTALL):
        assert 0 < picture.count("<rect") <= charts.MOST_SHAPES
        assert picture.count("<title>") == picture.count("<rect")


def test_the_answer_has_the_numbers_of_the_store(full: Pages) -> None:
    today = datetime.now(UTC).date()  # midnight may have passed since the mail was made
    page = full.visitor(ADMIN).get("/admin?in=example.com&span=30d").text
    days = Days.until(today, 30)
    counts = full.store.statistics.by_day(Reach(frozenset({"example.com"})), days)
    came = sum(one.copies for one in counts if one.side == "in")
    assert f"{came} messages came" in answer(page)
    assert "stopped by mistake" in answer(page)
    assert full.visitor(ADMIN).get("/admin?in=example.org").status == 404


def test_it_says_what_is_not_well(health: Pages) -> None:
    ask, tell = health.visitor(PLATFORM_ADMIN).get, health.store.healths.tell
    assert "does not answer" not in ask("/admin").text
    tell(HOST, replace(well(), left_out=(LOST,)))
    page = ask("/admin").text
    assert "clamd does not answer on mx1" in page
    assert "All is well" not in answer(page)
    assert "clamd" not in health.visitor(ADMIN).get("/admin").text
    tell(HOST, replace(well(), route_proven=1.0))
    assert "configuration on mx1 was changed" in ask("/admin").text
    tell(HOST, replace(well(), disk_free=1))
    assert "nearly full" in ask("/admin").text
    tell(HOST, replace(well(), journal=200 * 1024**2))
    assert "of history wait on mx1" in ask("/admin").text
    tell(HOST, well(), now=NOW - timedelta(hours=2))
    assert "mx1 has told nothing since" in ask("/admin").text


def test_all_is_well_when_it_is(tmp_path_factory: pytest.TempPathFactory) -> None:
    web = {"administrators": {PLATFORM_ADMIN: ["platform"]}}
    with Pages(tmp_path_factory.mktemp("empty"), {"web": web}) as empty:
        page = empty.visitor(PLATFORM_ADMIN).get("/admin").text
        assert "All is well" not in page, "no host has told"
        empty.store.healths.tell(HOST, well())
        page = empty.visitor(PLATFORM_ADMIN).get("/admin").text
        assert answer(page) == "All is well. No mail came in this time."
        assert "No mailbox had mail" in empty.visitor(PLATFORM_ADMIN).get("/admin/mailboxes").text


@pytest.mark.parametrize("column", COLUMNS)
def test_mailboxes_sort_by_every_column(full: Pages, column: str) -> None:
    names = []
    for sort in (column, f"-{column}"):
        page = full.visitor(PLATFORM_ADMIN).get(f"/admin/mailboxes?sort={sort}")
        assert page.status == 200
        names.append(re.findall(r"<bdi>([^<]+@[^<]+)</bdi></a></th>", page.text.replace("<wbr>", "")))
    assert sorted(names[0]) == sorted(names[1])
    assert names[0] == names[1][::-1]
    assert JEAN not in names[0], "it is locked"
    assert set(names[0]) <= set(PEOPLE)
    assert MARIE in names[0]


def test_the_table_can_be_had_as_a_file(full: Pages) -> None:
    answer = full.visitor(PLATFORM_ADMIN).get("/admin/mailboxes?as=csv")
    assert answer.headers["content-type"].startswith("text/csv")
    heads, *rows = csv.reader(io.StringIO(answer.text.removeprefix("\ufeff")))
    assert heads[0] == "Mailbox"
    assert {len(row) for row in rows} == {len(heads)}
    assert MARIE in {row[0] for row in rows}


def test_one_mailbox(full: Pages) -> None:
    page = full.visitor(ADMIN).get(f"/admin/mailboxes/{MARIE}?span=30d").text
    assert "messages came" in answer(page)
    assert "garage.example.net" in page
    assert full.visitor(ADMIN).get(f"/admin/mailboxes/{MARIE.upper()}").status == 200
    for other in (JEAN, "x@example.org", "example.com", "nobody", "@", "a" * 400, "a/b", "%00"):
        assert full.visitor(ADMIN).get(f"/admin/mailboxes/{other}").status == 404, other


def test_what_decided_leads_to_its_messages(full: Pages) -> None:
    page = full.visitor(ADMIN).get("/admin?in=example.com&span=30d").text
    links = set(re.findall(r'<a href="(/admin/messages[^"]+by%3A[^"]+)"', page))
    assert len(links) == 4, "reverse DNS, SPF, URIBL, the total"
    for link in links:
        found = full.visitor(ADMIN).get(link.replace("&amp;", "&"))
        assert " found" in answer(found.text), link
    full.store.people.grant("numbers@example.com", "example.com", [Right.STATISTICS], by="test")
    assert "by%3A" not in full.visitor("numbers@example.com").get("/admin?span=30d").text


def test_a_mailboxs_mistakes_lead_to_their_messages(full: Pages) -> None:
    for who in PEOPLE:
        if who == JEAN:
            continue
        page = full.visitor(ADMIN).get(f"/admin/mailboxes/{who}?span=365d").text
        section = page.partition('id="q-mistakes"')[2].partition("</section>")[0]
        told = re.search(r"([0-9,]+) mistakes? w", answer(page))
        assert told
        links = re.findall(r'href="(/admin/messages/[0-9]+[^"]*)"', section)
        assert len(links) == int(told[1])
        for link in links:
            assert full.visitor(ADMIN).get(link.replace("&amp;", "&")).status == 200


def test_a_mailbox_says_whether_its_owner_is_told(full: Pages) -> None:
    visitor, path = full.visitor(ADMIN), f"/admin/mailboxes/{MARIE}"
    assert "no time of day for a digest" in visitor.get(path).text
    full.store.overrides.set(MARIE, "digest", ["17:00"], by="test", check=full.check)
    full.hold(message(1), content())
    page = visitor.get(path).text
    assert "by a digest at 17:00 (UTC)" in page
    assert "None went yet." in page
    assert "The next one will tell of 1 message." in page
    full.store.mailings.told(MARIE, full.store.mailings.untold_of(MARIE))
    page = visitor.get(path).text
    assert "The last one went on" in page
    assert "Nothing new waits" in page


def test_a_mailbox_is_locked_by_who_may_and_opened_by_its_owner_alone(full: Pages) -> None:
    who = "anne@example.com"
    path, admin = f"/admin/mailboxes/{who}", full.visitor(ADMIN)
    full.store.people.grant("helper@example.com", "example.com", BUNDLES["helper"], by="test")
    helper = full.visitor("helper@example.com")
    assert "Lock this mailbox" not in helper.get(path).text
    assert helper.submit(path, f"{path}/lock", sure="yes").status == 404
    full.store.people.grant("helper@example.com", "example.org", BUNDLES["manager"], by="test")
    everywhere = "?in=platform"  # a right in one domain is none in another
    assert helper.submit(f"{path}{everywhere}", f"{path}/lock{everywhere}", sure="yes").status == 404
    assert not full.site().book.policy(who).terms.locked
    doubted = admin.submit(path, f"{path}/lock")
    assert (doubted.status, "only anne@example.com can open it" in doubted.text) == (422, True)
    assert not full.site().book.policy(who).terms.locked
    proof = admin.get(path).field("csrf")
    done = admin.post(f"{path}/lock", {"csrf": proof, "sure": "yes"})
    assert "Only its owner can open it again" in admin.get(done.location).text
    assert full.site().book.policy(who).terms.locked
    assert admin.get(path).status == 404
    assert admin.post(f"{path}/lock", {"csrf": proof, "sure": "yes"}).status == 404
    newest = full.store.overrides.versions.newest()
    undone = admin.submit(f"/admin/policy/versions/{newest}", f"/admin/policy/versions/{newest}/undo")
    assert undone.status == 404, "what opens a lock is its owner's"
    assert full.site().book.policy(who).terms.locked
    full.store.overrides.undo(newest, by=who, check=full.check)


def test_health_is_the_platforms(health: Pages) -> None:
    assert health.visitor(ADMIN).get("/admin/health").status == 404
    visitor = health.visitor(PLATFORM_ADMIN)
    assert answer(visitor.get("/admin/health").text) == "Nothing is broken."
    assert health.store.healths.asked_for_checks() is None
    done = visitor.submit("/admin/health", "/admin/health/checks")
    assert done.status == 303
    assert health.store.healths.asked_for_checks() is not None
    assert "The checks are being made" in visitor.get(done.location).text
    health.store.healths.tell(HOST, replace(well(), left_out=(LOST,)))
    assert "connection refused" in visitor.get("/admin/health").text


@pytest.mark.parametrize(
    "path", ["/admin?span=7d", "/admin/mailboxes", f"/admin/mailboxes/{MARIE}", "/admin/health"]
)
def test_pages_speak_french(full: Pages, path: str) -> None:
    page = full.visitor(PLATFORM_ADMIN, **{"Accept-Language": "fr"}).get(path).text
    assert '<html lang="fr">' in page
    for english in (" came", " held", "Mailbox<", "Nothing", "of the ", "Numbers"):
        assert english not in re.sub(r'<[^>]*lang="en"[^>]*>.*?<', "<", page), english
