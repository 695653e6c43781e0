"""What operations do: acts, and asking for them twice; lists; policy with its versions."""

from __future__ import annotations

import json

import pytest

from tamis.base.errors import StoreError
from tamis.database.granted_people import parse_rights
from tamis.filters.signing.forgeable import FORGEABLE, MOST_ASKED
from tamis.message.address import PLATFORM
from tamis.people.token_scopes import TokenScope
from tests.database.test_history import story
from tests.services.dns.resolving import WrittenDNS
from tests.web.api.conftest import Api, token_of
from tests.web.api.test_borders import MARK, Objects
from tests.web.api.test_gate import is_problem
from tests.web.pages import ADMIN, JEAN, MARIE, Pages


@pytest.fixture(scope="module")
def objects(pages: Pages) -> Objects:
    """What is Marie's."""
    return Objects(pages, MARIE)


def test_a_list_is_read_in_parts(api: Api, objects: Objects) -> None:
    made = [objects.held() for _ in range(5)][::-1]
    seen: list[str] = []
    before = ""
    while before is not None:
        part = api.get(f"/held?in={MARIE}&limit=2&before={before}")
        seen += [one["id"] for one in part["items"]]
        before = part["next"]
    assert seen[:5] == made
    assert len(seen) == len(set(seen))


def test_a_held_message_is_shown_and_delivered(pages: Pages, api: Api, objects: Objects) -> None:
    number = objects.held()
    told = api.get(f"/held/{number}")
    assert told["summary"]["mailbox"] == MARIE
    spoke = {one["filter"]: one for one in told["findings"]}
    assert spoke["reverse_dns"]["text"] == "192.0.2.7 has no PTR record"
    assert spoke["reverse_dns"]["facts"] is None, "facts are the platform's"
    content = api.ask("GET", f"/held/{number}/content")
    assert MARK.encode() in content.body
    assert content.headers["content-type"] == "message/rfc822"
    done = api.post(f"/held/{number}/deliver")
    assert json.loads(done.body) == {"id": number, "result": "done"}
    assert json.loads(api.post(f"/held/{number}/deliver").body)["result"] == "already"
    trail = {one.action: one for one in pages.store.trail.about(number)}
    assert trail["release"].who == trail["preview"].who == ADMIN
    assert trail["release"].token == trail["preview"].token == api.token.split("_")[1]
    assert {trail[act].network for act in ("release", "preview")} == {"127.0.0.0/24"}


@pytest.mark.parametrize(
    ("there", "elsewhere", "path"),
    [("held", "content", "content"), ("content", "held", "content"), ("held", "release", "deliver")],
)
def test_a_right_in_another_domain_opens_nothing_of_a_message(
    pages: Pages, objects: Objects, there: str, elsewhere: str, path: str
) -> None:
    person = "sam@example.com"
    pages.store.people.grant(person, "example.com", parse_rights([there]), by="root")
    pages.store.people.grant(person, "example.org", parse_rights([there, elsewhere]), by="root")
    number = objects.held()
    try:
        program = token_of(pages, person)
        assert is_problem(program.ask("GET" if path == "content" else "POST", f"/held/{number}/{path}"), 404)
    finally:
        pages.store.people.remove(person, by="root")
    assert {one.action for one in pages.store.trail.about(number)}.isdisjoint({"preview", "release"})


def test_what_was_deleted_comes_back(api: Api, objects: Objects) -> None:
    number = objects.held()
    assert json.loads(api.post(f"/held/{number}/delete").body)["result"] == "done"
    assert json.loads(api.post(f"/held/{number}/restore").body)["result"] == "done"
    assert api.get(f"/held/{number}")["summary"]["state"] == "held"


def test_many_are_acted_on_at_once_each_by_itself(api: Api, objects: Objects) -> None:
    numbers = [objects.held() for _ in range(3)]
    wanted = {"act": "spam", "ids": [*numbers, "unknown", numbers[0]]}
    results = json.loads(api.post("/held/acts", wanted).body)["results"]
    assert results == [
        *({"id": one, "result": "done"} for one in numbers),
        {"id": "unknown", "result": "unknown"},
    ]
    assert is_problem(api.post("/held/acts", {"act": "delete", "ids": ["x"] * 501}), 422)


