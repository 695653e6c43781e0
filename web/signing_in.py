"""Signing in: by a link that is mailed to the mailbox, or, where it is set up, with the mailbox's IMAP password."""

from __future__ import annotations

import imaplib
import logging
import re
import secrets
import ssl
from datetime import UTC, datetime, timedelta
from functools import partial
from urllib.parse import urlsplit

from markupsafe import Markup
from starlette.responses import Response

from tamis.base.daemon_threads import begun
from tamis.base.errors import ReinjectError, StoreError, TamisError
from tamis.base.tokens import Purpose
from tamis.contract.lists import MAX_PATTERN
from tamis.database.history_search import Wanted
from tamis.desk.reinjection import Reinjector
from tamis.language.translation import marked
from tamis.letters.letter import button, letter, our_fields, paragraph, sheet, wrapped
from tamis.message.address import address_key, domain_of, is_plain
from tamis.message.envelope import IPAddress
from tamis.quarantine.records import new_id
from tamis.settings import WebSettings
from tamis.web.attempts import attempt
from tamis.web.person import is_served
from tamis.web.rate_limits import (
    FIRST_TO_MAILBOX,
    MAILS_FOR_NETWORK,
    MAILS_IN_ALL,
    MAILS_OF_DOMAIN,
    MAILS_TO_ADDRESS,
    MAILS_TO_UNKNOWN,
    PASSWORDS_FROM_NETWORK,
    PASSWORDS_OF_ADDRESS,
    Limit,
)
from tamis.web.visit import NOT_VALID, SESSION, PageRefusedError, Visit

LINK_MINUTES = 15
"""How long a mailed link works."""
_IMAP_SECONDS = 10.0
_TARGET = re.compile(
    r"/(?:lists|settings|done|mail(?:/[0-9A-HJKMNP-TV-Z]{26})?|admin(?:/[A-Za-z0-9@._-]{1,100}){0,3})"
    r"(?:\?[A-Za-z0-9@._=&%+:~-]{1,300})?"
)
_WRONG = marked("The address or password is incorrect.")

log = logging.getLogger(__name__)


def show_front(visit: Visit) -> Response:
    """The way in: to the own quarantine, or to the form."""
    return visit.redirect("/mail" if visit.person else "/sign-in")


def show_form(visit: Visit) -> Response:
    """The form."""
    if visit.person:
        return visit.redirect(target(visit) or "/mail")
    return _form(visit)


def _form(visit: Visit, *, wrong: str = "", status: int = 200) -> Response:
    address = "" if not wrong else visit.field("address")[:MAX_PATTERN]
    imap, by_password = bool(visit.site.settings.web.imap), visit.field("how") == "password"
    return visit.render(
        "sign_in.html",
        status=status,
        wrong=wrong,
        address=address,
        imap=imap,
        by_password=imap and by_password,
        to=target(visit),
        to_console=to_console(target(visit)),
    )


def target(visit: Visit) -> str:
    """The page that was asked for before signing in, "" for none: a path of ours and nothing else."""
    to = visit.query("to")
    return to if _TARGET.fullmatch(to) else ""


def to_console(to: str) -> bool:
    """Whether a page that was asked for is the console's."""
    return re.match(r"/admin(?![^/?])", to) is not None


def ask(visit: Visit) -> Response:
    """Send a link, or look at the password. For a link the answer is the same whether the mailbox exists."""
    address = address_key(visit.field("address").strip()[:MAX_PATTERN])
    if not is_served(address, visit.site) or not is_plain(address):
        wrong = marked("Please enter your full address, such as marie@example.com.")
        return _form(visit, wrong=wrong, status=422)
    mailbox = visit.site.book.policy(address).mailbox
    if visit.field("how") == "password" and visit.site.settings.web.imap:
        return _by_password(visit, mailbox)
    visit.spend(MAILS_FOR_NETWORK, visit.network)
    response = visit.render("sign_in_sent.html", address=address, minutes=LINK_MINUTES, to=target(visit))
    visit.afterwards(response, partial(_send_link, visit, mailbox))
    return response


