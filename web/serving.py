"""The web process: the pages on a listening socket that the supervisor made."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Collection

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from tamis.base.tokens import Tokens
from tamis.chain.open_services import open_resolver
from tamis.challenge.captcha import Captcha
from tamis.database.overrides import Check
from tamis.installation.signing_key import signing_key
from tamis.judging.site import Site
from tamis.people.proving import Seal
from tamis.services.state.opening import open_state
from tamis.store import Store
from tamis.web.app import create_app
from tamis.web.guard import LastHop
from tamis.web.rendering import Templates
from tamis.web.visit import House

_CONNECTIONS = 500
"""Connections at once; further ones get 503 at once."""
HEAD_SECONDS = 10.0
"""How long what a client asks for may take to arrive, twice that at most."""
_DRAIN = 10  # seconds that answers under way get at a stop


class Connection(H11Protocol):
    """uvicorn's, which gives up on a client that does not say what it wants: it would keep a place for ever."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Begin to look after it."""
        super().connection_made(transport)
        self._look(self)

    def _look(self, before: object) -> None:
        """Close it if it waits for the same request as at the look before, which comes after the exchange `before`."""
        if self.transport.is_closing():
            return
        now: RequestResponseCycle | None = self.cycle  # None before the first
        waits = now is None or now.response_complete
        if waits and now is before:
            self.transport.close()
            return
        self.loop.call_later(HEAD_SECONDS, self._look, now if waits else self)


class PageServer(uvicorn.Server):
    """uvicorn's, which says when it listens, and lets what goes on after answers end."""

    def __init__(
        self, config: uvicorn.Config, ready: Callable[[], None], under_way: Collection[asyncio.Task[None]]
    ) -> None:
        super().__init__(config)
        self._ready = ready
        self._under_way = under_way

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve."""
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop to serve."""
        await super().shutdown(sockets)
        if self._under_way:
            await asyncio.wait(tuple(self._under_way), timeout=_DRAIN)


def make_house(
    site: Callable[[], Site], check: Check, store: Store, *, codes: Callable[[], str] | None = None
) -> House:
    """What the pages share. `codes` makes the captcha's codes (for tests, which must know them)."""
    settings = site().settings
    key = signing_key(settings.key_file)
    state = open_state(settings)
    captcha = Captcha(key, state, codes=codes) if codes else Captcha(key, state)
    return House(
        site,
        check,
        store,
        state,
        open_resolver(settings.dns),
        captcha,
        Tokens(key),
        key,
        Templates(),
        Seal(key),
    )


def make_server(house: House, listening: socket.socket, ready: Callable[[], None]) -> PageServer:
    """The server for `listening`; `serve([listening])` runs it on an event loop."""
    is_unix = listening.family == socket.AF_UNIX  # then the socket's permissions say who may ask
    app = create_app(house)
    config = uvicorn.Config(
        LastHop(app) if is_unix else app,
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=not is_unix,
        forwarded_allow_ips=list(house.site().settings.web.trusted_proxies),
        limit_concurrency=_CONNECTIONS,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=_DRAIN,
        h11_max_incomplete_event_size=32 * 1024,
    )
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    return PageServer(config, ready, house.under_way)


def serve(
    site: Callable[[], Site], check: Check, store: Store, listening: socket.socket, ready: Callable[[], None]
) -> None:
    """Serve until SIGTERM or SIGINT."""
    house = make_house(site, check, store)

    async def run() -> None:
        try:
            await make_server(house, listening, ready).serve([listening])
        finally:
            await house.close()

    asyncio.run(run())
