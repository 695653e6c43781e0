"""Counting anew gives what was counted message by message, on each of the databases."""

from __future__ import annotations

import random
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select

from tamis.contract.finding import Finding, Status
from tamis.database.counts import Days
from tamis.database.effective_labels import LabelSource
from tamis.database.schema import Base
from tamis.database.statistics_upkeep import NAMED_PARTNERS
from tamis.judging.story import Story, Told
from tamis.store import Store
from tests.database.test_statistics import HAM, MARIE, NOON, PLATFORM

TABLES = [
    one for one in Base.metadata.sorted_tables if one.name.startswith("statistics_") and "copies" in one.c
]
"""Those that are made of the history: what entries of lists met is counted apart."""
PARIS = ZoneInfo("Europe/Paris")
WHO = ("marie@example.com", "jean@example.com", "hugo@example.org", "x@example.net")


def sums(store: Store) -> dict[str, set[tuple[object, ...]]]:
    with store._database.read() as session:
        return {one.name: {tuple(row) for row in session.execute(select(one))} for one in TABLES}


def stories(number: int) -> list[tuple[str, Story]]:
    """Mail of three days, as a generator has it that always begins alike."""
    chance = random.Random(16)
    made = []
    for n in range(number):
        told = [
            Told("spam", "quarantine", "spf", "", 0.0, 7.5, "spf=spam,uribl=1(shadow)"),
            Told("spam", "junk", "score", "", chance.uniform(7.5, 90), 7.5, "dnsbl=8", chance.random() < 0.2),
            Told("ham", "inbox", "", "", chance.uniform(-3, 7), 7.5, "dnsbl=1"),
            Told("defer", "defer", "greylisting", "", 0.0, 7.5, "greylisting=defer"),
        ]
        looks = tuple(
            Finding(name, chance.choice(list(Status)), "x", {}, chance.expovariate(3))
            for name in ("spf", "dnsbl", "uribl", "clamav")
        )
        looks += (_ruled(chance),)
        copies = tuple((who, chance.choice(told)) for who in chance.sample(WHO, chance.randint(1, 3)))
        sender = chance.choice(("", MARIE, "a@example.net", f"b@{chance.randint(1, 9)}.example"))
        login = "marie" if sender == MARIE else ""
        at = NOON - timedelta(minutes=chance.randint(0, 3 * 1440))
        made.append(
            (f"a:{n}", Story(at, "Q", sender, "192.0.2.7", "mx", login, "", n, looks, copies, f"t{n}"))
        )
    return made


def _ruled(chance: random.Random) -> Finding:
    """What a filter of rules says: some are met, one depends on what another filter means to the recipient."""
    met = [[name, "score", 1.0] for name in ("casino", "pills") if chance.random() < 0.3]
    left = [["both", "score", 2.0, ["and", "dnsbl", ["not", "spf"]]]]
    return Finding("keywords", Status.HIT, "x", {"rules": met} | ({"open": left} if met else {}), 0.1)


def test_counting_anew_changes_nothing(store: Store) -> None:
    made = stories(300)
    here = {one: one for one in WHO if "net" not in one}
    for start in range(0, 300, 37):
        store.history.add(made[start : start + 37], here, PARIS)
    for n in range(0, 300, 7):
        for who in WHO[:2]:
            store.labels.say(f"t{n}", who, n % 2 == 0, LabelSource.RELEASE, who, now=NOON)
    before = sums(store)
    assert all(before.values())
    rebuilt = list(store.statistics_upkeep.rebuild(NOON, PARIS))
    assert len(rebuilt) == 4
    assert all(done for _, done in rebuilt)
    assert sums(store) == before
    assert sum(one.copies for one in store.statistics.by_day(PLATFORM, Days.until(NOON.date(), 9))) == sum(
        len(one.recipients) for _, one in made
    )


def test_days_that_the_history_has_lost_stay_as_they_were(store: Store) -> None:
    store.history.add(stories(200), zone=PARIS)
    before = sums(store)
    store.history.expire(NOON, days=30, most=1000)
    with store._database.read() as session:
        assert session.scalar(select(Base.metadata.tables["history_messages"].c.id)) is not None
    store.history.expire(
        NOON + timedelta(days=29), days=30, most=1000
    )  # two of the four days, and a part of one
    rebuilt = dict(store.statistics_upkeep.rebuild(NOON, PARIS))
    assert rebuilt == {date(2026, 3, 1): True, date(2026, 2, 28): False}
    after = sums(store)
    after.pop("statistics_hours")
    assert {name: before[name] for name in after} == after
    store.history.expire(NOON + timedelta(days=60), days=30, most=1000)
    assert list(store.statistics_upkeep.rebuild(NOON, PARIS)) == []
    assert sums(store)["statistics_days"] == before["statistics_days"]


def test_a_wrong_sum_is_put_right(store: Store) -> None:
    store.history.add(stories(50), zone=PARIS)
    before = sums(store)
    with store._database.write() as session:
        for table in TABLES:
            session.execute(table.update().values(copies=table.c.copies + 7))
    assert all(done for _, done in list(store.statistics_upkeep.rebuild(NOON, PARIS))[:-1])
    oldest = min(
        date.toordinal(one.day) for one in store.statistics.by_day(PLATFORM, Days.until(NOON.date(), 9))
    )
    after = sums(store)
    for name in ("statistics_days", "statistics_partners", "statistics_filters", "statistics_scores"):
        assert {r for r in before[name] if r[0] != oldest} == {r for r in after[name] if r[0] != oldest}


def test_only_frequent_partners_of_a_day_keep_their_names(store: Store) -> None:
    def one(n: int) -> Story:
        sender = f"a@d{n // 2 if n < 20 else n}.example"
        return Story(NOON, "Q", sender, "192.0.2.7", "mx", "", "", 9, (), ((MARIE, HAM),))

    many = NAMED_PARTNERS + 30
    store.history.add([(f"a:{n}", one(n)) for n in range(many)])
    days = Days(NOON.date(), NOON.date())
    total = store.statistics.partners(PLATFORM, days, limit=10_000)
    assert len(total) == many - 10
    store.statistics_upkeep.expire(NOON, days=400)
    assert store.statistics.partners(PLATFORM, days, limit=10_000) == total, "the day is not over"
    store.statistics_upkeep.expire(NOON + timedelta(days=1), days=400)
    named = store.statistics.partners(PLATFORM, days, limit=10_000)
    assert len(named) == NAMED_PARTNERS + 1
    assert sum(one.copies for one in named) == many
    assert named[0].partner == "", "the others together"
    before = sums(store)
    assert all(done for _, done in store.statistics_upkeep.rebuild(NOON + timedelta(days=1), PARIS))
    assert sums(store)["statistics_partners"] == before["statistics_partners"]


def test_what_is_old_goes(store: Store) -> None:
    store.history.add(stories(100), zone=PARIS)
    store.statistics_upkeep.expire(NOON + timedelta(days=400), days=400)
    left = sums(store)
    assert {row[0] for row in left["statistics_days"]} == {date(2026, 3, 1).toordinal()}
    assert left["statistics_hours"] == set()
