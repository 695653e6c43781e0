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
from tamis.web import (
    confirm,
    dealt_with,
    done_notices,
    enrolment,
    guides,
    held_message,
    invitation,
    preferences,
    sender,
    signing_in,
    strong_sign_in,
)
from tamis.web import held_list as mailbox
from tamis.web.api import assembly as api
from tamis.web.api.problems import problem
from tamis.web.console import (
    api_page,
    audit,
    challenge_pages,
    client_pages,
    doing,
    fingerprint_pages,
    health,
    held,
    knowledge_page,
    learning_page,
    list_pages,
    mailbox_table,
    messages,
    others_access,
    overview,
    own_access,
    policy_pages,
    replay_pages,
    rule_pages,
    story_page,
    suggestion_pages,
)
from tamis.web.console.console import Console, console_page, own_page
from tamis.web.guard import RequestBounds, SafeHeaders
from tamis.web.rendering import HERE
from tamis.web.visit import NOT_HERE, NOT_VALID, House, NoAccessError, Page, Visit, page, told

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
    _post("/mail", mailbox.act_on_many),
    _get("/mail/{message}", held_message.show_message),
    _post("/mail/{message}", held_message.act),
    _get("/mail/{message}/formatted", held_message.show_formatted),
    _get("/done", dealt_with.show),
    _post("/undo", done_notices.undo, by_token=True),
    _get("/lists", preferences.show_lists),
    _post("/lists", preferences.change_list),
    _get("/settings", preferences.show_settings),
    _post("/settings", preferences.change_settings),
    _get("/a/{token}", confirm.show),
    _post("/a/{token}", confirm.act, by_token=True),
    _get("/a/{token}/formatted", confirm.show_formatted),
    _get("/help", guides.show_recipients),
    _get("/help/confirm", guides.show_senders),
    _get("/c/{token}", sender.show),
    _post("/c/{token}", sender.answer, by_token=True),
    _post("/c/{token}/work", sender.work, by_token=True),
    _get("/c/{token}/image", sender.image),
    _get("/c/{token}/audio", sender.audio),
    _get("/admin/sign-in", strong_sign_in.show_form),
    _post("/admin/sign-in", strong_sign_in.sign_in),
    _get("/admin/confirm", strong_sign_in.show_confirm),
    _post("/admin/confirm", strong_sign_in.confirm),
    _get("/admin/enrol", enrolment.show),
    _post("/admin/enrol", enrolment.enrol),
    _get("/admin/invitation/{token}", invitation.show),
    _post("/admin/invitation/{token}", invitation.accept),
    _get("/admin/me", own_page(own_access.show)),
    _post("/admin/me", own_page(own_access.change)),
    _get("/admin/me/app", own_page(own_access.show_app)),
    _post("/admin/me/app", own_page(own_access.change_app)),
    _get("/admin/api", own_page(api_page.show)),
    _post("/admin/api", own_page(api_page.change)),
    _console("", Right.STATISTICS, overview.show),
    _console("/messages", Right.HISTORY, messages.show),
    _console("/messages/{number:int}", Right.HISTORY, story_page.show),
    _deed("/messages/{number:int}/act", Right.HISTORY, story_page.act),
    _deed("/messages/{number:int}/label", Right.LEARN, story_page.label),
    _console("/held", Right.HELD, held.show),
    _deed("/held", Right.RELEASE, held.act),
    _console("/held/{message}", Right.HELD, held.story_of),
    _deed("/undo", Right.HISTORY, doing.undo),
    _console("/challenges", Right.HISTORY, challenge_pages.show),
    _console("/challenges/{challenge}", Right.HISTORY, challenge_pages.show_one),
    _console("/clients", Right.PLATFORM, client_pages.show, platform=True),
    _deed("/clients", Right.PLATFORM, client_pages.change, platform=True),
    _deed("/clients/undo", Right.PLATFORM, client_pages.undo, platform=True),
    _console("/fingerprints", Right.PLATFORM, fingerprint_pages.show, platform=True),
    _deed("/fingerprints", Right.PLATFORM, fingerprint_pages.add, platform=True),
    _deed("/fingerprints/change", Right.PLATFORM, fingerprint_pages.change, platform=True),
    _deed("/fingerprints/undo", Right.PLATFORM, fingerprint_pages.undo, platform=True),
    _console("/mailboxes", Right.STATISTICS, mailbox_table.show),
    _deed("/mailboxes/{mailbox:path}/lock", Right.POLICY, mailbox_table.lock),
    _console("/mailboxes/{mailbox:path}", Right.STATISTICS, mailbox_table.show_one),
    _console("/health", Right.PLATFORM, health.show, platform=True),
    _deed("/health/checks", Right.PLATFORM, health.examine, platform=True),
    _console("/people", Right.PEOPLE, others_access.show_list),
    _deed("/people", Right.PEOPLE, others_access.change_list),
    _console("/people/{person}", Right.PEOPLE, others_access.show_person),
    _deed("/people/{person}", Right.PEOPLE, others_access.change_person),
    _console("/audit", Right.PEOPLE, audit.show),
    _console("/audit.csv", Right.PEOPLE, audit.download),
    _console("/replay", Right.HISTORY, replay_pages.show),
    _deed("/replay", Right.HISTORY, replay_pages.start),
    _console("/replay/{job}", Right.HISTORY, replay_pages.show_job),
    _console("/suggest", Right.HISTORY, suggestion_pages.show),
    _deed("/suggest", Right.HISTORY, suggestion_pages.start),
    _deed("/suggest/points", Right.HISTORY, suggestion_pages.fit),
    _console("/suggest/{job}", Right.HISTORY, suggestion_pages.show_job),
    _console("/jobs", Right.POLICY_READ, replay_pages.jobs),
    _deed("/jobs/{job}/cancel", Right.HISTORY, replay_pages.cancel),
    _console("/rules", Right.PLATFORM, rule_pages.show, platform=True),
    _deed("/rules", Right.PLATFORM, rule_pages.try_message, platform=True),
    _deed("/rules/proposed", Right.PLATFORM, rule_pages.take, platform=True),
    _console("/rules/edit", Right.PLATFORM, rule_pages.show_text, platform=True),
    _deed("/rules/edit", Right.PLATFORM, rule_pages.change_text, platform=True),
    _console("/knowledge", Right.POLICY_READ, knowledge_page.show),
    _deed("/knowledge", Right.POLICY_READ, knowledge_page.change),
    _console("/learning", Right.STATISTICS, learning_page.show),
    _console("/lists", Right.LISTS_READ, list_pages.show),
    _deed("/lists", Right.LISTS, list_pages.add),
    _deed("/lists/change", Right.LISTS, list_pages.change),
    _deed("/lists/undo", Right.LISTS, list_pages.undo),
    _console("/policy", Right.POLICY_READ, policy_pages.show),
    _console("/policy/export", Right.POLICY_READ, policy_pages.export),
    _console("/policy/review", Right.POLICY_READ, policy_pages.review),
    _deed("/policy/review", Right.POLICY_READ, policy_pages.review),
    _deed("/policy/save", Right.POLICY, policy_pages.save),
    _console("/policy/versions", Right.POLICY_READ, policy_pages.versions),
    _console("/policy/versions/{version}", Right.POLICY_READ, policy_pages.version),
    _deed("/policy/versions/{version}/undo", Right.POLICY, policy_pages.undo),
    _console("/policy/{filter}", Right.POLICY_READ, policy_pages.show_filter),
)


def _nothing(visit: Visit) -> Response:
    """What the console has not is answered as what it has for others."""
    Console(visit)
    raise NoAccessError(NOT_HERE)


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
            _get("/admin/{rest:path}", _nothing),
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
    if request.url.path.startswith(f"{api.PATH}/"):  # what no operation got, as a path with a line end in it
        return problem(status, sentence)
    return told(Visit(request, request.app.state.house), sentence, status)
