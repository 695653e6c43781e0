"""Points of the filters that add to the total, fitted on what people said of copies: a proposal. Pure.

    labelled copies, opinions -> units: what a filter gives for one point of its `score` -> bounded logistic regression
    the same in folds, no sender in two of them -> what would be caught and lost -> FittedScores, or why there are none

What is fitted stays near what is in force: the loss is that of a logistic regression over the total and the limit,
with a penalty for each point moved. No filter changes its sign, none gets more than twice its points, and none that
could not reach the limit alone may do so afterwards. scikit-learn's own regression knows no such bounds, so the loss is
handed to the optimiser that it uses (L-BFGS-B); the folds are scikit-learn's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.stats import binomtest
from sklearn.model_selection import StratifiedGroupKFold  # type: ignore[import-untyped]

from tamis.contract.filter import Effect, State
from tamis.contract.finding import Finding
from tamis.judging.policy import Policy
from tamis.judging.policy_terms import FilterRule
from tamis.judging.verdict import SCORE, Verdict, judge, opinion_of
from tamis.language.translation import marked

LEAST_LABELS = 200
"""Copies of each kind that people must have spoken about, of those that the total decides."""
LEAST_SENDERS = 20
"""Senders of each kind that these must be from: else a few people's mail would speak for all."""
LEAST_MET = 20
"""Labelled copies to which a filter must have given points to be fitted."""
FOLDS = 5
HAM_WEIGHT = 10.0
"""A wanted message that is stopped weighs as much as so many unwanted ones that pass."""
STEEPNESS = math.log(10) / 3
"""Three points more mean a tenth, as the statistical filter counts."""
PENALTY = 0.02
MOST_OF_LIMIT = 0.8
"""The share of the limit that a filter's points may reach which do not reach it today."""
LEAST_CHANGE = 0.1
_WHOLE = 100.0  # points by which units are found out: filters round theirs
_ROUNDED = 0.011  # what rounding leaves between points and units

FEW_LABELS = marked(
    "Of copies that no filter decides alone, people said of {wanted} that they were wanted and of {unwanted} that they "
    "were not; {needed} of each are needed."
)
FEW_SENDERS = marked(
    "The copies that people spoke about are from {wanted} senders of wanted and {unwanted} of unwanted mail; "
    "{needed} of each are needed."
)
NO_FILTERS = marked("No filter gave points to at least {needed} of the copies that people spoke about.")
NO_BETTER = marked(
    "On mail of senders that the fit had not seen, other points would do no better than those in force."
)

Vector = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class LabelledCopy:
    """A copy of which people said whether it was wanted, with what decides about it."""

    sender: str
    wanted: bool
    findings: Mapping[str, Finding]
    policy: Policy


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Copies of senders that no fit had seen, and how many of them are stopped."""

    copies: int
    stopped: int

    def plain(self) -> dict[str, Any]:
        """A form that JSON can hold, with the interval of the share (95 %, Wilson 1927)."""
        span = binomtest(self.stopped, self.copies).proportion_ci(method="wilson")
        return asdict(self) | {"least": round(float(span.low), 4), "most": round(float(span.high), 4)}


@dataclass(frozen=True, slots=True)
class FittedScores:
    """Points that would do better than those in force (`changes`: filter -> now, then), and what they would catch and
    lose; without changes, why there are none (a sentence, and its facts). `decided` copies were left out: a filter
    decides about them alone. `caught` is of unwanted copies and `lost` of wanted ones: in force, and with points
    that were fitted without their senders."""

    changes: Mapping[str, tuple[float, float]]
    wanted: int
    unwanted: int
    decided: int
    refused: str = ""
    facts: Mapping[str, int] | None = None
    caught: tuple[HeldOut, HeldOut] | None = None
    lost: tuple[HeldOut, HeldOut] | None = None

    def plain(self) -> dict[str, Any]:
        """A form that JSON can hold."""
        pairs = {"caught": self.caught, "lost": self.lost}
        return {
            "scores": [
                {"key": f"filters.{name}.score", "now": now, "then": then}
                for name, (now, then) in self.changes.items()
            ],
            "wanted": self.wanted,
            "unwanted": self.unwanted,
            "decided": self.decided,
            "refused": self.refused,
            "facts": dict(self.facts or {}),
            **{name: [one.plain() for one in pair] if pair else None for name, pair in pairs.items()},
        }


@dataclass(frozen=True, slots=True)
class _Table:
    """A row a copy: units of each filter, the points of all others, the limit, what people said, who sent it."""

    names: Sequence[str]
    scores: Vector
    units: Vector
    rest: Vector
    limits: Vector
    unwanted: Flags
    senders: Sequence[str]

    def take(self, rows: npt.NDArray[np.intp]) -> _Table:
        """Some of the rows."""
        return _Table(
            *(self.names, self.scores, self.units[rows], self.rest[rows], self.limits[rows]),
            *(self.unwanted[rows], [self.senders[row] for row in rows]),
        )

    def stopped(self, scores: Vector) -> Flags:
        """Which copies reach their limit with these scores."""
        return np.asarray(np.round(self.rest + self.units @ scores, 3) >= self.limits, dtype=np.bool_)


def fit_scores(copies: Sequence[LabelledCopy], policy: Policy) -> FittedScores:
    """Scores for the filters of a scope's policy, from what people said of its copies."""
    table, decided = _table(copies, policy)
    unwanted = int(table.unwanted.sum())
    found = FittedScores({}, len(table.unwanted) - unwanted, unwanted, decided)
    refused, facts = _too_little(table, {"wanted": found.wanted, "unwanted": found.unwanted})
    if refused:
        return replace(found, refused=refused, facts=facts)
    before, after = _tested(table)
    caught = _held_out(table.unwanted, before, after)
    lost = _held_out(~table.unwanted, before, after)
    gain = caught[1].stopped - caught[0].stopped + HAM_WEIGHT * (lost[0].stopped - lost[1].stopped)
    changes = {
        name: (float(now), float(then))
        for name, now, then in zip(table.names, table.scores, _fitted(table), strict=True)
        if abs(now - then) >= LEAST_CHANGE / 2
    }
    if gain <= 0 or lost[1].stopped > lost[0].stopped or not changes:
        return replace(found, refused=NO_BETTER, caught=caught, lost=lost)
    return replace(found, changes=changes, caught=caught, lost=lost)


