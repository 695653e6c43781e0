"""The measures of the TREC spam track (Cormack & Lynam 2005, Cormack 2007), exact, with bootstrap intervals.

A filter gives every message a score, higher for spam, and a class. Over all messages of a run:

- hm% is the share of ham classified as spam, sm% the share of spam classified as ham;
- lam% is the logistic average of the two: logit(lam) = (logit(hm) + logit(sm)) / 2. A rate of 0 or 1 has no
  logit; there half a message is counted as misclassified, or as right;
- (1-ROCA)% is the area above the ROC curve: the probability, in percent, that a random spam has a lower
  score than a random ham, equal scores counting half (the Mann-Whitney statistic);
- sm% at hm h% is the least sm% over all thresholds that misclassify at most h% of the ham. Messages of equal
  score fall on the same side; nothing is interpolated.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.bool_]

REPETITIONS = 200
"""Bootstrap samples."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A measured value with the bounds of its 95 % bootstrap percentile interval; all in percent."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Measures:
    """One run's measures, in percent."""

    roca: float
    sm_at_hm_01: float
    sm_at_hm_1: float
    hm: float
    sm: float
    lam: float


NAMES = ("roca", "sm_at_hm_01", "sm_at_hm_1", "hm", "sm", "lam")
"""The fields of Measures."""
TITLES = {
    "roca": "(1-ROCA)%",
    "sm_at_hm_01": "sm% at hm 0.1%",
    "sm_at_hm_1": "sm% at hm 1%",
    "hm": "hm%",
    "sm": "sm%",
    "lam": "lam%",
}
"""What people call them."""


class Ranking:
    """Scores in order, with runs of equal ones drawn together: what all measures are read off."""

    def __init__(self, scores: Floats, spam: Labels, threshold: float = 0.0) -> None:
        """A message is classified as spam when its score is above `threshold`.

        Raises ValueError unless both labels occur and all scores are finite.
        """
        if not np.isfinite(scores).all():
            raise ValueError("a score is not finite")
        if spam.all() or not spam.any():
            raise ValueError("measures need ham and spam")
        values, self._place = np.unique(scores, return_inverse=True)
        self._spam = spam
        self._values = values
        self._above = int(np.searchsorted(values, threshold, side="right"))

    def measures(self, counts: npt.NDArray[np.int64] | None = None) -> Measures | None:
        """The measures, with each message counted `counts` times (once by default).

        None when no ham or no spam counts.
        """
        ham, spam = self._histograms(counts)
        hams, spams = float(ham.sum()), float(spam.sum())
        if not hams or not spams:
            return None
        spam_below = np.cumsum(spam) - spam
        misordered = float((ham * (spam_below + spam / 2)).sum())
        hm = float(ham[self._above :].sum()) / hams
        sm = float(spam[: self._above].sum()) / spams
        lam = logistic_average(_inside(hm, hams), _inside(sm, spams))
        return Measures(
            100 * misordered / (hams * spams),
            100 * _sm_at(0.001, ham, spam),
            100 * _sm_at(0.01, ham, spam),
            100 * hm,
            100 * sm,
            100 * lam,
        )

    def sm_at(self, hm: float) -> float:
        """The least sm% over all thresholds that misclassify at most `hm` percent of the ham."""
        ham, spam = self._histograms(None)
        return 100 * _sm_at(hm / 100, ham, spam)

    def roc(self) -> tuple[Floats, Floats]:
        """hm and sm (0 to 1) at every threshold, from the one that calls everything ham."""
        ham, spam = self._histograms(None)
        hm = np.zeros(len(ham) + 1)
        hm[1:] = np.cumsum(ham[::-1]) / ham.sum()
        sm = np.ones(len(spam) + 1)
        sm[1:] -= np.cumsum(spam[::-1]) / spam.sum()
        return hm, sm

    def intervals(self, seed: int = 1, repetitions: int = REPETITIONS) -> dict[str, Interval]:
        """Each measure with its interval, messages drawn with replacement (Efron 1979)."""
        point = self.measures()
        if point is None:  # excluded by the constructor
            raise ValueError("measures need ham and spam")
        random = np.random.default_rng(seed)
        number = len(self._spam)
        samples: list[Measures] = []
        for _ in range(repetitions):
            counts = np.bincount(random.integers(0, number, number), minlength=number)
            sample = self.measures(counts)
            if sample is not None:
                samples.append(sample)
        found: dict[str, Interval] = {}
        for name in NAMES:
            value = getattr(point, name)
            drawn = [getattr(sample, name) for sample in samples] or [value]
            low, high = np.percentile(drawn, (2.5, 97.5))
            found[name] = Interval(value, float(low), float(high))
        return found

    def _histograms(self, counts: npt.NDArray[np.int64] | None) -> tuple[Floats, Floats]:
        """Messages of each label at each distinct score."""
        ones = np.ones(len(self._spam)) if counts is None else counts.astype(np.float64)
        size = len(self._values)
        ham: Floats = np.bincount(self._place, weights=ones * ~self._spam, minlength=size).astype(np.float64)
        spam: Floats = np.bincount(self._place, weights=ones * self._spam, minlength=size).astype(np.float64)
        return ham, spam


def logistic_average(first: float, second: float) -> float:
    """The rate whose logit is the mean of two rates' logits; rates strictly between 0 and 1."""
    return _expit((_logit(first) + _logit(second)) / 2)


def curve(
    scores: Floats, spam: Labels, measure: Callable[[Measures], float], points: int = 60
) -> tuple[list[int], list[float]]:
    """A measure over the first n messages, for growing n: the learning curve."""
    ns: list[int] = []
    values: list[float] = []
    for n in np.unique(np.geomspace(50, max(len(scores), 51), points).astype(int)).tolist():
        head = slice(0, min(n, len(scores)))
        if spam[head].any() and not spam[head].all():
            found = Ranking(scores[head], spam[head]).measures()
            if found is not None:
                ns.append(min(n, len(scores)))
                values.append(measure(found))
    return ns, values


def _sm_at(limit: float, ham: Floats, spam: Floats) -> float:
    """The least share of missed spam over thresholds that misclassify at most `limit` of the ham."""
    hm = np.concatenate((np.cumsum(ham[::-1])[::-1] / ham.sum(), [0.0]))
    missed = np.concatenate(([0.0], np.cumsum(spam))) / spam.sum()
    return float(missed[np.argmax(hm <= limit)])


def _inside(rate: float, number: float) -> float:
    return min(max(rate, 0.5 / number), 1 - 0.5 / number)


def _logit(rate: float) -> float:
    return math.log(rate / (1 - rate))


def _expit(odds: float) -> float:
    return 1 / (1 + math.exp(-odds))
