"""What a message is for sure, by other evidence than the statistics: what S27 may learn without anybody's report.

S27's own opinion counts for neither side, so that it never learns what it taught itself. A stranger decides neither by
himself: others put him on lists, and only an own user or an answered challenge earns a sender his place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal

from tamis.contract.filter import Effect, Opinion
from tamis.contract.finding import Finding
from tamis.judging.plan import Judged
from tamis.judging.verdict import Decision, Verdict

LISTS: Final = frozenset({"dnsbl", "uribl"})
"""Filters that say what outside lists say (S17, S24)."""
EARNED: Final = frozenset({"automatic_whitelist", "authenticated_automatic_whitelist"})
"""Filters that let in whom the domain wrote to, or whose challenge was answered (S7, S7b)."""
_STATISTICAL: Final = frozenset({"statistics", "spamassassin"})
"""Filters that learn by themselves, here or elsewhere."""
_AGAINST = 3
"""Filters that must have something against a message that is spam for sure."""
_TIMES = 2.0
"""How many times what is `required` their points must make."""


def evident(judged: Iterable[Judged], findings: Mapping[str, Finding]) -> Literal["spam", "ham"] | None:
    """What a message is for all of its recipients; None where that is not sure."""
    verdicts = [one.verdict for one in judged]
    if not verdicts:
        return None
    if all(map(_is_spam, verdicts)):
        return "spam"
    spf = findings.get("spf")
    is_sender = spf is not None and spf.facts.get("result") == "pass"
    return "ham" if is_sender and all(map(_is_ham, verdicts)) else None


def _is_spam(verdict: Verdict) -> bool:
    """Several filters, lists and others among them, say so, and make much more than what would be enough."""
    if verdict.accepted_by_list:
        return False
    said = list(_against(verdict))
    listed = sum(one.filter in LISTS for one in said)
    points = sum(verdict.required if one.effect is Effect.SPAM else one.points for one in said)
    return len(said) >= _AGAINST and 0 < listed < len(said) and points >= _TIMES * verdict.required


def _is_ham(verdict: Verdict) -> bool:
    """Its sender earned his place, and no filter has anything against it."""
    accepted = verdict.decision is Decision.HAM and verdict.decided_by in EARNED
    return accepted and not any(_against(verdict))


def _against(verdict: Verdict) -> Iterable[Opinion]:
    for one in verdict.opinions:
        if one.filter in _STATISTICAL or one.shadow:
            continue
        if one.effect is Effect.SPAM or (one.effect is Effect.SCORE and one.points > 0):
            yield one
