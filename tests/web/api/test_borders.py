"""No operation of the API crosses a border.

The operations come from the schema, so that none can be forgotten: one that says no scope, or that these tests know no
object for, fails them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tamis.base.shared_files import make_folder, write_json
from tamis.challenge.challenge_records import ChallengeDecision
from tamis.contract.lists import Colour, Subject
from tamis.database.granted_people import parse_rights
from tamis.database.list_entries import NewEntry
from tamis.database.marks import Mark, MarkKind
from tamis.judging.suppression import NotAsked
from tamis.message.address import domain_of
from tamis.people.token_scopes import RIGHT_OF, TokenScope
from tamis.quarantine.records import Done
from tamis.rules.proposals import Proposal
from tamis.settings import NoticeSettings
from tamis.web.api.assembly import schema
from tests.database.test_history import SPAM, story
from tests.web.api.conftest import OTHER_ADMIN, Api, token_of
from tests.web.console.conftest import PLATFORM_ADMIN
from tests.web.pages import ADMIN, JEAN, MARIE, Answer, Pages
from tests.web.samples import message

SCHEMA = schema()
OPERATIONS = [
    (method.upper(), path, told) for path, many in SCHEMA["paths"].items() for method, told in many.items()
]
NAMES = [f"{method} {path}" for method, path, _ in OPERATIONS]
FOR_ALL = {"GET /me"}
"""Operations that need no scope: about the token itself."""
OF_THE_MAKER = {
    *("GET /tokens", "DELETE /tokens/{number}"),
    *("POST /replays", "POST /fits", "GET /jobs", "GET /jobs/{number}", "DELETE /jobs/{number}"),
}
"""Operations about tokens and jobs of the same person."""
OPEN_OF_LOCKED = {
    *("/policy/{scope}", "/policy/versions", "/policy/versions/{number}/undo"),
    "/policy/{scope}.toml",
    *("/people/{person}", "/people/{person}/sessions", "/people/{person}/sessions/{session}"),
    *("/senders/{domain}/{address}", "/people", "/audit"),
    *("/people/grants", "/people/{person}/grants/{grant}"),
}
"""What administrators may see and change although a mailbox is locked: its policy, what belongs to its domain,
and who was granted something there, which counts for nothing while it is locked."""
MARK = "zanzibar"
"""A word in everything that is somebody's."""
_numbers = itertools.count(1)


