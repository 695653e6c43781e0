"""Points by evidence: a logistic regression over which rules and pairs of rules match, with bounds on sign and size.

A rule, or a pair of rules, is worth no more than its evidence: at most the logarithm of (least plausible rate in
spam) / (greatest plausible rate in ham), by Wilson intervals, where the rate in ham is also that of its worst source.
scikit-learn's own logistic regression knows no such bounds, so the same loss is handed to the optimiser that
scikit-learn uses (L-BFGS-B).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import minimize

from tamis.knowledge.base import PAIR

REQUIRED = 7.5
MOST = 3.0
"""Points of one rule or pair at most: three must agree."""
LEAST = 0.02
"""Points below which a rule or pair says nothing."""
NEGATIVE = {"conversation": 0.8, "answer": 0.8}
"""Rules that speak for a message, and how much in units of evidence."""
MARGIN = 1.25
"""How many times above the worst legitimate messages the threshold is put, because others are still to come."""
HAM_WEIGHT = 20.0
PENALTY = 5.0
SHARE = 0.001
"""Share of each source of ham that may lie above the threshold in the fit."""
MOST_EVIDENCE = 4.0
PAIRS = 1500
"""So many pairs are tried, those with the most evidence for the most spam first."""
LEAST_EVIDENCE = 2.0
LEAST_GAIN = 0.5
"""How much more evidence a pair must be than either of its rules."""
LEAST_RATE = 0.004
LEAST_SOURCES = 2
"""A pair must be met by so much of so many sources of spam: what only one has may be its collector's."""
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
    apart: bool = False
    """Whether no fit may see it."""

    def matrix(self, names: Sequence[str]) -> Floats:
        """A row a message, a column a rule or a pair."""
        single = sorted({part for name in names for part in name.split(PAIR)})
        places = {name: number for number, name in enumerate(single) if name not in self.blind}
        found = np.zeros((len(self.rules), len(single)))
        for row, met in enumerate(self.rules):
            found[row, [places[name] for name in met if name in places]] = 1.0
        at = {name: number for number, name in enumerate(single)}
        columns = [found[:, [at[part] for part in name.split(PAIR)]].prod(axis=1) for name in names]
        return np.stack(columns, axis=1) if columns else np.zeros((len(self.rules), 0))


def wilson(count: float, total: float) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    if not total:
        return 0.0, 1.0
    low, high = _interval(np.array([count]), total)
    return float(low[0]), float(high[0])


def _interval(counts: Floats, total: float) -> tuple[Floats, Floats]:
    shares, z = counts / total, _CONFIDENCE
    middle = shares + z * z / (2 * total)
    half = z * np.sqrt(shares * (1 - shares) / total + z * z / (4 * total * total))
    whole = 1 + z * z / total
    return np.maximum(0.0, (middle - half) / whole), np.minimum(1.0, (middle + half) / whole)


def _evidence(counts: Mapping[str, Floats], sources: Sequence[Source]) -> Floats:
    """The most that something can be worth, from how often it was met in each source."""
    numbers = {kind: sum(len(one.rules) for one in sources if one.spam is kind) for kind in (True, False)}
    zero = np.zeros_like(counts[sources[0].name])
    in_spam = _interval(sum((counts[one.name] for one in sources if one.spam), zero), numbers[True])[0]
    in_ham = _interval(sum((counts[one.name] for one in sources if not one.spam), zero), numbers[False])[1]
    for one in sources:
        if not one.spam:
            in_ham = np.maximum(in_ham, _interval(counts[one.name], len(one.rules))[0])
    return np.log(np.maximum(in_spam, 1e-9) / in_ham)


