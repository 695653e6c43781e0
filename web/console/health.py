"""What is broken: the hosts, what they leave out, and what `tamis doctor` says. For who has the platform."""

from __future__ import annotations

from datetime import UTC, datetime

from starlette.responses import Response

from tamis.database.host_health import HostCheck, HostHealth
from tamis.language.translation import marked
from tamis.web.console import troubles
from tamis.web.console.console import Console

_ROLES = {
    "supervisor": marked("supervisor"),
    "workers": marked("workers"),
    "desk": marked("desk"),
    "background": marked("background"),
    "web": marked("pages"),
}
_MARKS = {"error": marked("wrong"), "warning": marked("doubtful"), "ok": marked("well")}


def show(console: Console) -> Response:
    """The page."""
    reader, store = console.visit.reader, console.visit.store
    hosts = store.healths.all()
    wrong = troubles.of_hosts(hosts, reader)
    checks = {one.host: _worst_first(one) for one in hosts}
    failing = sum(check.health != "ok" for one in hosts for check in one.state.checks)
    return console.render(
        "health.html",
        hosts=hosts,
        names={one.host: one.host.partition(":")[0] for one in hosts},
        roles=_ROLES,
        marks=_MARKS,
        wrong=wrong,
        checks=checks,
        failing=failing,
        at=lambda seconds: datetime.fromtimestamp(seconds, UTC),
        asked=bool(console.visit.query("asked")),
        versions=sorted({one.version for one in store.hosts.all()}),
    )


def examine(console: Console) -> Response:
    """Have the checks made anew."""
    console.visit.store.healths.ask_for_checks()
    return console.redirect("/health", asked="1")


def _worst_first(one: HostHealth) -> list[HostCheck]:
    order = ("error", "warning", "ok")
    return sorted(
        one.state.checks, key=lambda check: order.index(check.health) if check.health in order else 0
    )