class Objects:
    """Something of each kind that belongs to a mailbox, made when it is asked for."""

    def __init__(self, pages: Pages, mailbox: str) -> None:
        self.pages, self.mailbox, self.store = pages, mailbox, pages.store

    def held(self) -> str:
        """A held message."""
        number = next(_numbers)
        one = message(number, recipient=self.mailbox, subject=f"{MARK} {number}")
        return self.pages.hold(one, f"From: a@example.net\r\nSubject: {MARK}\r\n\r\n{MARK}\r\n".encode())

    def message(self) -> str:
        """A message of the history."""
        number = next(_numbers)
        one = replace(
            story(number, at=datetime.now(UTC)),
            recipients=((self.mailbox, SPAM),),
            subject=f"{MARK} {number}",
            transaction=f"api{number}",
        )
        self.store.history.add([(f"api/{number}", one)])
        return str(self.store.history.show(f"Q{number}")[0].id)

    def entry(self) -> str:
        """A list entry."""
        pattern = f"{MARK}{next(_numbers)}@example.net"
        one = NewEntry(
            colour=Colour.WHITE, subject=Subject.SENDER, pattern=pattern, scope=self.mailbox, author="test"
        )
        self.store.lists.add([one])
        return str(self.store.lists.find(pattern=pattern)[0].id)

    def sender(self) -> str:
        """An address that earned something."""
        address = f"{MARK}{next(_numbers)}@example.net"
        self.store.senders.validate(domain_of(self.mailbox), address, by="test")
        return address

    def challenge(self) -> str:
        """A challenge, or why there is none."""
        held = self.held()
        later = datetime.now(UTC) + timedelta(hours=1)
        (copy,) = (
            one
            for one in self.store.challenges.undecided(held_before=later, limit=1000)
            if one.message == held
        )
        decision = ChallengeDecision(copy, NotAsked.AUTOMATIC, "en", authenticated=False)
        self.store.challenges.decide([decision], NoticeSettings())
        return next(
            one.id
            for one in self.store.challenges.list(limit=1000)
            if held in self.store.challenges.messages(one.id)
        )

    def version(self) -> str:
        """A version of policy."""
        self.store.overrides.set(
            self.mailbox, "retention_days", 10 + next(_numbers) % 300, by="test", check=self.pages.house.check
        )
        return str(self.store.overrides.versions.newest())

    def client(self) -> str:
        """A client that was complained about."""
        client = f"198.51.100.{next(_numbers) % 250 + 1}"
        self.store.complaints.condemn(client, MARK, by="test")
        return client

    def mark(self) -> str:
        """The fingerprint of a file that somebody marked."""
        digest = f"{next(_numbers):064x}"
        word = Mark(MarkKind.ATTACHMENT, digest, self.mailbox, "m", "test", spam=True)
        self.store.marks.note([word], expires=datetime.now(UTC) + timedelta(days=1))
        return digest

    def grant(self) -> str:
        """Rights of somebody in the mailbox: person and grant."""
        given = self.store.people.grant(
            f"{MARK}{next(_numbers)}@example.com", self.mailbox, parse_rights(["observer"]), by="test"
        )
        person = next(one for one in self.store.people.list() if given.id in {g.id for g in one.grants})
        return f"{person.id}/grants/{given.id}"

    def job(self) -> str:
        """A replay that the mailbox's owner asked for."""
        asked = {"set": [], "since": datetime.now(UTC).isoformat(), "days": next(_numbers)}
        job = self.store.jobs.ask("replay", self.mailbox, self.mailbox, asked)
        self.store.jobs.cancel(job.id, by="test")
        return str(job.id)

    def token(self) -> str:
        """A token of the mailbox's owner."""
        made, _ = self.store.api_tokens.make(
            self.mailbox,
            [TokenScope.HELD_READ],
            ["platform"],
            name=MARK,
            lasting=timedelta(hours=1),
            by="test",
        )
        return made.id

    def person(self) -> str:
        """Somebody who was granted something in the mailbox."""
        return self.grant().partition("/")[0]

    def session(self) -> str:
        """Somebody who was granted something there, and is signed in."""
        number = self.person()
        known = self.store.people.get(int(number))
        assert known is not None
        self.pages.session(known.address)
        return f"{number}/sessions/{self.store.sessions.list(known.address)[0].id}"

    def label(self) -> str:
        """A copy of a message of the history."""
        return f"{self.message()}/labels/{self.mailbox}"

    def rule(self) -> str:
        """A rule that was proposed."""
        folder = self.pages.settings.rules_directory
        make_folder(folder, 0o750)
        rule = Proposal(MARK, f"phrase:{MARK}", 1.0, 9, 9, 9, 9, 0, 9, 0.1)
        write_json(folder / "proposed.json", [asdict(rule)])
        return MARK


