"""What one reporter who lies can do, through the spool and the writer to the model that workers map."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tamis.models.corpora import Place
from tamis.models.ledger import LEDGER, Ledger
from tamis.models.queue import Queue
from tamis.models.reports import Label, Spool
from tamis.models.teaching import Teacher
from tamis.settings import LearningSettings, Settings
from tests.models.ranking import roca, stream

TAUGHT, MEASURED = 1000, 1000
REPORTERS = 10
FLIPPED = 0.3
DAY = 86400


@pytest.fixture(scope="module")
def places(corpus: Path) -> list[Place]:
    return stream(corpus, 1)


def learned(folder: Path, places: list[Place], liar: int | None) -> Settings:
    """A model taught by ten reporters in turn, within their daily bounds, one of whom flips labels."""
    settings = Settings(state_directory=folder, learning=LearningSettings(minimum=200))
    drawn = random.Random(7)
    now = [0.0]
    spool = Spool(settings.spool_directory)
    a_day = REPORTERS * settings.learning.per_reporter
    with Teacher(settings.model_directory, minimum=200) as teacher:
        queue = Queue(settings, teacher, clock=lambda: now[0])
        for start in range(0, len(places), a_day):
            for number, place in enumerate(places[start : start + a_day]):
                reporter = number % REPORTERS
                lies = drawn.random() < FLIPPED and reporter == liar
                label: Label = "spam" if place.spam is not lies else "ham"
                spool.put(label, "dovecot", f"reader{reporter}@example.org", place.read().raw)
            while queue.take_in():
                pass
            now[0] += DAY
    return settings


@pytest.mark.corpus
def test_a_reporter_who_flips_labels_at_most_doubles_the_errors(tmp_path: Path, places: list[Place]) -> None:
    taught, measured = places[:TAUGHT], places[TAUGHT : TAUGHT + MEASURED]
    honest = learned(tmp_path / "honest", taught, None)
    poisoned = learned(tmp_path / "poisoned", taught, 3)
    assert roca(poisoned, measured) < 2 * roca(honest, measured)
    ledger = Ledger.load(poisoned.model_directory / LEDGER)
    assert ledger.learned == {"dovecot": TAUGHT}
