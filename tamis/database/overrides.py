"""Policy settings in the store, on top of the settings file. None is stored that does not compile."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, delete, select
from sqlalchemy.orm import Session

from tamis.base.errors import ConfigError
from tamis.contract.filter import Filter
from tamis.database.connection import Database, audit, clean
from tamis.database.list_entries import changed
from tamis.database.schema import OverrideRow
from tamis.database.scope import parse_scope
from tamis.judging.policy import PolicyBook
from tamis.judging.site import Override, with_overrides
from tamis.message.address import PLATFORM
from tamis.settings import SettingsFile

Check = Callable[[str, Sequence[Override]], None]
"""Raises ConfigError when a scope's policy can't be built. It is given the overrides of that scope and of the platform,
under which it must stand; and all there are when the scope is the platform, under which everybody must."""


@dataclass(frozen=True, slots=True)
class StoredOverride:
    """An override with who set it and when."""

    override: Override
    author: str
    at: datetime


class Overrides:
    """The policy part of the store. Every method raises StoreError when the database can't answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def set(
        self, scope: str, key: str, value: Any, *, by: str, check: Check, now: datetime | None = None
    ) -> Override:
        """Store one setting after `check` found it good together with the others; otherwise nothing is stored
        and its ConfigError goes on to the caller. `value` is JSON."""
        override = Override(parse_scope(scope), _key(key), value)
        now = now or datetime.now(UTC)
        with self._database.write() as session:
            changed(session)  # first: from here on no other process changes an override
            before = _concerned(session, override.scope)
            others = [o for o in before if (o.scope, o.key) != (override.scope, override.key)]
            check(override.scope, [*others, override])
            values = {
                "scope": override.scope,
                "key": override.key,
                "value": value,
                "author": clean(by),
                "at": now,
            }
            insert = self._database.insert(OverrideRow).values(values)
            renewed = {name: insert.excluded[name] for name in ("value", "author", "at")}
            session.execute(insert.on_conflict_do_update(index_elements=["scope", "key"], set_=renewed))
            audit(session, now, by, "policy set", f"{override.scope} {override.key}", {"value": value})
        return override

    def unset(self, scope: str, key: str, *, by: str, check: Check, now: datetime | None = None) -> bool:
        """Remove one setting, if the others are good without it; False when there was none.

        When they are not good with it either, it is removed all the same: how else to get out of there."""
        scope, key, now = parse_scope(scope), _key(key), now or datetime.now(UTC)
        with self._database.write() as session:
            here = (OverrideRow.scope == scope, OverrideRow.key == key)
            if session.scalar(select(OverrideRow.key).where(*here)) is None:
                return False
            changed(session)
            before = _concerned(session, scope)
            if _is_good(scope, before, check):
                check(scope, [o for o in before if (o.scope, o.key) != (scope, key)])
            session.execute(delete(OverrideRow).where(*here))
            audit(session, now, by, "policy unset", f"{scope} {key}")
        return True

    def list(self, scope: str | None = None) -> tuple[StoredOverride, ...]:
        """The overrides of a scope, or all, by scope and key."""
        query = select(OverrideRow).order_by(OverrideRow.scope, OverrideRow.key)
        if scope is not None:
            query = query.where(OverrideRow.scope == parse_scope(scope))
        with self._database.read() as session:
            rows = session.scalars(query)
            return tuple(StoredOverride(Override(r.scope, r.key, r.value), r.author, r.at) for r in rows)


def all_overrides(session: Session) -> tuple[Override, ...]:
    """All overrides, by scope and key."""
    return _overrides(session, select(OverrideRow.scope, OverrideRow.key, OverrideRow.value))


def _concerned(session: Session, scope: str) -> tuple[Override, ...]:
    """What a change in a scope has to be good with: a write transaction must not read what it has no use for."""
    query = select(OverrideRow.scope, OverrideRow.key, OverrideRow.value)
    return _overrides(
        session, query if scope == PLATFORM else query.where(OverrideRow.scope.in_((PLATFORM, scope)))
    )


def _overrides(session: Session, query: Select[tuple[str, str, Any]]) -> tuple[Override, ...]:
    rows = session.execute(query.order_by(OverrideRow.scope, OverrideRow.key))
    return tuple(Override(scope, key, value) for scope, key, value in rows)


def checker(file: SettingsFile, filters: Sequence[Filter[Any]]) -> Check:
    """The check that `Overrides.set` wants: the policies of `file` and the overrides are compiled."""

    def check(scope: str, overrides: Sequence[Override]) -> None:
        layers = {
            one: layer for one, layer in file.layers.items() if scope == PLATFORM or one in (scope, PLATFORM)
        }
        PolicyBook(
            filters, with_overrides(layers, overrides), source=f"{file.source} with the store's overrides"
        )

    return check


def _is_good(scope: str, overrides: Sequence[Override], check: Check) -> bool:
    try:
        check(scope, overrides)
    except ConfigError:
        return False
    return True


def parse_value(text: str) -> Any:
    """A value as it would stand in the settings file: a TOML scalar or array. A bare word is a string.

    Raises ConfigError on a table, a date (no setting has one) and on text that begins like TOML but is none.
    """
    try:
        parsed = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        if text[:1] in ("", '"', "'", "[", "{"):
            raise ConfigError("store", "value", "no TOML value", value=text) from None
        return text
    if parsed.keys() != {"value"} or not _is_plain(parsed["value"]):
        raise ConfigError("store", "value", "must be a string, a number, true, false or an array", value=text)
    return parsed["value"]


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_plain(item) for item in value)
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, str | int)


def _key(key: str) -> str:
    if not key or not key.isprintable() or not all(key.split(".")):
        raise ConfigError("store", "key", "must be a name of a setting, dotted", value=key)
    return key
