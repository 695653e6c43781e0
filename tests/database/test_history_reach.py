"""What somebody may see of the history: nothing of other copies is shown, and no search tells by its hits what they
say."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tamis.database.history_search import Wanted
from tamis.database.sent_again import sent_again
from tamis.judging.story import Story, Told
from tamis.message.address import PLATFORM, domain_of
from tamis.people.rights import Locks, Reach
from tamis.store import Store
from tests.database.test_history import NOW, story

MARIE, JEAN, ANNE, ZOE = "marie@example.com", "jean@example.com", "anne@example.org", "zoe@example.net"
HELD = Told("spam", "quarantine", "cyrillic", "Cyrillic", 9.5, 7.5, "cyrillic=spam")
INBOX = Told("ham", "inbox", "", "", 1.0, 7.5, "")
JUNK = Told("spam", "junk", "score", "the total", 8.0, 7.5, "malformed=8")
WATCHED = replace(HELD, observed=True)

LOCKS = Locks({JEAN: True})
COM = Reach(frozenset({"example.com"}), "", LOCKS)
ORG = Reach(frozenset({"example.org"}), "", LOCKS)
BOTH = Reach(frozenset({"example.com", "example.org"}), "", LOCKS)
ALL = Reach(frozenset({PLATFORM}), "", LOCKS)
OWN = Reach(frozenset(), MARIE, LOCKS)
OF_JEAN = Reach(frozenset({"example.org"}), JEAN, LOCKS)
NOBODY = Reach(frozenset())
REACHES = (
    COM,
    ORG,
    BOTH,
    ALL,
    OWN,
    OF_JEAN,
    NOBODY,
    Reach(frozenset({PLATFORM})),
    Reach(frozenset({MARIE, ANNE})),
)


def written(number: int, *recipients: tuple[str, Told], **changes: Any) -> Story:
    given: dict[str, Any] = {
        "transaction": f"t{number}",
        "subject": "Votre devis",
        "header_from": "Garage Martin <contact@garage.example.net>",
        "sender": "contact@garage.example.net",
        "recipients": recipients,
        "at": NOW + timedelta(minutes=number),
    }
    return replace(story(number), **(given | changes))


STORIES = (
    written(1, (MARIE, HELD), (ANNE, INBOX)),
    written(2, (JEAN, HELD), (ANNE, JUNK)),
    written(3, (MARIE, INBOX), (JEAN, INBOX), (ANNE, HELD), (ZOE, HELD), subject="Été"),
    written(4, (ZOE, INBOX)),
    written(5, (MARIE, WATCHED)),
    written(6, ("out@gmail.example", INBOX), sender=MARIE, login="marie", header_from="Marie"),
)


@pytest.fixture
def filled(store: Store) -> Store:
    store.history.add([(f"a:{n}", one) for n, one in enumerate(STORIES)])
    return store


def found(store: Store, **wanted: Any) -> list[str]:
    return [one.story.queue_id for one in store.history.find(Wanted(**wanted))]


def test_only_copies_that_may_be_seen_are_shown(filled: Store) -> None:
    for reach in REACHES:
        _shows_what_is_covered(filled, reach)


def _of(recipient: str) -> str:
    return MARIE if recipient == "out@gmail.example" else recipient


def _shows_what_is_covered(filled: Store, reach: Reach) -> None:
    want = [
        (one.queue_id, [who for who, _ in one.recipients if reach.covers(_of(who))])
        for one in reversed(STORIES)
    ]
    want = [(queue_id, who) for queue_id, who in want if who]
    kept = filled.history.find(Wanted(reach=reach))
    assert [(one.story.queue_id, [who for who, _ in one.story.recipients]) for one in kept] == want
    assert filled.history.reckoned(Wanted(reach=reach), 100) == len(want)
    assert filled.history.reckoned(Wanted(reach=reach), 2) == min(2, len(want))
    for number, one in enumerate(STORIES, 1):
        shown = filled.history.get(number, reach)
        assert (shown is not None) == (one.queue_id in dict(want))
        if shown is not None:
            assert [who for who, _ in shown.story.recipients] == dict(want)[one.queue_id]
            closed = {who for who, _ in one.recipients if Reach(reach.scopes).covers(_of(who))}
            assert shown.locked == sum(1 for who in closed if not reach.covers(_of(who)))


CASES: tuple[tuple[dict[str, Any], list[str], list[str]], ...] = (
    ({"outcome": "quarantine"}, ["Q1"], ["Q3"]),
    ({"outcome": "inbox"}, ["Q6", "Q5", "Q3"], ["Q1"]),
    ({"outcome": "junk"}, [], ["Q2"]),
    ({"observed": True}, ["Q5"], []),
    ({"decision": "spam"}, ["Q5", "Q1"], ["Q3", "Q2"]),
    ({"decided_by": "score"}, [], ["Q2"]),
    ({"decided_by": "cyrillic"}, ["Q5", "Q1"], ["Q3"]),
    ({"scores": ((">", 9.0),)}, ["Q5", "Q1"], ["Q3"]),
    ({"scores": ((">=", 8.0), ("<", 9.5))}, [], ["Q2"]),
    ({"to": JEAN}, [], []),
    ({"to": ANNE}, [], ["Q3", "Q2", "Q1"]),
    ({"to": "example.org"}, [], ["Q3", "Q2", "Q1"]),
    ({"to": "gmail.example"}, ["Q6"], []),
    ({"to": "ann"}, [], ["Q3", "Q2", "Q1"]),
    ({"to": "%"}, [], []),
    ({"local": "anne@"}, [], ["Q3", "Q2", "Q1"]),
    ({"local": "jean@"}, [], []),
    ({"local": "marie@"}, ["Q6", "Q5", "Q3", "Q1"], []),
    ({"party": ANNE}, [], ["Q3", "Q2", "Q1"]),
    ({"party": ZOE}, [], []),
    ({"party": MARIE}, ["Q6", "Q5", "Q3", "Q1"], []),
    ({"party": "contact@garage.example.net"}, ["Q5", "Q3", "Q1"], ["Q3", "Q2", "Q1"]),
    ({"recipient": ANNE}, [], ["Q3", "Q2", "Q1"]),
    ({"author": "garage"}, ["Q5", "Q3", "Q1"], ["Q3", "Q2", "Q1"]),
    ({"author": "contact@garage.example.net"}, ["Q5", "Q3", "Q1"], ["Q3", "Q2", "Q1"]),
    ({"author": "devis"}, [], []),
    ({"words": "GARAGE devis"}, ["Q5", "Q1"], ["Q2", "Q1"]),
    ({"words": "ete"}, ["Q3"], ["Q3"]),
    ({"subject": "garage"}, [], []),
    ({"side": "out"}, ["Q6"], []),
    ({"named": "Q2"}, [], ["Q2"]),
    ({"named": "t2"}, [], ["Q2"]),
    ({"named": "<2@x>"}, [], ["Q2"]),
    ({"named": "2@x"}, [], ["Q2"]),
    ({"named": "3"}, ["Q3"], ["Q3"]),
    ({"named": "4"}, [], []),
    ({"until": NOW + timedelta(minutes=2)}, ["Q1"], ["Q1"]),
    ({"since": NOW + timedelta(minutes=3), "until": NOW + timedelta(minutes=4)}, ["Q3"], ["Q3"]),
    ({"until": NOW - timedelta(days=9)}, [], []),
    ({"numbers": (0, 3)}, ["Q1"], ["Q2", "Q1"]),
    ({"numbers": (0, 3), "words": "devis"}, ["Q1"], ["Q2", "Q1"]),
    ({"sender": "garage.example.net", "outcome": "junk"}, [], ["Q2"]),
)
"""A search, and what the administrators of example.com and example.org find by it."""


def test_no_search_tells_what_stands_in_copies_of_others(filled: Store) -> None:
    for wanted, com, org in CASES:
        for reach, want in ((COM, com), (ORG, org)):
            assert found(filled, reach=reach, **wanted) == want, wanted
            assert filled.history.reckoned(Wanted(reach=reach, **wanted), 100) == len(want), wanted
        assert found(filled, reach=NOBODY, **wanted) == [], wanted
        assert found(filled, reach=BOTH, **wanted) == sorted({*com, *org}, reverse=True), wanted


def test_a_copy_that_went_out_again_is_known_to_who_may_see_its_recipient(filled: Store) -> None:
    with filled._database.write() as session:
        sent_again(session, "t1", MARIE, "AGAIN1", NOW)
        sent_again(session, "t1", ANNE, "AGAIN2", NOW)
    for reach, own, other in ((COM, "AGAIN1", "AGAIN2"), (ORG, "AGAIN2", "AGAIN1")):
        assert found(filled, reach=reach, named=own) == found(filled, reach=reach, queue_id=own) == ["Q1"]
        assert found(filled, reach=reach, named=other) == found(filled, reach=reach, queue_id=other) == []
        assert filled.history.show(other, reach) == []
        (shown,) = filled.history.show("Q1", reach)
        assert [copy.queue_id for copy in shown.copies] == [own]
    assert [copy.queue_id for copy in filled.history.show("Q1")[0].copies] == ["AGAIN1", "AGAIN2"]


def test_pages_by_id_lose_nothing_and_repeat_nothing(store: Store) -> None:
    stories = [written(n, (MARIE, INBOX), (f"x{n}@example.org", HELD)) for n in range(1, 26)]
    store.history.add([(f"b:{n}", one) for n, one in enumerate(stories)])
    for reach in (COM, BOTH, ALL, OF_JEAN):
        seen, before = [], 1 << 62
        while page := store.history.find(Wanted(reach=reach, numbers=(0, before)), 10):
            seen += [one.id for one in page]
            before = page[-1].id
        assert seen == sorted(seen, reverse=True)
        assert len(set(seen)) == len(seen) == 25


def test_domains_are_not_taken_for_their_neighbours(filled: Store) -> None:
    for scope in ("example.co", "xample.com", "sub.example.com", ""):
        assert found(filled, reach=Reach(frozenset({scope}))) == []
    assert domain_of(MARIE) == "example.com"
