"""Fitting a Calibrator with scikit-learn: the background process's work, never a worker's."""

from __future__ import annotations

import numpy as np
from sklearn.isotonic import IsotonicRegression  # type: ignore[import-untyped]
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]

from tamis.models.calibration import CalibrationKind, Calibrator
from tamis.models.measures import Floats, Labels

ISOTONIC_FROM = 1000
"""Messages of each label from which isotonic regression is the better choice (Niculescu-Mizil & Caruana 2005)."""


def fit_calibrator(scores: Floats, spam: Labels, kind: CalibrationKind | None = None) -> Calibrator:
    """A Calibrator for labelled scores; its kind follows from their number unless given.

    "logistic" is Platt's (1999), two numbers; "isotonic" is Zadrozny & Elkan's (2002), steps. Raises ValueError
    unless both labels occur.
    """
    hams, spams = int((~spam).sum()), int(spam.sum())
    if not hams or not spams:
        raise ValueError("calibration needs ham and spam")
    if kind is None:
        kind = "isotonic" if min(hams, spams) >= ISOTONIC_FROM else "logistic"
    xs, ys = (_isotonic if kind == "isotonic" else _logistic)(scores, spam)
    return Calibrator(kind, tuple(xs), tuple(ys), hams, spams)


def _logistic(scores: Floats, spam: Labels) -> tuple[list[float], list[float]]:
    # A weak prior: perfectly separated scores would make the slope infinite.
    fitted = LogisticRegression(C=10.0).fit(scores.reshape(-1, 1), spam)
    slope, offset = max(float(fitted.coef_[0, 0]), 1e-6), float(fitted.intercept_[0])
    return [0.0, 1.0], [offset, offset + slope]


def _isotonic(scores: Floats, spam: Labels) -> tuple[list[float], list[float]]:
    # Nobody is ever certain: the outermost steps are held to what their numbers can prove (Laplace).
    least, most = 1.0 / (int((~spam).sum()) + 2), 1.0 - 1.0 / (int(spam.sum()) + 2)
    fitted = IsotonicRegression(y_min=least, y_max=most, out_of_bounds="clip").fit(scores, spam)
    xs = np.asarray(fitted.X_thresholds_, dtype=np.float64)
    ys = np.asarray(fitted.y_thresholds_, dtype=np.float64)
    if len(xs) == 1:
        xs, ys = np.array([xs[0], xs[0] + 1.0]), np.repeat(ys, 2)
    return xs.tolist(), np.log(ys / (1.0 - ys)).tolist()
