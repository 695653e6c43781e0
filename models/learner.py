"""The online learner: one logistic regression per expert, with a step of its own for every weight.

AdaGrad (Duchi, Hazan & Singer 2011): for the gradient g of the logistic loss, q += g^2 and
w -= RATE * g / (floor + sqrt q), so that a weight seen for the first time moves far and a well-known one
little. Five rules around it, each measured in docs/statistics.md:

- experts are learned apart and their log-odds averaged, which carries over to other mail better than one
  joint model;
- an expert learns from a message only where its margin is small (Goodman & Yih 2006 and Cormack 2007 on
  training near errors), which also keeps most mail out of the tables;
- the further the model disagrees with a label, the smaller its say (a redescending loss), so that a wrong
  label can't tear up what many right ones taught;
- whenever a message taught something, the next few of the recent messages that did are gone through again
  (rehearsal: Robins 1995; experience replay: Lin 1992), because one pass leaves them half learned and what comes after
  them wears them off. What the model contradicts firmly is not rehearsed: a wrong label would be hammered in;
- the label of a domain's reader teaches the platform and the domain's correction together (`correction`), each as
  far as the sum of both is not sure yet.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tamis.models import compiled, correction
from tamis.models.correction import MOST_DOMAINS, places_of, salt_of
from tamis.models.features import EXPERTS, TABLE_SIZE, VIEWS, Features
from tamis.models.hashing import Buckets, Positions

RATE = 0.3
"""AdaGrad's step."""
MARGIN = 4.0
"""Log-odds on the right side of zero from which a message teaches an expert nothing more."""
CONTRADICTION = 2.0
"""Log-odds on the wrong side of zero from which on a label's say shrinks in inverse proportion."""
REHEARSED = 500
"""Recent messages that taught something and are kept for rehearsal: 10 KiB each."""
REHEARSALS = 8
"""How many of them are gone through again when a message taught something."""

Weights = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Score:
    """A message's score in log-odds, above zero for spam: the mean over the experts and the domain's correction;
    and each expert's own."""

    log_odds: float
    experts: tuple[float, ...]
    correction: float = 0.0


@dataclass(frozen=True, slots=True)
class Lesson:
    """A label to learn: `weight` (0 to 1) is the say of its source, `salt` its domain's, 0 for none."""

    features: Features
    spam: bool
    weight: float = 1.0
    salt: int = 0
    beside: float | None = None
    """Points that the other filters gave the message, where known; nothing is learned from them."""
    stranger: int = 0
    """Stands for the domain or network that answers for a label of ham that no person gave; 0 where one did."""
    sender: int = 0
    """Stands for who sent the message (`folds`); 0 where nobody is named, and in lessons of earlier versions."""


_SHARES = np.array([expert.share for expert in EXPERTS])
_FIRST = [expert.first for expert in EXPERTS]


def score(weights: Weights, features: Features, salt: int = 0) -> Score:
    """The score of a message under a table of TABLE_SIZE weights. Deterministic for one build of numpy."""
    experts = np.add.reduceat(_sums(weights, features) * features.scales(), _FIRST)
    added = corrected(weights, features, salt) if salt else 0.0
    return Score(float(experts @ _SHARES) + added, tuple(experts.tolist()), added)


def _sums(weights: Weights, features: Features) -> npt.NDArray[np.float64]:
    """The sum of the weights of each view's features."""
    counts = features.counts
    if compiled.used:
        return np.frombuffer(compiled.loops.sums(weights, features.indices, counts))
    sums = np.zeros(len(VIEWS))
    present = counts.nonzero()[0]
    if len(present):
        starts = (counts.cumsum() - counts)[present]
        sums[present] = np.add.reduceat(weights.take(features.indices).astype(np.float64), starts)
    return sums


def corrected(weights: Weights, features: Features, salt: int) -> float:
    """What a domain's correction adds to the log-odds."""
    places, values = places_of(features, salt)
    return float(weights[places].astype(np.float64) @ values)


def say(margin: float) -> float:
    """The size of the loss's slope at a margin in log-odds; 0 where there is nothing left to learn."""
    if margin >= MARGIN:
        return 0.0
    slope = 1.0 / (1.0 + math.exp(min(margin, 700.0)))
    return slope if margin > -CONTRADICTION else slope * CONTRADICTION / -margin


