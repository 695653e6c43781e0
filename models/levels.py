"""Levels: what number a message is shown with, and what each of the seven levels promises.

The number says how rare such a score is among the site's own legitimate mail: three points more are a tenth of
the ham. Of n recent ham that the model was not taught when it scored them, k score as high as a message or
higher; then the chance that a further ham does is at most (k + 1) / (n + 1), as long as mail stays what it is
(conformal prediction: Vovk, Gammerman & Shafer 2005). Rarer than one in n + 1 nothing can be counted; there the
excesses of the highest scores are taken as exponential (Pickands 1975, Balkema & de Haan 1974), with a margin for
how few they are.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from tamis.models.calibration import Calibrator
from tamis.models.durable import replace_file
from tamis.models.measures import Floats
from tamis.models.model_file import ModelError
from tamis.models.scale import HIGHEST, LEVELS, interpolated, number_of, promise

_TAIL = 0.05
_LEAST_TAIL = 10
_POINTS = 200


@dataclass(frozen=True, slots=True)
class Rate:
    """A measured share: `count` of `total`, with its 95 % interval (Wilson 1927)."""

    count: int
    total: int

    @property
    def share(self) -> float:
        """The share itself, 0 of nothing."""
        return self.count / self.total if self.total else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Where the true share lies, with 95 % confidence."""
        if not self.total:
            return 0.0, 1.0
        z, n, p = 1.96, self.total, self.share
        middle = p + z * z / (2 * n)
        width = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        low, high = (middle - width) / (1 + z * z / n), (middle + width) / (1 + z * z / n)
        return (low if self.count else 0.0), (high if self.count < n else 1.0)


@dataclass(frozen=True, slots=True)
class Measured:
    """One level on the site's recent labelled mail."""

    level: float
    false_positives: Rate
    caught: Rate


@dataclass(frozen=True, slots=True)
class Levels:
    """The map from score to number (straight lines between `scores` and `numbers`) and what was measured."""

    scores: tuple[float, ...]
    numbers: tuple[float, ...]
    calibrator: Calibrator
    measured: tuple[Measured, ...]
    sequence: int
    """The last report within the model that was measured."""

    def number(self, score: float) -> float:
        """The number of a message with this score in log-odds."""
        return round(interpolated(score, self.scores, self.numbers), 2)

    def save(self, path: Path) -> None:
        """Write it in the place of the one at `path`, durably."""
        replace_file(path, [json.dumps(asdict(self)).encode()])

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote. Raises ModelError on anything else, OSError when it can't be read."""
        try:
            data = json.loads(path.read_bytes())
            scores, numbers = tuple(map(float, data["scores"])), tuple(map(float, data["numbers"]))
            if len(scores) != len(numbers) or len(scores) < 2 or any(a >= b for a, b in pairwise(scores)):
                raise ModelError(path, "no levels: their scores don't ascend")
            return cls(
                scores,
                numbers,
                _calibrator(data["calibrator"]),
                tuple(_measured(one) for one in data["measured"]),
                int(data["sequence"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise ModelError(path, f"no levels: {error}") from None


def _calibrator(data: dict[str, Any]) -> Calibrator:
    kind = data["kind"]
    xs, ys = tuple(map(float, data["scores"])), tuple(map(float, data["log_odds"]))
    if kind not in ("logistic", "isotonic") or len(xs) != len(ys) or len(xs) < 2:
        raise ValueError("its calibration is damaged")
    return Calibrator(kind, xs, ys, int(data["ham"]), int(data["spam"]))


def _measured(data: dict[str, Any]) -> Measured:
    return Measured(float(data["level"]), Rate(**data["false_positives"]), Rate(**data["caught"]))


@dataclass(frozen=True, slots=True)
class Held:
    """Scores that a model gave to messages it was not taught; `folds` says which messages were held out together."""

    scores: Floats
    folds: npt.NDArray[np.int_]


def fit_levels(ham: Held, spam: Held, calibrator: Calibrator, sequence: int) -> Levels:
    """Levels from held-out scores. What is measured is honest too: each fold by the levels of the others.

    Raises ValueError without ham.
    """
    if not len(ham.scores):
        raise ValueError("levels need ham")
    false, caught = [0] * len(LEVELS), [0] * len(LEVELS)
    for fold in np.unique(np.concatenate((ham.folds, spam.folds))).tolist():
        others = ham.scores[ham.folds != fold]
        if not len(others):
            continue
        scores, numbers = _anchors(np.sort(others)[::-1])
        for counts, held in ((false, ham), (caught, spam)):
            shown = np.interp(held.scores[held.folds == fold], scores, numbers)
            for place, level in enumerate(LEVELS):
                counts[place] += int(np.count_nonzero(shown >= level))
    scores, numbers = _anchors(np.sort(ham.scores)[::-1])
    measured = tuple(
        Measured(level, Rate(false[place], len(ham.scores)), Rate(caught[place], len(spam.scores)))
        for place, level in enumerate(LEVELS)
    )
    return Levels(tuple(scores), tuple(numbers), calibrator, measured, sequence)


def _anchors(descending: Floats) -> tuple[list[float], list[float]]:
    """Scores, ascending, and the number each begins."""
    n = len(descending)
    # Just above the k-th highest ham, k ham score as high or higher.
    ranks = np.unique(np.geomspace(1, n, min(n, _POINTS)).astype(int)) if n > 1 else np.array([1])
    shares = {float(descending[k - 1]): (k + 1) / (n + 1) for k in ranks.tolist()}
    highest = float(descending[0])
    shares[float(np.nextafter(highest, math.inf))] = 1 / (n + 1)
    points = sorted((score, number_of(share)) for score, share in shares.items())
    tail = min(n - 1, max(_LEAST_TAIL, int(_TAIL * n)))
    excess = float(np.mean(descending[:tail] - descending[tail])) if tail > 0 else 1.0
    # Two standard errors for how few there are; never so small that the scale of the scores vanishes.
    excess = max(0.05, excess * (1 + 2 / math.sqrt(max(1, tail))))
    start = points[-1][1]
    if start < HIGHEST:
        points.append((highest + excess * math.log(promise(start) / promise(HIGHEST)), HIGHEST))
    scores, numbers = [points[0][0]], [points[0][1]]
    for score, number in points[1:]:
        if score > scores[-1]:
            scores.append(score)
            numbers.append(max(number, numbers[-1]))
    if len(scores) == 1:
        scores.append(scores[0] + excess)
        numbers.append(HIGHEST)
    return scores, numbers
