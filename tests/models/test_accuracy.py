"""A small check of accuracy on the SpamAssassin public corpus; docs/statistics.md has the whole measurement."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from tamis.models.corpora import found, shuffled
from tamis.models.evaluation import Protocol, Run, run
from tamis.models.measures import Measures, Ranking

MESSAGES = 1500


@cache
def stream(corpus: Path, protocol: str) -> tuple[Run, Measures]:
    ham = found([corpus / name for name in ("easy-ham-1", "easy-ham-2", "hard-ham-1")], spam=False)
    spam = found([corpus / name for name in ("spam-1", "spam-2")], spam=True)
    places = shuffled([place for place in ham + spam if place.path.suffix == ".txt"], 1)[:MESSAGES]
    result = run(places, Protocol.parse(protocol))
    measures = Ranking(np.array(result.scores), result.labels).measures()
    assert measures is not None
    return result, measures


@pytest.mark.corpus
def test_the_first_messages_of_a_stream(corpus: Path) -> None:
    result, measures = stream(corpus, "immediate")
    assert result.unreadable == []
    assert measures.roca < 0.35
    assert measures.lam < 2.8


@pytest.mark.corpus
def test_wrong_labels_do_limited_harm(corpus: Path) -> None:
    """A source of a tenth of all labels that flips 30 % of them: (1-ROCA)% at most doubles."""
    clean, poisoned = stream(corpus, "immediate")[1], stream(corpus, "noisy:0.03")[1]
    assert poisoned.roca < 2 * clean.roca
