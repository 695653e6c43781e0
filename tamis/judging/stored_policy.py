"""What the durable store says of policy and lists, and how it lies on top of the settings file. Plain data: who only
reads or changes the store needs nothing of what a site is compiled with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from tamis.base.errors import ConfigError
from tamis.contract.lists import Entry
from tamis.message.address import PLATFORM, address_key, domain_key

if TYPE_CHECKING:
    from tamis.settings import Layers  # with its models, most of what a start costs


@dataclass(frozen=True, slots=True)
class Override:
    """One setting of the durable store, on top of the file: `key` is dotted, `value` is JSON; None, which none has,
    takes it back where changes are named."""

    scope: str
    key: str
    value: Any


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the durable store says of policy and lists at one revision. `mark` is that revision's own: no other change,
    in whatever store, has it; "" when it is not known."""

    revision: int = 0
    overrides: tuple[Override, ...] = ()
    entries: tuple[Entry, ...] = ()
    mark: str = ""


Overridden = Mapping[str, Mapping[str, Any]]
"""The store's settings by scope and key."""


@dataclass(frozen=True, slots=True)
class Delta:
    """What changed in the durable store between two revisions: entries as they are at the second, ids of those that are
    gone, and all overrides, perhaps none, of each scope of which one changed."""

    since: int
    revision: int
    mark: str
    entries: tuple[Entry, ...] = ()
    gone: tuple[int, ...] = ()
    scopes: Overridden = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many entries and scopes are in it."""
        return len(self.entries) + len(self.gone) + len(self.scopes)


def by_scope(overrides: Iterable[Override]) -> Overridden:
    """Overrides by scope and key."""
    found: dict[str, dict[str, Any]] = {}
    for one in overrides:
        found.setdefault(one.scope, {})[one.key] = one.value
    return found


def in_order(overrides: Overridden) -> tuple[Override, ...]:
    """The same, one after the other, by scope and key."""
    return tuple(
        Override(scope, key, value)
        for scope, own in sorted(overrides.items())
        for key, value in sorted(own.items(), key=itemgetter(0))
    )


def with_changes(stored: Iterable[Override], changes: Sequence[Override]) -> list[Override]:
    """The overrides after some changes, of which a value None takes one back."""
    changed = {(one.scope, one.key) for one in changes}
    kept = [one for one in stored if (one.scope, one.key) not in changed]
    last = {(one.scope, one.key): one for one in changes}
    return [*kept, *(one for one in last.values() if one.value is not None)]


def with_overrides(layers: Layers, overrides: Sequence[Override]) -> Layers:
    """The file's layers with the store's settings on top. Raises ConfigError where a key has no place."""
    merged: dict[str, dict[str, Any]] = {scope: _deep(layer) for scope, layer in layers.items()}
    for override in overrides:
        node: dict[str, Any] = merged.setdefault(scope_key(override.scope), {})
        *path, last = override.key.split(".")
        for step in path:
            node = node.setdefault(step, {})
            if not isinstance(node, dict):
                raise ConfigError("store", f"{override.scope} {override.key}", "no such setting")
        node[last] = override.value
    return merged


def scope_key(scope: str) -> str:
    """A scope in its comparing form: "platform", a domain, or a mailbox."""
    if scope == PLATFORM:
        return PLATFORM
    return address_key(scope) if "@" in scope else domain_key(scope)


def _deep(layer: Mapping[str, Any]) -> dict[str, Any]:
    return {k: _deep(v) if isinstance(v, Mapping) else v for k, v in layer.items()}
