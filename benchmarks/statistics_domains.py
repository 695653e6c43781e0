"""Three domains of one platform, one of which calls wanted mail spam: what the correction of a domain is worth.

Every message of a shuffled stream goes to one of three domains by chance. In the first one all mail of some lists and
newsletters is reported as spam, in the others as ham. The same stream is learned by the platform's model alone, with a
correction for each domain, and by a model for each domain that shares nothing.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tamis.models.corpora import Place
from tamis.models.correction import salt_of
from tamis.models.features import Features
from tamis.models.learner import Learner
from tamis.models.measures import Ranking

DOMAINS = ("a.example", "b.example", "c.example")
_LISTS = (b"list-id: <razor-users", b"list-id: rss", b"exmh", b"zdnet", b"cnet")

Model = Callable[[dict[str, Learner], str], tuple[Learner, str]]
"""Which learner a domain's mail is learned by, and as whose."""
MODELS: dict[str, Model] = {
    "one model for all": lambda learners, domain: (learners["all"], ""),
    "with a correction for each domain": lambda learners, domain: (learners["all"], domain),
    "a model for each domain": lambda learners, domain: (learners[domain], ""),
}


@dataclass(frozen=True, slots=True)
class Known:
    """A message: its features, its label, and whether it is of the lists that domains differ about."""

    features: Features
    spam: bool
    disputed: bool


def is_disputed(place: Place) -> bool:
    """Whether a message is of one of the lists."""
    header = place.path.read_bytes()[:20_000].split(b"\n\n")[0].lower()
    return not place.spam and any(name in header for name in _LISTS)


def rows(streams: Mapping[int, Sequence[Known]]) -> list[str]:
    """The table: medians over the streams."""
    lines = [
        "| | lists in a.example: (1-ROCA)%, wrong | b.example: (1-ROCA)%, lists wrong | no dispute: (1-ROCA)% |",
        "|---|---|---|---|",
    ]
    for name, model in MODELS.items():
        differing = [_run(stream, model, seed, dispute=True) for seed, stream in streams.items()]
        agreeing = [_run(stream, model, seed, dispute=False) for seed, stream in streams.items()]
        (a, a_wrong), (b, b_wrong) = (
            (
                statistics.median(one[domain][0] for one in differing),
                statistics.median(one[domain][1] for one in differing),
            )
            for domain in DOMAINS[:2]
        )
        same = statistics.median(one[domain][0] for one in agreeing for domain in DOMAINS)
        lines.append(f"| {name} | {a:.3f}, {a_wrong:.1f} % | {b:.3f}, {b_wrong:.1f} % | {same:.3f} |")
    return lines


def _run(
    stream: Sequence[Known], model: Model, seed: int, *, dispute: bool
) -> dict[str, tuple[float, float]]:
    """For each domain (1-ROCA)% and the percentage of the lists' mail that is classified against its readers."""
    drawn = random.Random(seed)
    learners = {name: Learner() for name in ("all", *DOMAINS)}
    results: dict[str, list[tuple[float, bool, bool]]] = {domain: [] for domain in DOMAINS}
    for one in stream:
        domain = drawn.choice(DOMAINS)
        spam = one.spam or (dispute and one.disputed and domain == DOMAINS[0])
        learner, whose = model(learners, domain)
        score = learner.score(one.features, salt_of(whose)).log_odds
        results[domain].append((score, spam, one.disputed))
        learner.learn(one.features, spam=spam, domain=whose)
    measured = {}
    for domain, found in results.items():
        scores, spam_, disputed = (np.array(column) for column in zip(*found, strict=True))
        measures = Ranking(scores.astype(np.float64), spam_).measures()
        assert measures is not None
        wrong = (scores > 0) != spam_
        measured[domain] = (measures.roca, 100 * float(wrong[disputed].mean()) if disputed.any() else 0.0)
    return measured
