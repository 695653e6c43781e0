"""The online learner: one logistic regression per expert, with a step of its own for every weight.

AdaGrad (Duchi, Hazan & Singer 2011): for the gradient g of the logistic loss, q += g^2 and
w -= RATE * g / (floor + sqrt q), so that a weight seen for the first time moves far and a well-known one
little. Three rules around it, each measured in docs/statistics.md:

- experts are learned apart and their log-odds averaged, which carries over to other mail better than one
  joint model;
- an expert learns from a message only where its margin is small (Goodman & Yih 2006 and Cormack 2007 on
  training near errors), which also keeps most mail out of the journal;
- the further the model disagrees with a label, the smaller its say (a redescending loss), so that a wrong
  label can't tear up what many right ones taught.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tamis.models.features import EXPERTS, TABLE_SIZE, VIEWS, Expert, Features

RATE = 0.3
"""AdaGrad's step."""
MARGIN = 4.0
"""Log-odds on the right side of zero from which a message teaches an expert nothing more."""
CONTRADICTION = 2.0
"""Log-odds on the wrong side of zero from which on a label's say shrinks in inverse proportion."""

Weights = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Score:
    """A message's score in log-odds, above zero for spam: the mean over the experts, and each one's own."""

    log_odds: float
    experts: tuple[float, ...]


_SHARES = np.array([expert.share for expert in EXPERTS])
_FIRST = [expert.first for expert in EXPERTS]


def score(weights: Weights, features: Features) -> Score:
    """The score of a message under a table of TABLE_SIZE weights. Deterministic for one build of numpy."""
    sums = np.zeros(len(VIEWS))
    present = features.counts > 0
    if present.any():
        starts = np.concatenate(([0], np.cumsum(features.counts)[:-1]))
        found = weights[features.indices].astype(np.float64)
        sums[present] = np.add.reduceat(found, starts[present])
    experts = np.add.reduceat(sums * features.scales(), _FIRST)
    return Score(float(experts @ _SHARES), tuple(experts.tolist()))


def say(margin: float) -> float:
    """The size of the loss's slope at a margin in log-odds; 0 where there is nothing left to learn."""
    if margin >= MARGIN:
        return 0.0
    slope = 1.0 / (1.0 + math.exp(min(margin, 700.0)))
    return slope if margin > -CONTRADICTION else slope * CONTRADICTION / -margin


class Learner:
    """Weights and accumulators in memory, changed by `learn`. Not for use by several threads at once."""

    def __init__(self, weights: Weights | None = None, accumulators: Weights | None = None) -> None:
        """Starts from nothing, or from copies of arrays of TABLE_SIZE numbers."""
        self.weights = _table(weights)
        self.accumulators = _table(accumulators)

    def score(self, features: Features) -> Score:
        """The message's score as the model stands."""
        return score(self.weights, features)

    def learn(self, features: Features, *, spam: bool, weight: float = 1.0) -> bool:
        """Take a label in; False when every expert was sure of it already.

        `weight` (0 to 1) is the say of the label's source.
        """
        experts = self.score(features).experts
        ends = np.cumsum(features.counts)
        scales = features.scales()
        learned = False
        for expert, log_odds in zip(EXPERTS, experts, strict=True):
            slope = weight * say(log_odds if spam else -log_odds)
            if slope > 0:
                self._step(features, expert, (ends, scales), -slope if spam else slope)
                learned = True
        return learned

    def _step(
        self,
        features: Features,
        expert: Expert,
        layout: tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]],
        slope: float,
    ) -> None:
        ends, scales = layout
        views = slice(expert.first, expert.last)
        start = int(ends[expert.first] - features.counts[expert.first])
        places = features.indices[start : int(ends[expert.last - 1])]
        gradient = np.repeat((slope * scales[views]).astype(np.float32), features.counts[views])
        squares = self.accumulators[places] + gradient * gradient
        self.accumulators[places] = squares
        self.weights[places] -= np.float32(RATE) * gradient / (np.float32(expert.floor) + np.sqrt(squares))


def _table(array: Weights | None) -> Weights:
    if array is None:
        return np.zeros(TABLE_SIZE, dtype=np.float32)
    if array.shape != (TABLE_SIZE,):
        raise ValueError(f"a table of {TABLE_SIZE} weights is needed, not of {array.shape}")
    return np.array(array, dtype=np.float32)
