"""From log-odds as the model gives them to the probability that such a message is spam here and now.

The learner's log-odds are in the right order but too sure or not sure enough, and mail changes. A Calibrator is
fitted on recent scores that were given before the label was learned. Fitting uses scikit-learn and is the
background process's work; applying needs numpy only.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

from tamis.models.model_file import ModelError, replace_file

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.bool_]
Kind = Literal["logistic", "isotonic"]

ISOTONIC_FROM = 1000
"""Labelled scores from which isotonic regression is the better choice (Niculescu-Mizil & Caruana 2005)."""


@dataclass(frozen=True, slots=True)
class Calibrator:
    """A monotone map from score to probability: straight lines, in log-odds, between `scores` and `log_odds`.

    `ham` and `spam` count what it was fitted on.
    """

    kind: Kind
    scores: tuple[float, ...]
    log_odds: tuple[float, ...]
    ham: int
    spam: int

    @classmethod
    def fit(cls, scores: Floats, spam: Labels, kind: Kind | None = None) -> Self:
        """Fit on labelled scores; the kind follows from their number unless given.

        "logistic" is Platt's (1999), two numbers; "isotonic" is Zadrozny & Elkan's (2002). Raises ValueError
        unless both labels occur.
        """
        hams, spams = int((~spam).sum()), int(spam.sum())
        if not hams or not spams:
            raise ValueError("calibration needs ham and spam")
        if kind is None:
            kind = "isotonic" if min(hams, spams) >= ISOTONIC_FROM else "logistic"
        xs, ys = (_isotonic if kind == "isotonic" else _logistic)(scores, spam)
        return cls(kind, tuple(xs), tuple(ys), hams, spams)

    def calibrated(self, score: float) -> float:
        """The log-odds that a message of this score is spam."""
        xs, ys = self.scores, self.log_odds
        if self.kind == "logistic":  # one straight line, also beyond the scores it was fitted on
            return ys[0] + (score - xs[0]) * (ys[1] - ys[0]) / (xs[1] - xs[0])
        return float(np.interp(score, xs, ys))

    def probability(self, score: float) -> float:
        """The probability that a message of this score is spam."""
        return 1.0 / (1.0 + math.exp(-max(-700.0, min(700.0, self.calibrated(score)))))

    def save(self, path: Path) -> None:
        """Write it in the place of the one at `path`, durably."""
        data = {
            "kind": self.kind,
            "scores": self.scores,
            "log_odds": self.log_odds,
            "ham": self.ham,
            "spam": self.spam,
        }
        replace_file(path, [json.dumps(data).encode()])

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote. Raises ModelError on anything else."""
        try:
            data = json.loads(path.read_bytes())
            kind: Kind = "isotonic" if data["kind"] == "isotonic" else "logistic"
            xs, ys = tuple(map(float, data["scores"])), tuple(map(float, data["log_odds"]))
            if len(xs) != len(ys) or len(xs) < 2 or any(a >= b for a, b in zip(xs, xs[1:], strict=False)):  # noqa: PLR2004
                raise ModelError(path, "no calibration: its scores don't ascend")
            return cls(kind, xs, ys, int(data["ham"]), int(data["spam"]))
        except (ValueError, KeyError, TypeError) as error:
            raise ModelError(path, f"no calibration: {error}") from None


def _logistic(scores: Floats, spam: Labels) -> tuple[list[float], list[float]]:
    from sklearn.linear_model import LogisticRegression

    # A weak prior: perfectly separated scores would make the slope infinite.
    fitted = LogisticRegression(C=10.0).fit(scores.reshape(-1, 1), spam)
    slope, offset = max(float(fitted.coef_[0, 0]), 1e-6), float(fitted.intercept_[0])
    return [0.0, 1.0], [offset, offset + slope]


def _isotonic(scores: Floats, spam: Labels) -> tuple[list[float], list[float]]:
    from sklearn.isotonic import IsotonicRegression

    # Nobody is ever certain: the outermost steps are held to what their numbers can prove (Laplace).
    least, most = 1.0 / (int((~spam).sum()) + 2), 1.0 - 1.0 / (int(spam.sum()) + 2)
    fitted = IsotonicRegression(y_min=least, y_max=most, out_of_bounds="clip").fit(scores, spam)
    xs = np.asarray(fitted.X_thresholds_, dtype=np.float64)
    ys = np.asarray(fitted.y_thresholds_, dtype=np.float64)
    if len(xs) == 1:
        xs, ys = np.array([xs[0], xs[0] + 1.0]), np.repeat(ys, 2)
    return xs.tolist(), np.log(ys / (1.0 - ys)).tolist()
