"""Trying to prove something: wrong attempts count, right ones don't."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tamis.web.rate_limits import Limit, TooManyError
from tamis.web.visit import Visit


@dataclass(slots=True)
class ProofAttempt:
    """One attempt; whoever tries says whether it was wrong."""

    wrong: bool = False


@contextmanager
def attempt(visit: Visit, *limits: tuple[Limit, str]) -> Iterator[ProofAttempt]:
    """Try within limits, each counted for somebody. Raises TooManyError when one is reached.

    It counts before it is tried: of many at once no more get through than one by one. What was not wrong, or could not
    be tried, is given back.
    """
    state = visit.house.state
    if any(visit.wait(limit.reached, state, who) for limit, who in limits):
        raise TooManyError("too many wrong attempts")
    for limit, who in limits:
        visit.spend(limit, who)
    tried = ProofAttempt()
    try:
        yield tried
    finally:
        if not tried.wrong:
            for limit, who in limits:
                visit.wait(limit.count, state, who, -1)
