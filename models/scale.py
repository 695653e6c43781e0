"""The scale of the numbers and the seven levels. Imports nothing: the filter's options need it without a model."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence

LEVELS = (3.0, 4.5, 6.0, 7.5, 9.0, 10.5, 12.0)
"""What policy can choose from; the lower the more aggressive."""
HIGHEST = 15.0
"""No message is shown with more."""
UNPROVEN = 14 / 15
"""Of a level, what counts at most for a message of whose kind too little ham was learned."""

_PER_TENTH = 3.0
_OFFSET = -1.5


def promise(number: float) -> float:
    """The share of ham that has this number or a higher one, at most: 0.001 for 7.5."""
    return float(10.0 ** -((number - _OFFSET) / _PER_TENTH))


def number_of(share: float) -> float:
    """The number for a share of ham: the inverse of `promise`, within 0 to HIGHEST."""
    return min(HIGHEST, max(0.0, -_PER_TENTH * math.log10(share) + _OFFSET))


def interpolated(x: float, xs: Sequence[float], ys: Sequence[float]) -> float:
    """The value at `x` of straight lines between points, `xs` ascending; outside them that of the nearest one.

    Equal to `numpy.interp`, which copies all points for one `x`.
    """
    after = bisect_right(xs, x)
    if after == 0:
        return ys[0]
    at = after - 1
    if after == len(xs) or x == xs[at]:
        return ys[at]
    return (ys[after] - ys[at]) / (xs[after] - xs[at]) * (x - xs[at]) + ys[at]
