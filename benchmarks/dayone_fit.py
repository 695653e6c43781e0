"""Points by evidence: a logistic regression over which rules match, with bounds on sign and size.

A rule is worth no more than its evidence: at most the logarithm of (least plausible rate in spam) / (greatest plausible
rate in ham), by Wilson intervals, where the rate in ham is also that of the worst source of ham. scikit-learn's own
logistic regression knows no such bounds, so the same loss is handed to the optimiser that scikit-learn uses (L-BFGS-B).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

REQUIRED = 7.5
MOST = 3.0
"""Points of one rule at most: three must agree."""
LEAST = 0.1
"""Points below which a rule says nothing."""
NEGATIVE = {"conversation": 0.8, "answer": 0.8}
"""Rules that speak for a message, and how much in units of evidence."""
MARGIN = 1.5
"""How far above the worst legitimate messages the threshold is put, because others are still to come."""
HAM_WEIGHT = 20.0
PENALTY = 2.0
SHARE = 0.001
"""Share of each source of ham that may lie above the threshold in the fit."""
_CONFIDENCE = 1.96

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Source:
    """Messages of one kind from one place: for each, the rules that match."""

    name: str
    spam: bool
    paths: Sequence[Path]
    rules: Sequence[Collection[str]]
    blind: frozenset[str] = frozenset()
    """Rules of which this source tells nothing: they see its collector."""

    def matrix(self, names: Sequence[str]) -> Floats:
        """A row a message, a column a rule."""
        wanted = [name if name not in self.blind else None for name in names]
        return np.array([[name in met for name in wanted] for met in self.rules], dtype=np.float64)


def wilson(count: float, total: float) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    if not total:
        return 0.0, 1.0
    share, z = count / total, _CONFIDENCE
    middle = share + z * z / (2 * total)
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    whole = 1 + z * z / total
    return max(0.0, (middle - half) / whole), min(1.0, (middle + half) / whole)


def fit(sources: Sequence[Source], names: Sequence[str]) -> dict[str, float]:
    """Points by rule, so that a sum of REQUIRED lies MARGIN above the worst SHARE of every source of ham."""
    tables = {one.name: one.matrix(names) for one in sources}
    x = np.vstack(list(tables.values()))
    y = np.concatenate([np.full(len(one.rules), float(one.spam)) for one in sources])
    weights = np.concatenate([np.full(len(one.rules), _weight(one, sources, len(y))) for one in sources])
    low, high = _bounds(sources, names, x, y, tables)

    def loss(v: Floats) -> tuple[float, Floats]:
        z = x @ v[:-1] + v[-1]
        errors = weights * (1 / (1 + np.exp(-np.clip(z, -60, 60))) - y)
        value = float((weights * (np.logaddexp(0, z) - y * z)).sum() + PENALTY * (v[:-1] ** 2).sum())
        return value, np.append(x.T @ errors + 2 * PENALTY * v[:-1], errors.sum())

    found = minimize(
        loss,
        np.zeros(len(names) + 1),
        jac=True,
        method="L-BFGS-B",
        bounds=[*zip(low, high, strict=True), (None, None)],
        options={"maxiter": 1000},
    )
    evidence: Floats = found.x[:-1]
    threshold = MARGIN * max(_quantile(tables[one.name] @ evidence) for one in sources if not one.spam)
    points = np.minimum(evidence * REQUIRED / threshold, MOST)
    return {
        name: round(float(value), 2) for name, value in zip(names, points, strict=True) if abs(value) >= LEAST
    }


def _weight(one: Source, sources: Sequence[Source], total: int) -> float:
    """Sources of a kind weigh alike, however large; ham weighs more than spam."""
    alike = sum(other.spam is one.spam for other in sources)
    return total / 2 / alike / len(one.rules) * (1.0 if one.spam else HAM_WEIGHT)


def _bounds(
    sources: Sequence[Source], names: Sequence[str], x: Floats, y: Floats, tables: Mapping[str, Floats]
) -> tuple[list[float], list[float]]:
    spam, ham = x[y == 1], x[y == 0]
    low, high = [], []
    for column, name in enumerate(names):
        in_spam = wilson(spam[:, column].sum(), len(spam))[0]
        in_ham = wilson(ham[:, column].sum(), len(ham))[1]
        for one in sources:
            if not one.spam:
                in_ham = max(in_ham, wilson(tables[one.name][:, column].sum(), len(one.rules))[0])
        evidence = math.log(in_spam / in_ham) if in_spam > 0 else 0.0
        low.append(-NEGATIVE.get(name, 0.0))
        high.append(0.0 if name in NEGATIVE else min(4.0, max(0.0, evidence)))
    return low, high


def _quantile(scores: Floats) -> float:
    ordered = np.sort(scores)[::-1]
    return float(ordered[min(len(ordered) - 1, int(len(ordered) * SHARE))]) + 1e-6


def totals(source: Source, points: Mapping[str, float]) -> Floats:
    """The sum of each message, as the filter has it."""
    return np.array(
        [max(0.0, sum(points.get(name, 0.0) for name in met)) for met in source.rules], dtype=np.float64
    )


def points_file(points: Mapping[str, float], about: str) -> str:
    """points.toml."""
    lines = [
        "# Written by benchmarks/dayone --fit; changed by hand it would be a guess.",
        f'about = "{about}"',
        "",
    ]
    lines += ["[points]", *(f"{name} = {value}" for name, value in sorted(points.items()))]
    return "\n".join(lines) + "\n"
