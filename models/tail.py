"""How rare a score is among ham beyond what can be counted: the upper tail of held-out scores.

Excesses over a high score follow a generalised Pareto distribution (Pickands 1975, Balkema & de Haan 1974), whose shape
and scale are not known. Few excesses can't tell them, so there is a prior for both, from what the learner's scores were
like elsewhere: it stops at a margin, so its tails end sooner than an exponential's (negative shape). With more excesses
the site's own count. What a share of ham is estimated to be comes with its interval: of the scales and shapes that
remain plausible.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from tamis.models.measures import Floats

LEAST: Final = 20
"""Excesses that a tail is fitted to at least, while there are as many scores."""
_SHARE = 0.6
"""The share of n scores that are its excesses: this, by the third root of n."""
_SHAPE, _SHAPE_SPREAD = -0.35, 0.05
_SCALE, _SCALE_SPREAD = 1.0, 0.5
"""Prior: normal for the shape, log-normal for the scale, in log-odds."""
_SHAPES: Final = np.linspace(-0.6, 0.2, 41)
_SCALES: Final = np.geomspace(0.1, 8.0, 60)


@dataclass(frozen=True, slots=True)
class Tail:
    """The tail above `start`, which `share` of the `total` scores reach; `weights` says how plausible each pair of
    _SHAPES and _SCALES is."""

    start: float
    share: float
    total: int
    shape: float
    scale: float
    weights: Floats

    def score(self, share: float) -> float:
        """The score that this share of all reaches, by the most plausible tail; `share` is at most the tail's."""
        ratio = self.share / share
        if abs(self.shape) < 1e-6:
            return self.start + self.scale * float(np.log(ratio))
        return self.start + self.scale / self.shape * float(ratio**self.shape - 1)

    def interval(self, score: float) -> tuple[float, float]:
        """Between what shares that reach a score the true one lies, with 95 % of the plausibility."""
        reach = self.share * _beyond(max(0.0, score - self.start)).ravel()
        order = np.argsort(reach)
        total = np.cumsum(self.weights.ravel()[order])
        low, high = (int(np.searchsorted(total, at)) for at in (0.025, 0.975))
        last = len(order) - 1
        return float(reach[order[min(low, last)]]), float(reach[order[min(high, last)]])


def fit_tail(scores: Floats) -> Tail:
    """The tail of some scores. Raises ValueError without any."""
    ordered = np.sort(scores)[::-1]
    n = len(ordered)
    if not n:
        raise ValueError("a tail needs scores")
    most = max(1, min(n - 1, max(min(LEAST, n // 2), int(_SHARE * n ** (2 / 3)))))
    start = float(ordered[min(most, n - 1)])
    excesses = ordered[:most] - start
    plausible = _log_likelihood(excesses) + _LOG_PRIOR
    weights = np.exp(plausible - plausible.max())
    weights /= weights.sum()
    shape, scale = np.unravel_index(int(plausible.argmax()), plausible.shape)
    return Tail(start, most / n, n, float(_SHAPES[shape]), float(_SCALES[scale]), weights)


_LOG_PRIOR: Final = (
    -(((_SHAPES - _SHAPE) / _SHAPE_SPREAD) ** 2)[:, None] / 2
    - ((np.log(_SCALES / _SCALE) / _SCALE_SPREAD) ** 2)[None, :] / 2
)


def _log_likelihood(excesses: Floats) -> Floats:
    """Of each pair of shape and scale."""
    found = np.empty((len(_SHAPES), len(_SCALES)))
    for row, shape in enumerate(_SHAPES.tolist()):
        ratio = excesses[:, None] / _SCALES[None, :]
        if abs(shape) < 1e-6:
            found[row] = -ratio.sum(axis=0)
        else:
            inside = 1 + shape * ratio
            logs = np.log(np.maximum(inside, 1e-12))
            found[row] = np.where((inside > 0).all(axis=0), -(1 + 1 / shape) * logs.sum(axis=0), -np.inf)
        found[row] -= len(excesses) * np.log(_SCALES)
    return found


def _beyond(excess: float) -> Floats:
    """The share of excesses that are larger, for each pair of shape and scale."""
    ratio = excess / _SCALES[None, :]
    shapes = np.where(np.abs(_SHAPES) < 1e-6, 1e-6, _SHAPES)[:, None]
    return np.asarray(np.maximum(1 + shapes * ratio, 0.0) ** (-1 / shapes), dtype=np.float64)
