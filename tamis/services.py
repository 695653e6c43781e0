"""What filters may wait on: services of the process, behind interfaces that know no library.

Each call may fail with an error of the tree in tamis.errors; a filter lets it through, and the chain makes it
`unavailable`. Nothing here blocks: all calls are awaited on the worker's event loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tamis.errors import ServiceError


@dataclass(frozen=True, slots=True)
class Answer:
    """What the DNS says of a name and a type (RFC 1035): the records' data in presentation form.

    `exists` is False for NXDOMAIN (RFC 2308); no records with `exists` is NODATA. TXT data are joined character strings
    (RFC 7208 3.3); names are lower case without the trailing dot; `ttl` is in seconds.
    """

    name: str
    rdtype: str
    records: tuple[str, ...] = ()
    exists: bool = True
    ttl: float = 0.0


class DNS(Protocol):
    """The resolver service."""

    async def query(self, name: str, rdtype: str) -> Answer:
        """The answer for a name and a type such as "A" or "TXT". Raises ServiceError when there is none in time."""

    async def queries(self, questions: Sequence[tuple[str, str]]) -> list[Answer | ServiceError]:
        """The answers to many questions asked at once, in order; those that got none as the error."""


@dataclass(frozen=True, slots=True, order=True)
class Kept:
    """A value of the shared state under its key, and the seconds that it will still be there."""

    key: str
    value: str
    seconds: float


MAX_KEY = 200
"""Characters of a key."""
MAX_MEMBERS = 10_000
"""Members of one set that are kept; further ones are not counted."""
WINDOW_SLOTS = 10
"""A counter's window slides in steps of this part of it."""


class SharedState(Protocol):
    """Hot, expiring state that all workers and hosts share: windows, counters, sets, caches.

    Keys are text of at most MAX_KEY characters; values are text; `seconds` is the time to live. A value, a counter and
    a set may have the same key. Every method raises ServiceError within a bounded time when the backend is lost, and
    works again as soon as that is back.
    """

    async def get(self, key: str) -> str | None:
        """The value, or None when there is none (any more)."""

    async def put(self, key: str, value: str, seconds: float) -> None:
        """Set a value for a time."""

    async def put_new(self, key: str, value: str, seconds: float) -> bool:
        """Set a value unless there is one; whether it was set. Atomic."""

    async def drop(self, key: str) -> None:
        """Forget a key of any kind."""

    async def count(self, key: str, seconds: float, amount: int = 1) -> int:
        """Add to a counter over a sliding window of about `seconds`; the count in the window."""

    async def distinct(self, key: str, members: Sequence[str], seconds: float) -> int:
        """Add members to a set over a sliding window of `seconds`; how many distinct ones are in it."""
        (number,) = await self.distinct_within(key, members, (seconds,))
        return number

    async def distinct_within(
        self, key: str, members: Sequence[str], windows: Sequence[float]
    ) -> tuple[int, ...]:
        """Add members to a set; how many distinct ones came within each of the windows (seconds)."""

    async def find(self, prefix: str, limit: int = 1000) -> list[Kept]:
        """Values whose keys begin so, by key: for people, not for the mail path."""

    async def close(self) -> None:
        """Let connections go; the next call would connect anew."""


class _NoDNS:
    async def query(self, name: str, rdtype: str) -> Answer:
        raise ServiceError(f"no DNS here to ask for {rdtype} of {name}")

    async def queries(self, questions: Sequence[tuple[str, str]]) -> list[Answer | ServiceError]:
        return [ServiceError("no DNS here") for _ in questions]


class _NoState:
    async def get(self, key: str) -> str | None:
        raise ServiceError(f"no shared state here for {key}")

    async def put(self, key: str, value: str, seconds: float) -> None:
        raise ServiceError(f"no shared state here for {key}")

    async def put_new(self, key: str, value: str, seconds: float) -> bool:
        raise ServiceError(f"no shared state here for {key}")

    async def drop(self, key: str) -> None:
        raise ServiceError(f"no shared state here for {key}")

    async def count(self, key: str, seconds: float, amount: int = 1) -> int:
        raise ServiceError(f"no shared state here for {key}")

    async def distinct(self, key: str, members: Sequence[str], seconds: float) -> int:
        raise ServiceError(f"no shared state here for {key}")

    async def distinct_within(
        self, key: str, members: Sequence[str], windows: Sequence[float]
    ) -> tuple[int, ...]:
        raise ServiceError(f"no shared state here for {key}")

    async def find(self, prefix: str, limit: int = 1000) -> list[Kept]:
        raise ServiceError(f"no shared state here for {prefix}")

    async def close(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Services:
    """The services of one process; a service that is not set up answers every call with ServiceError."""

    dns: DNS = field(default_factory=_NoDNS)
    state: SharedState = field(default_factory=_NoState)
