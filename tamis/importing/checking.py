"""Whether a setting would be taken: each is tried by itself, as the settings file and policy are read."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from tamis.base.errors import ConfigError
from tamis.base.toml_text import toml_value
from tamis.base.validation import config_error
from tamis.contract.filter import Filter
from tamis.importing.gathering import SettingCheck
from tamis.judging.policy import PolicyBook
from tamis.judging.stored_policy import Override, with_overrides
from tamis.message.address import PLATFORM
from tamis.settings import Settings


def setting_check(filters: Sequence[Filter[Any]]) -> SettingCheck:
    """What says why a setting can't be: key and value are tried alone; a scope only says that it is policy."""

    @lru_cache(maxsize=4096)
    def problem(key: str, written: str, is_policy: bool) -> str:
        value = values[written]
        try:
            if is_policy:
                PolicyBook(filters, with_overrides({}, [Override(PLATFORM, key, value)]))
            else:
                data: dict[str, Any] = {}
                inner = data
                *tables, name = key.split(".")
                for table in tables:
                    inner = inner.setdefault(table, {})
                inner[name] = value
                Settings.model_validate(data)
        except ConfigError as error:
            return error.problem
        except ValidationError as error:
            return config_error("", error, Settings, data).problem
        return ""

    values: dict[str, Any] = {}

    def check(scope: str, key: str, value: Any) -> str:
        written = toml_value(value)
        values[written] = value
        return problem(key, written, bool(scope))

    return check
