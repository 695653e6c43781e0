"""Signing in with a password and a code, which opens what was granted; and the code that is asked for again.

address, password, code -> limits -> prove -> the code is used up -> a new session in place of the old one
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from starlette.responses import Response

from tamis.base.errors import ServiceError, StoreError
from tamis.contract.lists import MAX_PATTERN
from tamis.language.translation import marked
from tamis.message.address import address_key, is_plain
from tamis.people.proving import FactorProof, hash_password, is_outdated, prove, prove_code
from tamis.web.attempts import attempt
from tamis.web.rate_limits import (
    PASSWORDS_FROM_NETWORK,
    PROOFS_OF_ADDRESS,
    PROOFS_OF_STRANGERS,
    REFUSALS_NOTED,
    Limit,
)
from tamis.web.signing_in import target
from tamis.web.visit import SESSION, StrengthError, Visit

_WRONG = marked("The address, password or code is incorrect.")
WRONG_CODE = marked("This code is incorrect, or was used before.")
FIRST = "/admin"
"""Where one comes to without a target."""

log = logging.getLogger(__name__)


def show_form(visit: Visit) -> Response:
    """The form; those who have not chosen a password yet are led there."""
    session = visit.session
    if session is not None and session.strong:
        return visit.redirect(target(visit) or FIRST)
    if session is not None and _is_to_enrol(visit, session.address):
        return visit.redirect("/admin/enrol", to=target(visit))
    return _form(visit, address=session.address if session else "")


def _is_to_enrol(visit: Visit, address: str) -> bool:
    return not visit.store.factors.of(address).is_complete and bool(visit.at_full_strength(address).grants)


def _form(visit: Visit, *, address: str, wrong: str = "", status: int = 200) -> Response:
    return visit.render("strong_sign_in.html", status=status, address=address, wrong=wrong, to=target(visit))


def sign_in(visit: Visit) -> Response:
    """Look at what was typed. Whatever is wrong, and whoever it is, the work and the answer are the same."""
    typed = visit.field("address").strip()[:MAX_PATTERN]
    key = address_key(typed)
    mailbox = visit.site.book.policy(key).mailbox if is_plain(key) else ""
    with attempt(visit, *_limits(visit, mailbox)) as tried:
        factors = visit.store.factors.of(mailbox)
        proof = prove(
            factors,
            visit.house.seal,
            mailbox,
            visit.field("password"),
            visit.field("code"),
            datetime.now(UTC),
        )
        tried.wrong = proof is None or not use_up(visit, mailbox, proof)
    if tried.wrong:
        note_wrong(visit, mailbox or typed, "sign in refused")
        return _form(visit, address=typed, wrong=_WRONG, status=403)
    if is_outdated(factors.password):
        visit.store.factors.renew_password(mailbox, hash_password(visit.field("password")))
    to = target(visit) or FIRST
    return visit.let_in(lambda: visit.redirect(to), mailbox, how="password", strong=True)


def _limits(visit: Visit, mailbox: str) -> list[tuple[Limit, str]]:
    """What wrong attempts count for. Who came by a link of that very mailbox is no stranger."""
    limits = [
        (PROOFS_OF_ADDRESS, f"{visit.network} {mailbox}"),
        (PASSWORDS_FROM_NETWORK, visit.network),
    ]
    known = visit.session is not None and visit.session.address == mailbox
    return limits if known else [*limits, (PROOFS_OF_STRANGERS, mailbox)]


def use_up(visit: Visit, mailbox: str, proof: FactorProof) -> bool:
    """Use a code up; False when somebody was quicker."""
    if proof.recovery:
        return visit.store.factors.use_recovery(mailbox, proof.recovery)
    return visit.store.factors.use_step(mailbox, proof.step)


def note_wrong(visit: Visit, who: str, what: str) -> None:
    """A wrong attempt stands in the audit trail, where it was made for."""
    log.info("%s: <%s> from %s", what, who, visit.network)
    try:
        if visit.wait(REFUSALS_NOTED.count, visit.house.state, visit.network):
            visit.store.trail.note(who, what, who, scope=who)
    except (StoreError, ServiceError) as error:
        log.warning("a wrong attempt is not in the audit trail: %s", error)


def show_confirm(visit: Visit, *, wrong: str = "", status: int = 200) -> Response:
    """The form for a code, before what is worth more than a cookie."""
    if visit.session is None or not visit.session.strong:
        raise StrengthError
    return visit.render("strong_confirm.html", status=status, wrong=wrong, to=target(visit))


def confirm(visit: Visit) -> Response:
    """Look at a code; the session goes on under a new secret."""
    confirmed = confirmed_by(visit, visit.field("code"))
    if confirmed is None:
        return show_confirm(visit, wrong=WRONG_CODE, status=403)
    return confirmed(visit.redirect(target(visit) or FIRST))


def confirmed_by(visit: Visit, code: str) -> Callable[[Response], Response] | None:
    """Confirm the session by a code that a form has beside other things: what puts its new secret on the answer, None
    where the code is wrong."""
    session = visit.session
    if session is None or not session.strong:
        raise StrengthError
    mailbox = session.address
    with attempt(visit, (PROOFS_OF_ADDRESS, f"{visit.network} {mailbox}")) as tried:
        factors = visit.store.factors.of(mailbox)
        proof = prove_code(factors, visit.house.seal, mailbox, code, datetime.now(UTC))
        tried.wrong = proof is None or not use_up(visit, mailbox, proof)
    if tried.wrong:
        note_wrong(visit, mailbox, "code refused")
        return None
    left = session.expires_at - datetime.now(UTC)
    secret = visit.store.sessions.confirm(visit.secret)

    def put(response: Response) -> Response:
        visit.set_cookie(response, SESSION, secret, max(int(left.total_seconds()), 0))
        return response

    return put
