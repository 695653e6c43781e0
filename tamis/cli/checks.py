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
class Result:
    """One check: what was looked at, what was found, and what to do about it ("" when nothing)."""

    health: Health
    check: str
    found: str
    mend: str = ""


def ok(check: str, found: str) -> Result:
    """A check that found nothing wrong."""
    return Result(Health.OK, check, found)


def warning(check: str, found: str, mend: str) -> Result:
    """Something that works but should not stay so."""
    return Result(Health.WARNING, check, found, mend)


def error(check: str, found: str, mend: str) -> Result:
    """Something that keeps mail from its way."""
    return Result(Health.ERROR, check, found, mend)
