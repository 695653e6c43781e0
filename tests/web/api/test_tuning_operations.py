"""What the API does about labels, lessons, rules, policy as text, people and sessions."""

from __future__ import annotations

import json

import pytest

from tamis.contract.lists import Colour, Subject
from tamis.database.granted_people import parse_rights
from tamis.database.list_entries import NewEntry
from tamis.message.address import PLATFORM
from tamis.models.reports import Spool, read_report
from tamis.people.token_scopes import TokenScope
from tests.web.api.conftest import Api, token_of
from tests.web.api.test_borders import Objects
from tests.web.api.test_gate import is_problem
from tests.web.pages import ADMIN, JEAN, MARIE, Pages

ANY = {"If-Match": "*"}
TOML = ANY | {"Content-Type": "application/toml"}
RULE = '[[rule]]\nname = "casino"\nmatch = "casino"\naction = "score"\npoints = 2.0\n'


@pytest.fixture(scope="module")
def objects(pages: Pages) -> Objects:
    return Objects(pages, MARIE)


def test_a_copy_is_called_wanted_and_that_is_taken_back(pages: Pages, api: Api, objects: Objects) -> None:
    number = objects.message()
    path = f"/messages/{number}/labels/{MARIE}"
    for wanted in (True, False, None):
        answer = api.ask("PUT", path, {"wanted": wanted})
        assert json.loads(answer.body) == {"mailbox": MARIE, "wanted": wanted}
    (word,) = pages.store.labels.of(f"api{api.get(f'/messages/{number}')['transaction'].removeprefix('api')}")
    assert (word.who, word.undone_at is not None) == (ADMIN, True)
    assert is_problem(api.ask("PUT", f"/messages/{number}/labels/{JEAN}", {"wanted": True}), 404)
    assert is_problem(api.ask("PUT", path, {}), 422)
    reading = token_of(pages, ADMIN, TokenScope.HISTORY_READ)
    assert is_problem(reading.ask("PUT", path, {"wanted": True}), 403)


def test_a_message_teaches_in_the_name_of_its_mailbox(pages: Pages, api: Api) -> None:
    as_mail = {"Content-Type": "message/rfc822"}
    mail = b"Subject: casino\r\n\r\nx\r\n"
    path = f"/learning/reports?label=spam&mailbox={MARIE}"
    first = api.ask("POST", path, mail, headers=as_mail | {"Idempotency-Key": "teach"})
    again = api.ask("POST", path, mail, headers=as_mail | {"Idempotency-Key": "teach"})
    assert (first.status, again.body) == (202, first.body)
    spool = Spool(pages.settings.spool_directory)
    (name,) = spool.names()
    report = read_report(spool.folder / name)
    assert (report.label, report.source, report.reporter, report.raw) == ("spam", "web", MARIE, mail)
    for wrong, status in (("example.com", 422), (JEAN, 404), ("zoe@example.org", 404)):
        told = api.ask("POST", f"/learning/reports?label=ham&mailbox={wrong}", mail, headers=as_mail)
        assert is_problem(told, status), wrong
    assert is_problem(api.ask("POST", path.replace("spam", "maybe"), mail, headers=as_mail), 422)
    assert spool.names() == [name]


def test_rules_are_replaced_as_they_were_read(pages: Pages, platform: Api) -> None:
    tag = platform.ask("GET", "/rules").headers["etag"]
    assert is_problem(platform.ask("PUT", "/rules", {"text": RULE}), 428)
    made = platform.ask("PUT", "/rules", {"text": RULE, "note": "by a program"}, headers={"If-Match": tag})
    assert (made.status, json.loads(made.body)["note"]) == (200, "by a program")
    assert is_problem(platform.ask("PUT", "/rules", {"text": ""}, headers={"If-Match": tag}), 412)
    assert is_problem(platform.ask("PUT", "/rules", {"text": RULE}, headers=ANY), 409)
    told = platform.get("/rules")
    assert (told["text"], told["rules"][0]["name"], told["rules"][0]["source"]) == (RULE, "casino", "store")
    assert pages.settings.own_rules.read_text() == RULE
    wrong = platform.ask("PUT", "/rules", {"text": RULE.replace('casino"\na', '(?=x)"\na')}, headers=ANY)
    assert is_problem(wrong, 422)
    (error,) = json.loads(wrong.body)["errors"]
    assert error["at"] == "body.text:3:10"
    assert "linear in the text" in error["problem"]
    failing = platform.ask("PUT", "/rules", {"text": RULE + 'hits = ["Subject: x\\n\\n"]\n'}, headers=ANY)
    assert "example 1 of hits" in json.loads(failing.body)["errors"][0]["problem"]
    tried = platform.ask(
        "POST", "/rules/test", b"Subject: casino\r\n\r\nx\r\n", headers={"Content-Type": "message/rfc822"}
    )
    found = json.loads(tried.body)
    assert [one["rule"] for one in found["rules"]] == ["casino"]
    assert found["seconds"] >= 0


