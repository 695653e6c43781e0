"""The console's page of the API."""

from __future__ import annotations

import json
import re

import pytest

from tamis.people.rights import Right
from tamis.web.api.assembly import schema
from tests.web.api.conftest import Api
from tests.web.pages import ADMIN, MARIE, Pages, Visitor

HERE = "/admin/api?in=example.com"


@pytest.fixture
def admin(pages: Pages) -> Visitor:
    """An owner of example.com who gave a code just now."""
    return pages.visitor(ADMIN)


def made(page: str) -> str:
    found = re.search(r"<code>(tms_[0-9a-f]{12}_[0-9a-f]{64})</code>", page)
    assert found, page
    return found[1]


def test_a_token_is_made_shown_once_and_ended(pages: Pages, admin: Visitor) -> None:
    answer = admin.send(
        HERE, {"name": "<b>backup", "for": ["held:read", "lists:read", "no:such"], "days": "30"}
    )
    written = made(answer.text)
    api = Api(pages, written)
    me = api.get("/me")
    assert me["token"]["scopes"] == ["held:read", "lists:read"]
    assert me["token"]["domains"] == ["example.com"]
    page = admin.get(HERE).text
    assert written not in page
    assert "<b>backup" not in page
    assert "backup" in page
    ended = admin.send(HERE, {"do": "revoke", "token": me["token"]["id"]})
    assert ended.status == 303
    assert api.ask("GET", "/me").status == 401


@pytest.mark.parametrize(
    "form",
    [
        {"days": "30"},
        {"for": "held:read", "days": "366"},
        {"for": "held:read", "days": "0"},
        {"for": "held:read", "days": "\u0663"},
        {"for": "people:admin", "days": "2"},
        {"for": "platform:write", "days": "2"},
        {"for": "platform:write", "days": "1"},
    ],
)
def test_what_makes_no_token(pages: Pages, admin: Visitor, form: dict[str, str]) -> None:
    before = len(pages.store.api_tokens.list(ADMIN))
    assert admin.send(HERE, form).status == 422
    assert len(pages.store.api_tokens.list(ADMIN)) == before


def test_a_token_has_no_more_than_its_maker_and_what_is_looked_at(pages: Pages) -> None:
    who = "maker@example.com"
    pages.store.people.grant(who, "example.com", {Right.STATISTICS, Right.HELD}, by="test")
    wanted = {"name": "x", "for": ["held:read", "held:act", "content:read", "policy:write"], "days": "1"}
    more = {"scope": "platform", "domains": "example.org", "domain": "platform", "maker": ADMIN, "who": ADMIN}
    me = Api(pages, made(pages.visitor(who).send(HERE, wanted | more).text)).get("/me")
    token = me["token"]
    assert (token["maker"], token["domains"]) == (who, ["example.com"])
    assert token["scopes"] == ["content:read", "held:act", "held:read"], (
        "two of use for the own mailbox alone"
    )
    assert {right for grant in me["grants"] for right in grant["rights"]} == {"held"}
    assert pages.visitor(who).get("/admin/api?in=example.org").status == 404


def test_nobody_ends_another_ones_token(pages: Pages, admin: Visitor) -> None:
    written = made(admin.send(HERE, {"for": "held:read", "days": "1"}).text)
    other = pages.visitor("root@example.org")
    assert (
        other.send("/admin/api?in=platform", {"do": "revoke", "token": written.split("_")[1]}).status == 404
    )
    assert Api(pages, written).ask("GET", "/me").status == 200
    assert pages.visitor(MARIE).get(HERE).status == 404


def test_every_operation_is_there_with_a_command(admin: Visitor, pages: Pages) -> None:
    page = admin.get(HERE).text
    told = schema()["paths"]
    assert page.count("<details>") >= sum(map(len, told.values()))
    for path, operations in told.items():
        assert all(f"{method.upper()} {path}</code>" in page for method in operations)
    assert f"{pages.url}/api/v1/held/acts" in page
    assert json.dumps("ids")[1:-1] in page
