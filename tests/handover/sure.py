"""Verdicts as other filters' opinions make them, for what is learned from them."""

from __future__ import annotations

from collections.abc import Sequence

from tamis.contract.filter import Effect, Opinion
from tamis.contract.finding import Status
from tamis.judging.plan import Judged
from tamis.judging.policy import Policy
from tamis.judging.policy_terms import Terms
from tamis.judging.verdict import SCORE, Decision, Verdict

REQUIRED = 7.5
_POLICY = Policy("marie@example.com", ("marie@example.com",), Terms(), forward=False, rules=())


def said(name: str, points: float = 0.0, *, effect: Effect = Effect.SCORE, shadow: bool = False) -> Opinion:
    """A filter's opinion of a hit."""
    return Opinion(name, "S0", Status.HIT, effect, points, "", shadow)


def judged_as(opinions: Sequence[Opinion], *, accepted_by: str = "") -> Judged:
    """One recipient's part, with these opinions, let in by a filter or not."""
    decisive = [one.filter for one in opinions if one.effect is Effect.SPAM and not one.shadow]
    total = sum(one.points for one in opinions if one.effect is Effect.SCORE and not one.shadow)
    by = accepted_by or (decisive[0] if decisive else SCORE if total >= REQUIRED else "")
    decision = Decision.SPAM if by and not accepted_by else Decision.HAM
    verdict = Verdict(_POLICY.recipient, decision, by, "", total, REQUIRED, tuple(opinions))
    return Judged(verdict, _POLICY, ())
