"""What the statistical filter has learned, and what its levels promise and achieve."""

from __future__ import annotations

import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tamis.models import compiled
from tamis.models.correction import salt_of
from tamis.models.ledger import LEDGER, Ledger, Taught, of_domain
from tamis.models.levels import Levels, Measured
from tamis.models.model_file import Model, ModelError
from tamis.models.reports import Spool
from tamis.models.scale import promise
from tamis.models.shared_place import SharedPlace
from tamis.models.site_model import LEVELS, MODEL
from tamis.models.taken_back import TAKEN_BACK, TakenBack
from tamis.settings import Settings


def model_state(settings: Settings) -> dict[str, Any]:
    """All of it as plain data, which `tamis model status --json` prints."""
    folder = settings.model_directory
    ham = spam = corrections = 0
    file: dict[str, Any] | None = None
    try:
        model = Model(folder / MODEL)
        ham, spam = model.learned.ham, model.learned.spam
        corrections = len(model.domains)
        state = (folder / MODEL).stat()
        file = {"path": str(folder / MODEL), "octets": state.st_size, "age": time.time() - state.st_mtime}
    except FileNotFoundError:
        pass
    levels = _levels(folder / LEVELS)
    ledger = Ledger.load(folder / LEDGER)
    needed = settings.learning.minimum
    place = SharedPlace.of(folder)
    return {
        "ham": ham,
        "spam": spam,
        "needed": needed,
        "deciding": min(ham, spam) >= needed and levels is not None,
        "file": file,
        "inner_loops": {"compiled": compiled.used, "why_not": compiled.WHY_NOT},
        "corrections": corrections,
        "shared": {"lineage": place.lineage, "step": place.number} if place else None,
        "levels": [_level(one) for one in levels.measured] if levels else [],
        "unproven": list(levels.unproven) if levels else [],
        "taken_back": [asdict(one) for one in TakenBack.load(folder / TAKEN_BACK).taken],
        "waiting": Spool(settings.spool_directory).waiting(),
        "sources": [
            {
                "source": source,
                "reports": len(seen),
                "contradictions": sum(seen),
                "learned": ledger.learned.get(source, 0),
                "dropped": ledger.dropped.get(source, 0),
                "alarm": ledger.alarm(source),
            }
            for source in sorted({*ledger.learned, *ledger.dropped, *ledger.contradictions})
            for seen in [ledger.contradictions.get(source, [])]
        ],
    }


@dataclass(frozen=True, slots=True)
class DomainLessons:
    """What a domain taught today, of how much at most, and whether the model has a correction of its own for it."""

    domain: str
    today: int
    most: int
    corrected: bool


def lessons_of(
    settings: Settings, domains: Collection[str], day: int, taught: Taught | None = None
) -> list[DomainLessons]:
    """By domain, on a day (days since 1970, UTC); `taught` is what all hosts count in, None where there is but this
    one."""
    counts = (taught or Ledger.load(settings.model_directory / LEDGER)).of(day, map(of_domain, domains))
    salts: Collection[int] = ()
    with suppress(FileNotFoundError):
        salts = Model(settings.model_directory / MODEL).domains
    most = settings.learning.per_domain
    return [
        DomainLessons(one, counts.get(of_domain(one), 0), most, salt_of(one) in salts)
        for one in sorted(domains)
    ]


def _levels(path: Path) -> Levels | None:
    try:
        return Levels.load(path)
    except (FileNotFoundError, ModelError):
        return None


def _level(one: Measured) -> dict[str, Any]:
    return {
        "level": one.level,
        "promised": promise(one.level),
        "false_positives": one.false_positives.to_dict(),
        "plausible": one.plausible,
        "caught": one.caught.to_dict(),
    }
