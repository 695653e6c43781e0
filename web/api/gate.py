"""What stands in front of the API: who asks is known before anything of the request's body is read.

request -> token of the header -> its limits -> the body, within its bounds -> FastAPI
"""

from __future__ import annotations

import asyncio
import logging

import anyio.to_thread
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tamis.base.errors import ServiceError, StoreError
from tamis.database.connection import NETWORK, TOKEN
from tamis.web.api.caller import Caller
from tamis.web.api.problems import ProblemError, problem
from tamis.web.guard import BODY_SECONDS, read_body
from tamis.web.rate_limits import Limit
from tamis.web.visit import House

log = logging.getLogger(__name__)

OPEN = ("/openapi.json",)
"""Paths that say nothing of an installation, and need no token."""
MAX_BODY = 1024 * 1024
"""Octets of a request; the longest is an import of list entries. Beyond: refused with 413."""
REQUESTS = Limit("api", 600, 60)
"""Requests of one token in a minute."""
WRONG_TOKENS = Limit("api-wrong", 60, 3600)
"""Tokens that are none, from one network: enough for a forgotten script, too few for guessing at 256 bits."""


class Gate:
    """Lets requests with a good token through, with `caller` in their state."""

    def __init__(self, app: ASGIApp, house: House) -> None:
        self._app = app
        self._house = house

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        try:
            if path in OPEN:
                await self._app(scope, receive, send)
                return
            caller = await self._caller(scope)
            body = await _body(receive)
        except ProblemError as refused:
            await refused.response()(scope, receive, send)
            return
        except StoreError as error:
            log.error("%s: %s", path, error)
            answer = problem(503, "This can't be answered now.", headers={"retry-after": "30"})
            await answer(scope, receive, send)
            return
        scope["state"]["caller"] = caller
        token, network = TOKEN.set(caller.token.id), NETWORK.set(str(scope["state"]["network"]))
        try:
            await self._app(scope, _replayed(body, receive), send)
        finally:
            TOKEN.reset(token)
            NETWORK.reset(network)

    async def _caller(self, scope: Scope) -> Caller:
        """Who asks. Raises ProblemError, the same whatever is wrong with a token."""
        given = Headers(scope=scope).getlist("authorization")
        kind, _, written = (given[0] if len(given) == 1 else "").partition(" ")
        store = self._house.store
        token = None
        if kind.lower() == "bearer":
            token = await anyio.to_thread.run_sync(store.api_tokens.find, written.strip())
        if token is None:
            await self._count(WRONG_TOKENS, str(scope["state"]["network"]))
            wrong = ' error="invalid_token"' if given else ""
            raise ProblemError(
                401, "A token is needed that is valid.", headers={"www-authenticate": f"Bearer{wrong}"}
            )
        await self._count(REQUESTS, token.id)
        await anyio.to_thread.run_sync(store.api_tokens.used, token)
        return await anyio.to_thread.run_sync(Caller.of, token, self._house)

    async def _count(self, limit: Limit, who: str) -> None:
        try:
            if await limit.count(self._house.state, who):
                return
        except ServiceError as error:
            log.warning("requests of the API are not counted: %s", error)
            return
        raise ProblemError(
            429,
            f"At most {limit.most} of these are answered in {limit.seconds:g} seconds.",
            headers={"retry-after": f"{limit.seconds:.0f}"},
        )


async def _body(receive: Receive) -> bytes:
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = await read_body(receive, MAX_BODY)
    except TimeoutError:
        raise ProblemError(
            408, "The request did not arrive in time.", headers={"connection": "close"}
        ) from None
    if body is None:
        raise ProblemError(413, f"A request has at most {MAX_BODY} octets.", headers={"connection": "close"})
    return body


def _replayed(body: bytes, receive: Receive) -> Receive:
    """What gives the body that was read, once, and then what comes after it."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay
