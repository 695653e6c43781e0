"""`tamis settings`: every setting there is, with its default, what it may be, and its help."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import Enum
from itertools import groupby
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, get_args, get_origin

import click
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from tamis.cli.context import Context, json_option
from tamis.cli.terminal import print_json
from tamis.contract.filter import ALLOWED_EFFECTS, Effect, Filter, State
from tamis.judging.policy_terms import Terms
from tamis.settings import DomainName, LookupTable, Network, Settings, Socket


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: `table` and `name` are its place in the file, `default` is written as in TOML."""

    table: str
    name: str
    default: str
    values: str
    help: str

    @property
    def key(self) -> str:
        """The dotted key."""
        return f"{self.table}.{self.name}" if self.table else self.name


@click.command()
@json_option
@click.option("--markdown", is_flag=True, help="Print Markdown tables, as in docs/settings.md.")
@click.pass_obj
def settings(context: Context, as_json: bool, markdown: bool) -> None:
    """List every setting with its default, type, range and help.

    Only the installed filters are read; `tamis policy show` shows what is in force.
    """
    found = all_settings(context.filters)
    if as_json:
        print_json([asdict(one) | {"key": one.key} for one in found])
    elif markdown:
        click.echo("\n".join(markdown_tables(found)))
    else:
        for one in found:
            click.echo(f"{one.key} = {one.default}\n    {one.values.replace('`', '')}: {one.help}")


def all_settings(filters: Iterable[Filter[Any]]) -> list[Setting]:
    """The settings of the file, those of policy, and those of each filter, in this order."""
    found = [*_of_model(Settings, ""), *_of_model(Terms, "policy")]
    for one in filters:
        found += filter_settings(one)
    return found


def filter_settings(one: Filter[Any]) -> list[Setting]:
    """What policy can set for one filter; its own defaults, and the effects that its kind allows."""
    defaults: dict[str, Enum] = {"state": one.state, "effect": one.effect}
    choices: dict[str, list[str]] = {
        "state": [str(s) for s in State if one.switchable or s is State.ON],
        "effect": [str(e) for e in Effect if e in ALLOWED_EFFECTS[one.effect]],
    }
    return [
        Setting(
            f"policy.filters.{one.name}",
            name,
            toml(defaults[name].value if name in defaults else field.default),
            _one_of(choices[name]) if name in choices else _values(field),
            field.description or "",
        )
        for name, field in one.options.model_fields.items()
    ]


def markdown_tables(found: Iterable[Setting], *, level: int = 2) -> Iterator[str]:
    """A heading and a table for each table of the settings file."""
    for table, members in groupby(found, key=lambda one: one.table):
        yield f"{'#' * level} {f'`[{table}]`' if table else 'Top of the file'}\n"
        yield from markdown_table(members)
        yield ""


def markdown_table(members: Iterable[Setting]) -> Iterator[str]:
    """The lines of one table."""
    yield "| key | default | values | meaning |"
    yield "|---|---|---|---|"
    for one in members:
        default = one.default if one.default == _BY_MACHINE else f"`{one.default}`"
        cells = (f"`{one.name}`", default, one.values, one.help)
        yield "| " + " | ".join(cell.replace("|", "\\|").replace("<", "&lt;") for cell in cells) + " |"


def toml(value: Any) -> str:
    """A default as it would stand in the settings file."""
    return json.dumps(value, ensure_ascii=False, default=str)


_BY_MACHINE = "depends on the machine"


def _of_model(model: type[BaseModel], table: str) -> Iterator[Setting]:
    """The settings of a model, those of nested tables after its own."""
    nested: list[tuple[type[BaseModel], str]] = []
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            nested.append((inner, f"{table}.{name}" if table else name))
            continue
        default = _BY_MACHINE if field.default_factory else toml(field.default)
        yield Setting(table, name, default, _values(field), field.description or "")
    for inner, place in nested:
        yield from _of_model(inner, place)


_TYPES = MappingProxyType(
    {bool: "true or false", int: "whole number", float: "number", str: "text", Path: "path"}
)
_KINDS = MappingProxyType(
    {
        get_args(Socket)[1]: "`unix:/PATH`, `inet:IP:PORT` or `inet6:[IP]:PORT`",
        get_args(LookupTable)[1]: "a text file's path, or `TYPE:NAME`",
        get_args(Network)[1]: "IP address or network",
        get_args(DomainName)[1]: "domain",
    }
)
"""Texts that a validator of their own looks at."""
_BOUNDS = MappingProxyType(
    {
        "gt": "more than {}",
        "ge": "at least {}",
        "lt": "less than {}",
        "le": "at most {}",
        "min_length": "{} or more characters",
        "max_length": "at most {} characters",
        "pattern": "of the form `{}`",
    }
)


def _values(field: FieldInfo) -> str:
    kinds = [_KINDS[one] for one in field.metadata if one in _KINDS]
    return ", ".join([*(kinds or [_type(field.annotation)]), *_bounds(field.metadata)])


def _type(annotation: Any) -> str:
    """What a value may be, in words."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        bounds = [text for one in inner[1:] for text in _bounds(getattr(one, "metadata", ()))]
        kinds = [_KINDS[one] for one in inner[1:] if one in _KINDS]
        return ", ".join([*(kinds or [_type(inner[0])]), *bounds])
    if origin is Literal:
        return _one_of(inner)
    if origin is tuple:
        return f"list of {_type(inner[0])}"
    if origin is dict:
        return f"table of {_type(inner[1])}"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return _one_of(str(one.value) for one in annotation)
    return _TYPES.get(annotation, "text")


def _one_of(choices: Iterable[str]) -> str:
    return " or ".join(f'`"{choice}"`' for choice in choices)


def _bounds(metadata: Iterable[Any]) -> Iterator[str]:
    for one in metadata:
        for name, words in _BOUNDS.items():
            bound = getattr(one, name, None)
            if bound is not None:
                yield words.format(bound)
