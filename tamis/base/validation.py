"""Pydantic's complaints turned into ours: the source, the key, the value and the nearest valid name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from tamis.base.errors import ConfigError, nearest_name


def config_error(
    source: str,
    error: ValidationError,
    model: type[BaseModel],
    given: Mapping[str, Any],
    *,
    prefix: str = "",
) -> ConfigError:
    """The first thing that pydantic found wrong in `given`, as a ConfigError under `prefix`."""
    first = error.errors(include_url=False)[0]
    steps = [str(step) for step in first["loc"]]
    key = ".".join([prefix, *steps] if prefix else steps)
    if first["type"] == "extra_forbidden":
        valid = _names(model, steps[:-1])
        return ConfigError(source, key, "no such setting", nearest=nearest_name(steps[-1], valid))
    value: Any = given
    for step in first["loc"]:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            break
    nearest = ""
    if first["type"] in ("literal_error", "enum") and isinstance(value, str):
        expected = str(first.get("ctx", {}).get("expected", ""))
        nearest = nearest_name(value, [part for part in expected.split("'") if part.strip(" ,or")])
    if first["type"] in ("model_type", "dict_type", "model_attributes_type"):
        return ConfigError(source, key, "must be a table", value=value)
    message = first["msg"].removeprefix("Value error, ")
    return ConfigError(source, key, message[:1].lower() + message[1:], value=value, nearest=nearest)


def _names(model: type[BaseModel], steps: list[str]) -> list[str]:
    """The valid names at a place inside a model; [] where the place holds no model."""
    current: type[BaseModel] | None = model
    for step in steps:
        field = current.model_fields.get(step) if current else None
        current = _model_of(field.annotation) if field else None
    return list(current.model_fields) if current else []


def _model_of(annotation: Any) -> type[BaseModel] | None:
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None
