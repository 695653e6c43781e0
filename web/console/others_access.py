"""People of the console: who may do what, invited by whom; giving, taking back, suspending.

form -> gives_too_much(giver, gift): nothing above the giver's own rights and scope -> Invitations, People
Nobody's factors, sessions or grants elsewhere are touched or shown: what concerns all of a person is for those whose
own rights cover all of them.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from functools import partial

from starlette.responses import Response

from tamis.base.errors import ConfigError
from tamis.contract.lists import MAX_PATTERN
from tamis.database.granted_people import PersonRecord, StoredGrant, parse_rights
from tamis.database.invitations import Invitation
from tamis.database.scope import parse_scope
from tamis.language.translation import marked
from tamis.message.address import address_key, is_plain
from tamis.people.rights import BUNDLES, Grant, Right, gives_too_much
from tamis.web.console.console import Console
from tamis.web.console.rights_in_words import (
    BUNDLE_NAMES,
    BUNDLE_WORDS,
    RIGHT_WORDS,
    ShownGrant,
    fixed_in_words,
    in_words,
    stored_in_words,
)
from tamis.web.invitation import mail_invitation
from tamis.web.person import Person, covers_all, is_served
from tamis.web.rate_limits import INVITATIONS
from tamis.web.typed_numbers import typed_number
from tamis.web.visit import NOT_HERE, NOT_VALID, NoAccessError, PageRefusedError

PAGE = 100
"""People on one page (beyond: the next one)."""
_HERE = "/people"
_MOST_DAYS = 3650

TOO_MUCH = marked("You can give only what you have, where you have it.")
_NO_ADDRESS = marked("Please enter the full address of a mailbox here, such as marie@example.com.")
_NO_RIGHT = marked("Please choose what this person may do.")
_NO_DAY = marked("Please enter a day that is still to come.")
_NO_SCOPE = marked("This is neither a domain nor a mailbox.")
_SAID = {
    "invited": marked("%(about)s gets a link by mail, which works once, for 7 days."),
    "withdrawn": marked("The invitation of %(about)s does not count any more."),
    "granted": marked("%(about)s may do more from now on."),
    "revoked": marked("Taken back from %(about)s."),
    "suspended": marked("Nothing that %(about)s was granted counts for now. All sessions were ended."),
    "resumed": marked("What %(about)s was granted counts again."),
    "reset": marked("%(about)s chooses a new password and app after a mailed link. All sessions were ended."),
}


class _WrongGiftError(ConfigError):
    """What was typed can't be given; `sentence` says why."""

    def __init__(self, sentence: str) -> None:
        super().__init__("form", "rights", sentence)
        self.sentence = sentence


def show_list(console: Console, *, wrong: str = "", status: int = 200) -> Response:
    """Everybody who was granted something in the scope, what is offered, and the form of an invitation."""
    reach, after = console.visible(Right.PEOPLE), console.visit.query("after")
    found = console.visit.store.people.list(reach, after=after, limit=PAGE + 1)
    named = {} if after else _named(console)
    return console.render(
        "people.html",
        status=status,
        people=[(one, _shown(console, one)) for one in found[:PAGE]],
        named=named,
        more=found[PAGE - 1].address if len(found) > PAGE else "",
        offers=[(one, in_words(one.gift, by=one.by, expires=one.until)) for one in _offers(console)],
        wrong=wrong,
        said=_said(console),
        now=datetime.now(UTC),
        **_form(console),
    )


def _form(console: Console) -> dict[str, object]:
    typed = {name: console.visit.field(name) for name in ("address", "scope", "bundle", "expires")}
    chosen = set(console.visit.fields("right"))
    offered = [right for right in Right if console.may(right) and right is not Right.PLATFORM]
    return {
        "typed": typed,
        "chosen": chosen,
        "bundles": [
            (name, BUNDLE_NAMES[name], BUNDLE_WORDS[name])
            for name, rights in BUNDLES.items()
            if not gives_too_much(console.holder, Grant(console.scope, rights))
        ],
        "rights": [(right, RIGHT_WORDS[right]) for right in offered],
    }


