"""A site that nobody teaches: what is sure by other evidence brings S27 out of shadow, also with poisoners at work.

Through the samples of a worker, the spool and the writer, with a week of the corpus.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tamis.chain.road import Examined
from tamis.contract.filter import Effect
from tamis.contract.finding import Finding, Status
from tamis.handover.teaching_samples import Samples
from tamis.judging.plan import Plan
from tamis.message.envelope import Envelope, Recipient
from tamis.models.corpora import Place
from tamis.models.familiarity import familiarity
from tamis.models.features import Features, extract
from tamis.models.kinds import kind_of
from tamis.models.ledger import LEDGER, Ledger
from tamis.models.levels import Levels
from tamis.models.model_file import Model
from tamis.models.queue import Queue
from tamis.models.site_model import LEVELS
from tamis.models.taken_back import TAKEN_BACK, TakenBack
from tamis.models.teaching import Teacher
from tamis.settings import LearningSettings, Settings
from tests.handover.sure import judged_as, said
from tests.models.ranking import stream

DAYS = 7
LISTED, KNOWN = 0.6, 0.5
"""The shares of spam that lists and others know, and of ham whose sender earned a place."""
POISONED = 60
"""Spam a day of all poisoners together: they answered challenges and send what they like, in their own names."""
LEVEL = 7.5
DAY = 86400
SPF = {"spf": Finding("spf", Status.CLEAR, "", {"result": "pass"})}
EVIDENCE = [said("dnsbl", effect=Effect.SPAM), said("uribl", effect=Effect.SPAM), said("helo", 2.0)]


@dataclass(frozen=True, slots=True)
class After:
    """What the site makes of mail after its week: shares of spam on the default level, and of ham."""

    caught: float
    lost: float


def _arrive(
    samples: Samples, settings: Settings, place: Place, number: int, *, earned: str, listed: bool
) -> None:
    sender = earned or f"sender{number}@example.net"
    envelope = Envelope(
        client_ip=f"198.51.{number % 200}.7", sender=sender, recipients=(Recipient("marie@example.com"),)
    )
    judged = judged_as(EVIDENCE if listed else [], accepted_by="automatic_whitelist" if earned else "")
    samples.take(settings, Examined(envelope, SPF, (judged,), Plan()), place.read())
    samples.write(settings)


def a_week(
    folder: Path,
    places: list[Place],
    *,
    a_day: int,
    poisoners: int = 0,
    addresses: int = 2,
    minimum: int = 200,
) -> Settings:
    """A week of mail, of which nobody reports any; each of the poisoners has a domain of his own, and so many addresses
    there."""
    settings = Settings(state_directory=folder, learning=LearningSettings(minimum=minimum))
    drawn = random.Random(5)
    samples = Samples()
    spam = [place for place in places if place.spam]
    with Teacher(settings.model_directory, minimum=minimum) as teacher:
        for day in range(DAYS):
            queue = Queue(settings, teacher, clock=partial(float, day * DAY))
            for number, place in enumerate(places[day * a_day : (day + 1) * a_day]):
                known = not place.spam and drawn.random() < KNOWN
                earned = f"friend{number}@friends{number % 9}.example" if known else ""
                listed = place.spam and drawn.random() < LISTED
                _arrive(samples, settings, place, number, earned=earned, listed=listed)
            for number, place in enumerate(spam[-POISONED * (day + 1) :][: POISONED if poisoners else 0]):
                one = number % poisoners
                _arrive(
                    samples,
                    settings,
                    place,
                    0,
                    earned=f"p{number // poisoners % addresses}@poison{one}.example",
                    listed=False,
                )
            while queue.take_in():
                pass
            if day == DAYS - 1:  # so late that no level stops a poisoner before
                teacher.measure()
    return settings


def _after(settings: Settings, mail: Sequence[tuple[Features, bool]]) -> After:
    model = Model(settings.model_directory / "current.model")
    levels = Levels.load(settings.model_directory / LEVELS)
    numbers = [
        levels.number(model.score(one).log_odds, kind_of(one), familiarity(model.weights, one))
        for one, _ in mail
    ]
    on_level = np.array(numbers) >= LEVEL
    spam = np.array([label for _, label in mail])
    return After(float(on_level[spam].mean()), float(on_level[~spam].mean()))


@pytest.mark.corpus
def test_a_site_that_nobody_teaches_decides_within_a_week(tmp_path: Path, corpus: Path) -> None:
    """Also where three poisoners, each with five addresses, teach their spam as ham before there is a level: ten a day
    each, more than all honest ham, and each one's are vouched for by the others'."""
    places = stream(corpus, 2)
    a_day, minimum = 90, 70
    mail = [(extract(place.read()), place.spam) for place in places[DAYS * a_day :][:400]]
    found: list[After] = []
    for poisoners in (0, 3):
        site = a_week(
            tmp_path / str(poisoners), places, a_day=a_day, poisoners=poisoners, addresses=5, minimum=minimum
        )
        learned = Model(site.model_directory / "current.model").learned
        assert min(learned.ham, learned.spam) >= minimum
        found.append(_after(site, mail))
    honest, poisoned = found
    assert honest.caught > 0.7
    assert honest.lost < 0.01
    assert poisoned.caught > honest.caught - 0.1
    assert poisoned.lost < 0.01
    ledger = Ledger.load(site.model_directory / LEDGER)
    assert ledger.dropped["evident"] > DAYS * POISONED / 4, "much of what they send is beyond their bounds"
    taken = TakenBack.load(site.model_directory / TAKEN_BACK).taken
    assert {one.stranger for one in taken} == {f"poison{number}.example" for number in range(3)}
    assert sum(one.lessons for one in taken) > DAYS * 3 * 5
