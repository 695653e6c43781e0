"""Who did what: the audit trail of the scope that is looked at."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC
from types import MappingProxyType

from starlette.responses import Response

from tamis.database.audit_trail import Deed
from tamis.language.translation import marked
from tamis.people.rights import Right
from tamis.web.console.console import Console
from tamis.web.table_file import csv_file
from tamis.web.typed_numbers import typed_number

PAGE = 50
"""Rows on one page (beyond: the next one)."""
MAX_ROWS = 10_000
"""Rows of a CSV file (beyond: the newest are in it, and its last line says that there are more)."""

ACTIONS: Mapping[str, str] = MappingProxyType(
    {
        "sign in": marked("signed in"),
        "sign in refused": marked("could not sign in: wrong address, password or code"),
        "code refused": marked("gave a wrong code"),
        "refused": marked("asked for a page without access"),
        "end session": marked("ended a session"),
        "set factors": marked("set password, app or recovery codes"),
        "reset factors": marked("reset password and app"),
        "use recovery code": marked("used a recovery code"),
        "add person": marked("added a person"),
        "remove person": marked("removed a person"),
        "invite": marked("invited"),
        "withdraw invitation": marked("took an invitation back"),
        "grant": marked("gave rights"),
        "revoke": marked("took rights back"),
        "suspend": marked("suspended"),
        "end suspension": marked("ended a suspension"),
        "token make": marked("made a token"),
        "token revoke": marked("ended a token"),
        "preview": marked("read a held message"),
        "label": marked("said whether a message was wanted"),
        "release": marked("delivered a held message"),
        "release failed": marked("tried to deliver a held message"),
        "delete": marked("deleted a held message"),
        "restore": marked("took a message back from the bin"),
        "expire": marked("let held messages expire"),
        "list add": marked("added to a list"),
        "list remove": marked("removed from a list"),
        "list import": marked("imported a list"),
        "policy set": marked("changed a setting"),
        "policy unset": marked("took a setting back"),
        "policy version": marked("saved a version of policy"),
        "rules": marked("saved rules"),
        "rule accept": marked("put a proposed rule into force"),
        "rule shadow": marked("put a proposed rule into shadow"),
        "rule forget": marked("took a proposed rule out"),
        "report": marked("taught the filter"),
        "sender validate": marked("vouched for a sender"),
        "sender complain": marked("complained about a sender"),
        "sender remove": marked("forgot what a sender earned"),
        "challenge solve": marked("answered a challenge"),
        "client condemn": marked("condemned a client"),
        "client settle": marked("forgot a client's complaints"),
        "client bring back": marked("took back what was decided about a client"),
        "client block": marked("blocked a client"),
        "client unblock": marked("let a client in again"),
        "mark end": marked("ended marks by hand"),
        "mark bring back": marked("took back the end of marks by hand"),
    }
)
"""Actions in words; one that is not here is shown as it stands."""


def show(console: Console) -> Response:
    """The newest rows first, fifty a page."""
    found = _find(console, before=typed_number(console.visit.query("before")), limit=PAGE + 1)
    return console.render(
        "audit.html",
        deeds=found[:PAGE],
        more=str(found[PAGE - 1].id) if len(found) > PAGE else "",
        actions=ACTIONS,
        details=details,
        wanted=_wanted(console),
    )


def _wanted(console: Console) -> dict[str, str]:
    return {name: console.visit.query(name).strip() for name in ("who", "action", "about")}


def _find(console: Console, *, before: int | None, limit: int) -> tuple[Deed, ...]:
    return console.visit.store.trail.find(
        console.visible(Right.PEOPLE), console.locks, before=before, limit=limit, **_wanted(console)
    )


def details(deed: Deed) -> str:
    """What else a row says, in one line."""
    parts = (
        f"{name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in deed.details.items()
        if value not in ("", None, [], {})
    )
    return "; ".join(parts)[:500]


def download(console: Console) -> Response:
    """The same as a file."""
    heads = ("at", "who", "action", "about", "scope", "network", "token", "details")
    return csv_file("audit", heads, _rows(console))


def _rows(console: Console) -> Iterator[tuple[str, ...]]:
    before, left = None, MAX_ROWS
    while found := _find(console, before=before, limit=min(left, 1000) + 1):
        part = found[: min(left, 1000)]
        for one in part:
            at = one.at.astimezone(UTC).isoformat(timespec="seconds")
            yield at, one.who, one.action, one.about, one.scope, one.network, one.token, details(one)
        before, left = part[-1].id, left - len(part)
        if len(found) == len(part):
            return
        if not left:
            yield ("...", *[""] * 7)
            return
