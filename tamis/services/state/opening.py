"""The shared state of a process: which backend the settings name, and a view that changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tamis.base.breaker import Breakers
from tamis.contract.service_protocols import KeptValue, SharedState
from tamis.settings import Settings

PART = "shared state"
"""What its breaker is called."""


def open_state(settings: Settings, breakers: Breakers | None = None) -> SharedState:
    """The backend of `state.url`. Connects to nothing before its first call, so that it may be made before a fork."""
    breaker = (breakers or Breakers(settings.breakers.limits)).part(PART)
    if settings.state.url:
        from tamis.services.state.redis_state import RedisState  # noqa: PLC0415 - most installations have no Redis

        return RedisState(settings.state.url, wait=settings.state.wait, breaker=breaker)
    from tamis.services.state.sqlite_state import SQLiteState  # noqa: PLC0415 - see above

    return SQLiteState(
        settings.state_file,
        wait=settings.state.wait,
        max_octets=settings.state.max_megabytes << 20,
        breaker=breaker,
    )


def observe_state(settings: Settings, breakers: Breakers | None = None) -> SharedState:
    """The daemon's state as `tamis scan` looks at it: what a scan would add is left out."""
    if not settings.state.url and not settings.state_file.exists():
        from tamis.services.state.sqlite_state import SQLiteState  # noqa: PLC0415 - see above

        return SQLiteState(Path(":memory:"), wait=settings.state.wait)
    return Observed(open_state(settings, breakers))


class Observed(SharedState):
    """Another state, of which nothing is changed."""

    def __init__(self, state: SharedState) -> None:
        self._state = state

    async def get(self, key: str) -> str | None:
        """As it is."""
        return await self._state.get(key)

    async def put(self, key: str, value: str, seconds: float) -> None:
        """Nothing."""

    async def put_new(self, key: str, value: str, seconds: float) -> bool:
        """Whether it would be set."""
        return await self._state.get(key) is None

    async def drop(self, key: str) -> None:
        """Nothing."""

    async def count(self, key: str, seconds: float, amount: int = 1) -> int:
        """The count as it stands."""
        return await self._state.count(key, seconds, 0)

    async def distinct(self, key: str, members: Sequence[str], seconds: float) -> int:
        """The number as it stands."""
        return await self._state.distinct(key, (), seconds)

    async def distinct_within(
        self, key: str, members: Sequence[str], windows: Sequence[float]
    ) -> tuple[int, ...]:
        """The numbers as they stand."""
        return await self._state.distinct_within(key, (), windows)

    async def find(self, prefix: str, limit: int = 1000) -> list[KeptValue]:
        """As it is."""
        return await self._state.find(prefix, limit)

    async def close(self) -> None:
        """Let the other one's connections go."""
        await self._state.close()
