"""Quotas: what goes first, what never goes, and that nobody else pays for a flood."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from tamis.quarantine.held_mail import TOMBSTONE
from tamis.quarantine.quotas import Usage
from tamis.quarantine.records import HeldState
from tamis.settings import QuarantineSettings
from tamis.store import Store
from tests.quarantine.samples import NOW, held

BODY = b"x" * 100_000
LATER = NOW + timedelta(days=10)


def fill(store: Store, mailbox: str, copies: int, *, days: float = 0, size: int = len(BODY)) -> list[str]:
    """Copies that were held that many days after NOW, one a second, the oldest first."""
    at = NOW + timedelta(days=days)
    return [
        store.quarantine.hold(
            held(f"{mailbox} {days} {n}", mailbox), BODY[:size], now=at + timedelta(seconds=n)
        )
        for n in range(copies)
    ]


def left(store: Store) -> Counter[str]:
    return Counter(one.mailbox for one in store.quarantine.list(limit=10_000))


def relieve(store: Store, **quotas: int) -> int:
    return store.quotas.relieve(QuarantineSettings(**quotas), LATER, lambda: False)


def test_a_full_mailbox_loses_its_own_oldest(store: Store) -> None:
    flooded, other = fill(store, "marie@example.com", 250), fill(store, "paul@example.com", 5)
    assert relieve(store, mailbox_quota=20 * len(BODY)) == 230
    assert {one.id for one in store.quarantine.list(limit=1000)} == {*flooded[230:], *other}
    gone = store.quarantine.get(flooded[0])
    assert gone is not None
    assert gone.summary.state is HeldState.EXPIRED
    assert gone.summary.expires_at >= LATER + TOMBSTONE
    assert relieve(store, mailbox_quota=20 * len(BODY)) == 0


def test_a_full_domain_is_paid_for_by_its_largest_mailbox(store: Store) -> None:
    fill(store, "marie@example.com", 30)
    fill(store, "paul@example.com", 10)
    fill(store, "anna@example.org", 40)
    assert relieve(store, domain_quota=40 * len(BODY)) == 0
    assert relieve(store, domain_quota=25 * len(BODY)) == 15 + 15
    assert left(store) == {"marie@example.com": 15, "paul@example.com": 10, "anna@example.org": 25}


def test_the_platform_is_paid_for_by_the_largest_mailbox(store: Store) -> None:
    fill(store, "marie@example.com", 30)
    fill(store, "anna@example.org", 40)
    assert relieve(store, quota=50 * len(BODY)) == 20
    assert left(store) == {"marie@example.com": 30, "anna@example.org": 20}


def test_what_a_mailbox_lost_relieves_its_domain(store: Store) -> None:
    fill(store, "marie@example.com", 30)
    fill(store, "paul@example.com", 10)
    assert relieve(store, mailbox_quota=12 * len(BODY), domain_quota=25 * len(BODY)) == 18
    assert left(store) == {"marie@example.com": 12, "paul@example.com": 10}


def test_what_is_guaranteed_stays_and_is_told(store: Store) -> None:
    old, young = fill(store, "marie@example.com", 5), fill(store, "marie@example.com", 5, days=4)
    settings = QuarantineSettings(mailbox_quota=len(BODY), guaranteed_days=7)
    assert store.quotas.relieve(settings, LATER, lambda: False) == len(old)
    assert {one.id for one in store.quarantine.list()} == set(young)
    (full,) = store.quotas.full(settings)
    assert full.usage == Usage("marie@example.com", 5, 5 * len(BODY))
    assert full.quota == len(BODY)


def test_a_mailbox_whose_copies_are_guaranteed_is_passed_over(store: Store) -> None:
    fill(store, "marie@example.com", 30, days=9)
    fill(store, "paul@example.com", 10)
    assert relieve(store, domain_quota=35 * len(BODY)) == 5
    assert left(store) == {"marie@example.com": 30, "paul@example.com": 5}


def test_it_stops_when_it_is_told_to(store: Store) -> None:
    fill(store, "marie@example.com", 20)
    assert store.quotas.relieve(QuarantineSettings(mailbox_quota=1), LATER, lambda: True) == 0


@pytest.mark.parametrize("quota", [0, 10**9])
def test_no_quota_and_a_roomy_one_drop_nothing(store: Store, quota: int) -> None:
    fill(store, "marie@example.com", 3)
    assert relieve(store, mailbox_quota=quota, domain_quota=quota, quota=quota) == 0
    assert store.quotas.largest("domain", 5) == (Usage("example.com", 3, 3 * len(BODY)),)
    assert store.quotas.all_of_it() == Usage("platform", 3, 3 * len(BODY))


def test_nothing_held_is_no_octets(store: Store) -> None:
    assert store.quotas.all_of_it() == Usage("platform", 0, 0)
