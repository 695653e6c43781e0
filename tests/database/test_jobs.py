"""Jobs in the store, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tamis.database.jobs import KEPT, LOST, MAX_OPEN, JobState, TooManyJobsError
from tamis.store import Store
from tests.quarantine.samples import NOW

MARIE, PAUL = "marie@example.com", "paul@example.com"


def test_the_same_is_not_asked_for_twice_and_too_much_not_at_all(store: Store) -> None:
    first = store.jobs.ask("replay", "Marie@Example.com", "example.com", {"set": [1]})
    assert store.jobs.ask("replay", MARIE, "example.com", {"set": [1]}) == first
    assert store.jobs.ask("replay", PAUL, "example.com", {"set": [1]}) != first
    for number in range(2, MAX_OPEN + 1):
        store.jobs.ask("replay", MARIE, "example.com", {"set": [number]})
    with pytest.raises(TooManyJobsError):
        store.jobs.ask("replay", MARIE, "example.com", {"set": [99]})
    assert store.jobs.cancel(first.id, by=MARIE)
    store.jobs.ask("replay", MARIE, "example.com", {"set": [99]})
    assert len(store.jobs.of(MARIE)) == MAX_OPEN + 1
    assert [one.who for one in store.jobs.of(PAUL)] == [PAUL]


def test_only_who_holds_the_claim_tells_of_a_job(store: Store) -> None:
    asked = store.jobs.ask("replay", MARIE, "example.com", {})
    begun = store.jobs.begin("a")
    assert begun is not None
    job, claim = begun
    assert (job.id, job.state, job.starts) == (asked.id, JobState.RUNNING, 1)
    assert store.jobs.begin("b") is None
    assert store.jobs.progress(job.id, claim, 1, 4, {"copies": 2})
    assert not store.jobs.progress(job.id, "other", 2, 4, {"copies": 3})
    now = store.jobs.get(job.id)
    assert now is not None
    assert (now.done, now.total, now.result) == (1, 4, {"copies": 2})
    assert store.jobs.finish(job.id, claim, {"copies": 8})
    assert not store.jobs.fail(job.id, claim, "late")
    assert not store.jobs.cancel(job.id, by=MARIE)
    now = store.jobs.get(job.id)
    assert now is not None
    assert (now.state, now.done, now.result, now.is_open) == (JobState.DONE, 4, {"copies": 8}, False)


def test_a_cancelled_job_stops_where_it_is(store: Store) -> None:
    asked = store.jobs.ask("replay", MARIE, "example.com", {})
    begun = store.jobs.begin("a")
    assert begun is not None
    assert store.jobs.progress(asked.id, begun[1], 1, 4, {"copies": 2})
    assert store.jobs.cancel(asked.id, by=MARIE)
    assert not store.jobs.progress(asked.id, begun[1], 2, 4, {"copies": 3})
    now = store.jobs.get(asked.id)
    assert now is not None
    assert (now.state, now.result) == (JobState.CANCELLED, {"copies": 2})


def test_a_job_of_a_host_that_is_gone_is_anothers(store: Store) -> None:
    asked = store.jobs.ask("replay", MARIE, "example.com", {}, now=NOW)
    assert store.jobs.begin("gone", now=NOW)
    assert store.jobs.begin("b", now=NOW + LOST) is None
    begun = store.jobs.begin("b", now=NOW + LOST + timedelta(seconds=1))
    assert begun is not None
    assert (begun[0].id, begun[0].starts) == (asked.id, 2)
    assert store.jobs.orphans("gone") == ()
    assert store.jobs.orphans("b") == ((asked.id, begun[1]),)


def test_they_are_kept_for_a_week(store: Store) -> None:
    asked = store.jobs.ask("replay", MARIE, "example.com", {}, now=NOW)
    assert store.jobs.expire(NOW + KEPT) == 0
    assert store.jobs.expire(NOW + KEPT + timedelta(seconds=1)) == 1
    for number in (asked.id, 0, -1, 2**70):
        assert store.jobs.get(number) is None
