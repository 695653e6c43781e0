"""What is counted of the mail: plain numbers that processes add up and hand over once a second."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from tamis.finding import Finding
from tamis.plan import Judged


class Counts:
    """Numbers since the last `take`. Not thread-safe: its owner has a lock."""

    def __init__(self) -> None:
        self.messages = 0
        self.findings: Counter[tuple[str, str]] = Counter()
        """(filter, status) -> findings."""
        self.seconds: Counter[str] = Counter()
        """Filter -> microseconds spent."""
        self.outcomes: Counter[tuple[str, str]] = Counter()
        """(outcome, filter that decided) -> copies."""

    def add(self, findings: Mapping[str, Finding], judged: Iterable[Judged]) -> None:
        """Count one message."""
        self.messages += 1
        for name, one in findings.items():
            self.findings[name, one.status] += 1
            self.seconds[name] += int(one.seconds * 1e6)
        for copy in judged:
            self.outcomes[copy.outcome, copy.verdict.decided_by] += 1

    def merge(self, data: Mapping[str, Any]) -> None:
        """Add what `to_dict` made elsewhere. Raises KeyError, TypeError or ValueError on anything else."""
        self.messages += data["messages"]
        for name, status, count in data["findings"]:
            self.findings[name, status] += count
        for name, count in data["seconds"]:
            self.seconds[name] += count
        for outcome, decided_by, count in data["outcomes"]:
            self.outcomes[outcome, decided_by] += count

    def to_dict(self) -> dict[str, Any]:
        """A form that JSON can hold."""
        return {
            "messages": self.messages,
            "findings": [[*key, count] for key, count in self.findings.items()],
            "seconds": [[key, count] for key, count in self.seconds.items()],
            "outcomes": [[*key, count] for key, count in self.outcomes.items()],
        }
