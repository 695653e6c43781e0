"""What somebody meant who named a setting of policy that there is not. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tamis.base.errors import ConfigError, nearest_name
from tamis.contract.filter import Filter
from tamis.judging.policy_terms import Terms
from tamis.judging.stored_policy import Override


def nearest_key(key: str, filters: Iterable[Filter[Any]]) -> str:
    """The key of a policy that looks most like `key`, "" when none does: `filters.cyrillic.state` for "cyrillic"."""
    options = {one.name: list(one.options.model_fields) for one in filters}
    keys = [*Terms.model_fields, *(f"filters.{name}.{one}" for name, own in options.items() for one in own)]
    *before, last = key.split(".")
    for part in (*before, last):
        name = part if part in options else nearest_name(part, options)
        if name and part != "filters":
            option = nearest_name(last, options[name]) if before else ""
            return f"filters.{name}.{option or 'state'}"
    return nearest_name(key, keys)


def refused_override(one: Override, error: ConfigError, filters: Iterable[Filter[Any]]) -> ConfigError:
    """Why a setting of policy can't be used, with the nearest whole key; the same error where it is about another."""
    steps = one.key.split(".")
    if not any(error.key.endswith(".".join(steps[:length])) for length in range(1, len(steps) + 1)):
        return error
    nearest = error.nearest if error.value is not None else nearest_key(one.key, filters)
    return ConfigError("not set", error.key, error.problem, value=error.value, nearest=nearest)
