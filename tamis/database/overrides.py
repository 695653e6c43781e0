"""Policy settings in the store, on top of the settings file. None is stored that does not compile, and every change is
a version that can be taken back."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from tamis.base.errors import ChangedSinceError, ConfigError
from tamis.base.toml_text import toml_value
from tamis.contract.filter import Filter
from tamis.database.connection import Database, audit, clean
from tamis.database.list_entries import changed as bump_revision
from tamis.database.policy_versions import (
    PolicyChange,
    PolicyVersion,
    PolicyVersions,
    add_version,
    changed_after,
    is_same,
)
from tamis.database.read_overrides import read_overrides
from tamis.database.schema import OverrideRow, RevisionRow
from tamis.database.scope import parse_scope
from tamis.judging.policy import PolicyBook
from tamis.judging.policy_layers import flat
from tamis.judging.stored_policy import Override, with_overrides
from tamis.message.address import PLATFORM
from tamis.settings import SettingsFile

MAX_CHANGES = 1000
"""Settings of one change; beyond: ConfigError, nothing is changed."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")

Check = Callable[[str, Sequence[Override], Sequence[Override]], None]
"""Raises ConfigError when a scope's policy can't be built. It is given the overrides of that scope and of the platform,
under which it must stand, and all there are when the scope is the platform, under which everybody must; and those among
them that are new, which nobody above may have fixed."""


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

    def change(
        self,
        changes: Iterable[Override],
        *,
        by: str,
        check: Check,
        note: str = "",
        base: int | None = None,
        undoes: int | None = None,
        now: datetime | None = None,
    ) -> PolicyVersion | None:
        """Make these changes, all or none, as one new version of policy; a value None takes a setting back. Returns
        None where all of it stands so already.

        `check` must find each scope good afterwards, or its ConfigError goes on to the caller; where something is taken
        back alone and it was not good before, that is done all the same: how else to get out of there. `base` is the
        version that the changes were made of: raises ChangedSinceError where one of the settings has another value now.
        """
        wanted = {
            (scope, key): one.value
            for one in changes
            if (scope := parse_scope(one.scope)) and (key := _key(one.key))
        }
        if len(wanted) > MAX_CHANGES:
            raise ConfigError("store", "policy", f"at most {MAX_CHANGES} changes can be made at once")
        now = now or datetime.now(UTC)
        with self._database.write() as session:
            _hold(session)
            stored = _stored(session, {scope for scope, _ in wanted})
            as_it_is = {at: stored.get(at) for at in wanted}
            if base is not None and (later := changed_after(session, base, as_it_is)):
                raise ChangedSinceError(later)
            changed = [
                PolicyChange(*at, as_it_is[at], value)
                for at, value in wanted.items()
                if not is_same(as_it_is[at], value)
            ]
            if not changed:
                return None
            _keep_locked(changed, by)
            for scope in dict.fromkeys(one.scope for one in changed):
                _check(scope, stored, [one for one in changed if one.scope == scope], changed, check)
            for one in changed:
                self._put(session, one, by, now)
            bump_revision(session, scopes=list(dict.fromkeys(one.scope for one in changed)))
            return add_version(session, now, by, changed, note=note, undoes=undoes)

    def set(
        self, scope: str, key: str, value: Any, *, by: str, check: Check, now: datetime | None = None
    ) -> Override:
        """One setting as a version of its own. `value` is JSON."""
        override = Override(parse_scope(scope), _key(key), value)
        self.change([override], by=by, check=check, now=now)
        return override

    def unset(self, scope: str, key: str, *, by: str, check: Check, now: datetime | None = None) -> bool:
        """Take one setting back; False when there was none."""
        return self.change([Override(scope, key, None)], by=by, check=check, now=now) is not None

    def undo(
        self, number: int, *, by: str, check: Check, note: str = "", now: datetime | None = None
    ) -> PolicyVersion:
        """Take a version back by a new one. Raises ChangedSinceError where one of its settings was changed since, and
        ConfigError where there is no such version, it was made in the settings file, or what was there before is no
        longer good."""
        version = self.versions.get(number)
        if version is None:
            raise ConfigError("store", f"version {number}", "there is no such version of policy")
        if version.from_file:
            raise ConfigError(
                "store",
                f"version {number}",
                "was made in the settings file, and can be taken back only there",
            )
        back = [Override(one.scope, one.key, one.was) for one in version.changes]
        made = self.change(back, by=by, check=check, note=note, base=number, undoes=number, now=now)
        assert made is not None  # a version has changes, and they stand as it left them
        return made

    @property
    def versions(self) -> PolicyVersions:
        """What was changed until now."""
        return PolicyVersions(self._database)

    def _put(self, session: Session, one: PolicyChange, by: str, now: datetime) -> None:
        if one.now is None:
            here = (OverrideRow.scope == one.scope, OverrideRow.key == one.key)
            session.execute(delete(OverrideRow).where(*here))
            audit(session, now, by, "policy unset", f"{one.scope} {one.key}", scope=one.scope)
            return
        values = {"scope": one.scope, "key": one.key, "value": one.now, "author": clean(by), "at": now}
        insert = self._database.insert(OverrideRow).values(values)
        renewed = {name: insert.excluded[name] for name in ("value", "author", "at")}
        session.execute(insert.on_conflict_do_update(index_elements=["scope", "key"], set_=renewed))
        about = f"{one.scope} {one.key}"
        audit(session, now, by, "policy set", about, {"value": one.now}, scope=one.scope)

    def list(self, scope: str | None = None) -> tuple[StoredOverride, ...]:
        """The overrides of a scope, or all, by scope and key."""
        query = select(OverrideRow).order_by(OverrideRow.scope, OverrideRow.key)
        if scope is not None:
            query = query.where(OverrideRow.scope == parse_scope(scope))
        with self._database.read() as session:
            rows = session.scalars(query)
            return tuple(StoredOverride(Override(r.scope, r.key, r.value), r.author, r.at) for r in rows)


