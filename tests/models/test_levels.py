"""Levels: promises that hold on mail that was not there when they were made."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tamis.models.calibration_fit import fit_calibrator
from tamis.models.kinds import MailKind
from tamis.models.levels import Held, Levels, Rate, fit_levels
from tamis.models.measures import Floats
from tamis.models.model_file import ModelError
from tamis.models.scale import HIGHEST, LEVELS, interpolated, number_of, promise


def _scores(seed: int, ham: int, spam: int) -> tuple[Held, Held]:
    random = np.random.default_rng(seed)
    hams, spams = random.logistic(-4, 1.0, ham), random.logistic(4, 1.5, spam)
    return _held(hams), _held(spams)


def _held(scores: Floats, kind: MailKind = MailKind.LIST) -> Held:
    """Scores in five folds, all of one kind."""
    return Held(
        scores,
        np.arange(len(scores)) * 5 // len(scores),
        np.repeat(str(kind), len(scores)),
        np.full(len(scores), np.nan),
        np.full(len(scores), 0.5),
    )


def _joined(one: Held, other: Held) -> Held:
    return Held(
        np.concatenate((one.scores, other.scores)),
        np.concatenate((one.folds, other.folds)),
        np.concatenate((one.kinds, other.kinds)),
        np.concatenate((one.beside, other.beside)),
        np.concatenate((one.familiar, other.familiar)),
    )


def _levels(seed: int = 1, ham: int = 2000, spam: int = 1000) -> Levels:
    hams, spams = _scores(seed, ham, spam)
    calibrator = fit_calibrator(
        np.concatenate((hams.scores, spams.scores)), np.repeat([False, True], [ham, spam])
    )
    return fit_levels(hams, spams, calibrator, 7)


def test_the_default_level_promises_one_ham_in_a_thousand() -> None:
    assert promise(7.5) == pytest.approx(0.001)
    assert all(number_of(promise(level)) == pytest.approx(level) for level in LEVELS)
    assert number_of(1.0) == 0.0
    assert number_of(1e-30) == HIGHEST


@pytest.mark.parametrize("x", [-3.0, -1.0, -0.4, 0.0, 5e-324, 1.9, 2.0, 9.0])
def test_interpolated_is_numpys(x: float) -> None:
    xs, ys = (-1.0, 0.0, 5e-324, 2.0), (0.5, 1.0, 4.0, 15.0)
    assert interpolated(x, xs, ys) == np.interp(x, xs, ys)


def _lost(ham: int, kind: MailKind = MailKind.LIST) -> Floats:
    """Of new ham, the share on each of the first four levels, on average over 20 sites with so much ham."""
    new = np.random.default_rng(99).logistic(-4, 1.0, 50_000)
    sites = (_levels(seed, ham=ham) for seed in range(20))
    found = [
        [
            np.mean(np.interp(new, one.by_kind.get(kind, one.scores), one.numbers) >= level)
            for level in LEVELS[:4]
        ]
        for one in sites
    ]
    return np.asarray(np.mean(found, axis=0))


def test_promises_hold_on_new_ham() -> None:
    """On average over sites with much ham; these scores have a heavier tail than the prior expects."""
    promised = np.array([promise(level) for level in LEVELS[:4]])
    assert (_lost(4000) <= 1.5 * promised).all()
    assert (_lost(4000, MailKind.PLAIN) <= 1.5 * promised).all()


def test_a_kind_that_was_never_taught_is_treated_with_care() -> None:
    """Only list mail was taught, and it scores low: a receipt that scores 2 is no spam for that, unless much of what is
    in it was met."""
    ham = _held(np.random.default_rng(6).normal(-6, 1.0, 500))
    levels = fit_levels(ham, _scores(1, 1, 500)[1], _levels().calibrator, 1)
    assert levels.number(2.0, MailKind.LIST) > 7.5 > levels.number(2.0, MailKind.MADE, 0.3)
    assert levels.number(1.4, MailKind.LIST) > 7.5 > levels.number(1.4, MailKind.MADE)


@pytest.mark.parametrize("taught", [14, 15])
def test_a_kind_is_proven_by_fifteen_ham_of_it(taught: int) -> None:
    random = np.random.default_rng(8)
    ham = _joined(_held(random.normal(-6, 1.0, 500)), _held(random.normal(-6, 1.0, taught), MailKind.MADE))
    spam = _held(random.normal(6, 1.0, 300), MailKind.MADE)
    levels = fit_levels(ham, spam, _levels().calibrator, 1)
    assert set(levels.unproven) == {"automatic", "bulk", "plain"} | ({"made"} if taught < 15 else set())
    caught = [one.caught.share for one in levels.measured if one.level <= 7.5]
    assert max(caught) == 0 if taught < 15 else min(caught) > 0.9, (
        "what never decides alone catches nothing alone"
    )


def test_lists_and_answers_need_no_proof() -> None:
    """Anybody can claim to be one in a line of the header."""
    assert not {"list", "answer"} & set(_levels(ham=200).unproven)


def test_few_ham_have_an_estimate_and_its_interval() -> None:
    """Not the worst case: 200 ham can't prove a promise of 1 in 1,000, and the level is in reach all the same."""
    levels = _levels(ham=200)
    (default,) = [one for one in levels.measured if one.level == 7.5]
    assert default.plausible is not None
    assert default.plausible[0] < promise(7.5) < default.plausible[1]
    highest = float(np.max(_scores(1, 200, 1)[0].scores))
    assert levels.number(highest + 1.0) > 7.5
    assert (_lost(200) <= 5 * np.array([promise(level) for level in LEVELS[:4]])).all()


