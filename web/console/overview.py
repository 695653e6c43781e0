"""The console's first page."""

from __future__ import annotations

from starlette.responses import Response

from tamis.people.rights import BUNDLES
from tamis.web.console.console import Console


def show(console: Console) -> Response:
    """What this person may do, and where."""
    granted = [
        (one.scope, next((name for name, rights in BUNDLES.items() if rights == one.rights), ""), one.rights)
        for one in console.holder.grants
    ]
    return console.render("overview.html", granted=granted)
