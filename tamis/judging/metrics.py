"""What is counted of the mail: plain numbers that processes add up and hand over once a second."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from tamis.contract.finding import Finding, Status
from tamis.judging.plan import Judged

BUCKETS = (0.001, 0.01, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds: the upper ends of a histogram's steps; what takes longer falls into one more."""


class Counts:
    """Numbers since the last `take`. Not thread-safe: its owner has a lock."""

    def __init__(self) -> None:
        self.messages = 0
        self.findings: Counter[tuple[str, str]] = Counter()
        """(filter, status) -> findings."""
        self.shadow_hits: Counter[str] = Counter()
        """Filter in shadow -> messages on which it would have had an effect for somebody."""
        self.seconds: Counter[str] = Counter()
        """Filter -> microseconds spent."""
        self.steps: Counter[tuple[str, int]] = Counter()
        """(filter, place among BUCKETS) -> findings that took that long; those that were skipped took none."""
        self.outcomes: Counter[tuple[str, str]] = Counter()
        """(outcome, filter that decided) -> copies; would_OUTCOME of those that are only observed."""

    def add(self, findings: Mapping[str, Finding], judged: Iterable[Judged]) -> None:
        """Count one message."""
        self.messages += 1
        for name, one in findings.items():
            self.findings[name, one.status] += 1
            if one.status is not Status.SKIPPED:
                self.seconds[name] += int(one.seconds * 1e6)
                self.steps[name, bisect_left(BUCKETS, one.seconds)] += 1
        shadows: set[str] = set()
        for copy in judged:
            outcome = f"would_{copy.outcome}" if copy.observed else str(copy.outcome)
            self.outcomes[outcome, copy.verdict.decided_by] += 1
            shadows.update(o.filter for o in copy.verdict.opinions if o.shadow and o.effect is not None)
        self.shadow_hits.update(shadows)

    def merge(self, data: Mapping[str, Any]) -> None:
        """Add what `to_dict` made elsewhere. Raises KeyError, TypeError or ValueError on anything else."""
        self.messages += data["messages"]
        for name, status, count in data["findings"]:
            self.findings[name, status] += count
        for name, count in data["shadow_hits"]:
            self.shadow_hits[name] += count
        for name, count in data["seconds"]:
            self.seconds[name] += count
        for name, place, count in data["steps"]:
            self.steps[name, place] += count
        for outcome, decided_by, count in data["outcomes"]:
            self.outcomes[outcome, decided_by] += count

    def to_dict(self) -> dict[str, Any]:
        """A form that JSON can hold."""
        return {
            "messages": self.messages,
            "findings": [[*key, count] for key, count in self.findings.items()],
            "shadow_hits": [[key, count] for key, count in self.shadow_hits.items()],
            "seconds": [[key, count] for key, count in self.seconds.items()],
            "steps": [[*key, count] for key, count in self.steps.items()],
            "outcomes": [[*key, count] for key, count in self.outcomes.items()],
        }
