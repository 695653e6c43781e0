"""How much of a message's header, links and form the model has met before.

    places of a message's features -> weights there -> share that is not 0, by view -> mean over the views

The model is surest of what it was taught, yet a score says nothing of that: a newsletter of a new sender, hardly any of
whose header was in a lesson, gets high log-odds from the few words that were in spam. So for levels a score counts for
less, the less of its message is familiar (`levels`). Words of the body are left out: what is new there says little, and
who writes spam with random words would gain.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from tamis.models.features import VIEWS, Features
from tamis.models.learner import Weights

LOG_ODDS: Final = 6.0
"""What lies between a message of which nothing is familiar and one of which all is."""
_SEEN: Final = (
    "header words",
    "origins",
    "header pairs",
    "header shapes",
    "urls",
    "markup",
    "structure",
)
_CHOSEN: Final = tuple(number for number, view in enumerate(VIEWS) if view.name in _SEEN)


def familiarity(weights: Weights, features: Features) -> float:
    """The share (0 to 1) of a message's features that some lesson had, the mean over the views; a view without features
    counts as familiar, for nothing in it is new."""
    ends = features.counts.cumsum()
    shares = [
        np.count_nonzero(weights.take(features.indices[end - count : end])) / count if count else 1.0
        for end, count in ((int(ends[number]), int(features.counts[number])) for number in _CHOSEN)
    ]
    return sum(shares) / len(shares)
