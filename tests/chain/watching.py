"""Filters that are watched: which services does each of them ask?"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from typing import Any, cast

from tamis.contract.filter import Filter, Message
from tamis.contract.finding import Finding
from tamis.contract.service_protocols import NAMES, Services


class _Watched:
    """Services that write down which of them were wanted."""

    def __init__(self, services: Services, wanted: set[str]) -> None:
        self._services = services
        self._wanted = wanted

    def __getattr__(self, name: str) -> Any:
        if name in NAMES:
            self._wanted.add(name)
        return getattr(self._services, name)


def watching(filters: Sequence[Filter[Any]], asked: dict[str, set[str]]) -> tuple[Filter[Any], ...]:
    """The same filters; `asked` gets the services that each asks while it examines."""
    return tuple(_watching(one, asked.setdefault(one.name, set())) for one in filters)


def _watching(one: Filter[Any], wanted: set[str]) -> Filter[Any]:
    def with_watch(message: Message) -> Message:
        return replace(message, services=cast("Services", _Watched(message.services, wanted)))

    def examine(message: Message) -> Finding | Awaitable[Finding]:
        given = with_watch(message)
        found = one.examine(given)
        message.seen = given.seen  # what S22 read is told in the message
        return found

    async def examine_async(message: Message) -> Finding:
        given = with_watch(message)
        found = one.examine(given)
        finding = await found if inspect.isawaitable(found) else found
        message.seen = given.seen
        return finding

    watched = copy.copy(one)
    waits = inspect.iscoroutinefunction(one.examine)
    object.__setattr__(watched, "examine", examine_async if waits else examine)
    return watched
