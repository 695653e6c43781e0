"""A settings file with other values: comments, order and the rest stay as the administrator wrote them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from tamis.base.errors import ConfigError


def with_values(text: str, source: str, values: Mapping[str, Any]) -> str:
    """`text` with values at dotted keys ("platform.domains"). Raises ConfigError when it is no TOML."""
    try:
        document: Any = tomlkit.parse(text)
    except TOMLKitError as error:
        raise ConfigError(source, "", f"is no TOML: {error}") from None
    for key, value in values.items():
        *tables, name = key.split(".")
        place = document
        for table in tables:
            if table not in place:
                place[table] = tomlkit.table()
            place = place[table]
        place[name] = value
    return tomlkit.dumps(document)
