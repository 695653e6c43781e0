"""A site that nobody teaches: what is sure by other evidence brings S27 out of shadow, also with a poisoner at work.

Through the samples of a worker, the spool and the writer, with a week of the corpus.
"""

from __future__ import annotations

import random
from functools import partial
from pathlib import Path

import pytest

from tamis.chain.road import Examined
from tamis.contract.filter import Effect
from tamis.contract.finding import Finding, Status
from tamis.handover.teaching_samples import Samples
from tamis.judging.plan import Plan
from tamis.message.envelope import Envelope, Recipient
from tamis.models.corpora import Place
from tamis.models.ledger import LEDGER, Ledger
from tamis.models.model_file import Model
from tamis.models.queue import Queue
from tamis.models.site_model import LEVELS
from tamis.models.teaching import Teacher
from tamis.settings import Settings
from tests.handover.sure import judged_as, said
from tests.models.ranking import roca, stream

DAYS, A_DAY, MEASURED = 7, 240, 400
LISTED, KNOWN = 0.6, 0.5
"""The shares of spam that lists and others know, and of ham whose sender earned a place."""
POISONED = 60
"""Spam a day by somebody who answered a challenge: as many a day as he likes, in his own name."""
DAY = 86400
SPF = {"spf": Finding("spf", Status.CLEAR, "", {"result": "pass"})}
EVIDENCE = [said("dnsbl", effect=Effect.SPAM), said("uribl", effect=Effect.SPAM), said("helo", 2.0)]


@pytest.fixture(scope="module")
def places(corpus: Path) -> list[Place]:
    return stream(corpus, 2)


def _arrive(
    samples: Samples, settings: Settings, place: Place, number: int, *, earned: str, listed: bool
) -> None:
    sender = earned or f"sender{number}@example.net"
    envelope = Envelope(
        client_ip=f"198.51.{number % 200}.7", sender=sender, recipients=(Recipient("marie@example.com"),)
    )
    judged = judged_as(EVIDENCE if listed else [], accepted_by="automatic_whitelist" if earned else "")
    samples.take(settings, Examined(envelope, SPF, (judged,), Plan()), place.read())


def a_week(folder: Path, places: list[Place], *, poisoner: bool) -> Settings:
    """A week of mail, of which nobody reports any."""
    settings = Settings(state_directory=folder)
    drawn = random.Random(5)
    samples = Samples()
    spam = [place for place in places if place.spam]
    with Teacher(settings.model_directory, minimum=settings.learning.minimum) as teacher:
        for day in range(DAYS):
            queue = Queue(settings, teacher, clock=partial(float, day * DAY))
            today = places[day * A_DAY : (day + 1) * A_DAY]
            for number, place in enumerate(today):
                known = not place.spam and drawn.random() < KNOWN
                earned = f"friend{number}@friends{number % 9}.example" if known else ""
                _arrive(
                    samples,
                    settings,
                    place,
                    number,
                    earned=earned,
                    listed=place.spam and drawn.random() < LISTED,
                )
                samples.write(settings)
            for place in spam[-POISONED * (day + 1) :][:POISONED] if poisoner else ():
                _arrive(samples, settings, place, 0, earned="poisoner@example.org", listed=False)
                samples.write(settings)
            while queue.take_in():
                pass
            if teacher.measuring_due():
                teacher.measure()
    return settings


@pytest.mark.corpus
def test_a_site_that_nobody_teaches_decides_within_aa_week(tmp_path: Path, places: list[Place]) -> None:
    measured = places[DAYS * A_DAY :][:MEASURED]
    honest = a_week(tmp_path / "honest", places, poisoner=False)
    learned = Model(honest.model_directory / "current.model").learned
    assert min(learned.ham, learned.spam) >= honest.learning.minimum
    assert (honest.model_directory / LEVELS).exists()
    assert roca(honest, measured) < 1.5
    poisoned = a_week(tmp_path / "poisoned", places, poisoner=True)
    assert roca(poisoned, measured) < 2 * roca(honest, measured)
    ledger = Ledger.load(poisoned.model_directory / LEDGER)
    assert ledger.dropped["evident"] >= DAYS * POISONED / 2, (
        "most of what he sends is beyond his bound, or contradicts"
    )
