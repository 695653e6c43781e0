"""What the person who is signed in may do, signs in with, and where."""

from __future__ import annotations

from datetime import UTC, datetime

from starlette.responses import Response

from tamis.language.translation import marked
from tamis.people.proving import (
    hash_password,
    is_good_password,
    new_recovery_codes,
    new_secret,
    recovery_digest,
    step_of,
)
from tamis.web.console.console import Console
from tamis.web.console.rights_in_words import fixed_in_words, stored_in_words
from tamis.web.enrolment import WEAK_PASSWORD, WRONG_CODE, app_of, secret_of
from tamis.web.person import Person
from tamis.web.visit import NOT_VALID, PageRefusedError

_HERE = "/me"
_SAID = {
    "password": marked("The new password counts from now on. All other sessions were ended."),
    "app": marked("Codes of the new app count from now on, those of the old one no more."),
    "ended": marked("That session was ended."),
}


def show(console: Console, *, wrong: str = "", status: int = 200) -> Response:
    """The page."""
    visit, address = console.visit, console.holder.mailbox
    person = visit.store.people.find(address)
    stored = person.grants if person and not person.suspended else ()
    factors = visit.store.factors.of(address)
    assert visit.session is not None
    return console.render(
        "own_access.html",
        status=status,
        held=[*fixed_in_words(Person.of(address, console.site)), *map(stored_in_words, stored)],
        left=len(factors.recovery),
        sessions=visit.store.sessions.list(address),
        this=visit.session.id,
        wrong=wrong,
        said=_SAID.get(visit.query("said"), ""),
    )


def change(console: Console) -> Response:
    """Do what a form of the page asks for."""
    deeds = {"password": _set_password, "codes": _set_codes, "end": _end_session}
    deed = deeds.get(console.visit.field("do"))
    if deed is None:
        raise PageRefusedError(NOT_VALID, 400)
    return deed(console)


def _set_password(console: Console) -> Response:
    visit, address = console.visit, console.holder.mailbox
    console.require_confirmed(_HERE)
    password = visit.field("password")
    if not is_good_password(password, address):
        return show(console, wrong=WEAK_PASSWORD, status=422)
    visit.store.factors.enrol(address, password=hash_password(password), by=address)
    visit.store.sessions.end_all(address, but=visit.secret)
    return console.redirect(_HERE, said="password")


def _set_codes(console: Console) -> Response:
    console.require_confirmed(_HERE)
    codes, address = new_recovery_codes(), console.holder.mailbox
    console.visit.store.factors.enrol(address, recovery=map(recovery_digest, codes), by=address)
    return console.visit.render("recovery_codes.html", codes=codes, to="/admin/me")


def _end_session(console: Console) -> Response:
    visit, address = console.visit, console.holder.mailbox
    visit.store.sessions.revoke(address, visit.field("session"), by=address)
    return console.redirect(_HERE, said="ended")


def show_app(console: Console, *, secret: str = "", wrong: str = "", status: int = 200) -> Response:
    """The form for another app."""
    console.require_confirmed("/me/app")
    app = app_of(console.visit, secret or new_secret())
    return console.render("own_app.html", status=status, wrong=wrong, **app)


def change_app(console: Console) -> Response:
    """Take the codes of another app from now on."""
    visit, address = console.visit, console.holder.mailbox
    console.require_confirmed("/me/app")
    secret = secret_of(visit)
    step = step_of(secret, visit.field("code"), datetime.now(UTC))
    if not step:
        return show_app(console, secret=secret, wrong=WRONG_CODE, status=422)
    visit.store.factors.enrol(address, totp=visit.house.seal.close(address, secret), step=step, by=address)
    return console.redirect(_HERE, said="app")
