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

from tamis.message.mail import Mail
from tamis.models.features import EXPERTS, VIEWS, Grams, HashedWords, Looks, View, extract, looks
from tamis.models.hashing import spans
from tamis.models.header_tokens import ANYWHERE, Arrival, Home
from tamis.models.learner import Weights

_SHOWN = 60
_READABLE = bytes(octet > 32 for octet in range(256))


@dataclass(frozen=True, slots=True)
class WeighedWord:
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
) -> list[WeighedWord]:
    """The reasons that weigh most, for either side, heaviest first. Arguments as for `extract`."""
    features = extract(mail, arrival=arrival, home=home, seen_text=seen_text)
    scales = features.scales()
    shares = {number: expert.share for expert in EXPERTS for number in range(expert.first, expert.last)}
    totals: dict[tuple[str, str], float] = defaultdict(float)
    seen = looks(mail, arrival, home, seen_text)
    for number, look in enumerate(seen.views):
        view = VIEWS[number]
        factor = shares[number] * float(scales[number])
        if factor:
            if isinstance(look, Grams):
                name, found = "spelling", _grams(look, view, weights)
            else:
                name, found = view.name, _weighed(seen, look, view, weights)
            for word, weight in found.items():
                totals[name, word] += factor * weight
    reasons = [WeighedWord(view, word, share) for (view, word), share in totals.items() if share]
    return sorted(reasons, key=lambda reason: -abs(reason.share))[:limit]


def _weighed(seen: Looks, look: HashedWords, view: View, weights: Weights) -> dict[str, float]:
    found: dict[str, float] = {}
    known: set[int] = set()
    for index, place in enumerate((look.hashes >> np.uint32(32 - view.bits)).tolist()):
        if place not in known:  # each bucket counts once, under the first word that fell into it
            known.add(place)
            name = " … ".join([_readable(seen, int(which[index])) for which in look.numbers])
            found[name] = found.get(name, 0.0) + float(weights[view.offset + place])
    return found


def _readable(seen: Looks, index: int) -> str:
    word = seen.words.word(index)
    if index < len(seen.lines):
        first = seen.words.word(int(np.searchsorted(seen.lines, seen.lines[index], side="left")))
        word = f"{first}: {word}" if word != first else f"{first}:"
    return "".join(character if character.isprintable() else "?" for character in word[:_SHOWN])


def _grams(look: Grams, view: View, weights: Weights) -> dict[str, float]:
    """4-grams are told by the words they begin in."""
    places = look.hashes >> np.uint32(32 - view.bits)
    if not len(places):
        return {}
    _, first = np.unique(places, return_index=True)
    told = np.zeros(len(look.octets), dtype=np.float64)
    told[first] = weights[view.offset + places[first].astype(np.int64)]
    starts, ends = spans(look.octets.translate(_READABLE))
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


def _text(octets: bytes, start: int, end: int) -> str:
    text = octets[start : min(end, start + _SHOWN)].decode("utf-8", "replace")
    return "".join(character if character.isprintable() else "?" for character in text)
