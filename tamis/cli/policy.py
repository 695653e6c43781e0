"""`tamis policy`: what recipients want, and where it is set."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from tamis.base.errors import ConfigError, StoreError
from tamis.base.toml_text import toml_value
from tamis.cli.context import AT_ONCE, Context, by_option, fail, json_option
from tamis.cli.parameters import OWN_SCOPE, SCOPE
from tamis.cli.terminal import print_json, printable, table
from tamis.database.overrides import checker, parse_value
from tamis.database.policy_versions import PolicyVersion
from tamis.judging.nearest_keys import refused_override
from tamis.judging.policy_layers import DEFAULT
from tamis.judging.site import Site
from tamis.judging.stored_policy import Override, Snapshot
from tamis.message.address import PLATFORM

_note = click.option("--note", default="", help="Why; shown with the version.")


@click.group()
def policy() -> None:
    """Policy of the platform, a domain or a mailbox; the nearer wins."""


@policy.command()
@click.argument("scope", type=SCOPE, default=PLATFORM)
@json_option
@click.pass_obj
def show(context: Context, scope: str, as_json: bool) -> None:
    """Show what is in force for SCOPE ("platform", a domain or a mailbox) and where each value comes from."""
    rows = context.remote.policy(scope) if context.remote else _in_force(context, scope)
    if as_json:
        print_json([{"key": k, "value": v, "scope": o, "source": s} for k, v, o, s in rows])
        return
    lines = [
        ["" if s == DEFAULT else "*", k, "" if s == DEFAULT else f"{o} ({s})", toml_value(v)]
        for k, v, o, s in rows
    ]
    click.echo(table(["", "KEY", "SET BY", "VALUE"], lines, [0, 0, 0, 1]))


def _in_force(context: Context, scope: str) -> list[tuple[str, Any, str, str]]:
    """Key, value, the scope that sets it, and where."""
    with context.store() as store:
        overrides = tuple(one.override for one in store.overrides.list())
    site = Site.build(context.file, context.filters, Snapshot(overrides=overrides), context.directory)
    stored = {(o.scope, o.key) for o in overrides}
    return [
        (key, value, origin, DEFAULT if origin == DEFAULT else "store" if (origin, key) in stored else "file")
        for key, (value, origin) in site.book.show("" if scope == PLATFORM else scope).items()
    ]


@policy.command("set", context_settings={"ignore_unknown_options": True})  # a VALUE may begin with a minus
@click.argument("scope", type=OWN_SCOPE)
@click.argument("key")
@click.argument("value")
@_note
@by_option
@json_option
@click.pass_obj
def set_(context: Context, scope: str, key: str, value: str, note: str, by: str, as_json: bool) -> None:
    """Set KEY of SCOPE to VALUE: a TOML scalar or array, or a bare word. It overrides the settings file."""
    try:
        parsed = parse_value(value)
    except ConfigError as error:
        raise click.BadParameter(f"{value!r}: {error.problem}", param_hint="VALUE") from error
    override = Override(scope, key, parsed)
    if context.remote:
        context.remote.change_policy(scope, {key: parsed}, note)
        _tell_set(override, as_json=as_json)
        return
    check = checker(context.file, context.filters)
    with context.store() as store:
        try:
            store.overrides.change([override], by=by, check=check, note=note)
        except ConfigError as error:
            raise refused_override(override, error, context.filters) from error
    _tell_set(override, as_json=as_json)


def _tell_set(override: Override, *, as_json: bool) -> None:
    if as_json:
        print_json(_plain(override))
    else:
        click.echo(f"{override.scope}: {override.key} = {toml_value(override.value)}. {AT_ONCE}")


@policy.command()
@click.argument("scope", type=SCOPE)
@click.argument("key")
@_note
@by_option
@json_option
@click.pass_obj
def unset(context: Context, scope: str, key: str, note: str, by: str, as_json: bool) -> None:
    """Undo what `set` did; values in the settings file are changed there."""
    removed, there = _unset(context, Override(scope, key, None), by, note)
    if not removed:
        known = f"; set there: {', '.join(there)}" if there else "; nothing is set there"
        fail(f"the store sets no {key} for {scope}{known}", os.EX_NOINPUT)
    if as_json:
        print_json({"scope": scope, "key": key, "removed": True})
    else:
        click.echo(f"{scope}: {key} is no longer set in the store. {AT_ONCE}")


def _unset(context: Context, one: Override, by: str, note: str) -> tuple[PolicyVersion | None, list[str]]:
    """The version that takes a setting back, None where there was none; and what is set in its scope, where known."""
    if context.remote:
        return context.remote.change_policy(one.scope, {one.key: None}, note), []
    check = checker(context.file, context.filters)
    with context.store() as store:
        removed = store.overrides.change([one], by=by, check=check, note=note)
        return removed, [other.override.key for other in store.overrides.list(one.scope)]


@policy.command()
@click.argument("scope", type=SCOPE, required=False)
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, help="At most this many [default: 20].")
@json_option
@click.pass_obj
def versions(context: Context, scope: str | None, limit: int, as_json: bool) -> None:
    """Show what was changed, of SCOPE or of all, the newest first; changes in the settings file included."""
    if context.remote:
        found = context.remote.policy_versions(scope or "", limit)
    else:
        with context.store() as store:
            found = store.overrides.versions.find(scope=scope or "", limit=limit)
    if as_json:
        print_json([_plain_version(one) for one in found])
        return
    if not found:
        click.echo("Nothing was changed yet.")
    for one in found:
        click.echo(printable(_told_version(one)))
        for change in one.changes:
            was, now = (DEFAULT if v is None else toml_value(v) for v in (change.was, change.now))
            click.echo(printable(f"    {change.scope}: {change.key}: {was} -> {now}"))


@policy.command()
@click.argument("number", metavar="VERSION", type=click.IntRange(min=1))
@_note
@by_option
@json_option
@click.pass_obj
def undo(context: Context, number: int, note: str, by: str, as_json: bool) -> None:
    """Take back what a VERSION changed, by a new version. It is refused when one of its settings was changed since."""
    if context.remote:
        made = context.remote.undo_version(number, note)
    else:
        with context.store() as store:
            check = checker(context.file, context.filters)
            made = store.overrides.undo(number, by=by, check=check, note=note)
    if as_json:
        print_json(_plain_version(made))
    else:
        click.echo(f"Version {number} is taken back by version {made.id}. {AT_ONCE}")


def _told_version(one: PolicyVersion) -> str:
    undoes = f", takes back version {one.undoes}" if one.undoes else ""
    note = f": {one.note}" if one.note else ""
    who = "the settings file" if one.from_file else one.who
    return f"version {one.id}, {one.at:%Y-%m-%d %H:%M} UTC, {who}{undoes}{note}"


@policy.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
@json_option
@click.pass_obj
def check(context: Context, file: Path | None, as_json: bool) -> None:
    """Check FILE (default: the settings in use), then the store's overrides on top of it."""
    checked = Context(file) if file else context
    good = checked.file
    Site.build(good, checked.filters, Snapshot(), checked.directory)
    overrides = _overrides(checked)
    Site.build(good, checked.filters, Snapshot(overrides=overrides))
    if as_json:
        print_json({"ok": True, "file": good.source, "overrides": len(overrides)})
    else:
        click.echo(f"{good.source}: ok, with {len(overrides)} overrides in the store")


def _overrides(context: Context) -> tuple[Override, ...]:
    """The store's overrides; none when there is no store yet: a check makes none."""
    try:
        with context.store(migrate=False) as store:
            return () if store.is_missing() else tuple(one.override for one in store.overrides.list())
    except StoreError as error:
        raise StoreError(f"{context.file.source} is good by itself, but {error}") from error


def _plain(override: Override) -> dict[str, Any]:
    return {"scope": override.scope, "key": override.key, "value": override.value}


def _plain_version(one: PolicyVersion) -> dict[str, Any]:
    return {
        "id": one.id,
        "at": one.at.isoformat(),
        "who": one.who,
        "note": one.note,
        "undoes": one.undoes,
        "from_file": one.from_file,
        "changes": [asdict(change) for change in one.changes],
    }
