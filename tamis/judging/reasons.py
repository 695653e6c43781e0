"""Why a message was held, for people who don't run mail servers: what the filter that decided says of itself.

A filter's own sentence (Finding.because) is evidence; its `plain_reason` says what that means, and tells a sender of
spam nothing that would help. Fragments stand behind "Why: " and end without a full stop.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tamis.contract.filter import Filter
from tamis.judging.verdict import SCORE
from tamis.language.translation import marked

TOTAL = marked("several small signs of unwanted mail add up")
UNKNOWN = marked("a filter here took it for unwanted mail")
"""Of a filter that gives no reason, or is no longer installed."""


def plain_reason(decided_by: str, filters: Iterable[Filter[Any]]) -> str:
    """The English fragment for what decided (`Verdict.decided_by`); translated where it is shown."""
    if decided_by == SCORE:
        return TOTAL
    return next((one.plain_reason for one in filters if one.name == decided_by), "") or UNKNOWN
