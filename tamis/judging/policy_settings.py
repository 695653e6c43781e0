"""Every setting that policy has in a scope: its value, where that comes from, what it may be, what it means. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from tamis.base.toml_text import toml_value
from tamis.contract.filter import ALLOWED_EFFECTS, Effect, Filter, State
from tamis.judging.policy import PolicyBook
from tamis.judging.policy_terms import Terms


@dataclass(frozen=True, slots=True)
class PolicySetting:
    """A setting as a scope has it. `here` says that it is set in this scope itself; `origin` and `inherited_origin` are
    scopes or "default"; `fixed_by` is a scope above that fixes it, "" for none; `choices` are all that it may be, none
    where that is a number or a text."""

    key: str
    filter: str
    value: Any
    origin: str
    inherited: Any
    inherited_origin: str
    here: bool
    fixed_by: str
    help: str
    choices: tuple[str, ...] = ()
    is_number: bool = False

    @property
    def name(self) -> str:
        """Its own name, without its filter's."""
        return self.key.rpartition(".")[2]

    @property
    def text(self) -> str:
        """Its value, as somebody types it."""
        return value_text(self.value)

    def has(self, words: str) -> bool:
        """Whether all of these words stand in its key or its help."""
        here = f"{self.key.replace('_', ' ')} {self.key} {self.help}".casefold()
        return all(word in here for word in words.casefold().split())


def value_text(value: Any) -> str:
    """A value as `tamis.database.overrides.parse_value` reads it; words without quotes where they are plain."""
    if (
        isinstance(value, str)
        and value.replace("_", "").replace("-", "").isalnum()
        and not value[0].isdigit()
    ):
        return value if value not in ("true", "false", "inf", "nan") else toml_value(value)
    return toml_value(value)


def settings_of(book: PolicyBook, scope: str) -> Iterator[PolicySetting]:
    """The terms, then each filter's options in chain order, as they are in a scope."""
    here, above = book.show("" if "@" not in scope and "." not in scope else scope), book.show_above(scope)

    def setting(key: str, field: FieldInfo, one: Filter[Any] | None) -> PolicySetting:
        value, origin = here[key]
        inherited, inherited_origin = above[key]
        return PolicySetting(
            key=key,
            filter=one.name if one else "",
            value=value,
            origin=origin,
            inherited=inherited,
            inherited_origin=inherited_origin,
            here=origin == scope,
            fixed_by=book.fixed_above(scope, key),
            help=field.description or "",
            choices=_choices(key, field, one),
            is_number=field.annotation in (int, float),
        )

    for name, field in Terms.model_fields.items():
        yield setting(name, field, None)
    for one in book.filters:
        for name, field in one.options.model_fields.items():
            yield setting(f"filters.{one.name}.{name}", field, one)


def _choices(key: str, field: FieldInfo, one: Filter[Any] | None) -> tuple[str, ...]:
    name = key.rpartition(".")[2]
    if one is not None and name == "state":
        return tuple(str(state) for state in State if one.switchable or state is State.ON)
    if one is not None and name == "effect":
        return tuple(str(effect) for effect in Effect if effect in ALLOWED_EFFECTS[one.effect])
    if field.annotation is bool:
        return ("true", "false")
    if get_origin(field.annotation) is Literal:
        return tuple(map(str, get_args(field.annotation)))
    if isinstance(field.annotation, type) and issubclass(field.annotation, Enum):
        return tuple(str(one.value) for one in field.annotation)
    return ()
