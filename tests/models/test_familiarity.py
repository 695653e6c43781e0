"""How much of a message the model has met."""

from __future__ import annotations

import pytest

from tamis.message.mail import Mail
from tamis.models.familiarity import familiarity
from tamis.models.features import extract
from tamis.models.learner import Learner
from tests.models.mails import raw_mail


def test_what_was_taught_is_familiar_and_new_words_of_the_body_change_nothing() -> None:
    learner = Learner()
    lesson = extract(Mail(raw_mail(1, spam=True)))
    assert familiarity(learner.weights, lesson) < 0.5, "only views without features count as familiar"
    learner.learn(lesson, spam=True)
    assert familiarity(learner.weights, lesson) == pytest.approx(1.0)
    head = b"From: jean@example.net\r\nTo: marie@example.com\r\nSubject: hello\r\n\r\n"
    one, other = (extract(Mail(head + b"the %s word\r\n" % word)) for word in (b"first", b"other"))
    learner.learn(one, spam=False)
    assert familiarity(learner.weights, other) == pytest.approx(1.0)
    stranger = extract(Mail(head.replace(b"jean@example.net", b"zoe@shop.example") + b"the first word\r\n"))
    assert familiarity(learner.weights, stranger) < 1.0


def test_it_is_a_share_of_anything() -> None:
    for raw in (b"", b"\n\n", b"x" * 5000, b"From: \xff\n\n\xff"):
        assert 0.0 <= familiarity(Learner().weights, extract(Mail(raw))) <= 1.0
