"""Policy: what is in force where, and its versions."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Annotated, Any, Literal

from fastapi import Body, Path, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from tamis.base.errors import ChangedSinceError
from tamis.database.overrides import MAX_CHANGES, parse_settings, written_settings
from tamis.database.policy_versions import PolicyVersion
from tamis.judging.policy_layers import DEFAULT, opens_lock
from tamis.judging.site import Site
from tamis.judging.stored_policy import Override
from tamis.message.address import PLATFORM
from tamis.people.rights import upwards
from tamis.people.token_scopes import TokenScope
from tamis.web.api.caller import Caller, needs
from tamis.web.api.problems import ProblemError, not_there
from tamis.web.api.routes import (
    CHANGES,
    Before,
    IfMatch,
    RowLimit,
    Rows,
    check_match,
    number_before,
    router,
    rows,
)

ROUTES = router("policy")
FRESH_SECONDS = 5.0
"""How long is waited until this process knows the last change. Beyond: 503."""

PolicyReader = Annotated[Caller, needs(TokenScope.POLICY_READ)]
PolicyWriter = Annotated[Caller, needs(TokenScope.POLICY_WRITE)]
ScopeName = Annotated[str, Path(max_length=300, description='"platform", a domain or a mailbox.')]
SettingKey = Annotated[str, Field(min_length=1, max_length=200)]
Value = bool | int | float | str | list[bool | int | float | str]


class TomlText(Response):
    """Settings as TOML."""

    media_type = "application/toml"


class ValueInForce(BaseModel):
    """A value in force, the scope that sets it ("default" where none does), and whether that is done in the store or in
    the settings file."""

    key: str
    value: Any
    set_by: str
    source: Literal["default", "store", "file"]


class PolicyInForce(BaseModel):
    """All that is in force for a scope. `own` are its own settings in the store, which can be changed here."""

    scope: str
    version: int = Field(description="The last version that touched it; the ETag says the same.")
    own: dict[str, Any]
    settings: list[ValueInForce]


class WantedPolicy(BaseModel):
    """Settings of a scope to change, all or none; null takes one back."""

    set: dict[SettingKey, Value | None] = Field(min_length=1, max_length=MAX_CHANGES)
    note: str = Field("", max_length=500, description="Why; shown with the version.")


class WantedUndo(BaseModel):
    """Why a version is taken back."""

    note: str = Field("", max_length=500)


@ROUTES.get("/policy/versions")
def list_versions(
    caller: PolicyReader,
    within: Annotated[str, Query(alias="in", max_length=300, description="Only of this scope itself.")] = "",
    before: Before = "",
    limit: RowLimit = 50,
) -> Rows[PolicyVersion]:
    """Changes of policy, the newest first; of each, what may be seen."""
    found = caller.store.overrides.versions.find(
        caller.visible(TokenScope.POLICY_READ),
        scope=caller.scope(within) if within else "",
        before=number_before(before),
        limit=limit + 1,
    )
    return rows(list(found), limit, lambda one: one.id)


@ROUTES.post("/policy/versions/{number}/undo", dependencies=CHANGES, status_code=201)
def undo_version(
    caller: PolicyWriter, number: Annotated[int, Path(ge=1, lt=2**63)], wanted: WantedUndo | None = None
) -> PolicyVersion:
    """Take a version back by a new one; refused where one of its settings was changed since."""
    version = caller.store.overrides.versions.get(number)
    if version is None or not all(caller.may(TokenScope.POLICY_WRITE, one.scope) for one in version.changes):
        raise not_there()
    _keep_locked((one.key, one.was) for one in version.changes)
    note = wanted.note if wanted else ""
    try:
        return caller.store.overrides.undo(number, by=caller.by, check=caller.house.check, note=note)
    except ChangedSinceError as error:
        raise ProblemError(409, str(error), keys=list(error.keys)) from None


@ROUTES.get("/policy/{scope}.toml", response_class=TomlText)
def show_policy_text(caller: PolicyReader, scope: ScopeName) -> TomlText:
    """The scope's own settings in the store as TOML, which another scope can take. Its ETag is for If-Match."""
    where = caller.scope(scope)
    caller.require(TokenScope.POLICY_READ, where)
    version = _version_of(caller, where)
    own = {one.override.key: one.override.value for one in caller.store.overrides.list(where)}
    return TomlText(f"# {where}\n{written_settings(own)}", headers={"etag": _etag(version)})


