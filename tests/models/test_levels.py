"""Levels: promises that hold on mail that was not there when they were made."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tamis.models.calibration_fit import fit_calibrator
from tamis.models.levels import Held, Levels, Rate, fit_levels
from tamis.models.model_file import ModelError
from tamis.models.scale import HIGHEST, LEVELS, interpolated, number_of, promise


def _scores(seed: int, ham: int, spam: int) -> tuple[Held, Held]:
    random = np.random.default_rng(seed)
    hams, spams = random.logistic(-4, 1.0, ham), random.logistic(4, 1.5, spam)
    return Held(hams, np.arange(ham) * 5 // ham), Held(spams, np.arange(spam) * 5 // spam)


def _levels(seed: int = 1, ham: int = 2000, spam: int = 1000) -> Levels:
    hams, spams = _scores(seed, ham, spam)
    calibrator = fit_calibrator(
        np.concatenate((hams.scores, spams.scores)), np.repeat([False, True], [ham, spam])
    )
    return fit_levels(hams, spams, calibrator, 7)


def test_the_default_level_promises_one_ham_in_a_thousand() -> None:
    assert promise(7.5) == pytest.approx(0.001)
    assert all(number_of(promise(level)) == pytest.approx(level) for level in LEVELS)
    assert number_of(1.0) == 0.0
    assert number_of(1e-30) == HIGHEST


@pytest.mark.parametrize("x", [-3.0, -1.0, -0.4, 0.0, 5e-324, 1.9, 2.0, 9.0])
def test_interpolated_is_numpys(x: float) -> None:
    xs, ys = (-1.0, 0.0, 5e-324, 2.0), (0.5, 1.0, 4.0, 15.0)
    assert interpolated(x, xs, ys) == np.interp(x, xs, ys)


@pytest.mark.parametrize("ham", [200, 1000, 4000])
def test_promises_hold_on_new_ham(ham: int) -> None:
    """On average over sites, which is what the promise says; a single one may be unlucky."""
    new = np.random.default_rng(99).logistic(-4, 1.0, 50_000)
    found = np.array(
        [
            [np.mean(np.interp(new, one.scores, one.numbers) >= level) for level in LEVELS[:4]]
            for one in (_levels(seed, ham=ham) for seed in range(20))
        ]
    )
    assert (found.mean(axis=0) <= 1.1 * np.array([promise(level) for level in LEVELS[:4]])).all()


def test_a_higher_score_has_no_lower_number_and_a_lower_level_catches_no_less() -> None:
    levels = _levels()
    numbers = [levels.number(score) for score in np.linspace(-30, 60, 500)]
    assert all(a <= b for a, b in pairwise(numbers))
    assert (numbers[0], numbers[-1]) == (0.0, HIGHEST)
    for lower, higher in pairwise(levels.measured):
        assert lower.caught.count >= higher.caught.count
        assert lower.false_positives.count >= higher.false_positives.count


def test_the_interval_says_how_little_is_known() -> None:
    assert Rate(0, 0).interval == (0.0, 1.0)
    low, high = Rate(0, 1000).interval
    assert (low, round(high, 4)) == (0.0, 0.0038)
    low, high = Rate(1, 1000).interval
    assert low < 0.001 < high


def test_written_and_read(tmp_path: Path) -> None:
    levels = _levels(ham=300, spam=200)
    levels.save(tmp_path / "levels.json")
    assert Levels.load(tmp_path / "levels.json") == levels
    (tmp_path / "levels.json").write_text('{"scores": [2, 1], "numbers": [1, 2]}')
    with pytest.raises(ModelError):
        Levels.load(tmp_path / "levels.json")


def test_one_ham_or_equal_scores_are_enough_to_be_careful() -> None:
    calibrator = fit_calibrator(np.array([-1.0, 1.0]), np.array([False, True]))
    for hams in (np.array([-1.0]), np.zeros(50)):
        held = Held(hams, np.zeros(len(hams), dtype=np.int_))
        levels = fit_levels(held, Held(np.array([1.0]), np.zeros(1, dtype=np.int_)), calibrator, 1)
        assert levels.number(float(hams[0])) < 3
    with pytest.raises(ValueError, match="ham"):
        fit_levels(Held(np.array([]), np.array([], dtype=np.int_)), held, calibrator, 1)


def test_an_anchor_promises_what_can_be_counted() -> None:
    """(k + 1) / (n + 1) where k of n ham score as high or higher, for the next may be one that does (conformal
    prediction); just above the highest, one in n + 1. Nine ham have an anchor each."""
    scores = np.array([-9.0, -7.0, -6.5, -4.0, -3.0, -2.0, -1.0, 0.5, 2.0])
    levels = fit_levels(
        Held(scores, np.arange(9) % 3), Held(-scores, np.arange(9) % 3), _levels().calibrator, 1
    )
    told = dict(zip(levels.scores, levels.numbers, strict=True))
    anchored = {float(score): told[score] for score in scores if score in told}
    assert {-9.0, 0.5, 2.0} <= set(anchored)
    for score, number in anchored.items():
        k = int(np.count_nonzero(scores >= score))
        assert number == pytest.approx(number_of((k + 1) / 10)), score
    above = float(np.nextafter(2.0, np.inf))
    assert told[above] == pytest.approx(number_of(1 / 10))
    assert promise(told[2.0]) == pytest.approx(0.2)
    assert promise(told[0.5]) == pytest.approx(0.3)