def test_policy_goes_out_and_comes_back_as_text(pages: Pages, api: Api) -> None:
    text = b'required = 6.5\ntag = "[?] "\nfilters.knowledge.points.kindly = 0.5\n'
    made = api.ask("PUT", "/policy/example.com.toml?note=all%20of%20it", text, headers=TOML)
    assert json.loads(made.body)["note"] == "all of it"
    shown = api.ask("GET", "/policy/example.com.toml")
    assert shown.headers["content-type"].startswith("application/toml")
    assert sorted(shown.body.splitlines()) == sorted([b"# example.com", *text.splitlines()])
    back = api.ask("PUT", f"/policy/{MARIE}.toml", shown.body, headers=TOML)
    assert len(json.loads(back.body)["changes"]) == 3
    fewer = TOML | {"If-Match": shown.headers["etag"]}
    less = api.ask("PUT", "/policy/example.com.toml", b"required = 6.5\n", headers=fewer)
    assert {one["key"] for one in json.loads(less.body)["changes"]} == {
        "tag",
        "filters.knowledge.points.kindly",
    }
    assert is_problem(api.ask("PUT", "/policy/example.com.toml", b"# none", headers=fewer), 412)
    for wrong in (
        b"required",
        b"required = nan",
        b"no.such = 1",
        b"required = 1979-05-27",
        b"\xff",
        b"",
        b"[" * 9999,
    ):
        assert is_problem(api.ask("PUT", "/policy/example.com.toml", wrong, headers=TOML), 422), wrong[:20]
    assert is_problem(api.ask("PUT", f"/policy/{JEAN}.toml", b"locked = false", headers=TOML), 422)
    assert is_problem(api.ask("GET", f"/policy/{PLATFORM}.toml"), 404)
    for scope in ("example.com", MARIE):
        api.ask("PUT", f"/policy/{scope}.toml", b"# none", headers=TOML)
    assert pages.store.overrides.list("example.com") == pages.store.overrides.list(MARIE) == ()


def test_contradictions_say_which_entry_counts(pages: Pages, api: Api) -> None:
    pages.store.lists.add(
        NewEntry(colour=colour, subject=Subject.SENDER, pattern="mamie@example.net", scope=scope, author="t")
        for colour, scope in ((Colour.WHITE, MARIE), (Colour.BLACK, "example.com"))
    )
    told = api.get("/lists/conflicts?in=example.com")
    (one,) = told["items"]
    assert (one["wins"]["scope"], one["loses"]["scope"], one["scope"]) == (MARIE, "example.com", MARIE)
    assert told["complete"]
    assert api.get("/lists/conflicts?in=example.org")["items"] == []


def test_people_are_suspended_and_signed_out_by_who_covers_them(pages: Pages, api: Api) -> None:
    pages.store.people.grant("tina@example.com", "example.com", parse_rights(["helper"]), by=ADMIN)
    person = next(one["id"] for one in api.get("/people")["items"] if one["address"] == "tina@example.com")
    cookie = pages.session("tina@example.com")
    (session,) = api.get(f"/people/{person}/sessions")
    assert (session["how"], session["strong"]) == ("password", True)
    assert cookie not in json.dumps(session)
    assert api.ask("DELETE", f"/people/{person}/sessions/{session['id']}").status == 204
    assert is_problem(api.ask("DELETE", f"/people/{person}/sessions/{session['id']}"), 404)
    assert json.loads(api.ask("PATCH", f"/people/{person}", {"suspended": True}).body)["suspended"]
    assert not json.loads(api.ask("PATCH", f"/people/{person}", {"suspended": False}).body)["suspended"]
    pages.store.people.grant("tina@example.com", "example.org", parse_rights(["helper"]), by="root")
    (known,) = [one for one in api.get("/people")["items"] if one["address"] == "tina@example.com"]
    assert [one["scope"] for one in known["grants"]] == ["example.com"]
    for method, path in (("PATCH", ""), ("GET", "/sessions")):
        body = {"suspended": True} if method == "PATCH" else None
        assert is_problem(api.ask(method, f"/people/{person}{path}", body), 404), "has more than the caller"


def test_nobody_suspends_themselves(pages: Pages, api: Api) -> None:
    pages.store.people.grant(ADMIN, "example.com", parse_rights(["observer"]), by="root")
    person = next(one["id"] for one in api.get("/people")["items"] if one["address"] == ADMIN)
    try:
        assert is_problem(api.ask("PATCH", f"/people/{person}", {"suspended": True}), 404)
    finally:
        pages.store.people.remove(ADMIN, by="root")


def test_messages_are_found_as_people_type_it(api: Api, objects: Objects) -> None:
    number = int(objects.message())
    found = api.get(f"/messages?in={MARIE}&q=zanzibar%20marie%40")["items"]
    assert number in {one["id"] for one in found}
    assert api.get(f"/messages?in={MARIE}&q=subject:nothing-like-it")["items"] == []
    assert api.get("/messages?in=example.org&q=zanzibar")["items"] == [], "no words widen what may be seen"
    assert is_problem(api.ask("GET", "/messages?q=before:someday"), 422)
