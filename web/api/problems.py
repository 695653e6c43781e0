"""What the API says when it does not do what was asked: problem details (RFC 9457), one form for every status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse

from tamis.base.errors import TamisError

KIND = "application/problem+json"
"""The media type."""
NOT_THERE = "There is no such thing, or this token has no access to it."
"""What is not there and what is not allowed are one answer."""


class ProblemError(TamisError):
    """What the API refuses: an HTTP status and a sentence that says why, with more members of the answer."""

    def __init__(
        self, status: int, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers, self.more = status, detail, headers, more

    def response(self) -> JSONResponse:
        """The answer."""
        return problem(self.status, self.detail, headers=self.headers, **self.more)


def not_there() -> ProblemError:
    """The one answer for what is not there and what is not allowed."""
    return ProblemError(404, NOT_THERE)


def problem(
    status: int, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any
) -> JSONResponse:
    """An answer with a status, its name, and a sentence."""
    told = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return JSONResponse(told | more, status, headers=dict(headers or {}), media_type=KIND)


def wrong_fields(errors: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """What is wrong with a request: where, and what; never what was sent, which may be a secret."""
    return [
        {"at": ".".join(map(str, one.get("loc", ()))), "problem": str(one.get("msg", ""))} for one in errors
    ]


SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "Why something was not done (RFC 9457).",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["at", "problem"],
                "properties": {"at": {"type": "string"}, "problem": {"type": "string"}},
            },
        },
    },
}
"""As the OpenAPI schema has it."""
