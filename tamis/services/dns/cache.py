"""What the DNS said lately: bounded in entries and in characters, each entry for its time to live."""

from __future__ import annotations

from collections import OrderedDict

from tamis.base.errors import ServiceError
from tamis.contract.service_protocols import Answer

CacheKey = tuple[str, str]
"""Name and type."""

LEAST_TTL, MOST_TTL, MOST_NEGATIVE_TTL = 5.0, 3600.0, 900.0
"""Seconds: between these an answer is kept (RFC 2308 5 asks for a bound on negative ones)."""
FAILURE_TTL = 5.0
"""Seconds for which a failure is remembered (RFC 2308 7.1 allows 300)."""

_CHARACTERS_PER_ENTRY = 400  # on average; the bound is on the sum


class Cache:
    """Answers and failures by question, the least lately used ones dropped first."""

    def __init__(self, entries: int) -> None:
        self._entries = entries
        self._room = entries * _CHARACTERS_PER_ENTRY
        self._held: OrderedDict[CacheKey, tuple[float, int, Answer | ServiceError]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def get(self, key: CacheKey, now: float) -> Answer | ServiceError | None:
        """What is still fresh at `now` (time.monotonic). In any thread; all else is for one thread only."""
        held = self._held.get(key)
        if held is None or now >= held[0]:
            return None
        try:  # noqa: SIM105 - which costs as much as all the rest
            self._held.move_to_end(key)
        except KeyError:  # dropped just now
            pass
        return held[2]

    def put(self, key: CacheKey, answer: Answer | ServiceError, now: float, seconds: float | None) -> None:
        """Keep an answer; `seconds` is its time to live, None when it has none."""
        self._drop(key)
        if isinstance(answer, ServiceError):
            seconds = FAILURE_TTL
        elif seconds is None:
            return
        else:
            most = MOST_TTL if answer.records else MOST_NEGATIVE_TTL
            seconds = min(max(seconds, LEAST_TTL), most)
        said = answer.records if isinstance(answer, Answer) else (str(answer),)
        size = sum(map(len, key + said))
        self._held[key] = (now + seconds, size, answer)
        self._room -= size
        while self._held and (len(self._held) > self._entries or self._room < 0):
            self._room += self._held.popitem(last=False)[1][1]

    def _drop(self, key: CacheKey) -> None:
        held = self._held.pop(key, None)
        if held is not None:
            self._room += held[1]