@ROUTES.put("/policy/{scope}.toml", dependencies=CHANGES)
def replace_policy(
    caller: PolicyWriter,
    scope: ScopeName,
    text: Annotated[bytes, Body(media_type="application/toml", min_length=1)],
    response: Response,
    if_match: IfMatch = "",
    note: Annotated[str, Query(max_length=500, description="Why; shown with the version.")] = "",
) -> PolicyVersion:
    """Let these settings (TOML) stand in place of all that the store has for a scope itself, as one version. What is
    not in the text is taken back; what the settings file says stays."""
    where = caller.scope(scope)
    caller.require(TokenScope.POLICY_WRITE, where)
    wanted = parse_settings(text.decode("utf-8", "replace"))
    own = {one.override.key for one in caller.store.overrides.list(where)}
    return _change(caller, where, dict.fromkeys(own - wanted.keys()) | wanted, note, if_match, response)


@ROUTES.get("/policy/{scope}")
def show_policy(caller: PolicyReader, scope: ScopeName, response: Response) -> PolicyInForce:
    """What is in force for a scope, and where it is set. Its ETag is what a change must send as If-Match."""
    where = caller.scope(scope)
    caller.require(TokenScope.POLICY_READ, where)
    version = _version_of(caller, where)
    site = _fresh(caller)
    stored = {one: caller.store.overrides.list(one) for one in upwards(where)}
    own = {one.override.key: one.override.value for one in stored[where]}
    keys = {(scope, one.override.key) for scope, many in stored.items() for one in many}
    shown = site.book.show("" if where == PLATFORM else where)
    settings = [
        ValueInForce(key=key, value=value, set_by=by, source=_source(by, key, keys))
        for key, (value, by) in shown.items()
    ]
    response.headers["etag"] = _etag(version)
    return PolicyInForce(scope=where, version=version, own=own, settings=settings)


@ROUTES.patch("/policy/{scope}", dependencies=CHANGES)
def change_policy(
    caller: PolicyWriter,
    scope: ScopeName,
    wanted: WantedPolicy,
    response: Response,
    if_match: IfMatch = "",
) -> PolicyVersion:
    """Change settings of a scope as one version, which can be taken back. In force within seconds."""
    where = caller.scope(scope)
    caller.require(TokenScope.POLICY_WRITE, where)
    return _change(caller, where, wanted.set, wanted.note, if_match, response)


def _change(
    caller: Caller, where: str, wanted: Mapping[str, Any], note: str, if_match: str, response: Response
) -> PolicyVersion:
    """Make changes of one scope, of what was read. Raises ProblemError."""
    version = _version_of(caller, where)
    _keep_locked(wanted.items())
    check_match(if_match, _etag(version), "The policy was changed since it was read.")
    try:
        made = caller.store.overrides.change(
            [Override(where, key, value) for key, value in wanted.items()],
            by=caller.by,
            check=caller.house.check,
            note=note,
            base=None if if_match == "*" else version,
        )
    except ChangedSinceError as error:
        raise ProblemError(412, str(error), keys=list(error.keys)) from None
    if made is None:
        raise ProblemError(409, "Nothing would change: all of it stands so already.")
    response.headers["etag"] = _etag(made.id)
    return made


def _keep_locked(changes: Iterable[tuple[str, Any]]) -> None:
    """A mailbox is opened by its owner, on the pages (Q9). Raises ProblemError."""
    if any(opens_lock(key, value) for key, value in changes):
        raise ProblemError(422, "locked: only the owner of a mailbox opens it again, on the pages")


def _version_of(caller: Caller, scope: str) -> int:
    """The last version that touched a scope or one above it."""
    versions = caller.store.overrides.versions
    return max((found.id for one in upwards(scope) for found in versions.find(scope=one, limit=1)), default=0)


def _source(
    set_by: str, key: str, stored: AbstractSet[tuple[str, str]]
) -> Literal["default", "store", "file"]:
    if set_by == DEFAULT:
        return "default"
    return "store" if (set_by, key) in stored else "file"


def _etag(version: int) -> str:
    return f'"{version}"'


def _fresh(caller: Caller) -> Site:
    """The site with all that the store has now. Raises ProblemError when this process does not get it."""
    wanted = caller.store.revision()
    until = time.monotonic() + FRESH_SECONDS
    while (site := caller.house.site()).revision < wanted:
        if time.monotonic() > until:
            raise ProblemError(503, "A change is not in force here yet.", headers={"retry-after": "5"})
        time.sleep(0.05)
    return site
