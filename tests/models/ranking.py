"""The corpus as a stream, and how well a taught model ranks a part of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tamis.models.corpora import Place, found, shuffled
from tamis.models.features import extract
from tamis.models.measures import Ranking
from tamis.models.model_file import Model
from tamis.settings import Settings


def stream(corpus: Path, seed: int) -> list[Place]:
    """Every message of the corpus, in an order that the seed gives."""
    ham = found([corpus / name for name in ("easy-ham-1", "easy-ham-2", "hard-ham-1")], spam=False)
    spam = found([corpus / name for name in ("spam-1", "spam-2")], spam=True)
    return shuffled([place for place in ham + spam if place.path.suffix == ".txt"], seed)


def roca(settings: Settings, places: list[Place]) -> float:
    """(1-ROCA)% of a site's model on these messages (TREC)."""
    model = Model(settings.model_directory / "current.model")
    scores = [model.score(extract(place.read())).log_odds for place in places]
    measures = Ranking(np.array(scores), np.array([place.spam for place in places])).measures()
    assert measures is not None
    return measures.roca
