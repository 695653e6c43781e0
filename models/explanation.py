"""Why a message has its score, in words a person can read.

Hashes can't be read back, but the message can be read again: the words of its views are hashed as for scoring
and each gets the weight of its hash. A word's share is what it adds to the log-odds, so that the shares of a
message add up to its score, apart from words not listed.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tamis.mail import Mail
from tamis.models.features import EXPERTS, VIEWS, Grams, Listed, Look, Paired, View, extract, looks
from tamis.models.hashing import Octets, spans
from tamis.models.headers import ANYWHERE, Arrival, Home
from tamis.models.learner import Weights

_SHOWN = 60
_READABLE = np.ones(256, dtype=np.bool_)
_READABLE[:33] = False


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing in the message: `view` says where, `word` what, `share` what it adds to the log-odds.

    The view "spelling" is what the 4-grams of a word say, wherever in the message.
    """

    view: str
    word: str
    share: float


def explain(
    weights: Weights,
    mail: Mail,
    *,
    arrival: Arrival | None = None,
    home: Home = ANYWHERE,
    seen_text: str = "",
    limit: int = 10,
) -> list[Reason]:
    """The reasons that weigh most, for either side, heaviest first. Arguments as for `extract`."""
    features = extract(mail, arrival=arrival, home=home, seen_text=seen_text)
    scales = features.scales()
    shares = {number: expert.share for expert in EXPERTS for number in range(expert.first, expert.last)}
    totals: dict[tuple[str, str], float] = defaultdict(float)
    for number, look in enumerate(looks(mail, arrival, home, seen_text)):
        view = VIEWS[number]
        factor = shares[number] * float(scales[number])
        if factor:
            for word, weight in _weighed(look, view, weights).items():
                totals["spelling" if isinstance(look, Grams) else view.name, word] += factor * weight
    reasons = [Reason(view, word, share) for (view, word), share in totals.items() if share]
    return sorted(reasons, key=lambda reason: -abs(reason.share))[:limit]


def _weighed(look: Look, view: View, weights: Weights) -> dict[str, float]:
    if isinstance(look, Grams):
        return _grams(look, view, weights)
    found: dict[str, float] = {}
    seen: set[int] = set()
    for hashes, numbers in look.named():
        places = (hashes >> np.uint64(64 - view.bits)).astype(np.int64)
        for index, place in enumerate(places.tolist()):
            if place not in seen:  # each bucket counts once, under the first word that fell into it
                seen.add(place)
                words = [_readable(look, int(which[index])) for which in numbers]
                name = " … ".join(words) if len(words) > 1 else words[0]
                found[name] = found.get(name, 0.0) + float(weights[view.offset + place])
    return found


def _readable(look: Listed | Paired, index: int) -> str:
    words = look.words
    word = words.word(index)
    lines = look.lines
    if lines is not None:
        first = words.word(int(np.searchsorted(lines, lines[index], side="left")))
        word = f"{first}: {word}" if word != first else f"{first}:"
    return "".join(character if character.isprintable() else "?" for character in word[:_SHOWN])


def _grams(look: Grams, view: View, weights: Weights) -> dict[str, float]:
    """4-grams are told by the words they begin in."""
    places = look.buckets(view.bits)
    if not len(places):
        return {}
    _, first = np.unique(places, return_index=True)
    told = np.zeros(len(look.octets), dtype=np.float64)
    told[first] = weights[view.offset + places[first].astype(np.int64)]
    starts, ends = spans(look.octets, _READABLE)
    # The blank before a word belongs to it: 4-grams there read on into the word.
    edges = np.concatenate(([0], ends[:-1])) if len(ends) else ends
    found: dict[str, float] = {}
    if not len(edges):
        return found
    sums: npt.NDArray[np.float64] = np.add.reduceat(told, edges)
    for start, end, total in zip(starts.tolist(), ends.tolist(), sums.tolist(), strict=True):
        word = _text(look.octets, start, end)
        found[word] = found.get(word, 0.0) + total
    return found


def _text(octets: Octets, start: int, end: int) -> str:
    text = octets[start : min(end, start + _SHOWN)].tobytes().decode("utf-8", "replace")
    return "".join(character if character.isprintable() else "?" for character in text)