def pairs_worth_trying(sources: Sequence[Source], families: Mapping[str, str]) -> list[str]:
    """Pairs of rules of two families, which say clearly more together than either alone, in more than one source of
    spam. Two of one family are hardly two witnesses: what looks loud is often loud in several ways."""
    single = [name for name in families if name not in NEGATIVE]
    tables = {one.name: one.matrix(single) for one in sources}
    together = {name: table.T @ table for name, table in tables.items()}
    evidence = _evidence(together, sources)
    alone = np.maximum(np.diag(evidence), 0.0)
    rates = np.stack([together[one.name] / len(one.rules) for one in sources if one.spam])
    weights = evidence * np.sqrt(rates.mean(axis=0))
    weights[
        (evidence < LEAST_EVIDENCE)
        | (evidence - np.maximum.outer(alone, alone) < LEAST_GAIN)
        | ((rates > LEAST_RATE).sum(axis=0) < LEAST_SOURCES)
    ] = 0.0
    weights[np.tril_indices(len(single))] = 0.0
    kinds = np.array([families[name] for name in single])
    weights[kinds[:, None] == kinds[None, :]] = 0.0
    best = np.argsort(-weights, axis=None)[:PAIRS]
    found = [divmod(int(one), len(single)) for one in best if weights.flat[one] > 0]
    return [f"{single[one]}{PAIR}{single[other]}" for one, other in found]


def fit(sources: Sequence[Source], rules: Mapping[str, str]) -> dict[str, float]:
    """Points by rule and pair, from rules with their families.

    A sum of REQUIRED lies MARGIN times above the worst SHARE of every source of ham.
    """
    sources = [one for one in sources if not one.apart]
    names = [*rules, *pairs_worth_trying(sources, rules)]
    tables = {one.name: one.matrix(names) for one in sources}
    x = sparse.csr_matrix(np.vstack(list(tables.values())))
    y = np.concatenate([np.full(len(one.rules), float(one.spam)) for one in sources])
    weights = np.concatenate([np.full(len(one.rules), _weight(one, sources, len(y))) for one in sources])
    turned = x.T.tocsr()

    def loss(v: Floats) -> tuple[float, Floats]:
        z = x @ v[:-1] + v[-1]
        errors = weights * (1 / (1 + np.exp(-np.clip(z, -60, 60))) - y)
        value = float((weights * (np.logaddexp(0, z) - y * z)).sum() + PENALTY * (v[:-1] ** 2).sum())
        return value, np.append(turned @ errors + 2 * PENALTY * v[:-1], errors.sum())

    found = minimize(
        loss,
        np.zeros(len(names) + 1),
        jac=True,
        method="L-BFGS-B",
        bounds=[*_bounds(sources, names, tables), (None, None)],
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
    sources: Sequence[Source], names: Sequence[str], tables: Mapping[str, Floats]
) -> list[tuple[float, float]]:
    evidence = _evidence({name: table.sum(axis=0) for name, table in tables.items()}, sources)
    return [
        (-NEGATIVE[name], 0.0) if name in NEGATIVE else (0.0, min(MOST_EVIDENCE, max(0.0, float(most))))
        for name, most in zip(names, evidence, strict=True)
    ]


def _quantile(scores: Floats) -> float:
    ordered = np.sort(scores)[::-1]
    return float(ordered[min(len(ordered) - 1, int(len(ordered) * SHARE))]) + 1e-6


def totals(source: Source, points: Mapping[str, float]) -> Floats:
    """The sum of each message, as the filter has it."""
    names = list(points)
    seeing = Source(source.name, source.spam, source.paths, source.rules)
    sums: Floats = np.maximum(0.0, seeing.matrix(names) @ np.array([points[name] for name in names]))
    return sums


def points_file(points: Mapping[str, float], about: str) -> str:
    """points.toml."""
    lines = [
        "# Written by benchmarks/dayone --fit; changed by hand it would be a guess.",
        f'about = "{about}"',
        "",
    ]
    single = {name: value for name, value in points.items() if PAIR not in name}
    lines += ["[points]", *(f"{name} = {value}" for name, value in sorted(single.items())), "", "[pairs]"]
    lines += [f'"{name}" = {value}' for name, value in sorted(points.items()) if PAIR in name]
    return "\n".join(lines) + "\n"
