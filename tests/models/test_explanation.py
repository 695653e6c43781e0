"""Explanations: words of the message, shares that add up to the score."""

import pytest

from tamis.message.mail import Mail
from tamis.models.explanation import explain
from tamis.models.features import extract
from tamis.models.learner import Learner
from tests.models.mails import raw_mail


@pytest.fixture(scope="module")
def learner() -> Learner:
    learner = Learner()
    for number in range(40):
        learner.learn(extract(Mail(raw_mail(number, spam=number % 2 == 0))), spam=number % 2 == 0)
    return learner


@pytest.mark.parametrize("spam", [True, False])
def test_shares_add_up_to_the_score(learner: Learner, spam: bool) -> None:
    mail = Mail(raw_mail(100, spam=spam))
    reasons = explain(learner.weights, mail, limit=100_000)
    assert sum(reason.share for reason in reasons) == pytest.approx(
        learner.score(extract(mail)).log_odds, rel=0.02, abs=0.02
    )


def test_the_words_that_weigh_are_named(learner: Learner) -> None:
    reasons = explain(learner.weights, Mail(raw_mail(100, spam=True)), limit=60)
    assert [abs(r.share) for r in reasons] == sorted((abs(r.share) for r in reasons), reverse=True)
    said = {(r.view, r.word) for r in reasons if r.share > 0}
    for view in ("spelling", "body words"):
        words = {word for seen, word in said if seen == view}
        assert words & {"winner", "prize", "pills", "cheap", "offer", "click", "guarantee", "cash", "free"}
    assert any(view == "urls" and word.startswith("host:") for view, word in said)
    assert any(view == "header words" and word.startswith("subject: ") for view, word in said)
    everything = explain(learner.weights, Mail(raw_mail(100, spam=True)), limit=100_000)
    assert any(reason.view == "body pairs" and " … " in reason.word for reason in everything)


def test_hostile_words_are_printable(learner: Learner) -> None:
    mail = Mail(b"Subject: \x1b[2Jwinner\x07 \xe2\x80\xaeprize\n\nfree\x1b]0;x\x07 \xff\xfe" + b"a" * 5000)
    for reason in explain(learner.weights, mail, limit=1000):
        assert reason.word.isprintable()
        assert len(reason.word) < 300


def test_nothing_learned_gives_no_reasons() -> None:
    assert explain(Learner().weights, Mail(raw_mail(1, spam=True))) == []
    assert explain(Learner().weights, Mail(b"")) == []
