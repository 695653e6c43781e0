"""Who taught how much today, what was dropped, and which sources contradict the model. Imports no numpy."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

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


def of_domain(domain: str) -> str:
    """The key of what a domain's readers taught."""
    return f"domain {domain}"


Decide = Callable[[Mapping[str, int], int], Collection[str]]
"""Of what a report counts for, given the counts of those keys and how many keys the day has: those that it is counted
for; none where it is beyond a bound."""


class Taught(Protocol):
    """What was taught on a day, by key: "source S", "reporter R", "domain D"."""

    def count(self, day: int, keys: Collection[str], decide: Decide, *, attended: bool) -> bool:
        """Count a lesson for what `decide` says, all at once; whether it said anything. A new day begins with nothing.
        Raises StoreError where hosts share a store that can't answer."""

    def of(self, day: int, keys: Iterable[str]) -> Mapping[str, int]:
        """What people taught on a day, of those keys for which there is anything. Raises StoreError as well."""


@dataclass(slots=True)
class Ledger:
    """Who taught how much today, and how often each source contradicted the model lately (1: it did).

    `taught` has what people taught today, `unattended` the rest, where no other host counts with this one; `learned`
    and `dropped` count this host's reports by source since the ledger began.
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

    def count(self, day: int, keys: Collection[str], decide: Decide, *, attended: bool) -> bool:
        """As `Taught` says: for one host alone."""
        if day != self.day:
            self.day = day
            self.taught.clear()
            self.unattended.clear()
        taught = self.taught if attended else self.unattended
        counted = decide({key: taught[key] for key in keys if key in taught}, len(taught))
        for key in counted:
            taught[key] = taught.get(key, 0) + 1
        return bool(counted)

    def of(self, day: int, keys: Iterable[str]) -> Mapping[str, int]:
        """As `Taught` says: on this host."""
        return {key: self.taught[key] for key in keys if key in self.taught} if day == self.day else {}

    def admits(
        self, report: Report, bounds: LearningSettings, day: int, taught: Taught | None = None
    ) -> bool:
        """Count a report against its bounds; False for one that is beyond them. `taught` is what all hosts count in,
        None where there is but this one.

        What nobody looked at has a budget of its own: whoever sends it can use up no reader's.
        """
        if report.source == "learn":  # the operator's own; he can as well edit the model's file
            return True
        source = SOURCES[report.source]
        attended = source.attended
        limits = {f"source {report.source}": bounds.per_source // (1 if attended else UNATTENDED)}
        reporter = report.reporter.lower()
        if reporter != "-":
            limits[f"reporter {reporter}"] = bounds.per_reporter // source.part
            if "/" not in reporter:  # a network has no domain
                limits[of_domain(reporter.rpartition("@")[2])] = bounds.per_domain // source.part

        def decide(counts: Mapping[str, int], known: int) -> Collection[str]:
            is_full = known + len(limits.keys() - counts.keys()) > _MOST_REPORTERS
            if is_full and not attended:
                return ()
            # readers are known: those whom there is no room for share their domain's bound
            meant = [key for key in limits if not (is_full and key.startswith("reporter "))]
            return () if any(counts.get(key, 0) >= max(1, limits[key]) for key in meant) else meant

        counted = (taught or self).count(day, limits, decide, attended=attended)
        if not counted:
            self.drop(report.source)
        return counted

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
