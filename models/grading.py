"""How fast points end below the level: what a number is worth beside what the other filters say.

On held-out lessons of which the others' points are known, a logistic regression over number and points (stacking:
Wolpert 1992) tells how many points one number is worth. So many are lost for each number below the level, but never so
few that the total would lose ham beyond the promise. With few such lessons what ships counts.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from tamis.models.measures import Floats, Labels
from tamis.models.scale import promise

SHIPPED: Final = 2.0
"""Points that a message loses for each number below the level, while the site's own mail doesn't tell."""
LEAST, MOST = 1.0, 8.0
"""Bounds of what the site's mail can make of it; the most is nearly a switch."""
_LEVEL = _REQUIRED = 7.5
_PRIOR = 200
"""Lessons about which others said something that weigh as much as what ships."""
_NEEDED = 30
"""Lessons of each label, and of those about which others said something, from which on there is a regression."""
_STEP = 0.25


def points(numbers: Floats, steepness: float) -> Floats:
    """The points of numbers at the default level and score, as `filters.statistics` gives them."""
    relative = numbers / _LEVEL
    return np.asarray(
        _REQUIRED * np.where(relative >= 1, relative, np.maximum(0.0, 1 - steepness * (1 - relative)))
    )


def fit_steepness(numbers: Floats, beside: Floats, spam: Labels) -> float:
    """The steepness from held-out numbers, the others' points (NaN where nothing is known) and labels."""
    known = ~np.isnan(beside)
    numbers, beside, spam = numbers[known], beside[known], spam[known]
    spoken = int(np.count_nonzero(beside))
    if min(int(spam.sum()), int((~spam).sum()), spoken) < _NEEDED:
        return SHIPPED
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped] # noqa: PLC0415 - 100 MB

    fitted = LogisticRegression(class_weight="balanced").fit(np.column_stack((numbers, beside)), spam)
    of_number, of_points = fitted.coef_[0].tolist()
    own = float(np.clip(of_number / of_points, LEAST, MOST)) if of_points > 0 else MOST
    steepness = (_PRIOR * SHIPPED + spoken * own) / (_PRIOR + spoken)
    while steepness < MOST and _lost_by_both(numbers[~spam], beside[~spam], steepness):
        steepness += _STEP
    return round(min(steepness, MOST), 2)


def _lost_by_both(numbers: Floats, beside: Floats, steepness: float) -> bool:
    """Whether more ham is lost than promised by totals of which neither part is enough alone."""
    both = (points(numbers, steepness) + beside >= _REQUIRED) & (numbers < _LEVEL) & (beside < _REQUIRED)
    return int(both.sum()) > promise(_LEVEL) * len(numbers)
