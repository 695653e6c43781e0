"""When a circuit breaker leaves a part out. Apart from `breaker`, so that who reads settings loads no event loop."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BreakerLimits:
    """After how many failures in a row a part is left out, for how many seconds at first, and at the longest."""

    failures: int = 5
    pause: float = 10.0
    longest: float = 60.0


DEFAULT_LIMITS = BreakerLimits()