def test_asking_again_with_a_key_does_nothing_twice(pages: Pages, api: Api, objects: Objects) -> None:
    number = objects.held()
    first = api.post(f"/held/{number}/delete", Idempotency_Key="once")
    again = api.post(f"/held/{number}/delete", Idempotency_Key="once")
    assert (again.status, again.body) == (first.status, first.body)
    assert "idempotent-replayed" in again.headers
    assert len([one for one in pages.store.trail.about(number) if one.action == "delete"]) == 1
    other = objects.held()
    assert is_problem(api.post(f"/held/{other}/delete", Idempotency_Key="once"), 422)
    assert api.get(f"/held/{other}")["summary"]["state"] == "held"
    assert is_problem(api.post(f"/held/{other}/delete", Idempotency_Key="a key"), 422)


def test_a_key_is_free_again_after_a_refusal(api: Api, objects: Objects) -> None:
    assert is_problem(api.post("/held/unknown/delete", Idempotency_Key="free"), 404)
    assert is_problem(api.post("/lists/entries", {}, Idempotency_Key="free"), 422)
    assert api.post(f"/held/{objects.held()}/delete", Idempotency_Key="free").status == 200


def test_a_kept_answer_is_not_for_who_lost_the_right(pages: Pages, objects: Objects) -> None:
    maker = "leaving@example.org"
    given = pages.store.people.grant(maker, "example.com", parse_rights(["release", "held"]), by="test")
    api = token_of(pages, maker)
    number = objects.held()
    assert api.post(f"/held/{number}/delete", Idempotency_Key="k").status == 200
    pages.store.people.revoke(given.id, by="test")
    assert api.post(f"/held/{number}/delete", Idempotency_Key="k").status in (404, 422)


def test_entries_are_added_imported_and_removed(pages: Pages, api: Api) -> None:
    entry = {"colour": "white", "subject": "sender", "pattern": "A@Friend.Example.NET", "scope": MARIE}
    nobody = {"forgeable": {}, "unasked": 0}
    assert json.loads(api.post("/lists/entries", entry).body) == nobody | {
        "new": 1,
        "merged": 0,
        "replaced": [],
    }
    found = api.get("/lists/entries?pattern=a@friend.example.net")["items"][0]
    assert (found["scope"], found["author"], found["origin"]) == (MARIE, ADMIN, "api")
    replaced = json.loads(api.post("/lists/entries", entry | {"colour": "black"}).body)["replaced"]
    assert [one["id"] for one in replaced] == [found["id"]]
    many = {"colour": "black", "subject": "ip", "scope": "example.com", "patterns": ["192.0.2.1", "no"]}
    refused = api.post("/lists/import", many)
    assert is_problem(refused, 422)
    assert json.loads(refused.body)["errors"][0]["at"] == "body.patterns.1"
    assert json.loads(api.post("/lists/import", many | {"patterns": ["192.0.2.1"]}).body)["new"] == 1
    number = api.get("/lists/entries?subject=ip")["items"][0]["id"]
    assert api.ask("DELETE", f"/lists/entries/{number}").status == 204
    assert is_problem(api.ask("DELETE", f"/lists/entries/{number}"), 404)


