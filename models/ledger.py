"""Who taught how much today, what was dropped, and which sources contradict the model. Imports no numpy."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tamis.models.durable import replace_file
from tamis.models.reports import SOURCES, Report
from tamis.settings import LearningSettings

LEDGER = "ledger.json"
"""Its name in the model's folder."""
WATCHED = 100
"""Reports of a source that the alarm looks back on."""
ALARM = 0.3
"""The share of contradictions from which on it is raised."""
UNATTENDED = 5
"""What nobody looked at teaches so many times less a day in all; for a reporter or domain see `ReportSource.part`."""
_LEAST_WATCHED = 20
_MOST_REPORTERS = 10_000
"""Reporters, domains and sources that are counted one by one in a day. Beyond: a reader counts with the domain alone,
and what nobody looked at teaches nothing."""


@dataclass(slots=True)
class Ledger:
    """Who taught how much today, and how often each source contradicted the model lately (1: it did).

    `taught` has what people taught today, `unattended` the rest; `learned` and `dropped` count reports by source since
    the ledger began.
    """

    day: int = 0
    taught: dict[str, int] = field(default_factory=dict)
    unattended: dict[str, int] = field(default_factory=dict)
    learned: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    contradictions: dict[str, list[int]] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> Ledger:
        """What `save` wrote; an empty one where there is none, or none whole."""
        try:
            data = json.loads(path.read_bytes())
            kept = {name: data[name] for name in ("day", "taught", "learned", "dropped", "contradictions")}
            return cls(**kept, unattended=data.get("unattended", {}))
        except (OSError, ValueError, KeyError, TypeError):
            return cls()

    def save(self, path: Path) -> None:
        """Write it in the place of the one at `path`."""
        replace_file(path, [json.dumps(asdict(self)).encode()])

    def admits(self, report: Report, bounds: LearningSettings, day: int) -> bool:
        """Count a report against its bounds; False for one that is beyond them.

        What nobody looked at has a budget of its own: whoever sends it can use up no reader's.
        """
        if day != self.day:
            self.day = day
            self.taught.clear()
            self.unattended.clear()
        if report.source == "learn":  # the operator's own; he can as well edit the model's file
            return True
        source = SOURCES[report.source]
        attended = source.attended
        taught, part = (self.taught, 1) if attended else (self.unattended, UNATTENDED)
        limits = {f"source {report.source}": bounds.per_source // part}
        reporter = report.reporter.lower()
        if reporter != "-":
            limits[f"reporter {reporter}"] = bounds.per_reporter // source.part
            if "/" not in reporter:  # a network has no domain
                limits[f"domain {reporter.rpartition('@')[2]}"] = bounds.per_domain // source.part
        new = [key for key in limits if key not in taught]
        is_full = len(taught) + len(new) > _MOST_REPORTERS
        if (
            is_full and attended
        ):  # readers are known: those whom there is no room for share their domain's bound
            limits = {key: limit for key, limit in limits.items() if not key.startswith("reporter ")}
        beyond = any(taught.get(key, 0) >= max(1, limit) for key, limit in limits.items())
        if beyond or (is_full and not attended):
            self.drop(report.source)
            return False
        for key in limits:
            taught[key] = taught.get(key, 0) + 1
        return True

    def drop(self, source: str) -> None:
        """Count a report that teaches nothing."""
        self.dropped[source] = self.dropped.get(source, 0) + 1

    def watch(self, source: str, *, contradicts: bool) -> None:
        """Note whether a report contradicted the model."""
        self.contradictions[source] = [*self.contradictions.get(source, [])[1 - WATCHED :], int(contradicts)]

    def alarm(self, source: str) -> bool:
        """Whether a source contradicts the model too often."""
        seen = self.contradictions.get(source, [])
        return len(seen) >= _LEAST_WATCHED and sum(seen) >= ALARM * len(seen)
