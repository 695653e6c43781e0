"""How fast points end below the level, from a site's own mail."""

from __future__ import annotations

import numpy as np
import pytest

from tamis.models.grading import LEAST, MOST, SHIPPED, fit_steepness, points
from tamis.models.measures import Floats, Labels
from tamis.models.scale import promise

Site = tuple[Floats, Floats, Labels]


def _site(seed: int, number: int, *, telling: float) -> Site:
    """Numbers of ham and spam, and points of others, which tell ham from spam by `telling`."""
    random = np.random.default_rng(seed)
    spam = np.arange(number) % 2 == 1
    numbers = np.where(spam, random.normal(7, 2, number), -3 * np.log10(random.random(number)) - 1.5)
    beside = np.maximum(0, random.normal(0, 1, number) + np.where(spam, telling, 0))
    return numbers.clip(0, 15), beside, spam


def test_points_at_the_level_are_as_before_and_end_below_it() -> None:
    given = points(np.array([0.0, 3.75, 5.0, 7.0, 7.5, 15.0]), 2.0)
    assert given.tolist() == pytest.approx([0, 0, 2.5, 6.5, 7.5, 15.0])


def test_without_other_filters_words_what_ships_counts() -> None:
    numbers, beside, spam = _site(1, 2000, telling=2)
    assert fit_steepness(numbers, np.full(2000, np.nan), spam) == SHIPPED
    assert fit_steepness(numbers, beside * 0, spam) == SHIPPED
    assert fit_steepness(numbers[:50], beside[:50], spam[:50]) == SHIPPED


def test_others_that_tell_much_make_it_less_steep_than_others_that_tell_nothing() -> None:
    much, nothing = (fit_steepness(*_site(2, 4000, telling=telling)) for telling in (3.0, -0.5))
    assert LEAST <= much < nothing <= MOST


@pytest.mark.parametrize("seed", range(5))
def test_the_total_keeps_the_promise(seed: int) -> None:
    """Ham that neither the number nor the others are enough for is lost at most as often as promised."""
    numbers, beside, spam = _site(seed, 4000, telling=2.0)
    steepness = fit_steepness(numbers, beside * 2, spam)
    both = (points(numbers, steepness) + beside * 2 >= 7.5) & (numbers < 7.5) & (beside * 2 < 7.5) & ~spam
    assert steepness == MOST or both.sum() <= promise(7.5) * (~spam).sum()