def test_an_allowed_sender_in_whose_name_others_can_write_is_told(
    pages: Pages, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = WrittenDNS({"_dmarc.bank.example TXT": ["v=DMARC1; p=reject"]})
    monkeypatch.setattr(pages.house.dns, "queries", written.queries)
    entry = {"colour": "white", "subject": "sender", "scope": "example.com"}
    told = json.loads(
        api.post("/lists/import", entry | {"patterns": ["a@shop.example", "bank.example"]}).body
    )
    assert told["forgeable"] == {"a@shop.example": FORGEABLE}
    many = {"patterns": [f"shop{number}.example" for number in range(MOST_ASKED + 3)]}
    assert json.loads(api.post("/lists/import", entry | many).body)["unasked"] == 3
    blocked = {"colour": "black", "pattern": "shop.example"}
    assert json.loads(api.post("/lists/entries", entry | blocked).body)["forgeable"] == {}


def test_a_broad_entry_needs_a_reason(api: Api) -> None:
    entry = {"colour": "white", "subject": "sender", "pattern": "example.com", "scope": "example.com"}
    assert is_problem(api.post("/lists/entries", entry), 422)
    assert is_problem(api.post("/lists/entries", entry | {"broad": True}), 422)
    assert api.post("/lists/entries", entry | {"broad": True, "note": "tests"}).status == 201


def test_nobody_writes_above_the_own_scope(api: Api) -> None:
    entry = {"colour": "white", "subject": "sender", "pattern": "a@example.net", "scope": PLATFORM}
    assert is_problem(api.post("/lists/entries", entry), 404)
    assert is_problem(api.ask("GET", f"/policy/{PLATFORM}"), 404)


def test_policy_is_changed_as_it_was_read(pages: Pages, api: Api) -> None:
    first = api.ask("GET", "/policy/example.com")
    tag = first.headers["etag"]
    change = {"set": {"retention_days": 12, "filters.cyrillic.state": "shadow"}, "note": "by a program"}
    assert is_problem(api.ask("PATCH", "/policy/example.com", change), 428)
    made = api.ask("PATCH", "/policy/example.com", change, headers={"If-Match": tag})
    version = json.loads(made.body)
    assert (version["note"], len(version["changes"])) == ("by a program", 2)
    late = api.ask("PATCH", "/policy/example.com", {"set": {"required": 9}}, headers={"If-Match": tag})
    assert is_problem(late, 412)
    told = api.get("/policy/example.com")
    assert told["own"] == change["set"]
    in_force = {one["key"]: (one["value"], one["set_by"]) for one in told["settings"]}
    assert in_force["retention_days"] == (12, "example.com")
    wrong = api.ask("PATCH", "/policy/example.com", {"set": {"no.such": 1}}, headers={"If-Match": "*"})
    assert is_problem(wrong, 422)
    assert is_problem(
        api.ask("PATCH", "/policy/example.com", {"set": {"retention_days": 12}}, headers={"If-Match": "*"}),
        409,
    )
    undone = api.post(f"/policy/versions/{version['id']}/undo", {"note": "a mistake"})
    assert json.loads(undone.body)["undoes"] == version["id"]
    assert api.get("/policy/example.com")["own"] == {}
    assert api.get("/policy/versions?in=example.com")["items"][0]["note"] == "a mistake"


def test_a_version_that_was_changed_since_is_not_undone(api: Api) -> None:
    versions = []
    for days in (20, 21):
        change = {"set": {"retention_days": days}}
        made = api.ask("PATCH", f"/policy/{MARIE}", change, headers={"If-Match": "*"})
        versions.append(json.loads(made.body)["id"])
    refused = api.post(f"/policy/versions/{versions[0]}/undo")
    assert is_problem(refused, 409)
    assert json.loads(refused.body)["keys"] == [f"{MARIE} retention_days"]


def test_a_story_tells_what_else_would_have_been(pages: Pages, api: Api, objects: Objects) -> None:
    number = objects.message()
    found = api.get(f"/messages?in={MARIE}&subject={MARK}")["items"]
    assert int(number) in {one["id"] for one in found}
    told = api.get(f"/messages/{number}")
    assert [one["recipient"] for one in told["recipients"]] == [MARIE]
    assert told["recipients"][0]["now"]["outcome"]
    assert {one["filter"] for one in told["findings"]} == {"cyrillic", "empty"}


def test_a_message_for_two_domains_shows_each_its_own(pages: Pages) -> None:
    pages.store.history.add([("two/1", story(77_001))])
    ours = token_of(pages, ADMIN, TokenScope.HISTORY_READ)
    number = pages.store.history.show("Q77001")[0].id
    told = ours.get(f"/messages/{number}")
    assert [one["recipient"] for one in told["recipients"]] == ["Marie+x@Example.COM"]
    assert "paul@example.org" not in json.dumps(told)


def test_trouble_in_the_store_is_told_as_such(
    pages: Pages, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise StoreError("the disk says s3cret")

    monkeypatch.setattr(pages.store.quarantine, "list", broken)
    monkeypatch.setattr(pages.store.challenges, "list", lambda **_: 1 / 0)
    for path, status in (("/held", 503), ("/challenges", 500)):
        answer = api.ask("GET", path)
        assert is_problem(answer, status)
        assert "s3cret" not in answer.text
    monkeypatch.setattr(pages.store.api_tokens, "find", broken)
    assert is_problem(api.ask("GET", "/me"), 503)


def test_a_lock_is_opened_by_its_owner_alone(pages: Pages, api: Api) -> None:
    for value in (False, None, "no"):
        change = {"set": {"locked": value}}
        assert is_problem(api.ask("PATCH", f"/policy/{JEAN}", change, headers={"If-Match": "*"}), 422)
    locked = {"set": {"locked": True}}
    made = api.ask("PATCH", "/policy/shut@example.com", locked, headers={"If-Match": "*"})
    assert is_problem(api.post(f"/policy/versions/{json.loads(made.body)['id']}/undo"), 422)


def test_rights_are_given_as_far_as_one_has_them(pages: Pages, api: Api) -> None:
    wanted = {"address": "new@example.com", "scope": "example.com", "rights": ["helper"]}
    given = json.loads(api.post("/people/grants", wanted).body)
    assert given["by"] == ADMIN
    assert is_problem(api.post("/people/grants", wanted | {"scope": PLATFORM}), 404)
    assert is_problem(api.post("/people/grants", wanted | {"address": "new@example.net"}), 422)
    assert is_problem(api.post("/people/grants", wanted | {"rights": ["all"]}), 422)
    weak = token_of(pages, ADMIN, TokenScope.PEOPLE_ADMIN)
    assert is_problem(weak.post("/people/grants", wanted), 404), "a token gives what it has itself"
    person = next(one for one in api.get("/people")["items"] if one["address"] == "new@example.com")
    assert [one["id"] for one in person["grants"]] == [given["id"]]
    assert api.ask("DELETE", f"/people/{person['id']}/grants/{given['id']}").status == 204
    deed = api.get("/audit?about=new@example.com")["items"][0]
    assert (deed["action"], deed["who"], deed["token"]) == ("revoke", ADMIN, api.token.split("_")[1])


def test_a_job_is_for_who_asked_for_it_alone(pages: Pages, api: Api) -> None:
    job = pages.store.jobs.ask("replay", "other@example.com", "example.com", {"days": 1})
    for method in ("GET", "DELETE"):
        assert is_problem(api.ask(method, f"/jobs/{job.id}"), 404)
    pages.store.jobs.cancel(job.id, by="test")


def test_a_replay_is_a_job_that_names_no_locked_mailbox(pages: Pages, api: Api) -> None:
    wanted = {"scope": "example.com", "set": {"required": 6.0}, "days": 3}
    begun = api.post("/replays", wanted)
    assert begun.status == 202
    job = api.get(f"/jobs/{json.loads(begun.body)['id']}")
    assert (job["state"], job["scope"], job["result"]) == ("waiting", "example.com", None)
    assert JEAN not in begun.text
    assert job in api.get("/jobs")
    assert api.ask("DELETE", f"/jobs/{job['id']}").status == 204
    assert api.get(f"/jobs/{job['id']}")["state"] == "cancelled"
    assert is_problem(api.post("/replays", wanted | {"set": {"no.such": 1}}), 422)
    fit = json.loads(api.post("/fits", {"scope": "example.com"}).body)
    assert (fit["kind"], fit["state"]) == ("fit", "waiting")
    assert api.ask("DELETE", f"/jobs/{fit['id']}").status == 204
    assert is_problem(api.post("/fits", {"scope": PLATFORM}), 404)
    assert is_problem(api.post("/replays", wanted | {"scope": PLATFORM}), 404)
