"""Replay in the console: the same as the command says, of what may be seen, before anything is changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tamis.background.job_process import Bench, work
from tamis.cli import main
from tamis.database.counts import ScoreCount
from tamis.database.jobs import MAX_OPEN, Job
from tamis.judging.policy import PolicyBook
from tamis.judging.stored_policy import Override
from tamis.message.address import PLATFORM
from tamis.people.rights import NO_LOCKS
from tamis.web.console.at_once import MovedByLimit, between
from tests.builders import FILTERS, book
from tests.database.test_replaying import story
from tests.real.daemon import to_toml
from tests.web.console.conftest import PLATFORM_ADMIN
from tests.web.pages import ADMIN, JEAN, MARIE, Pages, Visitor

HERE = "?in=example.com"
PAUL = "paul@example.org"
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def recorded(pages: Pages) -> Pages:
    """Twelve messages that filter "empty" held, each for Marie, for Jean, whose mailbox is locked, and for Paul."""
    told = [
        story(n, book(""), *(["empty"] if n % 2 else []), recipients=(MARIE, JEAN, PAUL)) for n in range(12)
    ]
    fresh = [(f"r:{n}", replace(one, at=NOW - timedelta(hours=n + 1))) for n, one in enumerate(told)]
    others = [f"p{n}@example.org" for n in range(5)]  # enough for sums that tell nothing of a locked mailbox
    fresh.append(("r:others", replace(story(99, book(""), recipients=others), at=NOW)))
    pages.store.history.add(fresh, {who: who for who in (MARIE, JEAN, PAUL, *others)})
    return pages


@pytest.fixture(autouse=True)
def no_jobs(pages: Pages) -> Iterator[None]:
    """Each test begins without jobs under way and without overrides."""
    yield
    for who in (ADMIN, PLATFORM_ADMIN):
        for job in pages.store.jobs.of(who):
            pages.store.jobs.cancel(job.id, by=who)
    stored = [Override(one.override.scope, one.override.key, None) for one in pages.store.overrides.list()]
    pages.store.overrides.change(stored, by="test", check=lambda *_: None)


def do_next(pages: Pages) -> Job:
    """What the background process would do with the next job."""
    begun = pages.store.jobs.begin("here")
    assert begun is not None
    work(Bench(pages.file, FILTERS, pages.store), *begun)
    done = pages.store.jobs.get(begun[0].id)
    assert done is not None
    return done


def try_it(visitor: Visitor, scope: str = "example.com", **fields: str) -> str:
    answer = visitor.send(f"/admin/replay?in={scope}", {"days": "7", **fields}, f"/admin/replay?in={scope}")
    assert answer.status == 303, answer.text
    return answer.location


def test_a_change_is_tried_and_saved(recorded: Pages) -> None:
    admin = recorded.visitor(ADMIN)
    where = try_it(admin, key="filters.empty.state", value="shadow")
    waiting = admin.get(where).text
    assert 'data-live="yes"' in waiting
    assert '<meta http-equiv="refresh"' in waiting
    do_next(recorded)
    done = admin.get(where)
    assert "<li>6 · held → inbox</li>" in done.text
    assert 'data-live="no"' in done.text
    assert "refresh" not in done.text
    form = {name: done.field(name) for name in ("csrf", "base", "set")}
    saved = admin.post(f"/admin/policy/save{HERE}", form, note="lets the empty ones through")
    assert saved.status == 303
    stored = {one.override.key: one.override.value for one in recorded.store.overrides.list()}
    assert stored == {"filters.empty.state": "shadow"}


def test_the_result_is_the_commands(
    recorded: Pages, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the last digit, of a whole platform without locked mailboxes."""
    monkeypatch.setattr(PolicyBook, "locks", lambda _: NO_LOCKS)
    root = recorded.visitor(PLATFORM_ADMIN)
    where = try_it(root, "platform", key="filters.empty.state", value="off")
    result = do_next(recorded).result
    assert (result["copies"], result["moved"]) == (41, 18)
    assert root.get(where).status == 200
    config = tmp_path / "tamis.toml"
    given = {
        "state_directory": str(recorded.settings.state_directory),
        "run_directory": str(tmp_path),
        "policy": {"mailboxes": {JEAN: {"locked": True}}},
    }
    config.write_text(to_toml(given))
    capfd.readouterr()
    with pytest.raises(SystemExit):
        main(
            [
                "--config",
                str(config),
                "replay",
                "--set",
                "filters.empty.state=off",
                "--limit",
                "100",
                "--json",
            ]
        )
    assert json.loads(capfd.readouterr().out) == result


def test_a_link_brings_its_knobs(recorded: Pages) -> None:
    """As the story's page makes it: in, set, days."""
    page = recorded.visitor(ADMIN).get(f"/admin/replay{HERE}&set=filters.empty.state%3Doff&days=30").text
    assert '<option value="off" selected>' in page
    assert '<option value="30" selected>' in page
    wrong = recorded.visitor(ADMIN).get(f"/admin/replay{HERE}&set=requird%3D6")
    assert (wrong.status, "Did you mean required?" in wrong.text) == (422, True)


