"""What failed and is not tried again just yet, so that it holds up nothing else; a restart tries it again."""

from __future__ import annotations

import time
from collections.abc import Callable


class PutOff:
    """Names of things to do that failed. Each waits `first` seconds, then twice as long every time, `most` at most."""

    def __init__(self, first: float, most: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._first, self._most, self._clock = first, most, clock
        self._until: dict[str, tuple[float, float]] = {}

    def failed(self, name: str) -> None:
        """It failed now."""
        now = self._clock()
        # what was long due and did not fail again is done, or gone
        self._until = {k: v for k, v in self._until.items() if v[0] + 2 * self._most > now}
        waited = self._until[name][1] if name in self._until else self._first / 2
        wait = min(2 * waited, self._most)
        self._until[name] = (now + wait, wait)

    def waits(self, name: str) -> bool:
        """Whether it is too early to try it again."""
        return name in self._until and self._clock() < self._until[name][0]
