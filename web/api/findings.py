"""What filters saw, as the API tells it: sentences for everybody, facts for who may read the platform, since they hold
numbers and addresses of other domains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tamis.contract.finding import Finding, Status
from tamis.message.address import PLATFORM
from tamis.people.token_scopes import TokenScope
from tamis.web.api.caller import Caller


@dataclass(frozen=True, slots=True)
class SeenFinding:
    """What one filter saw of a message, in how many seconds. `facts` are for tokens that may read the platform."""

    filter: str
    status: Status
    text: str
    seconds: float
    facts: dict[str, Any] | None = None


def seen_findings(caller: Caller, findings: Iterable[Finding]) -> list[SeenFinding]:
    """Findings as this caller may see them."""
    whole = caller.may(TokenScope.PLATFORM_READ, PLATFORM)
    return [
        SeenFinding(one.filter, one.status, one.text(), one.seconds, dict(one.facts) if whole else None)
        for one in findings
    ]


def read_findings(kept: Iterable[Mapping[str, Any]]) -> list[Finding]:
    """Findings as they are kept, without those that another version of Tamis wrote in a form of its own."""
    found = []
    for one in kept:
        try:
            finding = Finding.from_dict(one)
            finding.text()
        except (KeyError, ValueError, TypeError, IndexError, AttributeError):
            continue
        found.append(finding)
    return found
