"""Which servers are shut out, and which were complained about. For who has the platform.

?q=, ?before= -> blocked (shared state), complaints (store) -> page
form: client  -> ClientDeeds -> what was known of it before, kept: Undo brings that back
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from starlette.responses import Response

from tamis.base.errors import ConfigError
from tamis.contract.state_keys import parse_client
from tamis.database.blocked_clients import BlockedClient
from tamis.database.complaints import Complaint
from tamis.language.translation import marked
from tamis.message.envelope import parse_ip
from tamis.web.client_deeds import MOST_BLOCKED, ClientDeeds, last_complaint, place_of_complaint
from tamis.web.console import taking_back
from tamis.web.console.console import Console
from tamis.web.rate_limits import CHANGES
from tamis.web.visit import NOT_VALID, PageRefusedError

PAGE = 50
"""Rows on one page (beyond: the next one)."""
_PLACE = "/clients"
_MOST_WHY = 200

TIMES = {
    "3600": marked("an hour"),
    "86400": marked("a day"),
    "604800": marked("7 days"),
    "2592000": marked("30 days"),
    "31536000": marked("a year"),
}
"""Seconds of a block, as people call them."""
_NO_CLIENT = marked(
    "This is neither an IP address nor the /64 of an IPv6 client. Whole networks belong on the lists."
)
_OWN = marked("This is one of our own servers, which are never shut out.")
_DID = {
    "block": marked("%(client)s is blocked."),
    "unblock": marked("%(client)s is let in again."),
    "condemn": marked("All mail from %(client)s is taken for spam until the matter is settled."),
    "settle": marked("The complaints about %(client)s are forgotten."),
}
_UNDONE = marked("%(client)s stands as before.")
_WHY = {"block": "blocked by an operator", "condemn": "complaints"}
"""What is said where nothing else was; a blocked client sees it, so it is in English."""


def show(console: Console) -> Response:
    """The page."""
    return _page(console)


def _page(console: Console, wrong: str = "") -> Response:
    visit = console.visit
    words = visit.query("q").strip()[:60]
    complaints = visit.store.complaints
    found = complaints.find(client=words, after=last_complaint(visit.query("before")), limit=PAGE + 1)
    blocked = ClientDeeds(visit.house, console.holder.mailbox).blocked(words)
    condemned, others = complaints.count()
    return console.render(
        "clients.html",
        status=422 if wrong else 200,
        wrong=wrong,
        typed={name: visit.field(name)[:_MOST_WHY] for name in ("client", "why", "for")},
        times=TIMES,
        words=words,
        blocked=blocked[:MOST_BLOCKED],
        is_cut=len(blocked) >= MOST_BLOCKED,
        condemned=condemned,
        others=others,
        found=found[:PAGE],
        older=place_of_complaint(found[PAGE - 1]) if len(found) > PAGE else "",
        notice=taking_back.notice(console),
    )


def change(console: Console) -> Response:
    """Block or condemn what was typed; unblock, settle or condemn a row."""
    visit = console.visit
    visit.spend(CHANGES, console.holder.mailbox)
    verb, _, of_row = visit.field("verb").partition(" ")
    if verb not in _DID:
        raise PageRefusedError(NOT_VALID, 400)
    typed = (of_row or visit.field("client"))[:60].strip()
    try:
        client = parse_client(typed)
    except ConfigError:
        return _page(console, visit.reader.gettext(_NO_CLIENT))
    is_own = console.site.settings.platform.is_own_network
    if verb in _WHY and any(is_own(parse_ip(one.partition("/")[0])) for one in (typed, client)):
        return _page(console, visit.reader.gettext(_OWN))
    before = _done(console, verb, client)
    return taking_back.told(console, _PLACE, visit.reader.gettext(_DID[verb]) % {"client": client}, [before])


def _done(console: Console, verb: str, client: str) -> Sequence[str]:
    """Do it; the words of what was known before."""
    visit = console.visit
    deeds = ClientDeeds(visit.house, console.holder.mailbox)
    why = visit.field("why").strip()[:_MOST_WHY] or _WHY.get(verb, "")
    if verb in ("block", "unblock"):
        block = deeds.how_blocked(client)
        if verb == "block":
            asked = visit.field("for")
            deeds.block(client, why, float(asked) if asked in TIMES else 3600.0)
        else:
            deeds.unblock(client)
        return ("block", client, *((block.entry, block.expires.isoformat()) if block else ()))
    known = visit.store.complaints.get(client)
    if verb == "condemn":
        deeds.condemn(client, why)
    else:
        deeds.settle(client)
    return ("complaint", client, *((str(known.reports), known.why, known.at.isoformat()) if known else ()))


def undo(console: Console) -> Response:
    """Let a client stand as it stood before."""
    words = next(iter(taking_back.kept(console, _PLACE)), ())
    if not words:
        return taking_back.too_late(console, _PLACE)
    deeds = ClientDeeds(console.visit.house, console.holder.mailbox)
    kind, client, *before = words
    if kind == "block" and before:
        deeds.block_again(BlockedClient(client, before[0], datetime.fromisoformat(before[1])))
    elif kind == "block":
        deeds.unblock(client)
    elif before:
        reports, why, at = before
        deeds.complained_again(Complaint(client, int(reports), why, datetime.fromisoformat(at)))
    else:
        deeds.settle(client)
    return taking_back.told(console, _PLACE, console.visit.reader.gettext(_UNDONE) % {"client": client})
