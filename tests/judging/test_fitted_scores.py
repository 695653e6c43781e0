"""Points fitted on what people said: a proposal within its bounds, tested on other senders, or a sentence why not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tamis.judging.fitted_scores import (
    FEW_LABELS,
    FEW_SENDERS,
    LEAST_LABELS,
    LEAST_SENDERS,
    NO_BETTER,
    NO_FILTERS,
    FittedScores,
    LabelledCopy,
    fit_scores,
)
from tests.builders import MARIE, book, finding

SCORING = """
required = {required}
[filters.empty]
effect = "score"
score = {empty}
[filters.missing_sender]
effect = "score"
score = {missing}
"""


def copies(policy: str, *, number: int = 240, senders: int = 60) -> Iterator[LabelledCopy]:
    """What is unwanted meets both filters, what is wanted meets one of them or none."""
    resolved = book(policy).policy(MARIE)
    for n in range(number):
        for wanted in (True, False):
            names = ([], ["empty"], ["missing_sender"])[n % 3] if wanted else ["empty", "missing_sender"]
            findings = {name: finding(name) for name in names}
            yield LabelledCopy(f"{wanted}{n % senders}@example.net", wanted, findings, resolved)


def fit(required: float, empty: float, missing: float, **how: int) -> FittedScores:
    policy = SCORING.format(required=required, empty=empty, missing=missing)
    return fit_scores(list(copies(policy, **how)), book(policy).policy(MARIE))


def test_points_that_catch_more_and_lose_nothing_are_proposed() -> None:
    found = fit(5, 2, 2)
    assert found.refused == ""
    assert set(found.changes) == {"empty", "missing_sender"}
    assert found.caught is not None
    assert found.lost is not None
    assert [one.stopped for one in found.caught] == [0, 240]
    assert [one.stopped for one in found.lost] == [0, 0]
    told = found.plain()
    assert told["caught"][0]["least"] == 0.0
    assert 0 < told["caught"][0]["most"] < 0.05
    assert {one["key"] for one in told["scores"]} == {"filters.empty.score", "filters.missing_sender.score"}


@pytest.mark.parametrize("score", [0.5, 2.0, 2.4])
def test_no_filter_gets_more_than_its_bounds(score: float) -> None:
    """At most twice its points, and never near the limit alone."""
    found = fit(5, score, score)
    for now, then in found.changes.values():
        assert 0 <= then <= min(2 * now, 4)


def test_a_wanted_message_is_worth_more_than_a_caught_one() -> None:
    """What both kinds meet alike must not be made decisive: nothing but what is in force is left."""
    policy = SCORING.format(required=5, empty=3, missing=2.5)
    found = fit_scores(list(copies(policy)), book(policy).policy(MARIE))
    assert found.refused == NO_BETTER
    assert found.changes == {}
    assert found.caught is not None
    assert found.caught[0].stopped == 240


def test_too_little_is_said_with_its_numbers() -> None:
    few = fit(5, 2, 2, number=LEAST_LABELS - 1)
    assert (few.refused, few.changes) == (FEW_LABELS, {})
    assert FEW_LABELS.format(**(few.facts or {})).startswith(
        "Of copies that no filter decides alone, people said of 199 "
    )
    alone = fit(5, 2, 2, senders=LEAST_SENDERS - 1)
    assert (alone.refused, alone.facts) == (
        FEW_SENDERS,
        {"wanted": 19, "unwanted": 19, "needed": LEAST_SENDERS},
    )
    nothing = fit_scores(list(copies("")), book('[filters.empty]\nstate = "off"').policy(MARIE))
    assert nothing.decided > 0
    none = "[filters.empty]\nstate = 'off'\n[filters.missing_sender]\nstate = 'off'"
    assert fit_scores(list(copies(none)), book(none).policy(MARIE)).refused == NO_FILTERS


def test_what_a_filter_decides_alone_is_no_part_of_it() -> None:
    policy = "[filters.missing_sender]\neffect = 'score'\nscore = 2"
    found = fit_scores(list(copies(policy)), book(policy).policy(MARIE))
    assert found.decided == 240 + 80
    assert found.refused == FEW_LABELS
