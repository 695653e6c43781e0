"""Jobs in processes of their own: one at a time, and none is lost with its process."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tamis.background.job_process import UNFORESEEN, Bench, work
from tamis.background.working import DIED, Working
from tamis.database.jobs import MAX_STARTS, Job, JobState
from tamis.database.replay_jobs import asked_replay
from tamis.judging.stored_policy import Override
from tamis.people.rights import Reach
from tamis.settings import SettingsFile
from tests.builders import FILTERS, MARIE, book
from tests.database.test_replaying import story
from tests.fresh_store import new_store
from tests.real.daemon import to_toml

HOST = "mx:/var/lib/tamis"
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
ALL = Reach(frozenset({"platform"}))


class Here:
    """A store with a few messages, and the settings file that names it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "tamis.toml"
        text = to_toml({"state_directory": str(folder), "run_directory": str(folder)})
        self.path.write_text(text)
        self.file = SettingsFile(self.path, text)
        self.store = new_store(folder / "tamis.sqlite")
        told = [(f"a:{n}", story(n, book(""), "empty")) for n in range(3)]
        self.store.history.add(told, {MARIE: MARIE})

    def ask(self, *changes: Override) -> Job:
        asked = asked_replay(changes or [Override("platform", "filters.empty.state", "off")], SINCE, 7, ALL)
        return self.store.jobs.ask("replay", MARIE, "platform", asked)

    def state(self, job: Job) -> tuple[JobState, str]:
        now = self.store.jobs.get(job.id)
        assert now is not None
        return now.state, now.problem


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Here]:
    made = Here(tmp_path)
    yield made
    made.store.close()


def ended(process: subprocess.Popen[bytes] | None) -> None:
    assert process is not None
    process.wait(60)


def test_jobs_are_done_one_after_the_other(here: Here) -> None:
    first, second = here.ask(), here.ask(Override("platform", "required", 1.0))
    working = Working(here.store.jobs, HOST, lambda: here.path)
    working.step()
    working.step()
    assert here.state(second) == (JobState.WAITING, "")
    assert here.store.jobs.before(second.id) == 1
    ended(working.process)
    done = here.store.jobs.get(first.id)
    assert done is not None
    assert (done.state, done.done, done.total) == (JobState.DONE, 1, 1)
    assert (done.result["copies"], done.result["moved"]) == (3, 3)
    assert os.getpriority(os.PRIO_PROCESS, 0) <= 10
    working.step()
    ended(working.process)
    assert here.state(second) == (JobState.DONE, "")
    working.step()
    assert working.process is None


def test_a_killed_process_costs_a_start_and_at_last_the_job(here: Here) -> None:
    job = here.ask()
    working = Working(here.store.jobs, HOST, lambda: here.path)
    for start in range(1, MAX_STARTS + 1):
        working.step()
        assert working.process is not None
        os.kill(working.process.pid, signal.SIGKILL)  # it has not even begun to import
        ended(working.process)
        now = here.store.jobs.get(job.id)
        assert now is not None
        assert (now.state, now.starts) == (JobState.RUNNING, start)
    working.step()
    assert here.state(job) == (JobState.FAILED, f"{DIED}, {MAX_STARTS} times")


def test_what_a_killed_background_process_left_is_begun_again(here: Here) -> None:
    """And its orphan can't write over its successor's work."""
    job = here.ask()
    begun = here.store.jobs.begin(HOST)
    assert begun is not None
    _, lost = begun
    working = Working(here.store.jobs, HOST, lambda: here.path)
    working.step()
    assert not here.store.jobs.progress(job.id, lost, 1, 9, {"copies": 0})
    assert not here.store.jobs.finish(job.id, lost, {"copies": 0})
    ended(working.process)
    done = here.store.jobs.get(job.id)
    assert done is not None
    assert (done.state, done.result["copies"], done.starts) == (JobState.DONE, 3, 2)


def test_a_stop_gives_the_job_back_at_no_cost(here: Here) -> None:
    job = here.ask()
    working = Working(here.store.jobs, HOST, lambda: here.path)
    working.step()
    working.close()
    now = here.store.jobs.get(job.id)
    assert now is not None
    assert (now.state, now.starts) == (JobState.WAITING, 0)


def test_another_hosts_jobs_are_left_to_it(here: Here) -> None:
    here.ask()
    assert here.store.jobs.begin("other:/var/lib/tamis") is not None
    working = Working(here.store.jobs, HOST, lambda: here.path)
    working.step()
    assert working.process is None


def test_a_process_whose_parent_is_gone_leaves_the_job(here: Here) -> None:
    job = here.ask()
    begun = here.store.jobs.begin(HOST)
    assert begun is not None
    work(Bench(here.file, FILTERS, here.store, parent=2**30), *begun)
    assert here.state(job) == (JobState.RUNNING, "")


def test_why_a_job_failed_is_told(here: Here) -> None:
    """What policy does not take, by its reason; a mistake of ours without the inside."""
    for change, why in ((Override("platform", "requird", 1), "requird"), ("no change", UNFORESEEN)):
        asked = asked_replay([change] if isinstance(change, Override) else [], SINCE, 7, ALL)
        if isinstance(change, str):
            asked = {**asked, "set": change}
        job = here.store.jobs.ask("replay", MARIE, "platform", asked)
        begun = here.store.jobs.begin(HOST)
        assert begun is not None
        work(Bench(here.file, FILTERS, here.store), *begun)
        state, problem = here.state(job)
        assert state is JobState.FAILED
        assert why in problem
