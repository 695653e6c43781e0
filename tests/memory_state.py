"""A shared state for tests that tell the time themselves."""

from __future__ import annotations

from collections.abc import Sequence

from tamis.contract.service_protocols import KeptValue, SharedState


class MemoryState(SharedState):
    """The contract of SharedState in a dictionary; `now` is set by the test."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now
        self._kept: dict[str, tuple[str, float]] = {}
        self._counts: dict[str, list[tuple[float, int]]] = {}
        self._members: dict[str, dict[str, float]] = {}

    async def get(self, key: str) -> str | None:
        value, expires = self._kept.get(key, ("", self.now))
        return value if expires > self.now else None

    async def put(self, key: str, value: str, seconds: float) -> None:
        self._kept[key] = (value, self.now + seconds)

    async def put_new(self, key: str, value: str, seconds: float) -> bool:
        if await self.get(key) is not None:
            return False
        await self.put(key, value, seconds)
        return True

    async def drop(self, key: str) -> None:
        for one in (self._kept, self._counts, self._members):
            one.pop(key, None)

    async def count(self, key: str, seconds: float, amount: int = 1) -> int:
        self._counts.setdefault(key, []).append((self.now, amount))
        return sum(number for at, number in self._counts[key] if at > self.now - seconds)

    async def distinct_within(
        self, key: str, members: Sequence[str], windows: Sequence[float]
    ) -> tuple[int, ...]:
        held = self._members.setdefault(key, {})
        held.update(dict.fromkeys(members, self.now))
        return tuple(sum(at > self.now - window for at in held.values()) for window in windows)

    async def find(self, prefix: str, limit: int = 1000) -> list[KeptValue]:
        return [
            KeptValue(key, value, expires - self.now)
            for key, (value, expires) in sorted(self._kept.items())
            if key.startswith(prefix) and expires > self.now
        ][:limit]

    async def close(self) -> None:
        """Nothing is open."""