class Learner:
    """Weights and accumulators in memory, changed by `learn`. Not for use by several threads at once.

    `rehearsed` are lessons that wait for rehearsal, the next one first; `domains` the salts of those that have a
    correction.
    """

    def __init__(
        self,
        weights: Weights | None = None,
        accumulators: Weights | None = None,
        *,
        rehearsed: Iterable[Lesson] = (),
        domains: Iterable[int] = (),
        rehearsals: int = REHEARSALS,
    ) -> None:
        """Starts from nothing, or from copies of arrays of TABLE_SIZE numbers."""
        self.weights = _table(weights)
        self.accumulators = _table(accumulators)
        self.rehearsed: deque[Lesson] = deque(rehearsed, maxlen=REHEARSED)
        self.domains = set(domains)
        self._rehearsals = rehearsals

    def copy(self) -> Learner:
        """Another learner that goes on from here."""
        return Learner(
            self.weights,
            self.accumulators,
            rehearsed=self.rehearsed,
            domains=self.domains,
            rehearsals=self._rehearsals,
        )

    def score(self, features: Features, salt: int = 0) -> Score:
        """The message's score as the model stands, for a recipient in the domain that `salt` stands for."""
        return score(self.weights, features, salt if salt in self.domains else 0)

    def learn(self, features: Features, *, spam: bool, weight: float = 1.0, domain: str = "") -> bool:
        """Take a label in; False when every expert was sure of it already.

        `weight` (0 to 1) is the say of the label's source, `domain` that of the reader who gave it, if known.
        """
        return self.take_in(Lesson(features, spam, weight, salt_of(domain)))

    def take_in(self, lesson: Lesson) -> bool:
        """The same for a lesson."""
        if lesson.salt and lesson.salt not in self.domains:
            if len(self.domains) < MOST_DOMAINS:
                self.domains.add(lesson.salt)
            else:
                lesson = replace(lesson, salt=0)
        learned, margin = self._take(lesson)
        if not learned:
            return False
        for _ in range(min(self._rehearsals, len(self.rehearsed))):
            old = self.rehearsed.popleft()
            if self._take(old)[1] > -CONTRADICTION:
                self.rehearsed.append(old)
        if margin > -CONTRADICTION:
            self.rehearsed.append(lesson)
        return True

    def _take(self, lesson: Lesson) -> tuple[bool, float]:
        """Learn once; whether there was something to learn, and the model's margin before."""
        features, spam = lesson.features, lesson.spam
        found = score(self.weights, features, lesson.salt)
        side = 1.0 if spam else -1.0
        ends = np.cumsum(features.counts)
        scales = features.scales()
        learned = False
        for expert, log_odds in zip(EXPERTS, found.experts, strict=True):
            slope = lesson.weight * say(side * (log_odds + found.correction))
            if slope > 0:
                views = slice(expert.first, expert.last)
                start = int(ends[expert.first] - features.counts[expert.first])
                places = features.indices[start : int(ends[expert.last - 1])]
                gradients = (-side * slope * scales[views]).astype(np.float32)
                self._teach(places, features.counts[views], gradients, expert.floor)
                learned = True
        margin = side * found.log_odds
        if lesson.salt:
            slope = lesson.weight * say(margin)
            if slope > 0:
                places, values = places_of(features, lesson.salt)
                self._step(places, np.float32(-side * slope) * values, correction.FLOOR, correction.RATE)
                learned = True
        return learned, margin

    def _teach(self, places: Buckets, counts: Positions, gradients: Weights, floor: float) -> None:
        """One step for the features of an expert, with a gradient for each of its views."""
        if compiled.used:
            compiled.loops.step(self.weights, self.accumulators, places, counts, gradients, floor, RATE)
        else:
            self._step(places, np.repeat(gradients, counts), floor, RATE)

    def _step(self, places: Buckets, gradient: Weights, floor: float, rate: float) -> None:
        squares = self.accumulators[places] + gradient * gradient
        self.accumulators[places] = squares
        self.weights[places] -= np.float32(rate) * gradient / (np.float32(floor) + np.sqrt(squares))


def _table(array: Weights | None) -> Weights:
    if array is None:
        return np.zeros(TABLE_SIZE, dtype=np.float32)
    if array.shape != (TABLE_SIZE,):
        raise ValueError(f"a table of {TABLE_SIZE} weights is needed, not of {array.shape}")
    return np.array(array, dtype=np.float32)