def test_another_limit_is_answered_at_once(recorded: Pages) -> None:
    totals = [ScoreCount(low / 2, "ham", "wanted" if low == 13 else "", low) for low in range(10, 20)]
    assert between(totals, 7.5, 6.5) == MovedByLimit(13 + 14, 13 + 14, stopped=True, wanted=13, unwanted=0)
    assert between(totals, 7.5, 8.25) == MovedByLimit(15, 15 + 16, stopped=False, wanted=0, unwanted=0)
    assert between(totals, 7.5, 7.5) == MovedByLimit(0, 0, stopped=False, wanted=0, unwanted=0)
    root = recorded.visitor(PLATFORM_ADMIN)
    page = root.get("/admin/replay?in=example.org&set=required%3D9")
    assert "At once" in page.text
    assert "Save as a new version" in page.text
    assert 'class="limit" x1="' in page.text
    assert root.get("/admin/replay?in=example.org&limit=9&days=30").location == (
        "/admin/replay?in=example.org&set=required%3D9&days=30"
    )
    assert root.get("/admin/replay?in=example.org&set=required%3Dnone").status == 422
    few = root.get("/admin/replay?in=example.com&set=required%3D9")  # its sums would tell of a locked mailbox
    assert "At once" not in few.text


def test_another_outcome_is_answered_at_once(recorded: Pages) -> None:
    """Paul's six that were held; with another knob beside it, only the job can tell."""
    root = recorded.visitor(PLATFORM_ADMIN)
    page = root.get("/admin/replay?in=example.org&set=outcome%3Djunk").text
    assert "<p>6 · held → Junk</p>" in page
    assert "Save as a new version" in page
    both = root.get("/admin/replay?in=example.org&set=outcome%3Djunk&set=filters.empty.state%3Doff").text
    assert "At once" not in both


def test_a_locked_mailbox_is_no_part_of_it_and_links_show_what_one_may_see(recorded: Pages) -> None:
    admin, root = recorded.visitor(ADMIN), recorded.visitor(PLATFORM_ADMIN)
    where = try_it(admin, key="filters.empty.state", value="off")
    job = do_next(recorded)
    assert {one["recipient"] for one in job.result["changed"]} == {MARIE}
    assert root.get(where).status == 200
    for other in (MARIE, "nobody@example.org"):
        assert recorded.visitor(other).get(where).status == 404
    platform = try_it(root, "platform", key="filters.empty.state", value="off")
    do_next(recorded)
    assert PAUL in root.get(platform).text
    number = platform.partition("?")[0].rpartition("/")[2]
    assert admin.get(f"/admin/replay/{number}{HERE}").status == 404
    recorded.store.overrides.set(MARIE, "locked", True, by="t", check=recorded.check)
    assert "What would move" not in admin.get(where).text


def test_jobs_are_ones_own(recorded: Pages) -> None:
    admin, root = recorded.visitor(ADMIN), recorded.visitor(PLATFORM_ADMIN)
    assert "Nothing was asked for" in root.get("/admin/jobs?in=platform").text or recorded.store.jobs.of(
        PLATFORM_ADMIN
    )
    where = try_it(admin, key="required", value="3")
    number = where.partition("?")[0].rpartition("/")[2]
    assert f"/admin/replay/{number}" in admin.get(f"/admin/jobs{HERE}").text
    assert f"/admin/replay/{number}" not in root.get("/admin/jobs?in=platform").text
    cancel = f"/admin/jobs/{number}/cancel"
    assert root.send("/admin/replay?in=platform", {}, f"{cancel}?in=platform").status == 404
    assert admin.post(f"{cancel}{HERE}", {"csrf": "x"}).status == 403
    assert admin.send(f"/admin/replay{HERE}", {}, f"{cancel}{HERE}").status == 303
    assert "ended before it was through" in admin.get(where).text
    for bad in ("0", "x", "9" * 40, "-1"):
        assert admin.get(f"/admin/replay/{bad}{HERE}").status == 404


def test_too_many_jobs_are_refused(recorded: Pages) -> None:
    admin = recorded.visitor(ADMIN)
    for number in range(MAX_OPEN):
        try_it(admin, key="required", value=str(number + 1))
    form = {"days": "7", "key": "required", "value": "50"}
    assert admin.send(f"/admin/replay{HERE}", form, f"/admin/replay{HERE}").status == 409


def test_nobody_tries_above_the_own_scope(recorded: Pages) -> None:
    admin = recorded.visitor(ADMIN)
    for scope in (PLATFORM, "example.org", JEAN):
        assert admin.get(f"/admin/replay?in={scope}").status == 404
        form = {"days": "7", "key": "required", "value": "3"}
        assert admin.send(f"/admin/replay{HERE}", form, f"/admin/replay?in={scope}").status == 404
