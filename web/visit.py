"""A visit: one request and all that a page needs to answer it."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import secrets
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

import anyio.from_thread
import anyio.to_thread
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from tamis.base.errors import ReinjectError, ServiceError, StoreError, TamisError, TokenError
from tamis.base.tokens import Purpose, Tokens
from tamis.challenge.captcha import Captcha
from tamis.contract.service_protocols import DNS, SharedState
from tamis.database.connection import NETWORK
from tamis.database.overrides import Check
from tamis.database.sessions import SEEN_EVERY, WebSession
from tamis.judging.site import Site
from tamis.language.translation import LANGUAGES, NAMES, accepted, marked
from tamis.message.address import domain_of
from tamis.message.envelope import IPAddress, parse_ip
from tamis.people.proving import Seal
from tamis.people.rights import Right
from tamis.store import Store
from tamis.web.page_reader import PageReader
from tamis.web.person import Person
from tamis.web.rate_limits import REFUSALS_NOTED, WRONG_TOKENS, Limit, TooManyError
from tamis.web.rendering import Templates

log = logging.getLogger(__name__)

SESSION, VISITOR, LANGUAGE = "tamis_session", "tamis_visitor", "tamis_language"
"""The cookies: who is signed in; who was given a form without being signed in; the language that was chosen."""
_LANGUAGE_SECONDS = 365 * 86400
CODE_LASTS = timedelta(minutes=15)
"""How long a code is good for what wants one anew: people, tokens, policy of the platform."""

NOT_VALID = marked("This link is not valid, or has expired.")
"""What is said of every token that is refused, and of everything that is not there, or not for this reader."""

T = TypeVar("T")


class PageRefusedError(TamisError):
    """What a page does not do: the reader gets `sentence`, translated, with an HTTP status."""

    def __init__(self, sentence: str, status: int = 404) -> None:
        super().__init__(sentence)
        self.sentence, self.status = sentence, status


NOT_HERE = marked("There is no such page, or you have no access to it.")
"""What is said of every page of the console that is not there, and of every one that is not for this person."""


class NoAccessError(PageRefusedError):
    """What is not there, or not for this person: the audit trail has a row for it."""


class SignInError(TamisError):
    """The page is for people who are signed in."""


class StrengthError(SignInError):
    """It is for people who are signed in with a password and a code."""


class CodeError(TamisError):
    """It wants a code now; `back` is the page where one goes on."""

    def __init__(self, back: str) -> None:
        super().__init__(back)
        self.back = back


@dataclass(frozen=True, slots=True)
class House:
    """What all visits of a process share."""

    site: Callable[[], Site]
    check: Check
    """Whether policy with other overrides is still good (`Overrides.set`)."""
    store: Store
    state: SharedState
    dns: DNS
    captcha: Captcha
    tokens: Tokens
    key: bytes
    templates: Templates
    seal: Seal
    """What the secrets of people's apps are encrypted by."""
    under_way: set[asyncio.Task[None]] = field(default_factory=set)
    """What goes on after answers (`Visit.afterwards`)."""

    async def close(self) -> None:
        """Leave nothing open, on the loop that the pages were served by."""
        self.dns.close()
        await self.state.close()


