"""What a recipient's policy makes of the rules and pairs of rules that a message meets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tamis.contract.filter import Effect
from tamis.filters.knowledge import Knowledge, KnowledgeOptions

FACTS: Mapping[str, Any] = {
    "rules": [["one", 1.0], ["other", 0.0], ["third", -0.5]],
    "pairs": [["one", "other", 2.0]],
    "names": "one, other",
}


def points(options: Mapping[str, object], facts: Mapping[str, Any] = FACTS) -> tuple[float, str]:
    knowledge = Knowledge()
    opinion = knowledge.judge(
        knowledge.hit("{names}", **facts), KnowledgeOptions.model_validate(options), ("platform",)
    )
    return opinion.points, opinion.text


def test_each_rule_shows_its_own_points_and_half_of_its_pairs() -> None:
    assert points({}) == (2.5, "one +2.0, other +1.0, third -0.5")


@pytest.mark.parametrize(
    ("options", "total"),
    [
        ({"leave_out": ["one"]}, 0.0),  # with it goes its pair; the sum is never below 0
        ({"leave_out": ["third"]}, 3.0),
        ({"shadowed": ["other"]}, 0.5),  # what is in shadow adds nothing to others either
        ({"points": {"one": 3.0}}, 2.5),  # instead of all that it adds
        ({"points": {"third": -4.0}}, 0.0),
    ],
)
def test_policy_changes_single_rules(options: Mapping[str, object], total: float) -> None:
    assert points(options)[0] == total


def test_facts_of_an_older_version_count_without_pairs() -> None:
    assert points({}, {"rules": [["one", 1.0]], "names": "one"})[0] == 1.0


def test_a_sum_that_legitimate_mail_has_says_nothing_unless_policy_gives_the_points() -> None:
    knowledge = Knowledge()
    little = knowledge.clear("too little: {names}", **FACTS)

    def effect(options: Mapping[str, object]) -> tuple[Effect | None, float]:
        opinion = knowledge.judge(little, KnowledgeOptions.model_validate(options), ("platform",))
        return opinion.effect, opinion.points

    assert effect({}) == (None, 0.0)
    assert effect({"leave_out": ["third"]}) == (None, 0.0)
    assert effect({"points": {"one": 3.0}}) == (Effect.SCORE, 2.5)
