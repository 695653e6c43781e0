"""People and their rights on the pages: what can be given, taken back, and done to whom."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tamis.people.rights import BUNDLES, Grant, Reach, Right
from tamis.web.console import others_access
from tamis.web.rate_limits import INVITATIONS
from tests.web.console.conftest import PLATFORM_ADMIN
from tests.web.pages import ADMIN, JEAN, MARIE, Pages

ZOE, PAUL = "zoe@example.org", "paul@example.com"
EVERYTHING = Reach(frozenset({"platform"}))


def person(pages: Pages, address: str) -> str:
    found = pages.store.people.find(address)
    assert found is not None
    return f"/admin/people/{found.id}"


def test_nobody_gives_what_they_dont_have(pages: Pages) -> None:
    pages.store.people.grant(PAUL, "example.com", {Right.PEOPLE, Right.HELD}, by="root")
    paul = pages.visitor(PAUL)
    page = paul.get("/admin/people").text
    assert 'value="owner"' not in page
    assert 'value="content"' not in page
    for form in (
        {"bundle": "helper"},
        {"right": Right.CONTENT},
        {"right": [Right.HELD, Right.POLICY]},
        {"right": Right.HELD, "scope": "platform"},
        {"right": Right.HELD, "scope": "example.org"},
        {"right": Right.HELD, "scope": ZOE},
        {"right": Right.PLATFORM, "scope": "platform"},
        {"right": "everything"},
        {"right": Right.HELD, "scope": "nowhere"},
        {"right": Right.HELD, "expires": "2001-01-01"},
        {"right": Right.HELD, "expires": "9999-99-99"},
        {},
        {"right": Right.HELD, "address": "x@elsewhere.example"},
        {"right": Right.HELD, "address": "nobody"},
    ):
        answer = paul.send("/admin/people", {"address": MARIE, **form})
        assert (answer.status, 'role="alert"' in answer.text) == (422, True), form
    assert pages.store.invitations.list(EVERYTHING) == ()
    assert paul.send("/admin/people", {"address": MARIE, "right": Right.HELD}).status == 303
    (offer,) = pages.store.invitations.list(EVERYTHING)
    assert (offer.gift, offer.by) == (Grant("example.com", frozenset({Right.HELD})), PAUL)
    pages.store.invitations.withdraw(offer.id, by="root")


def test_fields_that_no_form_has_change_nothing(pages: Pages) -> None:
    pages.store.people.grant(MARIE, "example.com", {Right.HELD}, by="root")
    before = pages.store.people.find(MARIE)
    more = {
        "id": "1",
        "by": "root",
        "author": "root",
        "person": "1",
        "suspended": "",
        "who": "root",
        "at": "2001-01-01",
    }
    form = {"do": "grant", "scope": "example.com", "right": Right.HISTORY, "expires": "2030-01-01"}
    assert pages.visitor(ADMIN).send(person(pages, MARIE), form | more).status == 303
    after = pages.store.people.find(MARIE)
    assert before is not None
    assert after is not None
    assert (after.id, after.by, after.at, after.suspended) == (before.id, before.by, before.at, False)
    (new,) = [one for one in after.grants if one not in before.grants]
    assert (new.by, new.grant) == (ADMIN, Grant("example.com", frozenset({Right.HISTORY})))
    pages.store.people.remove(MARIE, by="root")


def test_a_right_is_taken_back_and_given_again(pages: Pages) -> None:
    pages.store.people.grant(MARIE, "example.com", BUNDLES["helper"], by="root")
    admin, here = pages.visitor(ADMIN), person(pages, MARIE)
    pages.store.people.grant(MARIE, "example.com", {Right.LEARN}, by="root")
    number = pages.store.people.find(MARIE).grants[0].id  # type: ignore[union-attr]
    answer = admin.send(here, {"do": "revoke", "grant": str(number)})
    page = admin.get(answer.location)
    assert "Taken back from marie@example.com." in page.text
    assert "Undo" in page.text
    undone = {
        "csrf": page.field("csrf"),
        "do": "grant",
        "scope": page.field("scope"),
        "right": sorted(BUNDLES["helper"]),
    }
    assert admin.post(here, undone).status == 303
    assert BUNDLES["helper"] < pages.store.people.grants_of(MARIE)[0].rights
    forged = answer.location.replace("marie%40example.com", "jean%40example.com")
    assert "Taken back" not in admin.get(forged).text
    pages.store.people.remove(MARIE, by="root")


def test_what_belongs_to_others_is_not_touched(pages: Pages) -> None:
    """A person of two domains: each owner sees and takes back the own grants alone, and stops nobody as a whole."""
    pages.store.people.grant(MARIE, "example.com", BUNDLES["helper"], by="root")
    theirs = pages.store.people.grant(MARIE, "example.org", BUNDLES["manager"], by="root")
    pages.store.factors.enrol(MARIE, password="x", totp=b"x", step=0, recovery=(), by="root")
    admin, here = pages.visitor(ADMIN), person(pages, MARIE)
    pages.session(MARIE)
    page = admin.get(here).text
    assert "example.org" not in page
    assert "last used" not in page, "where a person is signed in is for who could end that"
    assert 'value="suspend"' not in page
    for form in ({"do": "revoke", "grant": str(theirs.id)}, {"do": "suspend"}, {"do": "reset"}):
        assert admin.send(here, form).status == 404, form
    assert admin.send(here, {"do": "everything"}).status == 400
    found = pages.store.people.find(MARIE)
    assert found is not None
    assert (found.suspended, found.is_enrolled, len(found.grants)) == (False, True, 2)
    root = pages.visitor(PLATFORM_ADMIN)
    assert "last used" in root.get(here).text
    session = pages.session(MARIE)
    assert root.send(here, {"do": "suspend"}).status == 303
    assert pages.store.people.grants_of(MARIE) == ()
    assert pages.store.sessions.find(session) is None
    assert root.send(here, {"do": "resume"}).status == 303
    assert root.send(here, {"do": "reset"}).status == 303
    assert not pages.store.factors.of(MARIE).password
    pages.store.people.remove(MARIE, by="root")


def test_who_has_the_right_to_give_little_takes_little_back(pages: Pages) -> None:
    """The right "people" alone is no right over owners."""
    given = pages.store.people.grant(MARIE, "example.com", BUNDLES["owner"], by="root")
    pages.store.people.grant("boss@example.com", "example.com", {Right.PEOPLE}, by="root")
    boss, here = pages.visitor("boss@example.com"), person(pages, MARIE)
    assert boss.get(here).status == 200
    for form in ({"do": "revoke", "grant": str(given.id)}, {"do": "suspend"}, {"do": "reset"}):
        assert boss.send(here, form).status == 404
    pages.store.people.remove(MARIE, by="root")


def test_who_could_not_give_it_does_not_withdraw_an_invitation(pages: Pages) -> None:
    pages.store.people.grant("boss@example.com", "example.com", {Right.PEOPLE}, by="root")
    invitations = pages.store.invitations
    invitations.invite(MARIE, Grant("example.com", BUNDLES["owner"]), by="root", until=None)
    (offer,) = invitations.list(EVERYTHING)
    form = {"do": "withdraw", "offer": offer.id}
    assert pages.visitor("boss@example.com").send("/admin/people", form).status == 404
    assert [one.id for one in invitations.list(EVERYTHING)] == [offer.id]
    assert pages.visitor(ADMIN).send("/admin/people", form).status == 303
    assert invitations.list(EVERYTHING) == ()


def test_the_settings_file_is_the_way_back_in(pages: Pages) -> None:
    pages.store.people.grant(ADMIN, "example.com", BUNDLES["observer"], by="root")
    pages.store.people.suspend(ADMIN, by="root")
    admin = pages.visitor(ADMIN)
    assert admin.get("/admin/people").status == 200
    assert "by the settings file" in admin.get("/admin/people").text
    assert pages.visitor(ADMIN).send(person(pages, ADMIN), {"do": "suspend"}).status == 404  # nor oneself
    pages.store.people.remove(ADMIN, by="root")
    assert pages.visitor(ADMIN).get("/admin").status == 200


def test_invitations_are_limited(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(others_access, "INVITATIONS", replace(INVITATIONS, most=1, name="few"))
    admin = pages.visitor(ADMIN)
    assert admin.send("/admin/people", {"address": JEAN, "bundle": "observer"}).status == 303
    assert admin.send("/admin/people", {"address": JEAN, "bundle": "observer"}).status == 429
