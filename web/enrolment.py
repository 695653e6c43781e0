"""Choosing a password and an app for codes: who was granted something does so once, after a mailed link or an
invitation to the own mailbox, and never from any other session.

    link, invitation -> /admin/enrol (the app's secret, signed in the form) -> factors -> strong session, recovery codes
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from markupsafe import Markup
from starlette.responses import Response

from tamis.base.errors import TokenError
from tamis.base.tokens import Purpose
from tamis.language.translation import marked
from tamis.people.proving import (
    MIN_PASSWORD,
    app_address,
    hash_password,
    is_good_password,
    new_recovery_codes,
    new_secret,
    picture,
    recovery_digest,
    step_of,
)
from tamis.web.signing_in import target
from tamis.web.visit import NOT_HERE, NoAccessError, PageRefusedError, Visit

FRESH = timedelta(hours=1)
"""How long after a mailed link a password can be chosen (beyond: by another link, so no old cookie is enough)."""
_SHOWN = timedelta(minutes=30)
"""How long a form with the secret of an app can be sent."""
_MAILED = ("link", "invitation")

WEAK_PASSWORD = marked("Please choose another one: at least %(count)s characters, not your address.")
WRONG_CODE = marked("This code is not the one that the app shows now. Is the clock of your device right?")


def show(visit: Visit) -> Response:
    """The form."""
    if _may_enrol(visit):
        return _form(visit, new_secret())
    return visit.render("enrol_first.html", address=visit.signed_in.address, to=target(visit) or "/admin")


def _may_enrol(visit: Visit) -> bool:
    """Whether this session is good enough. Raises NoAccessError where there is nothing to enrol for."""
    address, session = visit.signed_in.address, visit.session
    assert session is not None
    if session.strong or visit.store.factors.of(address).password:
        raise NoAccessError(NOT_HERE)
    if not visit.at_full_strength(address).grants:
        raise NoAccessError(NOT_HERE)
    return session.how in _MAILED and datetime.now(UTC) - session.created_at <= FRESH


def _form(visit: Visit, secret: str, *, wrong: str = "", status: int = 200) -> Response:
    return visit.render("enrol.html", status=status, wrong=wrong, to=target(visit), **app_of(visit, secret))


def app_of(visit: Visit, secret: str) -> dict[str, object]:
    """What a form shows of the secret of an app."""
    address = visit.signed_in.address
    issuer = urlsplit(visit.site.settings.web.url).hostname or "Tamis"
    expires = datetime.now(UTC) + _SHOWN
    return {
        "app": visit.house.tokens.make(Purpose.ENROL, address, secret, expires=expires),
        "picture": Markup(picture(app_address(secret, address, issuer))),  # noqa: S704 # ours, of ASCII
        "secret": " ".join(secret[n : n + 4] for n in range(0, len(secret), 4)),
        "least": MIN_PASSWORD,
    }


def secret_of(visit: Visit) -> str:
    """The secret that the form showed to this person. Raises PageRefusedError when it is too old, or another's."""
    try:
        address, secret = visit.house.tokens.read(Purpose.ENROL, visit.field("app"))
    except (TokenError, ValueError):
        address, secret = "", ""
    if not secret or address != visit.signed_in.address:
        raise PageRefusedError(
            marked("This page was open for too long, or your browser blocks cookies. Please try again."), 403
        )
    return secret


def enrol(visit: Visit) -> Response:
    """Set password, app and recovery codes, and go on in a strong session."""
    if not _may_enrol(visit):
        raise NoAccessError(NOT_HERE)
    address, secret, password = visit.signed_in.address, secret_of(visit), visit.field("password")
    if not is_good_password(password, address):
        return _form(visit, secret, wrong=WEAK_PASSWORD, status=422)
    step = step_of(secret, visit.field("code"), datetime.now(UTC))
    if not step:
        return _form(visit, secret, wrong=WRONG_CODE, status=422)
    codes = new_recovery_codes()
    visit.store.factors.enrol(
        address,
        password=hash_password(password),
        totp=visit.house.seal.close(address, secret),
        step=step,
        recovery=map(recovery_digest, codes),
        by=address,
    )
    to = target(visit) or "/admin"
    return visit.let_in(
        lambda: visit.render("recovery_codes.html", codes=codes, to=to), address, how="password", strong=True
    )