def _offers(console: Console) -> tuple[Invitation, ...]:
    return console.visit.store.invitations.list(console.visible(Right.PEOPLE))


def _named(console: Console) -> dict[str, list[ShownGrant]]:
    """Whom the settings file names, where this person may see it: they can't be changed here."""
    reach = console.visible(Right.PEOPLE)
    found = {}
    for address in console.site.settings.web.administrators:
        person = Person.of(address, console.site)
        held = [one for one in fixed_in_words(person) if reach.covers(one.scope)]
        if held:
            found[person.address] = held
    return found


def _shown(console: Console, one: PersonRecord) -> list[ShownGrant]:
    """The grants of a person that this one may know of; with the id where they may be taken back."""
    return [
        stored_in_words(given, revocable=not gives_too_much(console.holder, given.grant))
        for given in one.grants
        if console.may(Right.PEOPLE, given.grant.scope)
    ]


def change_list(console: Console) -> Response:
    """Invite, or take an invitation back."""
    console.require_confirmed(_HERE)
    if console.visit.field("do") == "withdraw":
        return _withdraw(console)
    visit = console.visit
    address = address_key(visit.field("address").strip()[:MAX_PATTERN])
    if not is_plain(address) or not is_served(address, console.site):
        return show_list(console, wrong=_NO_ADDRESS, status=422)
    try:
        gift, until = _gift(console)
    except _WrongGiftError as error:
        return show_list(console, wrong=error.sentence, status=422)
    mailbox, by = console.site.book.policy(address).mailbox, console.holder.mailbox
    visit.spend(INVITATIONS, by)
    secret = visit.store.invitations.invite(mailbox, gift, by=by, until=until)
    response = _back(console, _HERE, "invited", mailbox)
    visit.afterwards(response, partial(mail_invitation, visit, mailbox, gift.scope, secret))
    return response


def _withdraw(console: Console) -> Response:
    number = console.visit.field("offer")
    offer = console.visit.store.invitations.get(number)
    if offer is None or gives_too_much(console.holder, offer.gift):
        raise NoAccessError(NOT_HERE)
    console.visit.store.invitations.withdraw(number, by=console.holder.mailbox)
    return _back(console, _HERE, "withdrawn", offer.address)


def _gift(console: Console) -> tuple[Grant, datetime | None]:
    """What the form gives, and until when. Raises _WrongGiftError."""
    visit = console.visit
    try:
        scope = parse_scope(visit.field("scope") or console.scope)
        rights = parse_rights([*filter(None, [visit.field("bundle")]), *visit.fields("right")])
    except ConfigError:
        raise _WrongGiftError(_NO_SCOPE) from None
    if not rights:
        raise _WrongGiftError(_NO_RIGHT)
    gift = Grant(console.site.book.policy(scope).mailbox if "@" in scope else scope, rights)
    if gives_too_much(console.holder, gift):
        raise _WrongGiftError(TOO_MUCH)
    return gift, _until(visit.field("expires"))


def _until(day: str) -> datetime | None:
    """The end of a day (UTC), None for none. Raises _WrongGiftError."""
    if not day:
        return None
    try:
        until = datetime.combine(datetime.fromisoformat(day[:10]), time.min, UTC) + timedelta(days=1)
    except (ValueError, OverflowError):
        raise _WrongGiftError(_NO_DAY) from None
    now = datetime.now(UTC)
    if not now < until <= now + timedelta(days=_MOST_DAYS):
        raise _WrongGiftError(_NO_DAY)
    return until


def show_person(console: Console, *, wrong: str = "", status: int = 200) -> Response:
    """One person: what was granted where this one may see it, and how that is changed."""
    one = _person(console)
    address = one.address
    return console.render(
        "person.html",
        status=status,
        one=one,
        held=_shown(console, one),
        fixed=_named(console).get(address, []),
        is_ours=_covers(console, one),
        is_self=address == console.holder.mailbox,
        sessions=console.visit.store.sessions.list(address) if _covers(console, one) else (),
        wrong=wrong,
        said=_said(console),
        back=_regranted(console),
        **_form(console),
    )


