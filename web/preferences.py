"""What recipients set for themselves: their lists of senders, and what policy lets them choose."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from starlette.responses import Response

from tamis.base.errors import ConfigError
from tamis.contract.breadth import SENTENCES, breadth
from tamis.contract.lists import Colour, Match, Subject, normalise_pattern
from tamis.database.list_entries import NewEntry
from tamis.filters.signing.forgeable import forgeable
from tamis.judging import list_effect
from tamis.judging.policy_terms import Terms
from tamis.judging.stored_policy import Override
from tamis.language.translation import NAMES, marked
from tamis.web.rate_limits import CHANGES
from tamis.web.typed_numbers import typed_number
from tamis.web.visit import PageRefusedError, Visit

_MOST_ENTRIES = 1000
_MOST_SHOWN = 5  # entries that a sentence names
_CARE = marked("But take care: %(why)s.")
UNUSABLE = marked("This value can't be used.")
DIGESTS = 3
"""Times of day that the form offers."""

OUTCOMES = {
    "quarantine": marked("hold it here"),
    "junk": marked("put it into the folder Junk"),
    "tag": marked("deliver it, with a tag in front of the subject"),
    "inbox": marked("deliver it like all other mail"),
}
LEVELS = {
    5.0: marked("strict: more is held, sometimes by mistake"),
    7.5: marked("balanced"),
    10.0: marked("lenient: less is held, more gets through"),
}


def show_lists(
    visit: Visit, *, wrong: str = "", typed: str = "", doubt: str = "", colour: str = "", status: int = 200
) -> Response:
    """Who is always allowed, who is always blocked. `doubt` says why what was typed is to be confirmed."""
    mailbox = visit.signed_in.address
    entries = visit.store.lists.find(scope=mailbox, subject=Subject.SENDER, limit=_MOST_ENTRIES)
    said, about = visit.query("said"), visit.query("about")
    despite, all_of_it = (
        list_effect.allowed_despite(about, entries) if said.endswith("black") else ([], False)
    )
    return visit.render(
        "lists.html",
        status=status,
        allowed=[one for one in entries if one.colour is Colour.WHITE],
        blocked=[one for one in entries if one.colour is Colour.BLACK],
        wrong=wrong,
        typed=typed,
        doubt=doubt,
        colour=colour,
        despite=despite[:_MOST_SHOWN],
        all_of_it=all_of_it,
        said=said if visit.is_sealed(said, about) else "",
        about=about,
        care=take_care(visit, about, mailbox) if _is_allowed_now(visit) else "",
    )


def _is_allowed_now(visit: Visit) -> bool:
    """Whether the page is what follows adding a sender to those who are always allowed."""
    said, about = visit.query("said"), visit.query("about")
    return said in ("added-white", "moved-white") and visit.is_sealed(said, about)


def take_care(visit: Visit, sender: str, scope: str) -> str:
    """What to think of where a sender is always allowed whose domain does not protect its name, in the reader's
    language; "" where there is nothing."""
    found = visit.wait(forgeable, visit.house.dns, visit.site.book, [sender], scope).why.get(sender)
    return visit.reader.gettext(_CARE) % {"why": visit.reader.gettext(found)} if found else ""


def deciding_entry(visit: Visit, sender: str, mailbox: str) -> Match | None:
    """The list entry that will count for the next mail of a sender, as the store has it this second."""
    scopes = visit.site.book.policy(mailbox).scopes
    own = visit.store.lists.find(scope=mailbox, subject=Subject.SENDER)
    return list_effect.deciding_entry(visit.site.lists, own, sender, scopes)


def change_list(visit: Visit) -> Response:
    """Add or remove an entry of the own mailbox."""
    mailbox = visit.signed_in.address
    visit.spend(CHANGES, mailbox)
    if visit.field("remove"):
        own = {one.id: one for one in visit.store.lists.find(scope=mailbox, subject=Subject.SENDER)}
        number = typed_number(visit.field("remove"))
        if number is None or number not in own:
            raise PageRefusedError(marked("This entry is no longer there."))
        visit.store.lists.remove([number], by=mailbox)
        colour, pattern = own[number].colour, own[number].pattern
        return _changed(visit, f"removed-{colour}", pattern)
    typed = visit.field("sender").strip()
    try:
        colour = Colour(visit.field("colour"))
        if len(visit.store.lists.find(scope=mailbox, limit=_MOST_ENTRIES)) >= _MOST_ENTRIES:
            raise PageRefusedError(marked("Your lists are full. Remove an entry first."), 409)
        entry = NewEntry(
            colour=colour,
            subject=Subject.SENDER,
            pattern=typed,
            scope=mailbox,
            origin="web",
            author=mailbox,
        )
        pattern = normalise_pattern(Subject.SENDER, typed)
        broad = breadth(Subject.SENDER, pattern, visit.site.settings.platform.domains, mailbox)
        if broad is not None and visit.field("sure") != pattern:
            return show_lists(visit, typed=pattern, doubt=SENTENCES[broad], colour=colour, status=422)
        added = visit.store.lists.add([entry])
    except (ConfigError, ValueError):
        wrong = marked(
            "This is neither an address nor a domain. Examples: marie@example.com, example.com, *.example.com"
        )
        return show_lists(visit, wrong=wrong, typed=typed[:320], status=422)
    return _changed(visit, f"{'moved' if added.replaced else 'added'}-{colour}", pattern)


def _changed(visit: Visit, said: str, about: str) -> Response:
    """Back to the lists, which say so."""
    return visit.redirect("/lists", said=said, about=about, seal=visit.seal(said, about))


def show_settings(visit: Visit, *, wrong: Mapping[str, str] | None = None, status: int = 200) -> Response:
    """What may be chosen, as it is in force."""
    mailbox = visit.signed_in.address
    terms = _terms(visit)
    return visit.render(
        "settings.html",
        status=status,
        terms=terms,
        own=frozenset(_own(visit, terms)),
        wrong=wrong or {},
        saved=visit.query("saved") == "yes" and not wrong,
        zones=_zones(),
        mailbox=mailbox,
        outcomes=OUTCOMES,
        levels=LEVELS,
        languages=NAMES,
        times=[*terms.digest, *[""] * DIGESTS][: max(DIGESTS, len(terms.digest))],
    )


@cache
def _zones() -> list[str]:
    return sorted(zone for zone in available_timezones() if "/" in zone or zone == "UTC")


def _terms(visit: Visit) -> Terms:
    """The terms with what was stored this second, which the site in force takes up in the next."""
    mailbox = visit.signed_in.address
    terms = visit.site.book.policy(mailbox).terms
    stored = {
        one.override.key: one.override.value
        for one in visit.store.overrides.list(mailbox)
        if one.override.key in Terms.model_fields
    }
    return Terms.model_validate({**terms.model_dump(), **stored})


def _own(visit: Visit, terms: Terms) -> list[str]:
    """What policy leaves to recipients, and nobody above has fixed."""
    mailbox = visit.signed_in.address
    return [key for key in terms.self_service if not visit.site.book.fixed_above(mailbox, key)]


_READ: Mapping[str, Callable[[Visit], Any]] = {
    "outcome": lambda visit: visit.field("outcome"),
    "required": lambda visit: float(visit.field("required")),
    "digest": lambda visit: sorted({time for time in visit.fields("digest") if time}),
    "language": lambda visit: visit.field("language"),
    "time_zone": lambda visit: visit.field("time_zone"),
    "locked": lambda visit: visit.field("locked") == "yes",
}
"""What the form says of each setting, as JSON; raises ValueError."""


def change_settings(visit: Visit) -> Response:
    """Store what changed, on top of the mailbox's policy. What policy does not leave to recipients is not looked at."""
    mailbox = visit.signed_in.address
    visit.spend(CHANGES, mailbox)
    terms = _terms(visit)
    current = json.loads(terms.model_dump_json())
    wrong: dict[str, str] = {}
    changes = []
    for key in _own(visit, terms):
        try:
            value = _READ[key](visit)
            if value != current[key]:
                changes.append(Override(mailbox, key, value))
        except ValueError:
            wrong[key] = UNUSABLE
    try:
        if not wrong:
            visit.store.overrides.change(changes, by=mailbox, check=visit.house.check)
    except ConfigError as error:
        named = [key for key in current if error.key.endswith(f".{key}")]
        wrong = dict.fromkeys(named or [one.key for one in changes], UNUSABLE)
    if wrong:
        return show_settings(visit, wrong=wrong, status=422)
    return visit.redirect("/settings", saved="yes")
