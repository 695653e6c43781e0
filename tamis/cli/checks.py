"""What a check of `tamis doctor` says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Health(StrEnum):
    """How bad a check's result is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check: what was looked at, what was found, and what to do about it ("" when nothing)."""

    health: Health
    check: str
    found: str
    mend: str = ""


def ok(check: str, found: str) -> CheckResult:
    """A check that found nothing wrong."""
    return CheckResult(Health.OK, check, found)


def warning(check: str, found: str, mend: str) -> CheckResult:
    """Something that works but should not stay so."""
    return CheckResult(Health.WARNING, check, found, mend)


def error(check: str, found: str, mend: str) -> CheckResult:
    """Something that keeps mail from its way, or Tamis from what policy orders."""
    return CheckResult(Health.ERROR, check, found, mend)
