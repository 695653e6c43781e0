"""Who is let in, and how everything is refused: alike, as problem details."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tamis.people.rights import BUNDLES
from tamis.people.token_scopes import TokenScope
from tamis.web.api.assembly import PATH
from tamis.web.api.gate import MAX_BODY
from tests.real.support import LOOPBACK
from tests.web.api.conftest import Api, token_of
from tests.web.pages import ADMIN, MARIE, Answer, Pages


def is_problem(answer: Answer, status: int) -> bool:
    """Whether it is refused as RFC 9457 has it."""
    told = json.loads(answer.body)
    return (
        answer.status == told["status"] == status
        and answer.headers["content-type"] == "application/problem+json"
        and bool(told["title"] and told["detail"] and told["type"])
    )


def test_without_a_good_token_nothing_is_told(pages: Pages, api: Api) -> None:
    secret = api.token.rpartition("_")[2]
    for wrong in ("", "x", f"tms_000000000000_{secret}", api.token[:-1] + "g", api.token + "0", "\xe9"):
        answer = Api(pages, wrong).ask("GET", "/me")
        assert is_problem(answer, 401)
        assert answer.headers["www-authenticate"].startswith("Bearer")
    basic = Api(pages, "").ask("GET", "/me", headers={"Authorization": f"Basic {api.token}"})
    assert is_problem(basic, 401)


def test_a_cookie_is_no_token(pages: Pages) -> None:
    assert pages.visitor(ADMIN).get(f"{PATH}/me").status == 401


def test_a_token_that_is_over_is_none(pages: Pages) -> None:
    _, written = pages.store.api_tokens.make(
        ADMIN,
        [TokenScope.HELD_READ],
        ["platform"],
        name="",
        lasting=timedelta(hours=1),
        by="test",
        now=datetime.now(UTC) - timedelta(hours=1),
    )
    assert is_problem(Api(pages, written).ask("GET", "/me"), 401)


def test_a_scope_that_a_token_lacks_is_named(pages: Pages) -> None:
    answer = token_of(pages, ADMIN, TokenScope.HISTORY_READ).ask("GET", "/held")
    assert is_problem(answer, 403)
    assert 'scope="held:read"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/", 404),
        ("GET", "/held/", 404),
        ("PUT", "/held", 405),
        ("TRACE", "/held", 405),
        ("GET", "/held?limit=201", 422),
        ("GET", "/held?in=nowhere", 422),
        ("GET", "/messages?before=x", 422),
        ("GET", "/messages?client=x", 422),
        ("GET", "/held/" + "x" * 41, 422),
        ("GET", "/held/" + "x" * 1000, 414),
    ],
)
def test_what_is_refused_is_a_problem(api: Api, method: str, path: str, status: int) -> None:
    assert is_problem(api.ask(method, path), status)


def test_nothing_of_what_was_sent_comes_back(api: Api) -> None:
    answer = api.post("/lists/entries", {"colour": "s3cret-colour", "pattern": ["s3cret-pattern"]})
    assert is_problem(answer, 422)
    assert "s3cret" not in answer.text
    assert "body.colour" in {one["at"] for one in json.loads(answer.body)["errors"]}


def test_a_body_that_is_none(api: Api) -> None:
    for body in (b"{", b"[]", b"\xff", b"[" * 10_000, b'{"colour": ' * 1000):
        answer = api.ask("POST", "/lists/entries", body)
        assert is_problem(answer, answer.status)
        assert answer.status in (400, 422)
    assert is_problem(api.post("/lists/entries", b"colour=white", Content_Type="text/plain"), 422)


def test_a_body_has_an_end(pages: Pages, api: Api) -> None:
    connection = http.client.HTTPConnection(LOOPBACK, pages.port, timeout=30)
    try:
        connection.putrequest("POST", f"{PATH}/lists/entries")
        connection.putheader("Authorization", f"Bearer {api.token}")
        connection.putheader("Content-Length", str(MAX_BODY + 1))
        connection.endheaders()
        connection.send(b"x" * (MAX_BODY + 1))
        response = connection.getresponse()
        assert response.status == 413
        assert response.getheader("content-type") == "application/problem+json"
    finally:
        connection.close()


def test_rights_are_those_of_this_moment(pages: Pages) -> None:
    maker = "helper@example.org"
    api = token_of(pages, maker, TokenScope.HELD_READ, domain="example.com")
    assert api.get("/me")["grants"] == []
    pages.store.people.grant(maker, "example.com", BUNDLES["helper"], by="test")
    assert api.get("/me")["grants"] == [{"scope": "example.com", "rights": ["held"]}]
    pages.store.people.suspend(maker, by="test")
    assert api.get("/me")["grants"] == []
    assert api.get("/me")["mailbox"] == ""


def test_everybody_has_the_own_mailbox(pages: Pages) -> None:
    me = token_of(pages, MARIE, TokenScope.HELD_READ, TokenScope.POLICY_WRITE).get("/me")
    assert (me["mailbox"], me["own"], me["grants"]) == (MARIE, ["held"], [])


def test_a_token_sees_its_like_and_ends_them(pages: Pages) -> None:
    first, second = (token_of(pages, "twice@example.com") for _ in range(2))
    assert len(first.get("/tokens")) == 2
    number = second.get("/me")["token"]["id"]
    foreign = token_of(pages, MARIE).ask("DELETE", f"/tokens/{number}")
    assert is_problem(foreign, 404)
    assert first.ask("DELETE", f"/tokens/{number}").status == 204
    assert is_problem(second.ask("GET", "/me"), 401)


@pytest.fixture
def few(tmp_path: Path) -> Iterator[Pages]:
    """An installation that answers few requests."""
    with Pages(tmp_path, {"web": {"requests": 10}}) as serving:
        yield serving


def test_too_many_are_told_when_to_come_back(few: Pages) -> None:
    api = token_of(few, MARIE)
    answers = [api.ask("GET", "/me") for _ in range(11)]
    assert [one.status for one in answers[:10]] == [200] * 10
    assert is_problem(answers[10], 429)
    assert int(answers[10].headers["retry-after"]) > 0


def test_the_schema_is_for_everybody_and_of_openapi_3_1(pages: Pages) -> None:
    schema = json.loads(Api(pages, "").ask("GET", "/openapi.json").body)
    assert schema["openapi"].startswith("3.1")
    assert schema["servers"] == [{"url": PATH}]