class Visit:
    """One request. Its methods block: pages run in threads."""

    def __init__(self, request: Request, house: House) -> None:
        self.request = request
        self.house = house
        self.site = house.site()
        self.store = house.store
        self._new_visitor = ""

    # --- what was asked ------------------------------------------------------------------------

    def query(self, name: str) -> str:
        """A parameter of the address."""
        return self.request.query_params.get(name, "")[:500]

    def field(self, name: str) -> str:
        """A field of the form."""
        return next(iter(self.fields(name)), "")

    def fields(self, name: str) -> Sequence[str]:
        """All fields of that name."""
        form: Mapping[str, list[str]] = self.request.state.form
        return form.get(name, [])

    @property
    def asked(self) -> str:
        """The page that is asked for, as a path of ours with its query."""
        path = self.request.url.path.removeprefix(self.root)
        query = self.request.url.query
        return f"{path}?{query}" if query else path

    @property
    def network(self) -> str:
        """The client's network, which limits count for."""
        return str(self.request.state.network)

    @property
    def client(self) -> IPAddress | None:
        """The client's address, if it is known."""
        return parse_ip(self.request.client.host) if self.request.client else None

    @cached_property
    def person(self) -> Person | None:
        """Who is signed in."""
        if self.session is None:
            return None
        if not self.session.strong:
            return Person.at_home(self.session.address, self.site)
        return self.at_full_strength(self.session.address)

    @cached_property
    def secret(self) -> str:
        """What the cookie of the session holds."""
        return self.request.cookies.get(SESSION, "")

    @cached_property
    def session(self) -> WebSession | None:
        """The session of the cookie."""
        found = self.store.sessions.find(self.secret) if self.secret else None
        if found is not None and datetime.now(UTC) - found.seen_at >= SEEN_EVERY:
            self.store.sessions.touch(found.id)
        return found

    def at_full_strength(self, address: str) -> Person:
        """What somebody may do in a strong session."""
        return Person.of(address, self.site, self.store.people.grants_of(address))

    @cached_property
    def has_console(self) -> bool:
        """Whether to lead this person to the console, which may want more proof first. For pages that must not fail."""
        try:
            person = self.person
            return person is not None and bool(person.grants or self.at_full_strength(person.address).grants)
        except StoreError:
            return False

    def want_strength(self, right: Right, scope: str) -> None:
        """Raises StrengthError where a strong session would open what this one does not."""
        weak = self.session is not None and not self.session.strong
        if weak and self.at_full_strength(self.signed_in.address).may(right, scope, self.site):
            raise StrengthError

    def require_code(self, back: str) -> None:
        """Raises CodeError unless a code was given within CODE_LASTS; `back` is the path where one goes on then."""
        if self.session is None or not self.session.strong:
            raise StrengthError
        confirmed = self.session.confirmed_at
        if confirmed is None or datetime.now(UTC) - confirmed > CODE_LASTS:
            raise CodeError(back)

    def let_in(
        self, answer: Callable[[], Response], address: str, *, how: str, strong: bool = False
    ) -> Response:
        """An answer in a new session, which takes the place of the one that was there."""
        lasting = timedelta(hours=self.site.settings.web.session_hours)
        agent = self.request.headers.get("user-agent", "")
        secret = self.store.sessions.begin(
            address,
            lasting,
            how=how,
            strong=strong,
            network=self.network,
            agent=agent,
            instead_of=self.secret,
        )
        for known in ("session", "person", "reader"):
            self.__dict__.pop(known, None)
        self.__dict__["secret"] = secret
        response = answer()
        self.set_cookie(response, SESSION, secret, int(lasting.total_seconds()))
        return response

    @property
    def signed_in(self) -> Person:
        """Who is signed in. Raises SignInError when nobody is."""
        if self.person is None:
            raise SignInError
        return self.person

    @cached_property
    def reader(self) -> PageReader:
        """The reader by choice, browser, and, failing these, policy."""
        return self.reader_of(self.person.address if self.person else "")

    def reader_of(self, mailbox: str, language: str = "") -> PageReader:
        """As `reader`, in the time zone of a mailbox; `language` is wanted when the reader's own is not known."""
        terms = self.site.book.policy(mailbox).terms
        chosen = self.query("lang") or self.request.cookies.get(LANGUAGE, "")
        if chosen not in LANGUAGES:
            header = self.request.headers.get("accept-language", "")
            chosen = accepted(header, language or terms.language)
        return PageReader(chosen, terms.time_zone)

    def token(self, purpose: Purpose) -> tuple[str, ...]:
        """The words of the token in the address. Raises RefusedError, alike whatever is wrong with it."""
        try:
            return self.house.tokens.read(purpose, self.request.path_params["token"])
        except TokenError:
            if not self.wait(WRONG_TOKENS.count, self.house.state, self.network):
                raise TooManyError("too many links that are not valid") from None
            raise PageRefusedError(NOT_VALID) from None

    def wait(self, call: Callable[..., Coroutine[Any, Any, T]], *arguments: Any) -> T:
        """The result of a coroutine, which runs on the process's loop while this thread waits."""
        return anyio.from_thread.run(call, *arguments)

    def spend(self, limit: Limit, who: str) -> None:
        """Count; raises TooManyError beyond the limit."""
        if not self.wait(limit.count, self.house.state, who):
            raise TooManyError(limit.name)

    def afterwards(self, response: Response, work: Callable[[], None]) -> None:
        """Do something after an answer. Nothing waits for it, not even the client's next request on the connection:
        how long it takes says nothing."""
        under_way = self.house.under_way

        async def begin() -> None:
            task = asyncio.create_task(anyio.to_thread.run_sync(work))
            under_way.add(task)
            task.add_done_callback(under_way.discard)

        response.background = BackgroundTask(begin)

    # --- what is answered ----------------------------------------------------------------------

    def path(self, path: str, **query: str) -> str:
        """A path of ours as a browser must ask for it; empty parameters are left out."""
        asked = urlencode({name: value for name, value in query.items() if value})
        return f"{self.root}{path}{'?' if asked else ''}{asked}"

    @property
    def root(self) -> str:
        """What every path begins with, when the pages don't stand at the top of their host."""
        return urlsplit(self.site.settings.web.url).path.rstrip("/")

    def render(self, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
        """A page from a template, to each of which `visit`, `reader` and `path` are known."""
        known = {"visit": self, "reader": self.reader, "path": self.path}
        shown = self.house.templates.render(template, self.reader.language, known | values)
        response = HTMLResponse(shown, status, {"content-language": self.reader.language})
        self._leave_cookies(response)
        return response

    def redirect(self, path: str, **query: str) -> RedirectResponse:
        """To another page, to be asked for by GET."""
        response = RedirectResponse(self.path(path, **query), 303)
        self._leave_cookies(response)
        return response

    def set_cookie(self, response: Response, name: str, value: str, seconds: int) -> None:
        """A cookie that scripts can't read and that goes nowhere else."""
        secure = self.site.settings.web.url.startswith("https:")
        response.set_cookie(
            name, value, seconds, path=self.root or "/", secure=secure, httponly=True, samesite="lax"
        )

    def _leave_cookies(self, response: Response) -> None:
        if self.query("lang") in LANGUAGES:
            self.set_cookie(response, LANGUAGE, self.query("lang"), _LANGUAGE_SECONDS)
        if self._new_visitor:
            self.set_cookie(response, VISITOR, self._new_visitor, 86400)

    @property
    def csrf(self) -> str:
        """What a form must bring along to be ours: known to who has the cookie, and to nobody else."""
        return self._proof(create=True)

    def seal(self, *words: str) -> str:
        """What goes into an address of ours with words that its page will show: nobody else can put words there."""
        said = "\0".join(words).encode("utf-8", "replace")
        return hmac.new(self.csrf.encode(), said, hashlib.sha256).hexdigest()[:32]

    def is_sealed(self, *words: str) -> bool:
        """Whether the address holds the `seal` of these words."""
        seal = self.query("seal").encode("utf-8", "replace")
        return hmac.compare_digest(self.seal(*words).encode(), seal)

    def check_origin(self, *, by_token: bool) -> None:
        """Refuse a form that another site sent. Raises RefusedError."""
        if self.request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise PageRefusedError(NOT_VALID, 403)  # without the header: an old browser, or no https
        if by_token:
            return
        proof = self._proof(create=False)
        if not proof or not hmac.compare_digest(
            proof.encode(), self.field("csrf").encode("utf-8", "replace")
        ):
            raise PageRefusedError(
                marked("This page was open for too long, or your browser blocks cookies. Please try again."),
                403,
            )

    def _proof(self, *, create: bool) -> str:
        secret = self.secret if self.person else ""
        secret = secret or self.request.cookies.get(VISITOR, "") or self._new_visitor
        if not secret and create:
            secret = self._new_visitor = secrets.token_urlsafe(16)
        key = hmac.digest(self.house.key, b"tamis form", hashlib.sha256)
        return hmac.new(key, secret.encode("utf-8", "replace"), hashlib.sha256).hexdigest() if secret else ""

    @cached_property
    def brand(self) -> str:
        """Whose pages these are: the reader's domain, or the host."""
        if self.person:
            return domain_of(self.person.address)
        return urlsplit(self.site.settings.web.url).hostname or ""

    @property
    def languages(self) -> list[tuple[str, str, str]]:
        """The languages to choose from: code, own name, and the address of this page in it."""
        kept = [(name, value) for name, value in self.request.query_params.multi_items() if name != "lang"]
        return [(code, name, "?" + urlencode([*kept, ("lang", code)])) for code, name in NAMES.items()]


Page = Callable[[Visit], Response]
Endpoint = Callable[[Request], Response]


def page(answer: Page, *, by_token: bool = False) -> Endpoint:
    """A page as Starlette calls it, in a thread: errors of the tree become pages that tell nothing of the inside.

    A form that is sent to an address with a token (`by_token`) needs no other proof of where it comes from: who
    can make one up knows the token.
    """

    def endpoint(request: Request) -> Response:
        house: House = request.app.state.house
        visit = Visit(request, house)
        NETWORK.set(visit.network)  # of this thread's context, which is the request's
        try:
            if request.method == "POST":
                visit.check_origin(by_token=by_token)
            return answer(visit)
        except StrengthError:
            return visit.redirect("/admin/sign-in", to=visit.asked if request.method == "GET" else "")
        except CodeError as error:
            return visit.redirect("/admin/confirm", to=error.back)
        except SignInError:
            wanted = visit.asked if request.method == "GET" else ""
            return visit.redirect("/sign-in", to="" if wanted == "/mail" else wanted)
        except PageRefusedError as error:
            _note_refusal(visit, error)
            return told(visit, error.sentence, error.status)
        except TooManyError:
            return told(visit, marked("Too many attempts. Please try again in an hour."), 429)
        except ReinjectError as error:
            log.warning("%s: %s", request.url.path, error)
            return told(
                visit,
                marked(
                    "The mail server can't accept the message now. It stays here; please try again later."
                ),
                503,
            )
        except (StoreError, ServiceError) as error:
            log.error("%s: %s", request.url.path, error)
            return told(visit, marked("This can't be done now. Please try again in a few minutes."), 503)

    endpoint.__name__ = getattr(answer, "__name__", "page")
    endpoint.__dict__["needed"] = getattr(answer, "needed", None)
    return endpoint


def _note_refusal(visit: Visit, error: PageRefusedError) -> None:
    """Refused access stands in the audit trail, for those who look after the person."""
    if visit.person is None or not (isinstance(error, NoAccessError) or error.sentence == NOT_HERE):
        return
    who, what = visit.person.address, visit.request.url.path.removeprefix(visit.root)
    try:
        if visit.wait(REFUSALS_NOTED.count, visit.house.state, who):
            query = visit.request.url.query
            details = {"method": visit.request.method} | ({"query": query[:200]} if query else {})
            visit.store.trail.note(who, "refused", what[:200], details, scope=who)
    except (StoreError, ServiceError) as failed:
        log.warning("%s: a refusal is not in the audit trail: %s", what, failed)


@dataclass(frozen=True, slots=True)
class Way:
    """Where a page leads that says one thing: no page is a dead end."""

    path: str
    label: str


def told(visit: Visit, sentence: str, status: int) -> Response:
    """A page that says one thing. It must not fail where the store does: who is not known yet stays unknown."""
    visit.__dict__.setdefault("person", None)
    return visit.render("told.html", status=status, sentence=sentence, way=_way(visit, status))


def _way(visit: Visit, status: int) -> Way | None:
    """What one can do about a refusal. Who came by a sender's link that is over can do nothing here, and is told so."""
    path = visit.request.url.path.removeprefix(visit.root)
    of_sender = path.startswith("/c/")
    if status not in (404, 405) and not path.startswith(_ONLY_POSTED):
        return Way(path, marked("Try again"))
    if of_sender:
        return None
    if visit.person:
        return Way("/mail", marked("Back to the held messages"))
    mailed = path.startswith(("/sign-in/", "/a/"))
    return Way("/sign-in", marked("Get a new link") if mailed else marked("Sign in"))


_ONLY_POSTED = ("/undo", "/sign-out")
