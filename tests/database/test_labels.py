"""People's words on copies, and what the sums make of them, on each of the databases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tamis.database.counts import Days, LabelCount
from tamis.database.effective_labels import LabelSource
from tamis.judging.story import Story, Told
from tamis.quarantine.records import Done, HeldRecord
from tamis.store import Store
from tests.database.test_statistics import DAYS, HAM, HELD, JUNK, MARIE, NOON, PLATFORM
from tests.quarantine.samples import CONTENT, held

OWN, OPERATOR = LabelSource.RELEASE, LabelSource.OPERATOR
ANNE = "anne@example.com"


def story(told: Told, message: str = "t1") -> Story:
    return Story(NOON, "Q", "a@example.net", "192.0.2.7", "mx", "", "<1@x>", 9, (), ((MARIE, told),), message)


def counted(store: Store) -> list[tuple[str, str, int]]:
    return [(one.decided_by, one.kind, one.copies) for one in store.statistics.labels(PLATFORM, DAYS)]


@pytest.mark.parametrize(
    ("told", "wanted", "kind"),
    [
        (HELD, True, "wanted_stopped"),
        (JUNK, True, "wanted_stopped"),
        (HAM, False, "unwanted_passed"),
        (HAM, True, "wanted_passed"),
        (HELD, False, "unwanted_stopped"),
        (Told("defer", "defer", "greylisting", "", 0.0, 7.5, ""), True, ""),
        (Told("spam", "junk", "spf", "", 0.0, 7.5, "", observed=True), True, "wanted_stopped"),
    ],
)
@pytest.mark.parametrize("early", [False, True])
def test_a_word_counts_once_whenever_it_comes(
    store: Store, told: Told, wanted: bool, kind: str, early: bool
) -> None:
    def say() -> None:
        store.labels.say("t1", MARIE, wanted, OWN, MARIE, now=NOON)
        store.labels.say("t1", MARIE, wanted, LabelSource.JUNK_MOVE, MARIE, now=NOON)

    if early:
        say()
    store.history.add([("a:0", story(told))])
    if not early:
        say()
    assert counted(store) == ([(told.decided_by, kind, 1)] if kind else [])
    assert store.labels.take_back("t1", MARIE, OWN, MARIE)
    assert not store.labels.take_back("t1", MARIE, OWN, MARIE)
    assert len(counted(store)) == bool(kind), "the other word stands"
    assert store.labels.take_back("t1", MARIE, LabelSource.JUNK_MOVE, MARIE)
    assert counted(store) == []
    assert [one.undone_at is None for one in store.labels.of("t1")] == [False, False]


def test_an_operators_word_beats_a_readers_and_a_later_one_an_earlier(store: Store) -> None:
    store.history.add([("a:0", story(HELD))])
    store.labels.say("t1", MARIE, True, OWN, MARIE, now=NOON)
    store.labels.say("t1", MARIE, False, LabelSource.SPAM_BUTTON, MARIE, now=NOON + timedelta(minutes=1))
    assert counted(store) == [("spf", "unwanted_stopped", 1)]
    store.labels.say("t1", MARIE, True, OPERATOR, ANNE, now=NOON - timedelta(days=1))
    assert counted(store) == [("spf", "wanted_stopped", 1)]
    store.labels.say("t1", MARIE, False, OPERATOR, ANNE, now=NOON)
    assert counted(store) == [("spf", "unwanted_stopped", 1)]


def test_words_on_other_copies_count_nothing(store: Store) -> None:
    store.history.add([("a:0", story(HELD))])
    store.labels.say("t1", ANNE, True, OWN, ANNE, now=NOON)
    store.labels.say("t2", MARIE, True, OWN, MARIE, now=NOON)
    store.labels.say("", MARIE, True, OWN, MARIE, now=NOON)
    store.labels.say("x" * 500, MARIE, True, OWN, MARIE, now=NOON)
    assert counted(store) == []
    assert store.labels.named(MARIE, message="nothing", message_id="<1@x>") == "t1"
    assert store.labels.named(ANNE, message="t1", message_id="<1@x>") == ""


def test_totals_are_told_apart_by_what_people_said(store: Store) -> None:
    store.history.add([("a:0", story(JUNK)), ("a:1", story(JUNK, "t2"))])
    store.labels.say("t1", MARIE, True, OWN, MARIE, now=NOON)
    scores = store.statistics.scores(PLATFORM, DAYS)
    assert [(one.low, one.label, one.copies) for one in scores] == [(8.0, "", 1), (8.0, "wanted", 1)]
    store.labels.take_back("t1", MARIE, OWN, MARIE)
    assert [(one.label, one.copies) for one in store.statistics.scores(PLATFORM, DAYS)] == [("", 2)]


def test_what_is_done_with_held_mail_is_a_word(store: Store) -> None:
    def deliver(_record: HeldRecord, _content: bytes) -> str:
        return "Q2"

    numbers = [store.quarantine.hold(held(f"t{n}", MARIE), CONTENT, now=NOON) for n in range(1, 5)]
    store.history.add([(f"a:{n}", story(HELD, f"t{n}")) for n in range(1, 5)])
    assert store.quarantine.release(numbers[0], MARIE, deliver) is Done.DONE
    assert store.quarantine.release(numbers[1], ANNE, deliver) is Done.DONE
    assert store.quarantine.delete(numbers[2], MARIE, unwanted=True) is Done.DONE
    assert store.quarantine.delete(numbers[3], MARIE) is Done.DONE
    found = [[(one.source, one.who, one.wanted) for one in store.labels.of(f"t{n}")] for n in range(1, 5)]
    assert found == [
        [("release", MARIE, True)],
        [("operator", ANNE, True)],
        [("spam-button", MARIE, False)],
        [],
    ]
    assert counted(store) == [("spf", "unwanted_stopped", 1), ("spf", "wanted_stopped", 2)]
    assert store.quarantine.restore(numbers[2], MARIE) is Done.DONE
    store.quarantine.forget_word(numbers[0], MARIE)
    assert counted(store) == [("spf", "wanted_stopped", 1)]


def test_counts_outlive_the_history(store: Store) -> None:
    store.history.add([("a:0", story(HELD))])
    store.labels.say("t1", MARIE, True, OWN, MARIE, now=NOON)
    store.history.expire(NOON + timedelta(days=40), days=30, most=1000)
    assert counted(store) == [("spf", "wanted_stopped", 1)]
    store.statistics_upkeep.expire(NOON + timedelta(days=40), days=400)
    assert counted(store) == [("spf", "wanted_stopped", 1)]
    store.statistics_upkeep.expire(NOON + timedelta(days=402), days=400)
    assert store.statistics.labels(PLATFORM, Days.until(DAYS.last, 30)) == list[LabelCount]()
    assert store.labels.of("t1") == []
