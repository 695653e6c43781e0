"""Every page, asked by everybody for another domain's: what is not there and what is not allowed are one answer.

It walks the routes of the application. Whoever adds one says for whom it is: a page of the console by its right, any
other in the table below; and what stands in its address, if that names something, in OBJECTS.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from tamis.challenge.challenge_records import Challenge
from tamis.database.history_search import Wanted
from tamis.message.address import PLATFORM
from tamis.people.rights import BUNDLES, Reach, Right
from tamis.web.app import ROUTES
from tamis.web.console.console import Needed
from tests.web.console.two_domains import HIDDEN, ROOT, SINGLE, WEAK, ZOE, single, two_domains
from tests.web.pages import ADMIN, MARIE, Answer, Pages, Visitor
from tests.web.samples import content, message
from tests.web.test_safety import tables

OTHERS = {
    "/": "anybody",
    "/sign-in": "anybody",
    "/sign-in/{token}": "by token",
    "/sign-out": "anybody",
    "/help": "anybody",
    "/help/confirm": "anybody",
    "/mail": "own mailbox",
    "/mail/{message}": "own mailbox",
    "/mail/{message}/formatted": "own mailbox",
    "/done": "own mailbox",
    "/undo": "by token",
    "/lists": "own mailbox",
    "/settings": "own mailbox",
    "/a/{token}": "by token",
    "/a/{token}/formatted": "by token",
    "/c/{token}": "by token",
    "/c/{token}/work": "by token",
    "/c/{token}/image": "by token",
    "/c/{token}/audio": "by token",
    "/admin/sign-in": "anybody",
    "/admin/confirm": "strong session",
    "/admin/enrol": "session of a mailed link",
    "/admin/invitation/{token}": "by token",
}
"""For whom the routes are that no right of the console opens: a new one is tested where it is made, and named here."""

OBJECTS: dict[str, Callable[[Pages], Any]] = {
    "person": lambda pages: pages.store.people.find(ZOE).id,  # type: ignore[union-attr]
    "message": lambda pages: pages.store.quarantine.list(ZOE)[0].id,
    "mailbox": lambda _: ZOE,
    "number": lambda pages: pages.store.history.find(Wanted(scope=ZOE))[0].id,
    "challenge": lambda pages: hers_asked(pages)[0].id,
    "job": lambda pages: pages.store.jobs.of(ZOE)[0].id,
    "version": lambda pages: pages.store.overrides.versions.newest(),
}
"""What a part of an address names, of the other domain."""
NAMES = {"filter": "reverse_dns"}
"""What is called alike in every domain."""


@dataclass(frozen=True)
class Way:
    """A route by one method, and what it needs."""

    method: str
    path: str
    needed: Needed | None

    def address(self, pages: Pages) -> str:
        return re.sub(r"\{(\w+)(?::\w+)?\}", lambda part: self._named(part[1], pages), self.path)

    def _named(self, part: str, pages: Pages) -> str:
        return NAMES[part] if part in NAMES else str(OBJECTS[part](pages))

    @property
    def parts(self) -> list[str]:
        return [part for part in re.findall(r"\{(\w+)", self.path) if part not in NAMES]


WAYS = [
    Way(method, one.path, getattr(one.endpoint, "needed", None))
    for one in ROUTES
    for method in sorted((one.methods or set()) - {"HEAD"})
]
CONSOLE = [way for way in WAYS if way.needed is not None]


def named(way: Way) -> str:
    return f"{way.method} {way.path}"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    """Two domains; people with each bundle, and with each single right, in the first one."""
    with two_domains(tmp_path_factory.mktemp("borders")) as serving:
        yield serving


def hers_asked(pages: Pages) -> Sequence[Challenge]:
    """What was asked about mail of the other domain."""
    return pages.store.challenges.list(domain="example.org")


def ask(visitor: Visitor, way: Way, address: str, scope: str) -> Answer:
    path = f"{address}?in={scope}"
    if way.method == "GET":
        return visitor.get(path)
    return visitor.post(path, {"csrf": visitor.get("/settings").field("csrf")})


def nothing(visitor: Visitor, scope: str) -> Answer:
    """What is said of a page that nobody has."""
    return visitor.get(f"/admin/nothing/like/it?in={scope}")


def test_every_route_says_for_whom_it_is() -> None:
    undeclared = {way.path for way in WAYS if way.needed is None}
    assert undeclared == set(OTHERS)
    assert {part for way in CONSOLE for part in way.parts} <= set(OBJECTS)
    assert len(CONSOLE) > 10


@pytest.mark.parametrize("way", CONSOLE, ids=named)
def test_it_is_for_those_who_have_its_right_where_they_have_it(pages: Pages, way: Way) -> None:
    needed, address = way.needed, way.address(pages)
    assert needed is not None
    before = tables(pages, but=("audit", "web_sessions"))
    for who in [*BUNDLES, *SINGLE]:
        rights = BUNDLES[who] if who in BUNDLES else frozenset({Right(who)})
        visitor = pages.visitor(f"{who}@example.com" if who in BUNDLES else single(Right(who)))
        open_ = not needed.platform and (needed.right is None or needed.right in rights)
        elsewhere = ask(visitor, way, address, "example.org")
        closed = nothing(visitor, "example.org")
        if needed.right is not None:
            assert (elsewhere.status, elsewhere.body) == (404, closed.body), (who, "another domain")
        if way.parts or not open_:
            here = ask(visitor, way, address, "example.com")
            nowhere = nothing(visitor, "example.com")
            assert (here.status, here.body) == (404, nowhere.body), (who, "another's object, or no right")
        elif way.method == "GET":  # a page may want a second right; the owner has all
            assert ask(visitor, way, address, "example.com").status in (200, 200 if who == "owner" else 404)
        if way.method == "GET" or not open_:
            everywhere = ask(visitor, way, address, PLATFORM)  # all that is seen
            assert everywhere.status < 500
            assert HIDDEN not in everywhere.text, who
    assert tables(pages, but=("audit", "web_sessions")) == before


@pytest.mark.parametrize("way", CONSOLE, ids=named)
def test_nobody_else_comes_in(pages: Pages, way: Way) -> None:
    address = way.address(pages)
    guest = pages.visitor()
    if way.method == "GET":
        assert guest.get(address).location.startswith("/sign-in?to="), "not signed in"
        assert pages.by_link(WEAK).get(address).location.startswith("/admin/sign-in"), "a mailed link alone"
    else:
        assert guest.post(address).status == 403
        assert ask(pages.by_link(WEAK), way, address, "example.com").location == "/admin/sign-in"
        assert pages.visitor(ROOT).post(address, {"csrf": "x"}).status == 403, "a form of another site"
    recipient = ask(pages.visitor(MARIE), way, address, "example.com")
    assert (recipient.status, MARIE in recipient.text) == (404, True)


@pytest.mark.parametrize("path", ["/mail/{message}", "/mail/{message}/formatted"])
def test_held_mail_of_another_domain_is_not_there(pages: Pages, path: str) -> None:
    theirs = path.format(message=OBJECTS["message"](pages))
    none = path.format(message="01M8AJYGJ4XMYYWDKT89XS3ZSA")
    for who in ("owner@example.com", single(Right.CONTENT), ADMIN, MARIE):
        visitor = pages.visitor(who)
        answer, missing = visitor.get(theirs), visitor.get(none)
        assert (answer.status, answer.body) == (404, missing.body), who


@pytest.mark.parametrize(
    ("who", "reads", "delivers", "lists"),
    [("observer", False, False, False), ("helper", False, True, False), ("manager", True, True, True)],
)
def test_held_mail_of_the_own_domain_goes_by_single_rights(
    pages: Pages, who: str, *, reads: bool, delivers: bool, lists: bool
) -> None:
    number = pages.hold(message(10 + len(who), recipient=MARIE), content(html="<p>x</p>"))
    visitor = pages.visitor(f"{who}@example.com")
    assert visitor.get("/mail?box=example.com").status == (200 if who != "observer" else 404)
    assert visitor.get(f"/mail/{number}").status == (200 if reads else 404)
    assert visitor.get(f"/mail/{number}/formatted").status == (200 if reads else 404)
    proof = visitor.get("/settings").field("csrf")
    assert visitor.post(f"/mail/{number}", {"csrf": proof, "verb": "block"}).status == (303 if lists else 404)
    left = pages.hold(message(30 + len(who), recipient=MARIE), content())
    assert visitor.post(f"/mail/{left}", {"csrf": proof, "verb": "delete"}).status == (
        303 if delivers else 404
    )


def test_what_is_refused_stands_in_the_audit_trail(pages: Pages) -> None:
    who = "curious@example.com"  # of the others so much was refused by now that no more is noted (REFUSALS_NOTED)
    pages.store.people.grant(who, "example.com", BUNDLES["observer"], by="root")
    visitor = pages.visitor(who)
    assert visitor.get("/admin/people/999?in=example.org").status == 404
    newest = pages.store.trail.find(Reach(frozenset({"example.com"})), limit=1)[0]
    assert (newest.who, newest.action, newest.about) == (
        who,
        "refused",
        "/admin/people/999",
    )
    assert newest.details == {"method": "GET", "query": "in=example.org"}
    assert newest.network == "127.0.0.0/24"


def test_rights_that_are_taken_away_are_gone_at_once(pages: Pages) -> None:
    who = "gone@example.com"
    given = pages.store.people.grant(who, "example.com", BUNDLES["helper"], by="root")
    visitor = pages.visitor(who)
    assert visitor.get("/admin").status == 200
    pages.store.people.revoke(given.id, by="root")
    assert visitor.get("/admin").status == 404
    pages.store.people.grant(who, "example.com", BUNDLES["helper"], by="root")
    assert visitor.get("/admin").status == 200
    pages.store.people.suspend(who, by="root")
    assert visitor.get("/admin").location.startswith("/sign-in")
    assert pages.visitor(who).get("/admin").status == 404
