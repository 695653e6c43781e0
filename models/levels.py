"""Levels: what number a message is shown with, and what each of the seven levels promises.

The number says how rare such a score is among the site's own legitimate mail: three points more are a tenth of the
ham. It is the best estimate from recent ham that the model was not taught when it scored them: counted where there
are enough of them, beyond that by the tail that fits them (`tail`), with its interval. A few hundred ham can't prove a
promise of 1 in 1,000; what is not proven yet says so, and the level stands where it most plausibly belongs.

Ham of different kinds (`kinds`) scores differently, so a kind has scores of its own for the same numbers: higher ones
as soon as its own ham, or that of other sites while it is rare, asks for it; lower ones only as far as much ham of it
allows. A score counts for less, the less of its message the model has met before (`familiarity`). What the model itself
holds for ham is on no level. A kind of which hardly any ham was taught is *unproven*: what spam of that form has in
common with honest mail the model can't tell, so a number alone never decides there.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from tamis.models.calibration import Calibrator
from tamis.models.durable import replace_file
from tamis.models.familiarity import LOG_ODDS
from tamis.models.grading import fit_steepness
from tamis.models.kinds import MailKind
from tamis.models.measures import Floats, Labels
from tamis.models.model_file import ModelError
from tamis.models.scale import HIGHEST, LEVELS, UNPROVEN, interpolated, number_of, promise
from tamis.models.tail import Tail, fit_tail

_POINTS = 200
"""Scores at most at which ham is counted."""
_STEP = 0.5
"""Numbers between two points of the tail."""
_DEFAULT = 7.5
"""The level at which kinds are told apart."""

_OWN: Final = 15
"""Ham of a kind from which on it says something itself, and the kind counts as proven."""
_TO_PROVE: Final = (MailKind.AUTOMATIC, MailKind.BULK, MailKind.MADE, MailKind.PLAIN)
"""Kinds that must be proven. To be an answer or a list's mail anybody can claim in a line, and strangers' honest mail
hardly is."""
_RISE, _FALL = 10, 40
"""Ham of a kind that weighs as much as what is known of other sites, for higher scores and for lower ones."""
_FALL_SHARE = 0.5
"""How far a kind's scores may come down towards its own tail: mail changes, and spam can take on any form."""
_ELSEWHERE: Final = {
    MailKind.MADE: (0.5, 1.5),
    MailKind.BULK: (0.3, 1.0),
}
"""Where the rarest of 1,000 of a kind stand on other sites: how much higher (log-odds) than those of all ham, and how
high at least. A site that was taught list mail only knows nothing about receipts."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A measured share: `count` of `total`, with its 95 % interval (Wilson 1927)."""

    count: int
    total: int

    @property
    def share(self) -> float:
        """The share itself, 0 of nothing."""
        return self.count / self.total if self.total else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Where the true share lies, with 95 % confidence."""
        if not self.total:
            return 0.0, 1.0
        z, n, p = 1.96, self.total, self.share
        middle = p + z * z / (2 * n)
        width = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        low, high = (middle - width) / (1 + z * z / n), (middle + width) / (1 + z * z / n)
        return (low if self.count else 0.0), (high if self.count < n else 1.0)

    def to_dict(self) -> dict[str, float]:
        """As JSON has it."""
        low, high = self.interval
        return {"count": self.count, "total": self.total, "low": low, "high": high}


@dataclass(frozen=True, slots=True)
class Measured:
    """One level on the site's recent labelled mail."""

    level: float
    false_positives: Rate
    caught: Rate
    plausible: tuple[float, float] | None = None
    """Between what shares of ham have this number or more, with 95 % of the plausibility; None before there was an
    estimate."""


