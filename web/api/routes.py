"""How operations of the API are written: one kind of router for all of them.

Whatever changes something may be sent with an Idempotency-Key: asked again within a day, it is answered as the first
time, and done no second time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Generic, TypeVar

import anyio.to_thread
from fastapi import APIRouter, Depends, Header, Query
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from tamis.database.api_answers import MOST, Begun, KeptAnswer
from tamis.web.api.caller import Caller
from tamis.web.api.problems import KIND, ProblemError
from tamis.web.typed_numbers import typed_number

MOST_ROWS = 200
"""Rows of a list in one answer. Beyond: `next` says how to go on."""
_KEY = re.compile(r"[!-~]{1,200}")
_READING = ("GET", "HEAD")
_ERRORS = (400, 401, 403, 404, 405, 408, 409, 412, 413, 415, 422, 428, 429, 500, 503)

T = TypeVar("T")
RowLimit = Annotated[int, Query(ge=1, le=MOST_ROWS, description="Rows at most.")]
Before = Annotated[
    str,
    Query(max_length=60, description="Go on after the answer whose `next` this was; the first page without."),
]
In = Annotated[str, Query(alias="in", max_length=300, description='"platform", a domain or a mailbox.')]


IfMatch = Annotated[
    str, Header(max_length=100, description="The ETag that was read; * for whatever is there.")
]


def check_match(if_match: str, etag: str, otherwise: str) -> None:
    """Raises ProblemError, `otherwise` its sentence, where something else is there than what was read (RFC 9110
    13.1.1, RFC 6585 3)."""
    if not if_match:
        raise ProblemError(428, "Say with If-Match what was read, or * for whatever is there.")
    if if_match not in ("*", etag):
        raise ProblemError(412, otherwise)


class Rows(BaseModel, Generic[T]):
    """A part of a list; `next` is null at its end."""

    items: list[T]
    next: str | None = None


def rows(found: list[T], limit: int, number: Callable[[T], object]) -> Rows[T]:
    """An answer's part of what was found, one more than `limit` of which says that there is more."""
    some = found[:limit]
    return Rows(items=some, next=str(number(some[-1])) if len(found) > limit else None)


def number_before(before: str) -> int | None:
    """An id that is a number; raises ProblemError on one that is none."""
    if not before:
        return None
    number = typed_number(before)
    if number is None:
        raise ProblemError(422, "before: is none of ours")
    return number


def _key(
    idempotency_key: Annotated[
        str,
        Header(
            max_length=200,
            pattern=rf"^(?:{_KEY.pattern})?$",
            description="Makes it safe to ask again: the same key within a day is answered as the first time.",
        ),
    ] = "",
) -> None:
    """For the schema: what reads the header is `ApiRoute`."""


class ApiRoute(APIRoute):
    """A route that answers a request with a known Idempotency-Key as it did before."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """As FastAPI wants it."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            key = request.headers.get("idempotency-key", "")
            if request.method in _READING or not _KEY.fullmatch(key):
                return await handle(request)
            return await _once(request, key, handle)

        return answer


async def _once(
    request: Request, key: str, handle: Callable[[Request], Coroutine[Any, Any, Response]]
) -> Response:
    caller: Caller = request.state.caller
    answers, token = caller.store.api_answers, caller.token.id
    begun = await anyio.to_thread.run_sync(answers.begin, token, key, await _asked(request, caller))
    if isinstance(begun, KeptAnswer):
        return Response(
            begun.body, begun.status, {"idempotent-replayed": "true"}, media_type=begun.kind or None
        )
    if begun is Begun.OTHER:
        raise ProblemError(422, "This Idempotency-Key was used for another request.")
    if begun is Begun.UNDER_WAY:
        raise ProblemError(
            409, "The request with this Idempotency-Key is being answered.", headers={"retry-after": "1"}
        )
    if begun is Begun.TOO_MANY:
        raise ProblemError(429, f"A token has at most {MOST} keys a day.", headers={"retry-after": "3600"})
    try:
        response = await handle(request)
    except BaseException:
        await anyio.to_thread.run_sync(answers.forget, token, key)  # nothing was done, or nobody knows
        raise
    kind = response.headers.get("content-type", "")
    kept = KeptAnswer(response.status_code, kind, bytes(response.body))
    await anyio.to_thread.run_sync(answers.finish, token, key, kept)
    return response


async def _asked(request: Request, caller: Caller) -> bytes:
    """All that the answer depends on: what was asked, and what the token might do then."""
    rights = sorted(f"{one.scope} {sorted(one.rights)}" for one in caller.holder.grants)
    parts = (
        request.method,
        request.url.path,
        request.url.query,
        request.headers.get("content-type", ""),
        request.headers.get("if-match", ""),
        "\n".join(rights),
    )
    return "\0".join(parts).encode() + b"\0" + await request.body()


def router(tag: str) -> APIRouter:
    """A router for the operations of one kind of objects."""
    return APIRouter(
        route_class=ApiRoute,
        tags=[tag],
        responses={
            "4XX": {"description": "Not done, and why.", "content": {KIND: {"schema": PROBLEM}}},
            "5XX": {"description": "Not done now.", "content": {KIND: {"schema": PROBLEM}}},
        },
    )


PROBLEM = {"$ref": "#/components/schemas/Problem"}
CHANGES = [Depends(_key)]
"""`dependencies` of an operation that changes something."""
