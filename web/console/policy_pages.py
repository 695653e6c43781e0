"""Policy: what is in force in a scope and why, changed by a version that somebody has looked at first.

/policy          one row a filter, or what a search finds -> /policy/review (the difference, a note) -> /policy/save
/policy/versions who changed what -> one of them -> undo
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from tamis.base.errors import ChangedSinceError, ConfigError
from tamis.contract.filter import Filter
from tamis.database.counts import Days, FilterCount
from tamis.database.overrides import written_settings
from tamis.database.policy_versions import PolicyVersion
from tamis.database.roll_ups import MISTAKES
from tamis.judging.policy_layers import opens_lock
from tamis.judging.policy_settings import PolicySetting, settings_of, value_text
from tamis.language.time_zone import zone_of
from tamis.language.translation import marked
from tamis.message.address import PLATFORM
from tamis.people.rights import Right
from tamis.web.console.asked_changes import AskedChanges, RefusedChange, asked_changes
from tamis.web.console.console import Console
from tamis.web.rate_limits import CHANGES
from tamis.web.typed_numbers import typed_number
from tamis.web.visit import NOT_HERE, NoAccessError

DAYS = 7
_VERSIONS = 30
_LONGEST = 900  # characters of an address that one comes back to
MEANWHILE = marked("Somebody changed this meanwhile: %(keys)s. Nothing was changed now; look at it again.")
FROM_FILE = marked("This was changed in the settings file, and can be taken back only there.")


@dataclass(frozen=True, slots=True)
class FilterLine:
    """A filter as the page has it: its switch, how many of its other settings are set here, what it did lately."""

    filter: Filter[Any]
    state: PolicySetting
    set_here: int
    did: FilterCount | None
    mistakes: int


def show(console: Console) -> Response:
    """What is in force here, and why."""
    console.require(Right.POLICY_READ)
    words, only = console.visit.query("q"), console.visit.query("show")
    everything = list(settings_of(console.site.book, console.scope))
    found = [one for one in everything if _is_shown(one, words, only)] if words or only else []
    return console.render(
        "policy.html",
        words=words,
        only=only,
        found=found,
        terms=[one for one in everything if not one.filter],
        lines=[] if words or only else _lines(console, everything),
        last=next(iter(_versions(console, limit=1)), None),
        newest=console.visit.store.overrides.versions.newest(),
        may_change=console.may(Right.POLICY),
        said=_said(console),
    )


def _is_shown(one: PolicySetting, words: str, only: str) -> bool:
    return one.has(words) and (one.here or only != "here") and (bool(one.fixed_by) or only != "fixed")


def _lines(console: Console, everything: Sequence[PolicySetting]) -> list[FilterLine]:
    did, wrong = _lately(console)
    own: dict[str, list[PolicySetting]] = {}
    for one in everything:
        own.setdefault(one.filter, []).append(one)
    return [
        FilterLine(
            filter=one,
            state=next(setting for setting in own[one.name] if setting.name == "state"),
            set_here=sum(setting.here for setting in own[one.name] if setting.name != "state"),
            did=did.get(one.name),
            mistakes=wrong.get(one.name, 0),
        )
        for one in console.site.book.filters
    ]


def _lately(console: Console) -> tuple[Mapping[str, FilterCount], Mapping[str, int]]:
    """What each filter did in the last days, and how often people said that it was wrong."""
    reach = console.visible(Right.STATISTICS)
    zone = zone_of(console.site.book.policy("").terms.time_zone)
    days = Days.until(datetime.now(zone).date(), DAYS)
    statistics = console.visit.store.statistics
    if not reach or statistics.is_withheld(reach, days):
        return {}, {}
    wrong: dict[str, int] = {}
    for one in statistics.labels(reach, days):
        if one.kind in MISTAKES:
            wrong[one.decided_by] = wrong.get(one.decided_by, 0) + one.copies
    return {one.filter: one for one in statistics.filters(reach, days)}, wrong


def show_filter(console: Console) -> Response:
    """All settings of one filter, with what they mean."""
    console.require(Right.POLICY_READ)
    name = console.visit.request.path_params["filter"]
    one = next((known for known in console.site.book.filters if known.name == name), None)
    if one is None:
        raise NoAccessError(NOT_HERE)
    return console.render(
        "policy_filter.html",
        filter=one,
        settings=[
            setting for setting in settings_of(console.site.book, console.scope) if setting.filter == name
        ],
        newest=console.visit.store.overrides.versions.newest(),
        may_change=console.may(Right.POLICY),
    )


def review(console: Console) -> Response:
    """What would be changed, before it is."""
    console.require(Right.POLICY_READ)
    return review_of(console, asked_changes(console))


def review_of(console: Console, asked: AskedChanges) -> Response:
    """The same of changes that another page asks for."""
    if console.may(Right.POLICY):
        _require_code(console, asked)
    return _review(console, asked)


def _require_code(console: Console, asked: AskedChanges) -> None:
    """The platform's policy wants a second factor that was given lately; whoever gives it comes back to the review."""
    if console.scope == PLATFORM:
        query = urlencode([("in", PLATFORM), *asked.query])
        back = f"/admin/policy/review?{query}"
        console.visit.require_code(back if len(back) <= _LONGEST else f"/admin/policy?in={PLATFORM}")