@dataclass(frozen=True, slots=True)
class Levels:
    """The map from score to number (straight lines between `scores` and `numbers`) and what was measured.

    `by_kind` has the scores of the same numbers for kinds of ham; others have `scores`. `steepness` says how many
    points a message loses for each number below the level; None in files of versions up to 0.2: below the level it has
    none. `familiar` is the mean familiarity of the mail that was measured; None in files of earlier versions, in which
    scores count alike. `unproven` are kinds of which too little ham was taught: none in files of earlier versions.
    """

    scores: tuple[float, ...]
    numbers: tuple[float, ...]
    calibrator: Calibrator
    measured: tuple[Measured, ...]
    sequence: int
    """The last report within the model that was measured."""
    by_kind: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    steepness: float | None = None
    familiar: float | None = None
    unproven: tuple[str, ...] = ()

    def number(self, score: float, kind: str = "", familiar: float | None = None) -> float:
        """The number of a message of a kind with this score in log-odds, of which so much is familiar (None: as much as
        of others)."""
        if familiar is not None and self.familiar is not None:
            score += LOG_ODDS * (familiar - self.familiar)
        return round(interpolated(score, self.by_kind.get(kind, self.scores), self.numbers), 2)

    def save(self, path: Path) -> None:
        """Write it in the place of the one at `path`, durably."""
        replace_file(path, [self.packed()])

    def packed(self) -> bytes:
        """As it stands in its file."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote. Raises ModelError on anything else, OSError when it can't be read."""
        try:
            data = json.loads(path.read_bytes())
            scores, numbers = tuple(map(float, data["scores"])), tuple(map(float, data["numbers"]))
            by_kind = {str(kind): tuple(map(float, one)) for kind, one in data.get("by_kind", {}).items()}
            for one in (scores, *by_kind.values()):
                if len(one) != len(numbers) or len(one) < 2 or any(a >= b for a, b in pairwise(one)):
                    raise ModelError(path, "no levels: their scores don't ascend")
            steepness, familiar = (data.get(name) for name in ("steepness", "familiar"))
            return cls(
                scores,
                numbers,
                _calibrator(data["calibrator"]),
                tuple(_measured(one) for one in data["measured"]),
                int(data["sequence"]),
                by_kind,
                None if steepness is None else float(steepness),
                None if familiar is None else float(familiar),
                tuple(map(str, data.get("unproven", ()))),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(path, f"no levels: {error}") from None


def _calibrator(data: dict[str, Any]) -> Calibrator:
    kind = data["kind"]
    xs, ys = tuple(map(float, data["scores"])), tuple(map(float, data["log_odds"]))
    if kind not in ("logistic", "isotonic") or len(xs) != len(ys) or len(xs) < 2:
        raise ValueError("its calibration is damaged")
    return Calibrator(kind, xs, ys, int(data["ham"]), int(data["spam"]))


def _measured(data: dict[str, Any]) -> Measured:
    plausible = data.get("plausible")
    return Measured(
        float(data["level"]),
        Rate(**data["false_positives"]),
        Rate(**data["caught"]),
        None if plausible is None else (float(plausible[0]), float(plausible[1])),
    )


@dataclass(frozen=True, slots=True)
class Held:
    """Scores that a model gave to messages it was not taught; `folds` says which messages were held out together,
    `kinds` (of `MailKind`) which kind each is, `beside` what the other filters gave it, NaN where nothing is known,
    `familiar` how much of each the model had met."""

    scores: Floats
    folds: npt.NDArray[np.int_]
    kinds: npt.NDArray[np.str_]
    beside: Floats
    familiar: Floats

    def of(self, chosen: Labels) -> Held:
        """Some of them."""
        return Held(
            self.scores[chosen],
            self.folds[chosen],
            self.kinds[chosen],
            self.beside[chosen],
            self.familiar[chosen],
        )

    def against(self, familiar: float) -> Held:
        """With scores that count for as much as those of messages of which so much is familiar."""
        return replace(self, scores=self.scores + LOG_ODDS * (self.familiar - familiar))


@dataclass(frozen=True, slots=True)
class _Map:
    """Scores for `numbers`, ascending: of all ham, and by kind."""

    numbers: Floats
    scores: Floats
    by_kind: Mapping[str, Floats]
    tail: Tail

    def shown(self, held: Held) -> Floats:
        """The number of each message."""
        found = np.interp(held.scores, self.scores, self.numbers)
        for kind, scores in self.by_kind.items():
            chosen = held.kinds == kind
            found[chosen] = np.interp(held.scores[chosen], scores, self.numbers)
        return found


def fit_levels(ham: Held, spam: Held, calibrator: Calibrator, sequence: int) -> Levels:
    """Levels from held-out scores. What is measured is honest too: each fold by the levels of the others.

    Raises ValueError without ham.
    """
    if not len(ham.scores):
        raise ValueError("levels need ham")
    familiar = float(np.concatenate((ham.familiar, spam.familiar)).mean())
    ham, spam = ham.against(familiar), spam.against(familiar)
    shown = [np.zeros(len(held.scores)) for held in (ham, spam)]
    for fold in np.unique(np.concatenate((ham.folds, spam.folds))).tolist():
        others = ham.of(ham.folds != fold)
        if len(others.scores):
            found = _map(others)
            for numbers, held in zip(shown, (ham, spam), strict=True):
                numbers[held.folds == fold] = found.shown(held.of(held.folds == fold))
    found = _map(ham)
    unproven = _unproven(ham.kinds)
    hams, spams = (
        _Shown(numbers, np.isin(held.kinds, unproven))
        for numbers, held in zip(shown, (ham, spam), strict=True)
    )
    measured = tuple(
        Measured(level, _reached(hams, level), _reached(spams, level), _plausible(found, level))
        for level in LEVELS
    )
    return Levels(
        tuple(found.scores.tolist()),
        tuple(found.numbers.tolist()),
        calibrator,
        measured,
        sequence,
        {kind: tuple(scores.tolist()) for kind, scores in found.by_kind.items()},
        fit_steepness(
            np.concatenate((hams.counting(_DEFAULT), spams.counting(_DEFAULT))),
            np.concatenate((ham.beside, spam.beside)),
            np.repeat([False, True], [len(ham.scores), len(spam.scores)]),
        ),
        familiar,
        unproven,
    )


@dataclass(frozen=True, slots=True)
class _Shown:
    """Numbers of messages, and which of them are of unproven kinds."""

    numbers: Floats
    unproven: Labels

    def counting(self, level: float) -> Floats:
        """The numbers as they count at a level."""
        most = np.where(self.unproven, UNPROVEN * level, HIGHEST)
        return np.minimum(self.numbers, most)


def _unproven(kinds: npt.NDArray[np.str_]) -> tuple[str, ...]:
    """The kinds of which too few of these ham are."""
    return tuple(str(kind) for kind in _TO_PROVE if np.count_nonzero(kinds == kind) < _OWN)


def _reached(shown: _Shown, level: float) -> Rate:
    return Rate(int(np.count_nonzero(shown.counting(level) >= level)), len(shown.numbers))


def _plausible(found: _Map, level: float) -> tuple[float, float]:
    """What the share above a level may be: by the tail, or, within what is counted, by the count (Wilson)."""
    share = promise(level)
    if share <= found.tail.share:
        return found.tail.interval(float(np.interp(level, found.numbers, found.scores)))
    return Rate(round(share * found.tail.total), found.tail.total).interval


def _map(ham: Held) -> _Map:
    tail = fit_tail(ham.scores)
    start = number_of(tail.share)
    counted = _counted(np.sort(ham.scores)[::-1], tail)
    steps = np.unique(np.concatenate((np.arange(start, HIGHEST, _STEP), LEVELS, [LEVELS[0] - 0.01, HIGHEST])))
    estimated = [
        (tail.score(promise(number)), number) for number in steps.tolist() if number > counted[-1][1]
    ]
    scores, numbers = (np.array(one) for one in zip(*counted, *estimated, strict=True))
    shifts = {kind: _shift(ham.scores[ham.kinds == kind], kind, tail) for kind in MailKind}
    return _Map(
        numbers,
        _raised(scores, numbers),
        {
            str(kind): _raised(scores + (shift if shift > 0 else shift * _fading(numbers, start)), numbers)
            for kind, shift in shifts.items()
            if shift
        },
        tail,
    )


def _counted(descending: Floats, tail: Tail) -> list[tuple[float, float]]:
    """Scores below the tail, ascending, and their numbers: just at the k-th highest ham are k of n."""
    n = len(descending)
    first = max(1, round(tail.share * n))
    ranks = np.unique(np.geomspace(first, n, min(n, _POINTS)).astype(int))[::-1]
    return [(float(descending[k - 1]), number_of(max((k + 1) / (n + 1), tail.share))) for k in ranks.tolist()]


def _shift(scores: Floats, kind: MailKind, tail: Tail) -> float:
    """How much higher the rare scores of a kind stand than those of all ham."""
    share = promise(_DEFAULT)
    default = tail.score(share)
    higher, least = _ELSEWHERE.get(kind, (0.0, 0.0))
    known = max(higher, least - default)
    if len(scores) < _OWN:
        return known
    own = fit_tail(scores).score(share) - default
    weight = len(scores) / (len(scores) + (_RISE if own > 0 else _FALL))
    return weight * own * (1.0 if own > 0 else _FALL_SHARE) + (1 - weight) * known


def _fading(numbers: Floats, start: float) -> Floats:
    """All of a shift at the default level, none where ham is counted: there it would break the promise for all."""
    return np.clip((numbers - start) / max(0.5, _DEFAULT - start), 0.0, 1.0)


def _raised(scores: Floats, numbers: Floats) -> Floats:
    """Ascending scores, of which those from just below the lowest level on are above zero."""
    held = np.where(numbers >= LEVELS[0] - 0.01, np.maximum(scores, 0.0), scores)
    # The least steps that keep them distinct.
    return np.asarray(np.maximum.accumulate(held) + 1e-6 * np.arange(len(held)), dtype=np.float64)