def _person(console: Console) -> PersonRecord:
    """The person of the address, who was granted something where this one gives rights."""
    number = typed_number(console.visit.request.path_params["person"])
    one = console.visit.store.people.get(number) if number is not None else None
    if one is None or not _shown(console, one):
        raise NoAccessError(NOT_HERE)
    return one


def _covers(console: Console, one: PersonRecord) -> bool:
    """Whether all that a person may do could be given by this one: then this one may act on the person as a whole."""
    granted = (given.grant for given in one.grants)
    return covers_all(console.holder, one.address, granted, console.site)


def change_person(console: Console) -> Response:
    """Do what a form of a person's page asks for."""
    one = _person(console)
    console.require_confirmed(f"{_HERE}/{one.id}")
    deeds = {"grant": _grant, "revoke": _revoke, "suspend": _suspend, "resume": _suspend, "reset": _reset}
    deed = deeds.get(console.visit.field("do"))
    if deed is None:
        raise PageRefusedError(NOT_VALID, 400)
    return deed(console, one)


def _grant(console: Console, one: PersonRecord) -> Response:
    try:
        gift, until = _gift(console)
    except _WrongGiftError as error:
        return show_person(console, wrong=error.sentence, status=422)
    store, by = console.visit.store, console.holder.mailbox
    store.people.grant(one.address, gift.scope, gift.rights, by=by, expires=until)
    return _back(console, f"{_HERE}/{one.id}", "granted", one.address)


def _revoke(console: Console, one: PersonRecord) -> Response:
    number = typed_number(console.visit.field("grant"))
    given = next((g for g in one.grants if g.id == number), None)
    if given is None or gives_too_much(console.holder, given.grant):
        raise NoAccessError(NOT_HERE)
    console.visit.store.people.revoke(given.id, by=console.holder.mailbox)
    left = [g for g in one.grants if g is not given and console.may(Right.PEOPLE, g.grant.scope)]
    if not left:  # the person's page is not for this one any more
        return _back(console, _HERE, "revoked", one.address)
    return _back(console, f"{_HERE}/{one.id}", "revoked", one.address, **_undoing(given))


def _undoing(given: StoredGrant) -> dict[str, str]:
    """What gives it again."""
    until = given.expires.date().isoformat() if given.expires else ""
    return {"scope": given.grant.scope, "rights": ",".join(sorted(given.grant.rights)), "until": until}


def _regranted(console: Console) -> dict[str, object] | None:
    """The form that undoes a revocation; nothing is given by it that this person could not give anyhow."""
    visit = console.visit
    if visit.query("said") != "revoked":
        return None
    rights = [one for one in visit.query("rights").split(",") if one in tuple(Right)]
    return {"scope": visit.query("scope"), "rights": rights, "until": visit.query("until")}


def _suspend(console: Console, one: PersonRecord) -> Response:
    suspended = console.visit.field("do") == "suspend"
    if not _covers(console, one) or one.address == console.holder.mailbox:
        raise NoAccessError(NOT_HERE)
    console.visit.store.people.suspend(one.address, by=console.holder.mailbox, suspended=suspended)
    said = "suspended" if suspended else "resumed"
    return _back(console, f"{_HERE}/{one.id}", said, one.address)


def _reset(console: Console, one: PersonRecord) -> Response:
    if not _covers(console, one) or one.address == console.holder.mailbox:
        raise NoAccessError(NOT_HERE)
    console.visit.store.factors.reset(one.address, by=console.holder.mailbox)
    return _back(console, f"{_HERE}/{one.id}", "reset", one.address)


def _back(console: Console, path: str, said: str, about: str, **more: str) -> Response:
    seal = console.visit.seal(said, about)
    return console.redirect(path, said=said, about=about, seal=seal, **more)


def _said(console: Console) -> str:
    """What was just done, in the reader's language; nobody else can put words there."""
    visit = console.visit
    said, about = visit.query("said"), visit.query("about")
    if said not in _SAID or not visit.is_sealed(said, about):
        return ""
    return visit.reader.gettext(_SAID[said]) % {"about": about}
