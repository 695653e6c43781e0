"""Tails: how rare what has hardly been seen is, and how sure of that one can be."""

from __future__ import annotations

import numpy as np
import pytest

from tamis.models.tail import fit_tail


def _bounded(seed: int, number: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Scores as a learner has them that stops at a margin: a generalised Pareto tail of shape -.3 above -2."""
    random = np.random.default_rng(seed)
    return -2 + 1.2 / 0.3 * (1 - random.random(number) ** 0.3)


def _share(score: float) -> float:
    return float(np.maximum(0.0, 1 - 0.3 * (score + 2) / 1.2) ** (1 / 0.3))


@pytest.mark.parametrize("number", [200, 1000, 4000])
def test_a_thousandth_is_found_from_fewer_than_a_thousand(number: int) -> None:
    """On the whole over sites, within a factor of two, and the more scores the closer."""
    found = np.array([_share(fit_tail(_bounded(seed, number)).score(0.001)) for seed in range(30)])
    assert 0.0005 < float(np.median(found)) < 0.002
    assert float(np.mean(found)) < 0.003


def test_the_interval_holds_the_true_share_and_is_wider_for_few() -> None:
    held, widths = 0, []
    for number in (200, 4000):
        for seed in range(30):
            low, high = fit_tail(_bounded(seed, number)).interval(1.0)
            held += low <= _share(1.0) <= high
            widths.append((number, high - low))
    assert held >= 48
    assert np.mean([w for n, w in widths if n == 200]) > 1.5 * np.mean([w for n, w in widths if n == 4000])


def test_a_rarer_share_has_a_higher_score() -> None:
    tail = fit_tail(_bounded(1, 300))
    scores = [tail.score(share) for share in (0.05, 0.01, 0.001, 1e-5)]
    assert scores == sorted(scores)
    assert tail.score(tail.share) == pytest.approx(tail.start)


@pytest.mark.parametrize("scores", [[0.0], [1.0, 1.0, 1.0], [-40.0, 40.0], [-30.0] * 50 + [30.0]])
def test_whatever_the_scores_there_is_a_tail(scores: list[float]) -> None:
    tail = fit_tail(np.array(scores))
    assert np.isfinite(tail.score(tail.share / 1000))
    low, high = tail.interval(scores[-1])
    assert 0 <= low <= high <= 1


def test_no_scores_have_none() -> None:
    with pytest.raises(ValueError, match="scores"):
        fit_tail(np.array([]))