def asked(path: str, method: str, objects: Objects) -> tuple[str, Any]:
    """An operation's address and body, about something of a mailbox. Raises KeyError on one that is not known here."""
    mailbox = objects.mailbox
    paths: Mapping[str, Callable[[], str]] = {
        "/messages/{number}": lambda: f"/messages/{objects.message()}",
        "/messages/{number}/labels/{mailbox}": lambda: f"/messages/{objects.label()}",
        "/held/{number}": lambda: f"/held/{objects.held()}",
        "/held/{number}/content": lambda: f"/held/{objects.held()}/content",
        "/held/{number}/{act}": lambda: f"/held/{objects.held()}/delete",
        "/policy/versions/{number}/undo": lambda: f"/policy/versions/{objects.version()}/undo",
        "/policy/{scope}": lambda: f"/policy/{mailbox}",
        "/policy/{scope}.toml": lambda: f"/policy/{mailbox}.toml",
        "/lists/entries/{number}": lambda: f"/lists/entries/{objects.entry()}",
        "/senders/{domain}/{address}": lambda: f"/senders/{domain_of(mailbox)}/{objects.sender()}",
        "/challenges/{number}": lambda: f"/challenges/{objects.challenge()}",
        "/rules/proposed/{name}/{act}": lambda: f"/rules/proposed/{objects.rule()}/forget",
        "/tokens/{number}": lambda: f"/tokens/{objects.token()}",
        "/people/{person}": lambda: f"/people/{objects.person()}",
        "/people/{person}/sessions": lambda: f"/people/{objects.person()}/sessions",
        "/people/{person}/sessions/{session}": lambda: f"/people/{objects.session()}",
        "/people/{person}/grants/{grant}": lambda: f"/people/{objects.grant()}",
        "/jobs/{number}": lambda: f"/jobs/{objects.job()}",
    }
    queries: Mapping[str, Callable[[], str]] = {
        "DELETE /clients/complaints": lambda: f"?client={objects.client()}",
        "DELETE /clients/blocked": lambda: f"?client={objects.client()}",
        "GET /messages/named": lambda: f"?name={objects.message()}",
        "GET /fingerprints": lambda: "?kind=attachment",
        "DELETE /fingerprints": lambda: f"?kind=attachment&fingerprint={objects.mark()}&scope={mailbox}",
        "POST /learning/reports": lambda: f"?label=spam&mailbox={mailbox}",
    }
    bodies: Mapping[str, Callable[[], Any]] = {
        "/held/acts": lambda: {"act": "delete", "ids": [objects.held()]},
        "/policy/{scope}": lambda: {"set": {"retention_days": 10 + next(_numbers) % 300}},
        "/lists/entries": lambda: entry_for(mailbox) | {"pattern": f"n{next(_numbers)}@example.net"},
        "/lists/import": lambda: entry_for(mailbox) | {"patterns": [f"n{next(_numbers)}@example.net"]},
        "/clients/complaints": lambda: {"client": "198.51.100.251"},
        "/clients/blocked": lambda: {"client": "198.51.100.252"},
        "/replays": lambda: {"scope": mailbox, "set": {"required": 6.5}, "days": next(_numbers) % 90 + 1},
        "/fits": lambda: {"scope": mailbox, "days": next(_numbers) % 365 + 1},
        "/people/grants": lambda: {"address": JEAN, "scope": mailbox, "rights": ["observer"]},
        "/messages/{number}/labels/{mailbox}": lambda: {"wanted": False},
        "/policy/{scope}.toml": lambda: b"retention_days = %d" % (10 + next(_numbers) % 300),
        "/people/{person}": lambda: {"suspended": True},
        "/rules": lambda: {"text": f"# {next(_numbers)}"},
        "/learning/reports": lambda: b"Subject: x\r\n\r\nx\r\n",
        "/rules/test": lambda: b"Subject: x\r\n\r\nx\r\n",
    }
    address = paths[path]() if "{" in path else path
    address += queries[f"{method} {path}"]() if f"{method} {path}" in queries else ""
    return address, bodies[path]() if method in ("POST", "PATCH", "PUT") and path in bodies else None


def entry_for(scope: str) -> dict[str, str]:
    return {"colour": "black", "subject": "sender", "scope": scope}


def kind_of(path: str) -> dict[str, str]:
    """The header of what is sent as it is."""
    if path in ("/rules/test", "/learning/reports"):
        return {"Content-Type": "message/rfc822"}
    return {"Content-Type": "application/toml"} if path.endswith(".toml") else {}


def ask(api: Api, method: str, path: str, objects: Objects) -> Answer:
    address, body = asked(path, method, objects)
    headers = {"If-Match": "*"}
    headers |= kind_of(path)
    return api.ask(method, address, body, headers=headers)


def everything(objects: Objects) -> None:
    """Make one of each kind, so that lists have something to show."""
    objects.held(), objects.message(), objects.entry(), objects.sender(), objects.challenge()
    objects.version(), objects.client(), objects.token(), objects.grant(), objects.job(), objects.mark()


