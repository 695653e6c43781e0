"""The bounds on what is taught in a day hold for all hosts of a store together."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tamis.models.ledger import Ledger
from tamis.models.reports import Report
from tamis.settings import LearningSettings
from tamis.store import Store

BOUNDS = LearningSettings(per_reporter=3, per_domain=5, per_source=7)
WHOM = ("a@example.com", "b@example.com", "A@example.com", "c@example.net", "d@example.org")


def of(reporter: str, source: str = "dovecot") -> Report:
    return Report("spam", source, reporter, b"", Path())


def test_hosts_count_as_one_would(store: Store) -> None:
    """Whichever of them gets a report, the answer is that of a single host that gets all."""
    one, hosts = Ledger(), (Ledger(), Ledger(), Ledger())
    reports = [of(WHOM[n % len(WHOM)]) for n in range(20)] + [of("192.0.2.0/24", "honeypot")] * 4
    for day in (1, 2):
        expected = [one.admits(each, BOUNDS, day) for each in reports]
        found = [hosts[n % 3].admits(each, BOUNDS, day, store.taught) for n, each in enumerate(reports)]
        assert found == expected
        assert sum(found[:20]) == BOUNDS.per_source
        keys = [*one.taught, "domain of.nobody.example"]
        assert store.taught.of(day, keys) == one.of(day, keys) == one.taught
        assert store.taught.of(day + 1, keys) == {}
    assert {name for host in hosts for name in host.dropped} == {"dovecot", "honeypot"}
    assert not any(host.taught for host in hosts), "what one host counts alone says nothing"


def test_all_at_once_get_no_more(store: Store) -> None:
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda _: Ledger().admits(of(WHOM[0]), BOUNDS, 1, store.taught), range(12)))
    assert sum(found) == BOUNDS.per_reporter


def test_names_that_no_database_holds_are_counted_apart(store: Store) -> None:
    bounds = LearningSettings(per_reporter=1, per_domain=9, per_source=9)
    for name in ("a\0@example.com", "a\udcff@example.com"):
        assert [Ledger().admits(of(name), bounds, 1, store.taught) for _ in range(2)] == [True, False]
