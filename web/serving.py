"""The web process: the pages on a listening socket that the supervisor made."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable

import uvicorn

from tamis.filters.state import open_state
from tamis.milter.key import signing_key
from tamis.quarantine.captcha import Captcha
from tamis.quarantine.overrides import Check
from tamis.quarantine.store import Store
from tamis.site import Site
from tamis.tokens import Tokens
from tamis.web.app import create_app
from tamis.web.rendering import Templates
from tamis.web.visit import House

_CONNECTIONS = 500
"""Connections at once; further ones get 503 at once."""
_DRAIN = 10  # seconds that answers under way get at a stop


class Server(uvicorn.Server):
    """uvicorn's, which says when it listens."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve."""
        await super().startup(sockets)
        self._ready()


def make_house(
    site: Callable[[], Site], check: Check, store: Store, *, codes: Callable[[], str] | None = None
) -> House:
    """What the pages share. `codes` makes the captcha's codes (for tests, which must know them)."""
    settings = site().settings
    key = signing_key(settings.key_file)
    state = open_state(settings)
    captcha = Captcha(key, state, codes=codes) if codes else Captcha(key, state)
    return House(site, check, store, state, captcha, Tokens(key), key, Templates())


def make_server(house: House, listening: socket.socket, ready: Callable[[], None]) -> Server:
    """The server for `listening`; `serve([listening])` runs it on an event loop."""
    is_unix = listening.family == socket.AF_UNIX  # then the socket's permissions say who may ask
    proxies = ["*"] if is_unix else list(house.site().settings.web.trusted_proxies)
    config = uvicorn.Config(
        create_app(house),
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=True,
        forwarded_allow_ips=proxies,
        limit_concurrency=_CONNECTIONS,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=_DRAIN,
        h11_max_incomplete_event_size=32 * 1024,
    )
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    return Server(config, ready)


def serve(
    site: Callable[[], Site], check: Check, store: Store, listening: socket.socket, ready: Callable[[], None]
) -> None:
    """Serve until SIGTERM or SIGINT."""
    house = make_house(site, check, store)
    asyncio.run(make_server(house, listening, ready).serve([listening]))