def _too_little(table: _Table, counts: Mapping[str, int]) -> tuple[str, dict[str, int]]:
    """Why nothing can be fitted, with its facts; "" where something can."""
    if min(counts.values()) < LEAST_LABELS:
        return FEW_LABELS, {**counts, "needed": LEAST_LABELS}
    pairs = set(zip(table.senders, table.unwanted.tolist(), strict=True))
    unwanted = sum(is_unwanted for _, is_unwanted in pairs)
    senders = {"wanted": len(pairs) - unwanted, "unwanted": unwanted}
    if min(senders.values()) < LEAST_SENDERS:
        return FEW_SENDERS, {**senders, "needed": LEAST_SENDERS}
    return ("", {}) if table.names else (NO_FILTERS, {"needed": LEAST_MET})


def _tested(table: _Table) -> tuple[Flags, Flags]:
    """Which copies are stopped in force, and by scores that were fitted without any copy of their senders."""
    before, after = np.zeros(len(table.unwanted), dtype=bool), np.zeros(len(table.unwanted), dtype=bool)
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    for learned, apart in folds.split(table.units, table.unwanted, table.senders):
        tested = table.take(apart)
        before[apart] = tested.stopped(table.scores)
        after[apart] = tested.stopped(_fitted(table.take(learned)))
    return before, after


def _held_out(of: Flags, before: Flags, after: Flags) -> tuple[HeldOut, HeldOut]:
    copies = int(of.sum())
    return HeldOut(copies, int(before[of].sum())), HeldOut(copies, int(after[of].sum()))


def _table(copies: Sequence[LabelledCopy], policy: Policy) -> tuple[_Table, int]:
    """What can be fitted of the copies, and how many a filter decides alone."""
    rules = [rule for rule in policy.rules if _adds(rule) and rule.options.score]
    told = [(one, judge(one.findings, one.policy)) for one in copies]
    open_ = [(one, verdict) for one, verdict in told if verdict.decided_by in ("", SCORE)]
    units = np.zeros((len(open_), len(rules)))
    for column, rule in enumerate(rules):
        whole = FilterRule(rule.filter, rule.options.model_copy(update={"score": _WHOLE}))
        for row, (one, verdict) in enumerate(open_):
            units[row, column] = _unit(one, verdict, rule, whole)
    kept = np.count_nonzero(units, axis=0) >= LEAST_MET
    scores, units = np.array([rule.options.score for rule in rules])[kept], units[:, kept]
    totals = np.array([verdict.score for _, verdict in open_])
    return _Table(
        [rule.filter.name for rule, keep in zip(rules, kept, strict=True) if keep],
        scores,
        units,
        totals - units @ scores,
        np.array([verdict.required for _, verdict in open_]),
        np.array([not one.wanted for one, _ in open_], dtype=bool),
        [one.sender for one, _ in open_],
    ), len(copies) - len(open_)


def _unit(one: LabelledCopy, verdict: Verdict, rule: FilterRule, whole: FilterRule) -> float:
    """What a filter gives a copy for one point of its score; 0 where its points do not follow from that score."""
    name = rule.filter.name
    opinion = next((found for found in verdict.opinions if found.filter == name), None)
    if opinion is None or opinion.effect is not Effect.SCORE or opinion.shadow:
        return 0.0
    unit = opinion_of(whole, one.findings[name], one.policy.scopes).points / _WHOLE
    return unit if abs(opinion.points - unit * rule.options.score) <= _ROUNDED else 0.0


def _adds(rule: FilterRule) -> bool:
    return rule.options.effect is Effect.SCORE and rule.options.state is State.ON


def _fitted(table: _Table) -> Vector:
    """The scores that tell these copies apart best, near those in force and within their bounds, in tenths."""
    spam = table.unwanted
    weights = np.where(spam, 1 / max(1, spam.sum()), HAM_WEIGHT / max(1, (~spam).sum()))
    sizes = np.maximum(np.abs(table.scores), 1.0)

    def loss(scores: Vector) -> tuple[float, Vector]:
        z = STEEPNESS * (table.rest + table.units @ scores - table.limits)
        moved = (scores - table.scores) / sizes
        value = weights @ (np.logaddexp(0, z) - spam * z) + PENALTY * moved @ moved
        errors = weights * (1 / (1 + np.exp(-np.clip(z, -60, 60))) - spam)
        return float(value), STEEPNESS * (table.units.T @ errors) + 2 * PENALTY * moved / sizes

    limit = float(table.limits.min())
    bounds = [_bounds(float(score), limit) for score in table.scores]
    found = minimize(loss, table.scores, jac=True, method="L-BFGS-B", bounds=bounds)
    return np.asarray(np.round(found.x, 1), dtype=np.float64)


def _bounds(score: float, limit: float) -> tuple[float, float]:
    """How far a score may go: to nothing, to twice itself, and, unless it does today, not near the limit."""
    if score < 0:
        return 2 * score, 0.0
    return 0.0, score if score >= limit else max(score, min(2 * score, MOST_OF_LIMIT * limit))
