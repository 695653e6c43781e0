"""What stands in front of all pages: headers that go on every answer, bounds on every request."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from urllib.parse import parse_qsl

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tamis.base.errors import ServiceError
from tamis.challenge.captcha import network_of
from tamis.contract.service_protocols import SharedState
from tamis.judging.site import Site
from tamis.web.rate_limits import Limit

log = logging.getLogger(__name__)

MAX_BODY = 64 * 1024
"""Octets of a form; the longest is a list of settings."""
MAX_FIELDS = 600
"""Fields of a form (beyond: refused); the longest is a list with a box for each message."""
BODY_SECONDS = 10.0
"""How long a form may take to arrive."""
MAX_PATH = 1000
_NOBODY = frozenset({"unknown", network_of("127.0.0.1"), network_of("::1")})
_TELL_EVERY = 3600.0

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; "
    "worker-src 'self'; frame-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
FRAME_CSP = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; "
    + ("frame-ancestors 'self'")
)
"""Of the one page that shows what a stranger wrote: an origin of its own, no script, no request."""

_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "content-security-policy": CSP,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "x-robots-tag": "noindex, nofollow",
        "cache-control": "no-store",
    }
)
_HSTS = "max-age=31536000"


class SafeHeaders:
    """Puts the headers on every answer, also on those of errors; a page may set a stricter one itself."""

    def __init__(self, app: ASGIApp, site: Callable[[], Site]) -> None:
        self._app = app
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        if scope["type"] != "http":
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if self._site().settings.web.url.startswith("https:"):
                    headers["strict-transport-security"] = _HSTS
            await send(message)

        await self._app(scope, receive, sending)


class LastHop:
    """For a Unix socket, whose client is our own proxy: who came to it stands last in X-Forwarded-For. What stands
    before that is what the client says of itself, where the proxy adds to the field."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        if scope["type"] == "http":
            said = ",".join(Headers(scope=scope).getlist("x-forwarded-for"))
            scope["client"] = (said.rpartition(",")[2].strip(), 0)
        await self._app(scope, receive, send)


Refused = Callable[[str, int, str, Mapping[str, str]], ASGIApp]
"""What answers a request that is refused: path, status, text and headers."""


class RequestBounds:
    """Refuses too many requests and too long ones; reads a form's octets before its page is asked.

    It leaves `network` (what limits count for) and `form` in the scope's state. What is below `api` takes no forms, and
    reads its bodies itself; `refused` makes the answers to what is refused.
    """

    def __init__(
        self, app: ASGIApp, site: Callable[[], Site], state: SharedState, *, api: str, refused: Refused
    ) -> None:
        self._app = app
        self._site = site
        self._state = state
        self._api = f"{api}/"
        self._refused = refused
        self._told = -_TELL_EVERY

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        client = scope.get("client")
        network = network_of(client[0] if client else "")
        self._tell_who_is_hidden(network)
        scope.setdefault("state", {}).update(network=network, form={})
        refusal = await self._refusal(scope, network)
        if refusal is None and scope["method"] == "POST" and not scope["path"].startswith(self._api):
            refusal = await self._read_form(scope, receive)
        await (refusal or self._app)(scope, receive, send)

    def _tell_who_is_hidden(self, network: str) -> None:
        """A proxy that does not say who comes makes all visitors one: a stranger's wrong answers would shut all out."""
        now = time.monotonic()
        public = self._site().settings.web.url.startswith("https:")
        if network in _NOBODY and public and now - self._told >= _TELL_EVERY:
            self._told = now
            log.warning(
                "visitors of the pages can't be told apart, so limits meant for one shut out all: the proxy must send "
                "X-Forwarded-For, and its address stand in web.trusted_proxies"
            )

    async def _refusal(self, scope: Scope, network: str) -> ASGIApp | None:
        if len(scope["path"]) > MAX_PATH or len(scope["query_string"]) > MAX_PATH:
            return self._refused(scope["path"], 414, "URI too long", {})
        limit = Limit("requests", self._site().settings.web.requests, 60)
        try:
            if not await limit.count(self._state, network):
                return self._refused(scope["path"], 429, "Too many requests", {"retry-after": "60"})
        except ServiceError as error:  # pages that must count say so themselves; looking goes on
            log.warning("requests are not counted: %s", error)
        return None

    async def _read_form(self, scope: Scope, receive: Receive) -> ASGIApp | None:
        kind = Headers(scope=scope).get("content-type", "").partition(";")[0].strip().lower()
        if kind not in ("application/x-www-form-urlencoded", ""):
            return PlainTextResponse("Unsupported media type", 415)
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await read_body(receive, MAX_BODY)
        except TimeoutError:
            return PlainTextResponse("Request timeout", 408, {"connection": "close"})
        if body is None:
            return PlainTextResponse("Content too large", 413, {"connection": "close"})
        try:
            pairs = parse_qsl(
                body.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="replace"
            )
        except ValueError:
            return PlainTextResponse("Bad request", 400)
        form: dict[str, list[str]] = {}
        for name, value in pairs:
            form.setdefault(name, []).append(value)
        scope["state"]["form"] = form
        return None


async def read_body(receive: Receive, most: int) -> bytes | None:
    """A request's body, None when it has more than `most` octets. A client that left gives what came."""
    parts: list[bytes] = []
    length, more = 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            break
        part = message.get("body", b"")
        length += len(part)
        if length > most:
            return None
        parts.append(part)
        more = message.get("more_body", False)
    return b"".join(parts)