def _send_link(visit: Visit, mailbox: str) -> None:
    """Send the mail, if it may go. Nobody waits for it, so its time tells nobody whether there is such a mailbox."""
    try:
        if visit.site.book.policy(
            mailbox
        ).forward:  # the link would go to another host, with the right to act here
            log.info("no sign-in mail for <%s>: its mail goes to another host", mailbox)
            return
        is_known = _is_known(visit, mailbox)
        # where no domains are named, nothing else says that an address is here
        if not is_known and not visit.site.settings.platform.domains:
            log.info("no sign-in mail for <%s>: there was never mail for it", mailbox)
        elif not _may_go(visit, mailbox, is_known=is_known):
            log.warning("no sign-in mail for <%s>: too many", mailbox)
        else:
            _send(visit, mailbox, is_known=is_known)
    except TamisError as error:
        log.warning("no sign-in mail for <%s>: %s", mailbox, error)


def _is_known(visit: Visit, mailbox: str) -> bool:
    """Whether Tamis has seen mail for a mailbox, or the settings name it."""
    return (
        mailbox in visit.site.settings.web.administrators
        or visit.store.people.find(mailbox) is not None
        or bool(visit.store.quarantine.list(mailbox, state=None, limit=1))
        or bool(visit.store.history.find(Wanted(scope=mailbox), limit=1))
    )


def _may_go(visit: Visit, mailbox: str, *, is_known: bool) -> bool:
    """Count a mail; whether it is within the limits. What is asked for addresses that are not there uses up nothing of
    what those that are have."""
    domain = domain_of(mailbox)

    def counted(limit: Limit, who: str) -> bool:
        return visit.wait(limit.count, visit.house.state, who)

    if not counted(MAILS_TO_ADDRESS, mailbox):
        return False
    if not is_known:
        return counted(MAILS_TO_UNKNOWN, domain)
    return (
        counted(FIRST_TO_MAILBOX, mailbox) or counted(MAILS_OF_DOMAIN, domain) or counted(MAILS_IN_ALL, "all")
    )


def _send(visit: Visit, mailbox: str, *, is_known: bool) -> None:
    try:
        Reinjector(visit.site.settings.desk.reinject).send("", (), [(mailbox, ())], _mail(visit, mailbox))
    except ReinjectError as error:  # no such mailbox, perhaps: nobody is told
        log.info("no sign-in mail for <%s>: %s", mailbox, error)
        if not is_known:
            visit.wait(MAILS_TO_UNKNOWN.count, visit.house.state, domain_of(mailbox), -1)


def _mail(visit: Visit, mailbox: str) -> bytes:
    """The mail with the link, in the language in which it was asked for."""
    settings, now = visit.site.settings, datetime.now(UTC)
    _ = visit.reader.gettext
    token = visit.house.tokens.make(
        Purpose.SIGN_IN, mailbox, secrets.token_urlsafe(12), expires=now + timedelta(minutes=LINK_MINUTES)
    )
    to = target(visit)
    link = f"{settings.web.url}/sign-in/{token}" + (f"?to={to}" if to else "")
    if to_console(to):
        subject, press = _("Your link to the console"), _("Open the console")
        asked = _(
            "Here is the link you asked for. It leads %(mailbox)s to the console, works once, and expires after "
            "%(minutes)s minutes:"
        )
    else:
        subject, press = _("Your link to your held mail"), _("Show my held mail")
        asked = _(
            "Here is the link you asked for. It opens the messages held for %(mailbox)s, works once, and "
            "expires after %(minutes)s minutes:"
        )
    asked %= {"mailbox": mailbox, "minutes": LINK_MINUTES}
    otherwise = _("You did not ask for this? Ignore this message: nobody can sign in without the link.")
    fields = our_fields(
        mailbox=mailbox,
        subject=subject,
        from_local=settings.notices.sender,
        number=f"{new_id(now)}.sign-in",
        language=visit.reader.language,
        now=now,
    )
    text = f"{wrapped([asked])}\n\n{link}\n\n{wrapped([otherwise])}\n"
    pressed = Markup("<p>{}</p>").format(button(link, press))
    html = Markup("\n").join((paragraph(asked), pressed, paragraph(otherwise)))
    return letter(fields, text, sheet(visit.reader.language, subject, html))