def _review(console: Console, asked: AskedChanges, problem: str = "") -> Response:
    known = {one.key: one for one in settings_of(console.site.book, console.scope)}
    return console.render(
        "policy_review.html",
        status=422 if asked.refused or problem else 200,
        asked=asked,
        problem=problem,
        rows=[(one.key, known.get(one.key), one.value) for one in asked.changes],
        text=value_text,
        note=console.visit.field("note"),
        may_change=console.may(Right.POLICY),
    )


def save(console: Console) -> Response:
    """Make the changes as one version."""
    console.require(Right.POLICY)
    console.visit.spend(CHANGES, console.holder.mailbox)
    asked = asked_changes(console)
    _require_code(console, asked)
    if asked.refused:
        return _review(console, asked)
    try:
        made = console.visit.store.overrides.change(
            asked.changes,
            by=console.holder.mailbox,
            check=console.visit.house.check,
            note=console.visit.field("note"),
            base=asked.base,
        )
    except ChangedSinceError as error:
        newest = console.visit.store.overrides.versions.newest()
        keys = ", ".join(one.partition(" ")[2] for one in error.keys)
        sentence = console.visit.reader.gettext(MEANWHILE) % {"keys": keys}
        return _review(console, AskedChanges(asked.changes, base=newest), sentence)
    except ConfigError as error:
        return _review(
            console, AskedChanges(asked.changes, (RefusedChange(error.key, "", error.problem),), asked.base)
        )
    return console.redirect("/policy", **_told(console, "saved", str(made.id) if made else "0"))


def export(console: Console) -> Response:
    """What is set in this scope, as the settings file would have it."""
    console.require(Right.POLICY_READ)
    own = [one for one in settings_of(console.site.book, console.scope) if one.here]
    text = written_settings({one.key: one.value for one in own if not isinstance(one.value, dict)})
    name = console.scope.replace("@", "-at-").replace("/", "-")
    headers = {
        "content-disposition": f'attachment; filename="policy-{name.encode("ascii", "replace").decode()}.toml"'
    }
    return Response(text, media_type="application/toml; charset=utf-8", headers=headers)


def versions(console: Console) -> Response:
    """Who changed what, the newest first."""
    found = _versions(console, before=typed_number(console.visit.query("before")))
    return console.render(
        "policy_versions.html", versions=found, more=len(found) == _VERSIONS, text=_value, said=_said(console)
    )


def version(console: Console) -> Response:
    """One version, and whether it can be taken back."""
    return _version(console, _found(console))


def _version(console: Console, one: PolicyVersion, problem: str = "") -> Response:
    return console.render(
        "policy_version.html",
        status=409 if problem else 200,
        version=one,
        problem=problem,
        text=_value,
        may_undo=not one.from_file and _may_change(console, one),
    )


def undo(console: Console) -> Response:
    """Take a version back."""
    one = _found(console)
    if not _may_change(console, one):
        raise NoAccessError(NOT_HERE)
    if any(change.scope == PLATFORM for change in one.changes):
        console.require_confirmed(f"/policy/versions/{one.id}")
    console.visit.spend(CHANGES, console.holder.mailbox)
    gettext = console.visit.reader.gettext
    try:
        made = console.visit.store.overrides.undo(
            one.id,
            by=console.holder.mailbox,
            check=console.visit.house.check,
            note=console.visit.field("note"),
        )
    except ChangedSinceError as error:
        return _version(console, one, gettext(MEANWHILE) % {"keys": ", ".join(error.keys)})
    except ConfigError as error:
        return _version(console, one, gettext(FROM_FILE) if one.from_file else error.problem)
    return console.redirect("/policy/versions", **_told(console, "undone", str(made.id)))


def _found(console: Console) -> PolicyVersion:
    """The version of the address, as far as this person sees it."""
    number = typed_number(console.visit.request.path_params["version"])
    if number is None:
        raise NoAccessError(NOT_HERE)
    reach = console.visible(Right.POLICY_READ)
    found = console.visit.store.overrides.versions.get(number, reach)
    if found is None:
        raise NoAccessError(NOT_HERE)
    return found


def _may_change(console: Console, one: PolicyVersion) -> bool:
    """Whether this person may take back all that a version changed, including what is not shown here."""
    whole = console.visit.store.overrides.versions.get(one.id)
    return whole is not None and all(
        console.may(Right.POLICY, change.scope)
        and (change.scope == console.holder.mailbox or not opens_lock(change.key, change.was))
        for change in whole.changes
    )


def _versions(
    console: Console, *, before: int | None = None, limit: int = _VERSIONS
) -> Sequence[PolicyVersion]:
    reach = console.visible(Right.POLICY_READ)
    return console.visit.store.overrides.versions.find(reach, before=before, limit=limit)


def _value(value: Any) -> str:
    return "" if value is None else value_text(value)


def _told(console: Console, said: str, about: str) -> dict[str, str]:
    return {"said": said, "about": about, "seal": console.visit.seal(said, about)}


def _said(console: Console) -> tuple[str, str] | None:
    said, about = console.visit.query("said"), console.visit.query("about")
    return (said, about) if said and console.visit.is_sealed(said, about) else None
