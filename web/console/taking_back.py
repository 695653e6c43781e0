"""What takes back a deed of the console's that is no deed with mail: kept in the store for its time, and found by who
did it alone.

deed -> keep: words, for BIN -> address of the page that says what was done, sealed -> notice -> form -> kept: the words
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from starlette.responses import Response

from tamis.quarantine.held_mail import BIN
from tamis.web.console.console import Console
from tamis.web.console.doing import TOO_LATE, UNDO
from tamis.web.done_notices import DoneNotice


def told(
    console: Console, place: str, said: str, undo: Sequence[Sequence[str]] = (), **kept: str
) -> Response:
    """Back to a page of the console, which says what was done; `undo` are the words of what takes it back, none where
    nothing does."""
    said, did = said[:400], ""
    if undo:
        head = (place, console.holder.mailbox)
        did = console.visit.store.acts.keep([head, *undo], datetime.now(UTC) + BIN)
    return console.redirect(place, said=said, did=did, seal=console.visit.seal(said, did), **kept)


def notice(console: Console) -> DoneNotice | None:
    """What the address says was just done, if that was said by us."""
    said, did = console.visit.query("said"), console.visit.query("did")
    if not said or not console.visit.is_sealed(said, did):
        return None
    return DoneNotice(said, did, console.visit.reader.gettext(UNDO))


def kept(console: Console, place: str) -> Sequence[Sequence[str]]:
    """The words that a form's token stands for; none when it is too late, or somebody else did it."""
    head, *words = console.visit.store.acts.find(console.visit.field("deed")[:100]) or [()]
    return words if head == (place, console.holder.mailbox) else ()


def too_late(console: Console, place: str, **kept: str) -> Response:
    """Back to the page, which says that nothing was taken back."""
    return told(console, place, console.visit.reader.gettext(TOO_LATE), **kept)
