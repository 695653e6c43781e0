"""The API's application, and its schema (OpenAPI 3.1)."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from tamis.base.errors import ConfigError, ReinjectError, ServiceError, StoreError
from tamis.web.api import (
    challenge_routes,
    held_routes,
    job_routes,
    learning_routes,
    list_routes,
    message_routes,
    people_routes,
    platform_routes,
    policy_routes,
    rule_routes,
    statistics_routes,
    token_routes,
)
from tamis.web.api.gate import Gate
from tamis.web.api.problems import NOT_THERE, SCHEMA, ProblemError, problem, wrong_fields
from tamis.web.visit import House

log = logging.getLogger(__name__)

PATH = "/api/v1"
"""Where it stands."""
VERSION = "1"
ROUTERS = (
    message_routes.ROUTES,
    held_routes.ROUTES,
    policy_routes.ROUTES,
    list_routes.ROUTES,
    challenge_routes.ROUTES,
    statistics_routes.ROUTES,
    learning_routes.ROUTES,
    platform_routes.ROUTES,
    rule_routes.ROUTES,
    job_routes.ROUTES,
    people_routes.ROUTES,
    token_routes.ROUTES,
)


def create_api(house: House) -> Gate:
    """The API of an installation, with its gate."""
    return Gate(_application(), house)


def schema() -> dict[str, Any]:
    """The OpenAPI schema, which is the same for every installation."""
    return _application().openapi()


def _application() -> FastAPI:
    app = _Api(
        title="Tamis",
        version=VERSION,
        summary="What the console and the commands of Tamis do, for programs.",
        servers=[{"url": PATH}],
        root_path_in_servers=False,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
        exception_handlers={
            ProblemError: _refused,
            RequestValidationError: _wrong,
            HTTPException: _http,
            ConfigError: _config,
            ReinjectError: _busy,
            StoreError: _busy,
            ServiceError: _busy,
            OSError: _busy,
            Exception: _failure,
        },
    )
    for routes in ROUTERS:
        app.include_router(routes)
    return app


class _Api(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """The schema; every refusal in it is a problem, FastAPI's own kind of error is not there."""
        if self.openapi_schema is None:
            made = super().openapi()
            schemas = made["components"]["schemas"]
            schemas["Problem"] = dict(SCHEMA)
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
            for operations in made["paths"].values():
                for operation in operations.values():
                    operation["responses"].pop("422", None)
        assert self.openapi_schema is not None
        return self.openapi_schema


_SENTENCES = {404: NOT_THERE, 405: "This can't be done here."}


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)
    return error.response()


async def _wrong(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return problem(422, "The request is not as the schema has it.", errors=wrong_fields(error.errors()))


async def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = error.status_code
    return problem(status, _SENTENCES.get(status, str(error.detail)), headers=error.headers)


async def _config(_: Request, error: Exception) -> Response:
    """What somebody wanted to set, and can't be set."""
    assert isinstance(error, ConfigError)
    return problem(422, f"{error.key}: {error.problem}", nearest=error.nearest or None)


async def _busy(request: Request, error: Exception) -> Response:
    log.error("%s: %s", request.url.path, error)
    return problem(503, "This can't be done now.", headers={"retry-after": "30"})


async def _failure(_: Request, error: Exception) -> Response:
    """Internal error: details go to the log, none to the answer."""
    return problem(500, "Something went wrong here.")
