"""The application: which page stands where."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from tamis.language.translation import marked
from tamis.people.rights import Right
from tamis.web import confirm, preferences, sender, signing_in
from tamis.web import held_list as mailbox
from tamis.web.api import assembly as api
from tamis.web.api.problems import problem
from tamis.web.console import health, mailboxes, overview
from tamis.web.console.console import Console, console_page
from tamis.web.guard import RequestBounds, SafeHeaders
from tamis.web.rendering import HERE
from tamis.web.visit import NOT_VALID, House, Page, Visit, page, told

log = logging.getLogger(__name__)

_STATIC_SECONDS = 3600


def _get(path: str, answer: Page) -> Route:
    return Route(path, page(answer), methods=["GET"])


def _post(path: str, answer: Page, *, by_token: bool = False) -> Route:
    return Route(path, page(answer, by_token=by_token), methods=["POST"])


def _console(
    path: str, right: Right, show: Callable[[Console], Response], *, platform: bool = False
) -> Route:
    """A page of the administrator's console."""
    return _get(f"/admin{path}", console_page(right, show, platform=platform))


def _deed(path: str, right: Right, act: Callable[[Console], Response], *, platform: bool = False) -> Route:
    """What a form of the console does."""
    return _post(f"/admin{path}", console_page(right, act, platform=platform))


ROUTES = (
    _get("/", signing_in.show_front),
    _get("/sign-in", signing_in.show_form),
    _post("/sign-in", signing_in.ask),
    _get("/sign-in/{token}", signing_in.show_link),
    _post("/sign-in/{token}", signing_in.use_link),
    _post("/sign-out", signing_in.leave),
    _get("/mail", mailbox.show_list),
    _get("/mail/{message}", mailbox.show_message),
    _post("/mail/{message}", mailbox.act),
    _get("/mail/{message}/formatted", mailbox.show_formatted),
    _post("/undo", mailbox.undo, by_token=True),
    _get("/lists", preferences.show_lists),
    _post("/lists", preferences.change_list),
    _get("/settings", preferences.show_settings),
    _post("/settings", preferences.change_settings),
    _get("/a/{token}", confirm.show),
    _post("/a/{token}", confirm.act, by_token=True),
    _get("/c/{token}", sender.show),
    _post("/c/{token}", sender.answer, by_token=True),
    _post("/c/{token}/work", sender.work, by_token=True),
    _get("/c/{token}/image", sender.image),
    _get("/c/{token}/audio", sender.audio),
    _console("", Right.STATISTICS, overview.show),
    _console("/mailboxes", Right.STATISTICS, mailboxes.show),
    _console("/mailboxes/{mailbox:path}", Right.STATISTICS, mailboxes.show_one),
    _console("/health", Right.PLATFORM, health.show, platform=True),
    _deed("/health/checks", Right.PLATFORM, health.examine, platform=True),
)


class _Static(StaticFiles):
    """Our own files: the same for everybody, so that browsers may keep them."""

    def file_response(self, *arguments: Any, **options: Any) -> Response:
        response = super().file_response(*arguments, **options)
        response.headers["cache-control"] = f"public, max-age={_STATIC_SECONDS}"
        return response


def create_app(house: House) -> ASGIApp:
    """The ASGI application of an installation."""
    app = Starlette(
        routes=[
            *ROUTES,
            Mount("/static", _Static(directory=HERE / "static")),
            Mount(api.PATH, api.create_api(house)),
        ],
        exception_handlers={HTTPException: _http_error, Exception: _failure},
    )
    app.state.house = house
    bounded = RequestBounds(app, house.site, house.state, api=api.PATH, refused=_refused)
    return SafeHeaders(bounded, house.site)


def _refused(path: str, status: int, text: str, headers: Mapping[str, str]) -> ASGIApp:
    """What is said before any page or operation is asked."""
    if path.startswith(f"{api.PATH}/"):
        return problem(status, f"{text}.", headers=headers)
    return PlainTextResponse(text, status, dict(headers))


_SENTENCES = {
    404: marked("There is no such page."),
    405: marked("This can't be done here."),
}


def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return _told(request, _SENTENCES.get(status, NOT_VALID), status)


def _failure(request: Request, error: Exception) -> Response:
    """Internal error: details go to the log, none to the page."""
    return _told(request, marked("Something went wrong here. Please try again in a few minutes."), 500)


def _told(request: Request, sentence: str, status: int) -> Response:
    return told(Visit(request, request.app.state.house), sentence, status)
