"""Sums of what came and where it went, on each of the databases."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import get_args
from zoneinfo import ZoneInfo

import pytest

from tamis.contract.finding import Finding, Status
from tamis.database.counts import Days, DeciderCount, FilterCount, HourCount, MailboxCount
from tamis.database.mailbox_sums import Rank
from tamis.judging.story import Story, Told
from tamis.people.rights import Locks, Reach
from tamis.store import Store

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DAYS = Days(date(2026, 3, 1), date(2026, 3, 1))
PLATFORM = Reach(frozenset({"platform"}))
MARIE, JEAN, HUGO = "marie@example.com", "jean@example.com", "hugo@example.org"
HAM = Told("ham", "inbox", "", "", 1.2, 7.5, "dnsbl=1.2")
HELD = Told("spam", "quarantine", "spf", "", 0.0, 7.5, "spf=spam,uribl=2(shadow)")
JUNK = Told("spam", "junk", "score", "", 8.0, 7.5, "dnsbl=8")
LOOKS = (
    Finding("spf", Status.CLEAR, seconds=0.02),
    Finding("clamav", Status.UNAVAILABLE, "no answer", seconds=3.0),
    Finding("ocr", Status.SKIPPED, "already decided"),
)


def story(
    *copies: tuple[str, Told], at: datetime = NOON, login: str = "", sender: str = "a@example.net"
) -> Story:
    return Story(at, "Q", sender, "192.0.2.7", "mx", login, "", 100, LOOKS, copies)


def fill(store: Store, *stories: Story, zone: str = "UTC") -> None:
    number = len(store.history.find(limit=10_000))
    named = [(f"a:{number + n}", one) for n, one in enumerate(stories)]
    store.history.add(named, zone=ZoneInfo(zone))


def test_each_copy_counts_once_where_its_reader_may_see_it(store: Store) -> None:
    one = story((MARIE, HELD), (HUGO, HAM))
    fill(store, one, story((MARIE, JUNK)))
    assert store.history.add([("a:0", one)]) == 0
    assert [(c.outcome, c.copies, c.octets) for c in store.statistics.by_day(PLATFORM, DAYS)] == [
        ("inbox", 1, 100),
        ("junk", 1, 100),
        ("quarantine", 1, 100),
    ]
    for reach in (Reach(frozenset({"example.org"})), Reach(frozenset({HUGO})), Reach(frozenset(), HUGO)):
        assert store.statistics.by_decider(reach, DAYS) == [DeciderCount("in", "inbox", "", 1)]
    assert store.statistics.by_day(Reach(frozenset({"example.net"})), DAYS) == []
    assert store.statistics.by_day(Reach(frozenset()), DAYS) == []


def test_filters_partners_and_totals(store: Store) -> None:
    fill(store, story((MARIE, HELD), (HUGO, HAM)), story((MARIE, JUNK), sender=""))
    found = {one.filter: one for one in store.statistics.filters(PLATFORM, DAYS)}
    assert found["spf"] == FilterCount("spf", acted=1, spoke=1)
    assert found["uribl"] == FilterCount("uribl", shadow=1)
    assert found["clamav"] == FilterCount("clamav", unavailable=3)
    assert found["dnsbl"] == FilterCount("dnsbl", spoke=2)
    slow = {one.filter: one for one in store.statistics.latencies(DAYS)}
    assert (slow["spf"].looked, slow["spf"].within(), slow["clamav"].unavailable) == (2, 0.1, 2)
    assert slow["clamav"].within() == 5.0
    assert (slow["ocr"].looked, slow["ocr"].skipped) == (0, 2)
    partners = store.statistics.partners(PLATFORM, DAYS)
    assert [(one.partner, one.copies, one.held) for one in partners] == [("example.net", 2, 1), ("<>", 1, 0)]
    scores = store.statistics.scores(PLATFORM, DAYS)
    assert [(one.low, one.decision, one.copies) for one in scores] == [(1.0, "ham", 1), (8.0, "spam", 1)]


def test_mail_between_our_own_is_its_readers(store: Store) -> None:
    sent = story((JEAN, HAM), ("x@example.net", HAM), login="marie", sender=MARIE)
    store.history.add([("a:0", sent)], {JEAN: JEAN})
    marie, jean = Reach(frozenset({MARIE})), Reach(frozenset({JEAN}))
    assert store.statistics.by_decider(marie, DAYS) == [DeciderCount("out", "inbox", "", 1)]
    assert store.statistics.by_decider(jean, DAYS) == [DeciderCount("in", "inbox", "", 1)]
    example = Reach(frozenset({"example.com"}))
    assert [one.partner for one in store.statistics.partners(example, DAYS, "out")] == ["example.net"]
    assert [one.partner for one in store.statistics.partners(example, DAYS, "in")] == ["example.com"]


def test_days_are_the_platforms_and_hours_everybodys(store: Store) -> None:
    late = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    fill(store, story((MARIE, HAM), at=late), zone="Europe/Paris")
    assert [one.day for one in store.statistics.by_day(PLATFORM, Days.until(date(2026, 3, 2), 5))] == [
        date(2026, 3, 2)
    ]
    hours = store.statistics.by_hour(PLATFORM, NOON, NOON + timedelta(days=1))
    assert hours == [HourCount(datetime(2026, 3, 1, 23, tzinfo=UTC), "in", "inbox", "", 1)]


def test_a_locked_mailbox_counts_where_it_is_one_of_many(store: Store) -> None:
    locks = Locks({JEAN: True})
    domain = Reach(frozenset({"example.com"}), closed=locks)
    fill(store, *(story((f"m{n}@example.com", HAM)) for n in range(3)), story((JEAN, HELD)))
    assert sum(one.copies for one in store.statistics.by_day(domain, DAYS)) == 3
    assert store.statistics.is_withheld(domain, DAYS)
    assert (store.statistics.filters(domain, DAYS), store.statistics.scores(domain, DAYS)) == ([], [])
    fill(store, story(("m3@example.com", HAM)))
    assert sum(one.copies for one in store.statistics.by_day(domain, DAYS)) == 5
    assert not store.statistics.is_withheld(domain, DAYS)
    assert JEAN not in {one.mailbox for one in store.statistics.mailboxes(domain, DAYS)}
    assert store.statistics.mailboxes(domain, DAYS, only=[JEAN]) == []
    own = Reach(frozenset(), JEAN, locks)
    assert [one.held for one in store.statistics.mailboxes(own, DAYS)] == [1]


def test_mailboxes_in_numbers(store: Store) -> None:
    observed = Told("spam", "junk", "spf", "", 0.0, 7.5, "", observed=True)
    fill(store, story((MARIE, HELD)), story((MARIE, JUNK)), story((MARIE, observed)))
    fill(store, story((JEAN, HAM), at=NOON - timedelta(days=9)))
    (marie,) = store.statistics.mailboxes(PLATFORM, DAYS)
    assert (marie.came, marie.held, marie.junk, marie.sent, marie.last) == (3, 1, 1, 0, DAYS.last)
    assert marie.caught_by == {"spf": 1, "score": 1}
    assert store.statistics.courses([MARIE], DAYS) == {MARIE: {DAYS.last: 3}}
    assert store.statistics.mailboxes(PLATFORM, DAYS, only=[JEAN]) == []
    assert store.statistics.quiet(PLATFORM, DAYS) == [(JEAN, date(2026, 2, 20))]


@pytest.mark.parametrize("by", get_args(Rank))
def test_mailboxes_are_ranked_a_page_at_a_time(store: Store, by: Rank) -> None:
    fill(
        store,
        *(story((f"m{n}@example.com", HELD if n % 2 else JUNK)) for n in range(7) for _ in range(n % 3 + 1)),
    )

    def page(start: int, *, upwards: bool) -> tuple[list[str], int]:
        return store.statistics.ranked(PLATFORM, DAYS, by, upwards=upwards, start=start, limit=3)

    def counts(names: list[str]) -> list[MailboxCount]:
        every = {one.mailbox: one for one in store.statistics.mailboxes(PLATFORM, DAYS, only=names)}
        return [every[name] for name in names]

    ends: list[list[str]] = []
    for upwards in (True, False):
        pages = [page(start, upwards=upwards) for start in (0, 3, 6)]
        assert [total for _, total in pages] == [7, 7, 7]
        names = [name for part, _ in pages for name in part]
        ranks = [getattr(one, by) for one in counts(names)]
        assert ranks == sorted(ranks, reverse=not upwards)
        ends.append(names)
    assert ends[0] == ends[1][::-1]
    assert page(9, upwards=True) == ([], 0)
