"""From log-odds as the model gives them to the probability that such a message is spam here and now.

The learner's log-odds are in the right order but too sure or not sure enough, and mail changes. A Calibrator is
fitted (`calibration_fit`) on recent scores that were given before the label was learned.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal, Self

from tamis.models.durable import replace_file
from tamis.models.model_file import ModelError
from tamis.models.scale import interpolated

CalibrationKind = Literal["logistic", "isotonic"]


@dataclass(frozen=True, slots=True)
class Calibrator:
    """A monotone map from score to probability: straight lines, in log-odds, between `scores` and `log_odds`.

    `ham` and `spam` count what it was fitted on.
    """

    kind: CalibrationKind
    scores: tuple[float, ...]
    log_odds: tuple[float, ...]
    ham: int
    spam: int

    def calibrated(self, score: float) -> float:
        """The log-odds that a message of this score is spam."""
        xs, ys = self.scores, self.log_odds
        if self.kind == "logistic":  # one straight line, also beyond the scores it was fitted on
            return ys[0] + (score - xs[0]) * (ys[1] - ys[0]) / (xs[1] - xs[0])
        return interpolated(score, xs, ys)

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
            kind: CalibrationKind = "isotonic" if data["kind"] == "isotonic" else "logistic"
            xs, ys = tuple(map(float, data["scores"])), tuple(map(float, data["log_odds"]))
            if len(xs) != len(ys) or len(xs) < 2 or any(a >= b for a, b in pairwise(xs)):
                raise ModelError(path, "no calibration: its scores don't ascend")
            return cls(kind, xs, ys, int(data["ham"]), int(data["spam"]))
        except (ValueError, KeyError, TypeError) as error:
            raise ModelError(path, f"no calibration: {error}") from None
