"""The measures: by hand, against scikit-learn, against their definitions written out."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score  # type: ignore[import-untyped]

from tamis.models.measures import NAMES, Measures, Ranking, curve, logistic_average

_SCORED = st.lists(st.tuples(st.integers(-5, 5), st.booleans()), min_size=2, max_size=60).filter(
    lambda pairs: len({spam for _, spam in pairs}) == 2
)


def measures(pairs: list[tuple[float, bool]], threshold: float = 0.0) -> Measures:
    scores, labels = np.array([s for s, _ in pairs], dtype=np.float64), np.array([y for _, y in pairs])
    found = Ranking(scores, labels, threshold).measures()
    assert found is not None
    return found


def test_by_hand() -> None:
    """Ham at -2, -1, 0, 1; spam at 0, 1, 2, 3: of 16 pairs 2 are equal and 1 is wrong."""
    found = measures(
        [(-2, False), (-1, False), (0, False), (1, False), (0, True), (1, True), (2, True), (3, True)]
    )
    assert found.roca == pytest.approx(100 * (1 + 2 / 2) / 16)
    assert found.hm == 25
    assert found.sm == 25
    assert found.lam == pytest.approx(25)
    assert found.sm_at_hm_01 == 50  # no ham may be lost: the threshold is above 1


def test_sm_at_a_ham_rate_that_is_met_exactly() -> None:
    """1 ham of 100 above the threshold is 1 %, which the limit of 1 % allows and that of 0.1 % does not."""
    pairs = [(float(n), False) for n in range(100)] + [(98.5, True), (200.0, True)]
    found = measures([(s, y) for s, y in pairs])
    assert found.sm_at_hm_1 == 0
    assert found.sm_at_hm_01 == 50
    ranking = Ranking(np.array([s for s, _ in pairs]), np.array([y for _, y in pairs]))
    assert (ranking.sm_at(0), ranking.sm_at(1), ranking.sm_at(100)) == (50, 0, 0)


def test_logistic_average() -> None:
    assert logistic_average(0.01, 0.01) == pytest.approx(0.01)
    lam = logistic_average(0.001, 0.05)
    assert math.log(lam / (1 - lam)) == pytest.approx((math.log(0.001 / 0.999) + math.log(0.05 / 0.95)) / 2)


def test_rates_of_zero_count_half_a_message() -> None:
    found = measures([(-1.0, False)] * 50 + [(1.0, True)] * 50)
    assert (found.hm, found.sm, found.roca) == (0, 0, 0)
    assert found.lam == pytest.approx(1.0)


@given(_SCORED)
def test_roca_is_scikit_learns(pairs: list[tuple[float, bool]]) -> None:
    area = roc_auc_score([y for _, y in pairs], [s for s, _ in pairs])
    assert measures(pairs).roca == pytest.approx(100 * (1 - area), abs=1e-9)


@given(_SCORED, st.sampled_from([0.001, 0.01]))
def test_sm_at_is_the_least_over_all_thresholds(pairs: list[tuple[float, bool]], limit: float) -> None:
    ham, spam = [s for s, y in pairs if not y], [s for s, y in pairs if y]
    least = min(
        sum(s < t for s in spam) / len(spam)
        for t in [*(s for s, _ in pairs), math.inf]
        if sum(s >= t for s in ham) / len(ham) <= limit
    )
    found = measures(pairs)
    assert (found.sm_at_hm_01 if limit == 0.001 else found.sm_at_hm_1) == pytest.approx(100 * least)


@given(_SCORED)
def test_counting_twice_is_repeating(pairs: list[tuple[float, bool]]) -> None:
    scores, labels = np.array([s for s, _ in pairs], dtype=np.float64), np.array([y for _, y in pairs])
    counts = np.arange(len(pairs)) % 3
    weighted = Ranking(scores, labels).measures(counts)
    again = [pair for pair, count in zip(pairs, counts, strict=True) for _ in range(count)]
    if len({y for _, y in again}) < 2:
        assert weighted is None
    else:
        assert weighted is not None
        repeated = measures(again)
        for name in NAMES:
            assert getattr(weighted, name) == pytest.approx(getattr(repeated, name))


def test_intervals_hold_the_value_and_are_repeatable() -> None:
    random = np.random.default_rng(3)
    labels = random.random(2000) < 0.4
    scores = random.normal(size=2000) + 2.0 * labels
    ranking = Ranking(scores, labels)
    intervals = ranking.intervals()
    assert intervals == ranking.intervals()
    for interval in intervals.values():
        assert interval.low <= interval.value <= interval.high
    assert 0.5 < intervals["roca"].high - intervals["roca"].low < 5


def test_roc_runs_from_corner_to_corner() -> None:
    hm, sm = Ranking(np.array([0.0, 1.0, 1.0, 2.0]), np.array([False, True, False, True])).roc()
    assert hm.tolist() == [0, 0, 0.5, 1]
    assert sm.tolist() == [1, 0.5, 0, 0]


def test_learning_curve_ends_at_the_whole() -> None:
    random = np.random.default_rng(4)
    labels = random.random(500) < 0.5
    scores = random.normal(size=500) + labels
    ns, values = curve(scores, labels, lambda found: found.roca)
    assert ns[-1] == 500
    assert values[-1] == pytest.approx(
        measures(list(zip(scores.tolist(), labels.tolist(), strict=True))).roca
    )


@pytest.mark.parametrize(("scores", "labels"), [([1.0, 2.0], [True, True]), ([1.0, math.nan], [True, False])])
def test_what_has_no_measures_is_refused(scores: list[float], labels: list[bool]) -> None:
    with pytest.raises(ValueError, match=r"ham and spam|finite"):
        Ranking(np.array(scores), np.array(labels))