def _keep_locked(changed: Sequence[PolicyChange], by: str) -> None:
    """A locked mailbox is opened by its owner alone (Q9). Whoever has a shell, and no mailbox's name, is bound by
    nothing here. Raises ConfigError."""
    for one in changed:
        opens = one.now is False or (one.now is None and one.was is True)
        if one.key == "locked" and "@" in one.scope and opens and "@" in by and by != one.scope:
            raise ConfigError("store", f"{one.scope} locked", "only the mailbox's owner can open it again")


def _check(
    scope: str,
    stored: Mapping[tuple[str, str], Any],
    changed: Sequence[PolicyChange],
    together: Sequence[PolicyChange],
    check: Check,
) -> None:
    """Whether a scope is good after `changed`, its own among all that change `together`."""
    concerned = {at: value for at, value in stored.items() if scope == PLATFORM or at[0] in (PLATFORM, scope)}
    others = {(one.scope, one.key) for one in together if scope == PLATFORM or one.scope in (PLATFORM, scope)}
    new = [Override(one.scope, one.key, one.now) for one in changed if one.now is not None]
    before = [Override(*at, value) for at, value in concerned.items()]
    if not new and not _is_good(scope, before, check):
        return
    after = [one for one in before if (one.scope, one.key) not in others]
    after += [
        Override(one.scope, one.key, one.now)
        for one in together
        if (one.scope, one.key) in others and one.now is not None
    ]
    check(scope, after, new)


def _hold(session: Session) -> None:
    """From here on no other process changes an override, until this transaction ends."""
    session.execute(select(RevisionRow.value).with_for_update())


def _stored(session: Session, scopes: AbstractSet[str]) -> dict[tuple[str, str], Any]:
    """What changes in these scopes have to be good with: a write transaction must not read what it has no use for."""
    read = read_overrides(session, None if PLATFORM in scopes else (PLATFORM, *scopes))
    return {(one.scope, one.key): one.value for one in read}


def checker(file: SettingsFile, filters: Sequence[Filter[Any]]) -> Check:
    """The check that `Overrides.change` wants: the policies of `file` and the overrides are compiled."""

    def check(scope: str, overrides: Sequence[Override], new: Sequence[Override]) -> None:
        layers = {
            one: layer for one, layer in file.layers.items() if scope == PLATFORM or one in (scope, PLATFORM)
        }
        source = f"{file.source} with the store's overrides"
        book = PolicyBook(filters, with_overrides(layers, overrides), source=source)
        for one in new:
            if fixed_by := book.fixed_above(one.scope, one.key):
                raise ConfigError("store", f"{one.scope} {one.key}", f"is fixed by {fixed_by}")

    return check


def _is_good(scope: str, overrides: Sequence[Override], check: Check) -> bool:
    try:
        check(scope, overrides, ())
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


def parse_settings(text: str) -> dict[str, Any]:
    """A table of settings in TOML, as the settings file and an export have it, by dotted keys. Raises ConfigError."""
    try:
        settings = dict(flat(tomllib.loads(text.replace("\r\n", "\n"))))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError("store", "policy", f"no valid TOML: {error}") from None
    for key, value in settings.items():
        if not _is_plain(value):
            raise ConfigError("store", key, "must be a string, a number, true, false or an array")
    return settings


def written_settings(settings: Mapping[str, Any]) -> str:
    """Settings by dotted keys as such a table, a line each."""
    return "".join(f"{_written_key(key)} = {toml_value(value)}\n" for key, value in settings.items())


def _written_key(key: str) -> str:
    return ".".join(part if _BARE.fullmatch(part) else toml_value(part) for part in key.split("."))


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