def show_link(visit: Visit) -> Response:
    """The page of a mailed link: a button, since programs that look at mail open links too."""
    mailbox, _ = visit.token(Purpose.SIGN_IN)
    return visit.render("sign_in_link.html", address=mailbox, to_console=to_console(target(visit)))


def use_link(visit: Visit) -> Response:
    """Sign in with a mailed link, which works once."""
    words = visit.token(Purpose.SIGN_IN)
    until = datetime.now(UTC) + timedelta(minutes=LINK_MINUTES)
    if not visit.store.sessions.spend("\0".join(words), until):
        raise PageRefusedError(NOT_VALID)
    return _let_in(visit, words[0], "link")


def _by_password(visit: Visit, mailbox: str) -> Response:
    with attempt(visit, (PASSWORDS_OF_ADDRESS, mailbox), (PASSWORDS_FROM_NETWORK, visit.network)) as tried:
        settings = visit.site.settings.web
        tried.wrong = not imap_accepts(settings, mailbox, visit.field("password"), visit.client)
    if tried.wrong:
        log.info("a wrong password for <%s> from %s", mailbox, visit.network)
        return _form(visit, wrong=_WRONG, status=403)
    return _let_in(visit, mailbox, "imap")


def imap_accepts(settings: WebSettings, mailbox: str, password: str, client: IPAddress | None = None) -> bool:
    """Whether the IMAP server lets a mailbox in with this password, over TLS (RFC 9051 11.1).

    It is told for whom it is asked, so that it can hold wrong passwords against that client instead of this host.
    Raises StoreError when it can't be asked, or takes longer than 10 seconds in all: pages have few threads.
    """
    if not password or "\0" in password or len(password) > 500:
        return False
    try:
        asked = begun("imap", partial(_accepts, settings, mailbox, password, client))
        return asked.result(timeout=_IMAP_SECONDS)
    except TimeoutError as error:
        problem = f"no answer within {_IMAP_SECONDS:g} s"
        raise StoreError(f"{settings.imap} can't be asked: {problem}") from error
    except (OSError, imaplib.IMAP4.error) as error:
        raise StoreError(f"{settings.imap} can't be asked: {error}") from error


def _accepts(settings: WebSettings, mailbox: str, password: str, client: IPAddress | None) -> bool:
    url = urlsplit(settings.imap)
    context = ssl.create_default_context(cafile=settings.imap_ca or None)
    host, implicit = url.hostname or "", url.scheme == "imaps"
    if implicit:
        server: imaplib.IMAP4 = imaplib.IMAP4_SSL(
            host, url.port or 993, ssl_context=context, timeout=_IMAP_SECONDS
        )
    else:
        server = imaplib.IMAP4(host, url.port or 143, timeout=_IMAP_SECONDS)
    with server:
        if not implicit:
            server.starttls(context)
        if client is not None and "ID" in server.capabilities:  # RFC 2971; the field is Dovecot's
            server.xatom("ID", f'("x-originating-ip" "{client}")')
        return _authenticated(server, mailbox, password)


def _authenticated(server: imaplib.IMAP4, mailbox: str, password: str) -> bool:
    # SASL PLAIN (RFC 4616) goes as base64: nothing in a password can become a command
    words = f"\0{mailbox}\0{password}".encode("utf-8", "replace")
    try:
        server.authenticate("PLAIN", lambda _: words)
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error:
        return False
    return True


def _let_in(visit: Visit, mailbox: str, how: str) -> Response:
    to = target(visit) or "/mail"
    return visit.let_in(lambda: visit.redirect(to), mailbox, how=how)


def leave(visit: Visit) -> Response:
    """Sign out, here or everywhere."""
    visit.store.sessions.end(visit.request.cookies.get(SESSION, ""))
    if visit.field("everywhere") and visit.person is not None:
        visit.store.sessions.end_all(visit.person.address)
    response = visit.redirect("/sign-in")
    visit.set_cookie(response, SESSION, "", 0)
    return response