@pytest.fixture(scope="module")
def maries(pages: Pages) -> Objects:
    """What is Marie's, of example.com."""
    objects = Objects(pages, MARIE)
    everything(objects)
    return objects


@pytest.fixture(scope="module")
def jeans(pages: Pages) -> Objects:
    """What is Jean's, whose mailbox is locked."""
    objects = Objects(pages, JEAN)
    everything(objects)
    return objects


@pytest.fixture(scope="module")
def strangers(pages: Pages, maries: Objects, jeans: Objects) -> list[tuple[Api, Objects]]:
    """Owners of another domain; owners of this one by a token for another; of a locked mailbox the owner of its domain;
    of both, anybody at all."""
    return [
        (token_of(pages, OTHER_ADMIN), maries),
        (token_of(pages, ADMIN, domain="example.org"), maries),
        (token_of(pages, "nobody@example.org"), maries),
        (token_of(pages, ADMIN), jeans),
        (token_of(pages, MARIE), jeans),
    ]


def test_every_operation_says_which_scope_it_needs() -> None:
    scopes = {name: told["security"] for name, (_, _, told) in zip(NAMES, OPERATIONS, strict=True)}
    for name, ((only,)) in ((name, one) for name, one in scopes.items()):
        assert set(only) == {"token"}, name
        assert set(only["token"]) <= set(map(str, RIGHT_OF)), name
        assert bool(only["token"]) is (name not in FOR_ALL), name


def test_every_change_can_be_asked_for_again() -> None:
    for name, (method, _, told) in zip(NAMES, OPERATIONS, strict=True):
        headers = {one["name"] for one in told.get("parameters", ()) if one["in"] == "header"}
        assert ("idempotency-key" in headers) is (method != "GET" and name != "POST /rules/test"), name


@pytest.mark.parametrize(("method", "path", "told"), OPERATIONS, ids=NAMES)
def test_who_has_no_right_there_sees_and_changes_nothing(
    pages: Pages, strangers: list[tuple[Api, Objects]], method: str, path: str, told: dict[str, Any]
) -> None:
    for api, objects in strangers:
        before = pages.store.overrides.versions.newest(), len(pages.store.lists.find())
        address, body = asked(path, method, objects)
        made = pages.store.overrides.versions.newest() - before[0], len(pages.store.lists.find()) - before[1]
        answer = api.ask(method, address, body, headers={"If-Match": "*"} | kind_of(path))
        name = f"{method} {path} of {objects.mailbox}"
        if path in OPEN_OF_LOCKED and api is strangers[3][0]:
            continue
        if "{" in path:
            assert answer.status == 404, name
        elif method != "GET":
            assert answer.status in (404, 422) or path == "/held/acts", name
        if path == "/held/acts":
            assert {one["result"] for one in json.loads(answer.body)["results"]} == {Done.UNKNOWN}
        shown = answer.text
        assert objects.mailbox not in shown, name
        if objects.mailbox == MARIE:
            assert MARK not in shown, name
        after = pages.store.overrides.versions.newest(), len(pages.store.lists.find())
        assert (after[0] - before[0], after[1] - before[1]) == made, name


@pytest.mark.parametrize(("method", "path", "told"), OPERATIONS, ids=NAMES)
def test_who_has_the_right_sees_it(
    pages: Pages, maries: Objects, method: str, path: str, told: dict[str, Any]
) -> None:
    """Without this, what is refused above could be refused for a slip of the tests."""
    api = token_of(pages, MARIE if f"{method} {path}" in OF_THE_MAKER else PLATFORM_ADMIN)
    answer = ask(api, method, path, maries)
    assert answer.status in (200, 201, 202, 204), answer.text


@pytest.mark.parametrize("scope", list(TokenScope))
def test_a_token_does_only_what_its_scopes_say(pages: Pages, maries: Objects, scope: TokenScope) -> None:
    api = token_of(pages, PLATFORM_ADMIN, scope)
    for method, path, told in OPERATIONS:
        needed = set(told["security"][0]["token"])
        if needed <= {scope}:
            continue
        answer = api.ask(method, path.replace("{number}", "1").replace("{act}", "delete"))
        assert answer.status == 403, f"{method} {path}"
