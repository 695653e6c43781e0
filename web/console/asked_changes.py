"""Which changes of policy a request asks for, in the scope that is looked at and in no other.

set=KEY=VALUE, reset=KEY            in an address, so that a try can be sent to a colleague, and in forms
now.KEY=VALUE beside was.KEY=VALUE  a form's fields: what differs is meant
key=KEY, value=VALUE                one more setting
toml=TEXT                           a table of settings
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tamis.base.errors import ConfigError
from tamis.base.toml_text import toml_value
from tamis.database.overrides import parse_value
from tamis.judging.nearest_keys import refused_override
from tamis.judging.policy_layers import flat, opens_lock
from tamis.judging.policy_settings import PolicySetting, settings_of, value_text
from tamis.judging.stored_policy import Override, with_changes
from tamis.language.translation import marked
from tamis.message.address import PLATFORM
from tamis.web.console.console import Console
from tamis.web.typed_numbers import typed_number

MOST = 100
"""Changes of one request; beyond: refused, with a sentence."""
TOO_MANY = marked("Too many changes at once: import them in parts.")
STAYS_LOCKED = marked("what is locked can be opened only by the mailbox itself, or on the command line")


@dataclass(frozen=True, slots=True)
class RefusedChange:
    """Why a change can't be made: the setting, what is wrong with it (in English, as the library says it), and the
    nearest valid name."""

    key: str
    value: str
    problem: str
    nearest: str = ""


@dataclass(frozen=True, slots=True)
class AskedChanges:
    """The changes that are asked for, all of them good together unless some are `refused`."""

    changes: tuple[Override, ...]
    refused: tuple[RefusedChange, ...] = ()
    base: int = 0
    """The version of policy that they were made of."""

    @property
    def query(self) -> list[tuple[str, str]]:
        """As they stand in addresses and forms."""
        return [
            ("reset", one.key) if one.value is None else ("set", f"{one.key}={value_text(one.value)}")
            for one in self.changes
        ]


def asked_changes(console: Console) -> AskedChanges:
    """What the address and the form ask for. What changes nothing is left out."""
    known = {one.key: one for one in settings_of(console.site.book, console.scope)}
    wanted: dict[str, Any] = {}
    refused: list[RefusedChange] = []
    for key, text in _asked(console, known, refused):
        if text is None:
            wanted[key] = None
            continue
        try:
            wanted[key] = parse_value(text.strip())
        except ConfigError as error:
            refused.append(RefusedChange(key, text, error.problem))
    return checked_changes(console, wanted, refused)


def checked_changes(
    console: Console, wanted: Mapping[str, Any], refused: Sequence[RefusedChange] = ()
) -> AskedChanges:
    """Settings of the scope that is looked at, None to take one back, as changes of it; what was refused before is
    refused as well."""
    known = {one.key: one for one in settings_of(console.site.book, console.scope)}
    changes = tuple(
        Override(console.scope, key, value)
        for key, value in wanted.items()
        if _differs(known.get(key), value)
    )
    base = console.visit.field("base") or console.visit.query("base")
    number = typed_number(base)
    newest = console.visit.store.overrides.versions.newest()
    if len(changes) > MOST:
        return AskedChanges((), (RefusedChange("", "", TOO_MANY),), newest)
    locked = [
        RefusedChange(one.key, "", STAYS_LOCKED)
        for one in changes
        if opens_lock(one.key, one.value) and one.scope != console.holder.mailbox
    ]
    return AskedChanges(
        changes, (*refused, *locked, *_refused(console, changes)), newest if number is None else number
    )


def _asked(
    console: Console, known: dict[str, PolicySetting], refused: list[RefusedChange]
) -> Iterator[tuple[str, str | None]]:
    visit = console.visit
    params = visit.request.query_params
    for one in [*params.getlist("set"), *visit.fields("set")]:
        key, equals, value = one.partition("=")
        if key.strip() and equals:
            yield key.strip(), value
    form = visit.request.state.form
    for name, values in form.items():
        key = name.removeprefix("now.")
        if key != name and values and values[0] != next(iter(form.get(f"was.{key}", [""])), ""):
            yield key, values[0]
    if visit.field("key").strip():
        yield visit.field("key").strip(), visit.field("value")
    if visit.field("toml").strip():
        yield from _table(visit.field("toml"), refused)
    for key in [*params.getlist("reset"), *visit.fields("reset")]:
        if key.strip():
            yield key.strip(), None


def _table(text: str, refused: list[RefusedChange]) -> Iterator[tuple[str, str | None]]:
    try:
        table = tomllib.loads(text.replace("\r\n", "\n"))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        refused.append(RefusedChange("", "", str(error)))
        return
    for key, value in flat(table):
        yield key, toml_value(value) if isinstance(value, str | int | float | list) else str(value)


def _differs(known: PolicySetting | None, value: Any) -> bool:
    """Whether a change is one."""
    if known is None:
        return True
    return known.here if value is None else bool(known.value != value)


def _refused(console: Console, changes: Sequence[Override]) -> list[RefusedChange]:
    """What can't be used: each by itself, else all of them together."""
    stored = [one.override for one in console.visit.store.overrides.list()]
    together = _problem(console, stored, changes)
    if together is None:
        return []
    alone = [found for one in changes if (found := _problem(console, stored, [one])) is not None]
    return alone or [together]


def _problem(console: Console, stored: Sequence[Override], tried: Sequence[Override]) -> RefusedChange | None:
    scope = console.scope
    concerned = [
        one for one in with_changes(stored, tried) if scope == PLATFORM or one.scope in (PLATFORM, scope)
    ]
    try:
        console.visit.house.check(scope, concerned, [one for one in tried if one.value is not None])
    except ConfigError as error:
        told = refused_override(tried[0], error, console.site.filters) if len(tried) == 1 else error
        value = "" if told.value is None else str(told.value)
        return RefusedChange(tried[0].key if len(tried) == 1 else told.key, value, told.problem, told.nearest)
    return None
