"""Which single changes would mend mistakes, and which of them is the cheapest."""

from __future__ import annotations

from tamis.judging.flip import Flip
from tamis.judging.suggestions import MOST_TRIED, PolicyCandidate, Suggestion, candidates, ranked, turned_by
from tests.builders import MARIE, book
from tests.database.test_replaying import SCORING, story


def limit(value: float, now: float = 7.5) -> Flip:
    return Flip(MARIE, "required", value, "", {"now": f"{now:g}"})


def switch(name: str, value: str = "off") -> Flip:
    return Flip(MARIE, f"filters.{name}.state", value, "")


def test_what_turns_most_comes_first() -> None:
    told = [[switch("spf"), switch("helo")], [switch("helo")], [switch("helo"), switch("spf", "on")]]
    assert candidates(told) == [
        PolicyCandidate("filters.helo.state", "off", 3),
        PolicyCandidate("filters.spf.state", "off", 1),
        PolicyCandidate("filters.spf.state", "on", 1),
    ]
    assert candidates([]) == candidates([[]]) == []


def test_a_limit_turns_what_a_nearer_one_turns_and_nothing_on_the_other_side() -> None:
    told = [[limit(8.1)], [limit(9.0)], [limit(6.0)], [limit(5.0)]]
    assert {one.value: one.turns for one in candidates(told)} == {8.1: 1, 9.0: 2, 6.0: 1, 5.0: 2}


def test_only_the_commonest_are_tried() -> None:
    told = [[switch(f"f{n}") for n in range(m, 9)] for m in range(9)]
    found = candidates(told)
    assert [one.key for one in found] == [f"filters.f{n}.state" for n in range(8, 8 - MOST_TRIED, -1)]


def test_the_best_mends_most_and_moves_least() -> None:
    one, other, spoils, nothing = (
        Suggestion(PolicyCandidate("a", "off", 1), 3, 1, 50),
        Suggestion(PolicyCandidate("b", "off", 1), 2, 0, 9),
        Suggestion(PolicyCandidate("c", "off", 1), 2, 2, 1),
        Suggestion(PolicyCandidate("d", "off", 1), 0, 0, 0),
    )
    assert ranked([one, other, spoils, nothing]) == [other, one]


def test_flips_are_those_of_policy_under_what_is_in_force() -> None:
    policies = book(f"required = 6\n{SCORING}")
    held = story(1, policies, "empty", "missing_sender")
    assert {(one.key, one.value) for one in turned_by(held, MARIE, policies)} >= {
        ("required", 8.1),
        ("filters.empty.state", "off"),
        ("filters.missing_sender.state", "off"),
    }
    assert all(one.is_policy for one in turned_by(held, MARIE, policies))
