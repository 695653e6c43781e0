"""Layers of policy, nearest first, as they count together: what one fixes, none below it can set. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tamis.settings import Layers

FIXED, LOCKED = "fixed", "locked"
DEFAULT = "default"
"""Where a value comes from that nobody set."""

Layered = list[tuple[str, Mapping[str, Any]]]
"""Layers with their scopes, the nearest first."""


def effective(layers: Layers, scopes: Sequence[str]) -> Layered:
    """The layers of these scopes (nearest first) without the settings that one further up fixes."""
    if not any(FIXED in layers[scope] for scope in scopes[1:]):
        return [(scope, layers[scope]) for scope in scopes]
    fixed: list[str] = []
    found: Layered = []
    for scope in reversed(scopes):
        layer = layers[scope]
        found.insert(0, (scope, _without(layer, fixed) if fixed else layer))
        fixed += _names(layer.get(FIXED, ()))
    return found


def is_fixed(key: str, fixed: Any) -> bool:
    """Whether a setting is among the fixed ones: by its own name or by its filter's."""
    return any(key == one or key.startswith(f"{one}.") for one in _names(fixed))


def opens_lock(key: str, value: Any) -> bool:
    """Whether a change could open a locked mailbox (Q9), which on the pages only its owner may."""
    return key == LOCKED and value is not True


def origin(layers: Layered, key: str) -> str:
    """The nearest scope that sets a dotted key, or DEFAULT."""
    return next((scope for scope, layer in layers if _value(layer, key) is not None), DEFAULT)


def flat(layer: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """A layer's settings by their dotted keys."""
    for key, value in layer.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def _value(layer: Mapping[str, Any], key: str) -> Any:
    node: Any = layer
    for step in key.split("."):
        node = node.get(step) if isinstance(node, Mapping) else None
    return node


def _names(fixed: Any) -> list[str]:
    """What a layer fixes, before anybody has found that good."""
    return [one for one in fixed if isinstance(one, str)] if isinstance(fixed, list | tuple) else []


def _without(layer: Mapping[str, Any], fixed: Sequence[str], before: str = "") -> Mapping[str, Any]:
    left: dict[str, Any] = {}
    for key, value in layer.items():
        path = f"{before}{key}"
        if not is_fixed(path, fixed):
            left[key] = _without(value, fixed, f"{path}.") if isinstance(value, Mapping) else value
    return left