def test_a_rare_kind_whose_ham_scores_high_has_scores_of_its_own() -> None:
    random = np.random.default_rng(4)
    lists, made = _held(random.normal(-5, 1.0, 4000)), _held(random.normal(0.5, 1.0, 40), MailKind.MADE)
    levels = fit_levels(_joined(lists, made), _scores(1, 1, 500)[1], _levels().calibrator, 1)
    assert levels.number(2.0, MailKind.MADE) < levels.number(2.0, MailKind.LIST)
    new = random.normal(0.5, 1.0, 5000)
    lost = {kind: np.mean([levels.number(one, kind) >= 7.5 for one in new]) for kind in (MailKind.MADE, "")}
    assert lost[MailKind.MADE] < lost[""] / 3


def test_what_the_model_holds_for_ham_is_on_no_level() -> None:
    ham = _held(np.random.default_rng(5).normal(-9, 0.5, 1000))
    levels = fit_levels(ham, _scores(1, 1, 500)[1], _levels().calibrator, 1)
    for kind in ("", *MailKind):
        assert levels.number(-0.01, kind) < LEVELS[0]
        assert levels.number(4.5, kind) >= LEVELS[-1]


def test_a_higher_score_has_no_lower_number_and_a_lower_level_catches_no_less() -> None:
    levels = _levels()
    numbers = [levels.number(score) for score in np.linspace(-30, 60, 500)]
    assert all(a <= b for a, b in pairwise(numbers))
    assert (numbers[0], numbers[-1]) == (0.0, HIGHEST)
    for lower, higher in pairwise(levels.measured):
        assert lower.caught.count >= higher.caught.count
        assert lower.false_positives.count >= higher.false_positives.count


def test_the_interval_says_how_little_is_known() -> None:
    assert Rate(0, 0).interval == (0.0, 1.0)
    low, high = Rate(0, 1000).interval
    assert (low, round(high, 4)) == (0.0, 0.0038)
    low, high = Rate(1, 1000).interval
    assert low < 0.001 < high


def test_written_and_read(tmp_path: Path) -> None:
    levels = _levels(ham=300, spam=200)
    levels.save(tmp_path / "levels.json")
    assert Levels.load(tmp_path / "levels.json") == levels
    for damaged in (
        {"scores": [2, 1], "numbers": [1, 2]},
        {"scores": [1, 2], "numbers": [1, 2], "by_kind": {"list": [1]}},
        {"scores": [1, 2], "numbers": [1, 2], "by_kind": []},
    ):
        (tmp_path / "levels.json").write_text(json.dumps(damaged))
        with pytest.raises(ModelError):
            Levels.load(tmp_path / "levels.json")


def test_levels_of_the_version_before_are_read_as_they_were(tmp_path: Path) -> None:
    """They knew no kinds and gave no points below the level."""
    levels = _levels(ham=300, spam=200)
    levels.save(tmp_path / "levels.json")
    data = json.loads((tmp_path / "levels.json").read_text())
    del data["by_kind"], data["steepness"], data["familiar"], data["unproven"]
    for one in data["measured"]:
        del one["plausible"]
    (tmp_path / "levels.json").write_text(json.dumps(data))
    old = Levels.load(tmp_path / "levels.json")
    assert (old.steepness, old.unproven) == (None, ())
    assert all(old.number(score, MailKind.MADE, 0.1) == levels.number(score) for score in (-3.0, 0.0, 2.0))


def test_a_score_counts_for_less_the_less_of_the_message_is_familiar(tmp_path: Path) -> None:
    """Also among the mail that is measured: ham of which little was known explains its own high scores."""
    levels = _levels()
    levels.save(tmp_path / "levels.json")
    assert Levels.load(tmp_path / "levels.json") == levels
    new, usual, known = (levels.number(2.0, MailKind.LIST, familiar) for familiar in (0.2, 0.5, 0.8))
    assert new < usual == levels.number(2.0, MailKind.LIST) < known
    random = np.random.default_rng(6)
    familiar = random.uniform(0.2, 0.8, 1000)
    ham = replace(_held(random.normal(-4, 0.5, 1000) + 6 * (0.8 - familiar)), familiar=familiar)
    told, untold = (
        fit_levels(one, _scores(1, 1, 500)[1], _levels().calibrator, 1)
        for one in (ham, replace(ham, familiar=np.full(1000, 0.5)))
    )
    assert told.number(0.5, MailKind.LIST, 0.5) > untold.number(0.5, MailKind.LIST, 0.5)


def test_one_ham_or_equal_scores_are_enough_to_be_careful() -> None:
    calibrator = fit_calibrator(np.array([-1.0, 1.0]), np.array([False, True]))
    for hams in (np.array([-1.0]), np.zeros(50)):
        levels = fit_levels(_held(hams), _held(np.array([1.0])), calibrator, 1)
        assert levels.number(float(hams[0])) < 3
    with pytest.raises(ValueError, match="ham"):
        fit_levels(_held(np.array([])), _held(np.array([1.0])), calibrator, 1)


def test_what_can_be_counted_is_counted() -> None:
    """(k + 1) / (n + 1) where k of n ham score as high or higher, for the next may be one that does."""
    scores = np.sort(np.random.default_rng(3).normal(-4, 1.0, 400))[::-1]
    levels = fit_levels(_held(scores), _held(-scores), _levels().calibrator, 1)
    told = dict(zip(levels.scores, levels.numbers, strict=True))
    for rank in (100, 200, 400):
        near = min(told, key=lambda one: abs(one - scores[rank - 1]))
        k = int(np.count_nonzero(scores >= near - 1e-3))
        assert told[near] == pytest.approx(number_of((k + 1) / 401), abs=0.05)
