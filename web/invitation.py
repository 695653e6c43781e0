"""The mailed link by which rights are taken up: it proves the mailbox, and leads on to a password and an app.

secret of the link -> offer -> button -> what its maker may still give is granted -> session of the mailbox -> enrolment
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from markupsafe import Markup
from starlette.responses import Response

from tamis.base.errors import TamisError
from tamis.database.invitations import Invitation
from tamis.desk.reinjection import Reinjector
from tamis.language.translation import marked
from tamis.letters.letter import button, letter, our_fields, paragraph, sheet, wrapped
from tamis.message.address import PLATFORM
from tamis.people.rights import gives_too_much
from tamis.quarantine.records import new_id
from tamis.web.page_reader import PageReader
from tamis.web.rate_limits import WRONG_TOKENS, TooManyError
from tamis.web.visit import NOT_VALID, PageRefusedError, Visit

log = logging.getLogger(__name__)

_PRESS = marked("See the invitation")
_SUBJECT = marked("You are invited to look after mail of %(scope)s")
_ASKED = marked(
    "%(by)s invites you to the console of %(scope)s. This link works once, for 7 days. It asks you to choose a "
    "password and an app for codes:"
)
_OTHERWISE = marked("You do not know %(by)s? Ignore this message: without the link nothing happens.")


def mail_invitation(visit: Visit, mailbox: str, scope: str, secret: str) -> None:
    """Mail the link, as a sign-in's: after the answer, and to no other host."""
    policy = visit.site.book.policy(mailbox)
    if policy.forward:
        log.info("no invitation for <%s>: its mail goes to another host", mailbox)
        return
    settings = visit.site.settings
    content = compose(
        mailbox,
        by=visit.signed_in.address,
        scope=scope,
        link=f"{settings.web.url}/admin/invitation/{secret}",
        language=policy.terms.language,
        from_local=settings.notices.sender,
        now=datetime.now(UTC),
    )
    try:
        Reinjector(settings.desk.reinject).send("", (), [(mailbox, ())], content)
    except TamisError as error:
        log.warning("no invitation for <%s>: %s", mailbox, error)


def compose(
    mailbox: str, *, by: str, scope: str, link: str, language: str, from_local: str, now: datetime
) -> bytes:
    """The mail with the link, in the mailbox's language."""
    _ = PageReader(language, "UTC").gettext
    words = {"by": by, "scope": _("the platform") if scope == PLATFORM else scope}
    subject, asked, otherwise = (_(text) % words for text in (_SUBJECT, _ASKED, _OTHERWISE))
    fields = our_fields(
        mailbox=mailbox,
        subject=subject,
        from_local=from_local,
        number=f"{new_id(now)}.invitation",
        language=language,
        now=now,
    )
    text = f"{wrapped([asked])}\n\n{link}\n\n{wrapped([otherwise])}\n"
    pressed = Markup("<p>{}</p>").format(button(link, _(_PRESS)))
    html = Markup("\n").join((paragraph(asked), pressed, paragraph(otherwise)))
    return letter(fields, text, sheet(language, subject, html))


def show(visit: Visit) -> Response:
    """The page of a mailed link: a button, since programs that look at mail open links too."""
    return visit.render("invitation.html", offer=_offer(visit))


def _offer(visit: Visit) -> Invitation:
    offer = visit.store.invitations.find(visit.request.path_params["token"])
    if offer is None or not _may_give(visit, offer):
        if not visit.wait(WRONG_TOKENS.count, visit.house.state, visit.network):
            raise TooManyError("too many links that are not valid")
        raise PageRefusedError(NOT_VALID)
    return offer


def _may_give(visit: Visit, offer: Invitation) -> bool:
    """Whether who made an offer may give it still."""
    return not gives_too_much(visit.at_full_strength(offer.by).holder, offer.gift)


def accept(visit: Visit) -> Response:
    """Take an offer up: rights, and a session of the mailbox, whatever session was there."""
    offer = _offer(visit)
    taken = visit.store.invitations.accept(
        visit.request.path_params["token"], lambda one: _may_give(visit, one)
    )
    if taken is None:
        raise PageRefusedError(NOT_VALID)
    return visit.let_in(lambda: visit.redirect("/admin/sign-in"), offer.address, how="invitation")
