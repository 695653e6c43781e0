"""The learner: its step is AdaGrad's, its gradient the loss's, its rules hold."""

import math

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]

from tamis.message.mail import Mail
from tamis.models.correction import MOST_DOMAINS, salt_of
from tamis.models.features import EXPERTS, TABLE_SIZE, VIEWS, Features, extract
from tamis.models.learner import CONTRADICTION, MARGIN, RATE, REHEARSED, Learner, say
from tests.models.mails import raw_mail


def features_of(number: int, *, spam: bool) -> Features:
    return extract(Mail(raw_mail(number, spam=spam)))


def test_slope_is_that_of_the_logistic_loss() -> None:
    """Within the bounds where nothing is rounded off, against a numerical derivative."""
    for margin in np.linspace(-CONTRADICTION, MARGIN - 0.01, 25).tolist():
        step = 1e-5
        slope = (math.log1p(math.exp(-(margin - step))) - math.log1p(math.exp(-(margin + step)))) / (2 * step)
        assert say(margin) == pytest.approx(slope, rel=1e-6)


def test_say_shrinks_with_contradiction() -> None:
    slopes = [say(margin) for margin in (-2.0, -4.0, -8.0, -100.0, -1e9)]
    assert slopes == sorted(slopes, reverse=True)
    assert say(-100.0) == pytest.approx(CONTRADICTION / 100)
    assert say(MARGIN) == 0
    assert say(1e9) == 0


def test_one_step_is_adagrad_written_out() -> None:
    """Two messages through a learner of plain Python loops."""
    learner = Learner(rehearsals=0)
    weights: dict[int, float] = {}
    squares: dict[int, float] = {}
    for number, spam in ((1, True), (2, False), (1, True)):
        features = features_of(number, spam=spam)
        starts = np.concatenate(([0], np.cumsum(features.counts)))
        for expert in EXPERTS:
            values: dict[int, float] = {}
            for view in range(expert.first, expert.last):
                places = features.indices[starts[view] : starts[view + 1]].tolist()
                values |= {place: VIEWS[view].weight / math.sqrt(len(places)) for place in places}
            log_odds = sum(weights.get(place, 0.0) * value for place, value in values.items())
            slope = say(log_odds if spam else -log_odds) * (-1 if spam else 1)
            for place, value in values.items():
                gradient = slope * value
                squares[place] = squares.get(place, 0.0) + gradient**2
                if gradient:
                    change = RATE * gradient / (expert.floor + math.sqrt(squares[place]))
                    weights[place] = weights.get(place, 0.0) - change
        learner.learn(features, spam=spam)
    places = np.array(list(weights))
    np.testing.assert_allclose(learner.weights[places], list(weights.values()), rtol=2e-4, atol=1e-6)
    assert int(np.count_nonzero(learner.weights)) == len({place for place, w in weights.items() if w})


def test_score_is_the_mean_of_the_experts() -> None:
    learner = Learner()
    learner.learn(features_of(1, spam=True), spam=True)
    score = learner.score(features_of(2, spam=True))
    assert len(score.experts) == len(EXPERTS)
    mean = sum(expert.share * log_odds for expert, log_odds in zip(EXPERTS, score.experts, strict=True))
    assert score.log_odds == pytest.approx(mean)
    assert sum(expert.share for expert in EXPERTS) == pytest.approx(1)


def test_it_learns() -> None:
    learner = Learner()
    for number in range(40):
        learner.learn(features_of(number, spam=number % 2 == 0), spam=number % 2 == 0)
    assert all(learner.score(features_of(n, spam=True)).log_odds > 1 for n in range(100, 110))
    assert all(learner.score(features_of(n, spam=False)).log_odds < -1 for n in range(100, 110))


def test_what_is_known_teaches_nothing() -> None:
    learner = Learner()
    features = features_of(1, spam=True)
    assert learner.learn(features, spam=True)
    while learner.learn(features, spam=True):
        pass
    before = learner.weights.copy()
    assert not learner.learn(features, spam=True)
    assert np.array_equal(before, learner.weights)


