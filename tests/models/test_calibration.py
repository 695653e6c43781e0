"""Calibration: monotone, honest on new mail, kept on disk."""

from pathlib import Path

import numpy as np
import pytest

from tamis.models.calibration import CalibrationKind, Calibrator
from tamis.models.calibration_fit import fit_calibrator
from tamis.models.measures import Floats, Labels
from tamis.models.model_file import ModelError


def sample(number: int, seed: int) -> tuple[Floats, Labels]:
    """Scores that are twice as sure as they should be: the true log-odds are half of them."""
    random = np.random.default_rng(seed)
    scores = random.normal(scale=4.0, size=number)
    spam = random.random(number) < 1 / (1 + np.exp(-scores / 2))
    return scores, spam


@pytest.mark.parametrize("kind", ["logistic", "isotonic"])
def test_probabilities_come_true(kind: CalibrationKind) -> None:
    calibrator = fit_calibrator(*sample(6000, 1), kind)
    scores, spam = sample(20_000, 2)
    stated = np.array([calibrator.probability(score) for score in scores.tolist()])
    for low, high in ((0.05, 0.2), (0.2, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, 0.95)):
        among = (stated >= low) & (stated < high)
        assert abs(float(spam[among].mean()) - float(stated[among].mean())) < 0.05


def test_the_kind_follows_from_the_number() -> None:
    assert fit_calibrator(*sample(200, 1)).kind == "logistic"
    assert fit_calibrator(*sample(4000, 1)).kind == "isotonic"


@pytest.mark.parametrize("kind", ["logistic", "isotonic"])
def test_monotone_and_never_certain(kind: CalibrationKind) -> None:
    scores = np.array([-3.0, -2.0, -1.0, 1.0, 2.0, 3.0])
    calibrator = fit_calibrator(scores, scores > 0, kind)
    probabilities = [calibrator.probability(score) for score in np.linspace(-5, 5, 101).tolist()]
    assert probabilities == sorted(probabilities)
    assert 0 < probabilities[0] < 0.3
    assert 0.7 < probabilities[-1] < 1


def test_equal_scores_only() -> None:
    calibrator = fit_calibrator(np.array([1.0, 1.0, 1.0]), np.array([True, False, True]), "isotonic")
    assert calibrator.probability(1.0) == pytest.approx(2 / 3)


def test_one_label_only_is_refused() -> None:
    with pytest.raises(ValueError, match="ham and spam"):
        fit_calibrator(np.array([1.0, 2.0]), np.array([True, True]))


def test_kept_on_disk(tmp_path: Path) -> None:
    calibrator = fit_calibrator(*sample(500, 1))
    calibrator.save(tmp_path / "calibration.json")
    assert Calibrator.load(tmp_path / "calibration.json") == calibrator


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"kind": "isotonic", "scores": [2, 1], "log_odds": [0, 1], "ham": 1, "spam": 1}', "\0"],
)
def test_what_is_no_calibration_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "calibration.json"
    path.write_text(text)
    with pytest.raises(ModelError, match="calibration"):
        Calibrator.load(path)
