"""What was dealt with: the messages that are no longer held, what became of each, and what can be taken back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.responses import Response

from tamis.database.audit_trail import Deed
from tamis.language.translation import marked
from tamis.quarantine.records import GONE, HeldState, Summary
from tamis.web.actions import UNDO, undoable
from tamis.web.done_notices import notice
from tamis.web.visit import Visit

MOST = 50
"""Messages that the page tells of (beyond: the oldest are not listed)."""

BECAME = {
    HeldState.RELEASED: marked("delivered"),
    HeldState.DELETED: marked("deleted"),
    HeldState.EXPIRED: marked("deleted, because nobody wanted it in time"),
}
_DEEDS = ("release", "delete")


@dataclass(frozen=True, slots=True)
class DealtWith:
    """One message: what became of it, when and by whom, where that is known; `token` undoes it, `undo` says how."""

    message: Summary
    became: str
    at: datetime
    by: str
    token: str = ""
    undo: str = ""


def show(visit: Visit) -> Response:
    """The last messages of the own mailbox that are no longer held."""
    person = visit.signed_in
    found = visit.store.quarantine.list(person.address, state=GONE, limit=MOST)
    deeds = visit.store.trail.about_each([one.id for one in found])
    lines = sorted(_lines(visit, found, deeds), key=lambda line: line.at, reverse=True)
    return visit.render("dealt_with.html", lines=lines, notice=notice(visit), mailbox=person.address)


def _lines(visit: Visit, found: Iterable[Summary], deeds: dict[str, list[Deed]]) -> Iterator[DealtWith]:
    now = datetime.now(UTC)
    for one in found:
        told = deeds.get(one.id, [])
        last = next((deed for deed in told if deed.action in _DEEDS), None)
        at = last.at if last else one.released_at or min(one.expires_at, now)
        became = visit.reader.gettext(BECAME[one.state])
        chosen = undoable(told, now)
        if chosen is None:
            yield DealtWith(one, became, at, last.who if last else "")
            continue
        deed, written = chosen
        token = deed.token(visit.house.tokens, written.who, written.at)
        yield DealtWith(one, became, at, written.who, token, visit.reader.gettext(UNDO[deed.verb]))