def test_a_source_of_less_weight_moves_less() -> None:
    full, half = Learner(), Learner()
    for number in range(10):
        for learner in (full, half):
            learner.learn(features_of(number, spam=False), spam=False)
    before = full.score(features_of(50, spam=False)).log_odds
    full.learn(features_of(50, spam=False), spam=True)
    half.learn(features_of(50, spam=False), spam=True, weight=0.2)
    assert (
        before
        < half.score(features_of(50, spam=False)).log_odds
        < full.score(features_of(50, spam=False)).log_odds
    )


def test_a_message_without_features_scores_zero() -> None:
    nothing = Features(np.zeros(0, dtype=np.uint32), np.zeros(len(VIEWS), dtype=np.intp))
    learner = Learner()
    learner.learn(nothing, spam=True)
    assert learner.score(nothing).log_odds == 0


def test_order_of_accuracy_is_that_of_batch_logistic_regression() -> None:
    """Against scikit-learn, trained on the same features in one go: both tell unseen mail apart."""
    train = [(features_of(n, spam=n % 2 == 0), n % 2 == 0) for n in range(60)]
    test = [(features_of(n, spam=n % 2 == 0), n % 2 == 0) for n in range(200, 240)]
    used = np.unique(np.concatenate([features.indices for features, _ in train]))

    def dense(features: Features) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        row = np.zeros(len(used))
        row[np.isin(used, features.indices)] = 1.0
        return row

    batch = LogisticRegression().fit(np.array([dense(f) for f, _ in train]), [spam for _, spam in train])
    learner = Learner()
    for features, spam in train:
        learner.learn(features, spam=spam)
    for features, spam in test:
        assert (batch.decision_function([dense(features)])[0] > 0) == spam
        assert (learner.score(features).log_odds > 0) == spam


def test_a_table_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=str(TABLE_SIZE)):
        Learner(np.zeros(8, dtype=np.float32))


def test_what_taught_something_is_rehearsed() -> None:
    """A surprise has the recent ones gone through again: that makes them surer than one pass does."""
    first, plain = Learner(), Learner(rehearsals=0)
    lessons = [(number, number % 2 == 0) for number in range(30)]
    for learner in (first, plain):
        for number, spam in lessons:
            learner.learn(features_of(number, spam=spam), spam=spam)
    sides = [(features_of(number, spam=spam), 1 if spam else -1) for number, spam in lessons]
    surer = [first.score(f).log_odds * side - plain.score(f).log_odds * side for f, side in sides]
    assert sum(surer) / len(surer) > 0.5
    assert 0 < len(first.rehearsed) <= REHEARSED


def test_what_the_model_contradicts_is_not_rehearsed() -> None:
    learner = Learner()
    for number in range(40):
        learner.learn(features_of(number, spam=number % 2 == 0), spam=number % 2 == 0)
    waiting = len(learner.rehearsed)
    wrong = features_of(51, spam=False)
    assert learner.score(wrong).log_odds < -CONTRADICTION
    assert learner.learn(wrong, spam=True)
    assert len(learner.rehearsed) <= waiting
    assert not any(one.features is wrong for one in learner.rehearsed)


def test_a_domain_has_a_taste_of_its_own() -> None:
    """One domain calls a newsletter spam that two others want: each gets its way, and strangers keep theirs."""
    learner = Learner()
    for number in range(60):
        learner.learn(features_of(number, spam=number % 2 == 0), spam=number % 2 == 0)
    for number in range(100, 140):
        news = features_of(number, spam=False)
        learner.learn(news, spam=True, domain="a.example")
        learner.learn(news, spam=False, domain="b.example")
    asked = [features_of(number, spam=False) for number in range(200, 210)]
    there = [learner.score(one, salt_of("a.example")).log_odds for one in asked]
    here = [learner.score(one, salt_of("B.example")).log_odds for one in asked]
    assert sum(there) > 0 > sum(here)
    stranger = learner.score(asked[0], salt_of("c.example"))
    assert stranger == learner.score(asked[0])
    assert stranger.correction == 0


def test_so_many_domains_have_a_correction() -> None:
    learner = Learner(domains=range(1, MOST_DOMAINS))
    for domain in ("a.example", "b.example", "a.example"):
        learner.learn(features_of(1, spam=True), spam=True, domain=domain)
    assert len(learner.domains) == MOST_DOMAINS
    assert salt_of("b.example") not in learner.domains
