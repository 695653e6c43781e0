"""Signing in with password and code, enrolling, invitations: what leads to a strong session, and what does not."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tamis.base.tokens import Purpose
from tamis.people.proving import WINDOW, new_recovery_codes, recovery_digest
from tamis.people.rights import BUNDLES, Grant, Right
from tamis.web.rate_limits import PROOFS_OF_ADDRESS
from tamis.web.visit import SESSION
from tests.web.pages import ADMIN, JEAN, MARIE, Pages, Visitor
from tests.web.samples import content, message
from tests.web.signing import PASSWORD, SECRET, code, enrolled, sign_in

ANNE = "anne@example.com"


@pytest.fixture
def admin(pages: Pages) -> str:
    """An administrator of the settings file who is enrolled."""
    enrolled(pages, ADMIN)
    return ADMIN


def actions(pages: Pages, who: str) -> list[str]:
    return [one.action for one in pages.store.trail.about(who)]


def fields(page: str) -> dict[str, str]:
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))


def test_a_mailed_link_opens_the_own_mailbox_and_nothing_else(pages: Pages, admin: str) -> None:
    theirs = pages.hold(message(1, subject="for Marie"), content())
    weak = pages.by_link(admin)
    assert weak.get("/mail").status == 200
    for path in ("/admin", "/mail?box=example.com", f"/mail?box={MARIE}", f"/mail/{theirs}", "/admin/people"):
        answer = weak.get(path)
        assert answer.status == 303, path
        assert answer.location.startswith("/admin/sign-in?to="), path
        assert "for Marie" not in answer.text
    proof = weak.get("/settings").field("csrf")
    assert weak.post(f"/mail/{theirs}", {"csrf": proof, "verb": "deliver"}).location == "/admin/sign-in"
    assert pages.by_link(MARIE).get("/admin").status == 404
    assert pages.visitor(admin).get("/mail?box=example.com").status == 200


def test_password_and_code_make_a_strong_session_under_a_new_secret(pages: Pages, admin: str) -> None:
    visitor = pages.by_link(admin)
    before = visitor.cookies[SESSION]
    answer = sign_in(visitor, "ADMIN+x@example.com")
    assert (answer.status, answer.location) == (303, "/admin")
    assert visitor.cookies[SESSION] != before
    assert visitor.get("/admin").status == 200
    assert (
        Visitor(pages, {SESSION: before}).get("/mail").location == "/sign-in"
    )  # who knew the old one has nothing
    assert "Secure" not in answer.headers["set-cookie"]
    assert "HttpOnly" in answer.headers["set-cookie"]


def test_a_planted_session_is_not_raised(pages: Pages, admin: str) -> None:
    planted = pages.session(JEAN, strong=False)
    victim = Visitor(pages, {SESSION: planted})
    sign_in(victim, admin)
    assert victim.cookies[SESSION] != planted
    assert pages.store.sessions.find(planted) is None


def test_whatever_is_wrong_the_answer_is_the_same(pages: Pages, admin: str) -> None:
    answers = []
    for address, password, typed in (
        (admin, "wrong password", code()),
        (admin, PASSWORD, "000000"),
        ("nobody@example.com", PASSWORD, code()),
        ("nobody@elsewhere.example", PASSWORD, code()),
        ("", "", ""),
        ("x" * 5000, "\0", "\u2028"),
    ):
        answer = sign_in(pages.visitor(), address, password, typed)
        hidden = r'(?:value|autofocus)="[^"]*"'
        answers.append((answer.status, re.sub(hidden, "", answer.text)))
    assert len(set(answers)) == 1
    assert answers[0][0] == 403
    assert "incorrect" in answers[0][1]
    assert actions(pages, admin).count("sign in refused") == 2
    assert actions(pages, "nobody@example.com") == ["sign in refused"]


def test_a_code_is_taken_once(pages: Pages, admin: str) -> None:
    shown = code(later=WINDOW)
    assert sign_in(pages.visitor(), admin, typed=shown).status == 303
    assert sign_in(pages.visitor(), admin, typed=shown).status == 403
    assert sign_in(pages.visitor(), admin, typed=code()).status == 403  # nor an earlier one


def test_a_recovery_code_is_taken_once(pages: Pages, admin: str) -> None:
    codes = new_recovery_codes()
    pages.store.factors.enrol(admin, recovery=map(recovery_digest, codes), by=admin)
    assert sign_in(pages.visitor(), admin, typed=codes[0].upper()).status == 303
    assert sign_in(pages.visitor(), admin, typed=codes[0]).status == 403
    assert "use recovery code" in actions(pages, admin)
    assert len(pages.store.factors.of(admin).recovery) == 7


def test_guessing_is_limited_and_keeps_nobody_out(pages: Pages, admin: str) -> None:
    guessing = pages.visitor()
    for _ in range(PROOFS_OF_ADDRESS.most):
        assert sign_in(guessing, admin, typed="000000").status == 403
    assert sign_in(guessing, admin).status == 429  # not even the right one
    assert sign_in(pages.visitor(**{"X-Forwarded-For": "198.51.100.9"}), admin).status == 303
    assert actions(pages, admin).count("sign in refused") == PROOFS_OF_ADDRESS.most
    assert "127.0.0.0/24" in {one.network for one in pages.store.trail.about(admin)}


@pytest.mark.parametrize(
    "to",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "/admin/../..//evil",
        "/sign-out",
        "javascript:x",
    ],
)
def test_one_comes_to_pages_of_ours_alone(pages: Pages, admin: str, to: str) -> None:
    visitor = pages.visitor()
    page = visitor.get(f"/admin/sign-in?to={to}")
    answer = visitor.post(
        f"/admin/sign-in?to={to}",
        {"csrf": page.field("csrf"), "address": admin, "password": PASSWORD, "code": code()},
    )
    assert (answer.status, answer.location) == (303, "/admin")


def test_forms_of_other_sites_are_refused(pages: Pages, admin: str) -> None:
    form = {"address": admin, "password": PASSWORD, "code": code()}
    assert pages.visitor().post("/admin/sign-in", form).status == 403
    strong = pages.visitor(admin)
    for path in ("/admin/confirm", "/admin/me", "/admin/me/app", "/admin/people", "/admin/enrol"):
        assert strong.post(path, {"do": "password", "password": PASSWORD}).status == 403, path


# --- enrolling ------------------------------------------------------------------------------------


def enrol(visitor: Visitor, password: str = PASSWORD) -> str:
    """Send the form; the page that answers."""
    page = visitor.get("/admin/enrol").text
    given = fields(page)
    secret = re.search(r"<code>([A-Z2-7 ]+)</code>", page)
    assert secret
    shown = code(secret=secret[1].replace(" ", ""))
    answer = visitor.post(
        "/admin/enrol", {"csrf": given["csrf"], "app": given["app"], "password": password, "code": shown}
    )
    return answer.text


def test_who_was_granted_something_enrols_by_a_mailed_link(pages: Pages) -> None:
    pages.store.people.grant(ANNE, "example.com", BUNDLES["helper"], by="root")
    visitor = pages.by_link(ANNE)
    assert visitor.get(visitor.get("/admin").location).location == "/admin/enrol?to=%2Fadmin"
    before = visitor.cookies[SESSION]
    assert "at least 12 characters" in enrol(visitor, "short")
    shown = enrol(visitor)
    assert len(re.findall(r"<code>([a-z2-7]{4}(?:-[a-z2-7]{4}){3})</code>", shown)) == 8
    assert visitor.cookies[SESSION] != before
    assert visitor.get("/admin").status == 200
    assert pages.by_link(ANNE).get("/admin/enrol").status == 404  # once


@pytest.mark.parametrize("how", ["imap", "old link", "nobody", "other", "nothing granted"])
def test_no_other_session_leads_there(pages: Pages, how: str) -> None:
    pages.store.people.grant(ANNE, "example.com", BUNDLES["helper"], by="root")
    begun = datetime.now(UTC) - timedelta(hours=2)
    lasting = timedelta(hours=12)
    sessions: dict[str, Callable[[], str]] = {
        "imap": lambda: pages.store.sessions.begin(ANNE, lasting, how="imap"),
        "old link": lambda: pages.store.sessions.begin(ANNE, lasting, how="link", now=begun),
        "nobody": lambda: "",
        "other": lambda: pages.session(ADMIN),
        "nothing granted": lambda: pages.session(MARIE, strong=False),
    }
    secret = sessions[how]()
    visitor = Visitor(pages, {SESSION: secret} if secret else {})
    app = pages.token(Purpose.ENROL, ANNE, SECRET)
    page = visitor.get("/admin/enrol")
    proof = fields(visitor.get("/sign-in" if how == "nobody" else "/settings").text)["csrf"]
    form = {"csrf": proof, "app": app, "password": PASSWORD, "code": code()}
    answer = visitor.post("/admin/enrol", form)
    assert "<svg" not in page.text
    assert answer.status in (303, 404)
    assert not pages.store.factors.of(ANNE).is_complete


def test_the_secret_of_another_persons_form_is_not_taken(pages: Pages) -> None:
    pages.store.people.grant(ANNE, "example.com", BUNDLES["helper"], by="root")
    visitor = pages.by_link(ANNE)
    proof = fields(visitor.get("/admin/enrol").text)["csrf"]
    for app in (pages.token(Purpose.ENROL, MARIE, SECRET), "x", ""):
        form = {"csrf": proof, "app": app, "password": PASSWORD, "code": code()}
        assert visitor.post("/admin/enrol", form).status == 403


# --- a code again ---------------------------------------------------------------------------------


def aged(pages: Pages, address: str) -> Visitor:
    """Somebody who gave a code an hour ago."""
    begun = datetime.now(UTC) - timedelta(hours=1)
    secret = pages.store.sessions.begin(address, timedelta(hours=12), how="password", strong=True, now=begun)
    return Visitor(pages, {SESSION: secret})


def test_after_a_quarter_of_an_hour_a_code_is_asked_for_again(pages: Pages, admin: str) -> None:
    visitor = aged(pages, admin)
    assert visitor.get("/admin/people").status == 200
    form = {"address": MARIE, "bundle": "helper", "scope": "example.com"}
    answer = visitor.submit("/admin/people", **form)
    assert answer.location == "/admin/confirm?to=%2Fadmin%2Fpeople%3Fin%3Dexample.com"
    before = visitor.cookies[SESSION]
    assert visitor.submit("/admin/confirm", answer.location, code="000000").status == 403
    confirmed = visitor.submit("/admin/confirm", answer.location, code=code())
    assert confirmed.location == "/admin/people?in=example.com"
    assert visitor.cookies[SESSION] != before
    assert visitor.submit("/admin/people", **form).location.startswith("/admin/people?")
    assert "code refused" in actions(pages, admin)


def test_a_weak_session_confirms_nothing(pages: Pages, admin: str) -> None:
    weak = pages.by_link(admin)
    proof = weak.get("/settings").field("csrf")
    assert weak.post("/admin/confirm", {"csrf": proof, "code": code()}).location == "/admin/sign-in"
    assert weak.get("/admin").status == 303


# --- my access ------------------------------------------------------------------------------------


def test_sessions_are_listed_and_ended_and_a_new_password_ends_the_others(pages: Pages, admin: str) -> None:
    here, there, weak = pages.visitor(admin), pages.visitor(admin), pages.by_link(admin)
    page = here.get("/admin/me").text
    assert page.count('name="session"') == 2
    number = pages.store.sessions.find(weak.cookies[SESSION])
    assert number is not None
    here.submit("/admin/me", do="end", session=number.id)
    assert weak.get("/mail").location == "/sign-in"
    foreign = pages.store.sessions.find(pages.session(MARIE))
    assert foreign is not None
    here.submit("/admin/me", do="end", session=foreign.id)
    assert [one.id for one in pages.store.sessions.list(MARIE)] == [foreign.id]
    assert here.submit("/admin/me", do="password", password="another horse reads").status == 303
    assert there.get("/mail").location == "/sign-in"
    assert here.get("/admin/me").status == 200
    assert sign_in(pages.visitor(), admin).status == 403


def test_another_app_and_new_recovery_codes(pages: Pages, admin: str) -> None:
    here = pages.visitor(admin)
    page = here.get("/admin/me/app").text
    secret = re.search(r"<code>([A-Z2-7 ]+)</code>", page)
    assert secret
    new = secret[1].replace(" ", "")
    sent = {"csrf": fields(page)["csrf"], "app": fields(page)["app"]}
    assert here.post("/admin/me/app", {**sent, "code": code()}).status == 422
    assert here.post("/admin/me/app", {**sent, "code": code(secret=new)}).status == 303
    assert sign_in(pages.visitor(), admin).status == 403
    codes = re.findall(r"<code>([a-z2-7-]{19})</code>", here.submit("/admin/me", do="codes").text)
    assert sign_in(pages.visitor(), admin, typed=codes[3]).status == 303


# --- invitations ----------------------------------------------------------------------------------


def invited(pages: Pages, **more: str) -> str:
    """The path of the link in the mail that an invitation sends."""
    before = len(pages.postbox.got)
    form = {"address": ANNE, "bundle": "helper", "scope": "example.com"} | more
    answer = pages.visitor(ADMIN).submit("/admin/people", **form)
    assert answer.status == 303, answer.text
    pages.wait_for_mail(before + 1)
    return pages.mailed_link()


def test_an_invitation_leads_to_rights_and_enrolment_once(pages: Pages) -> None:
    link = invited(pages, right=Right.CONTENT, expires="2030-01-31")
    assert pages.postbox.got[-1].recipients == [ANNE]
    visitor = pages.visitor(MARIE)  # whoever is signed in
    page = visitor.get(link)
    assert "helper" not in str(pages.store.people.grants_of(ANNE))
    assert visitor.post(link, {"csrf": page.field("csrf")}).location == "/admin/sign-in"
    (given,) = pages.store.people.grants_of(ANNE)
    assert given == Grant("example.com", BUNDLES["helper"] | {Right.CONTENT})
    assert visitor.get("/mail").status == 200
    assert ANNE in visitor.get("/settings").text
    enrol(visitor)
    assert visitor.get("/admin").status == 200
    again = pages.visitor().get(link)
    assert (again.status, pages.visitor().get("/admin/invitation/x").body) == (404, again.body)
    record = pages.store.people.find(ANNE)
    assert record is not None
    assert record.grants[0].by == ADMIN
    assert record.grants[0].expires == datetime(2030, 2, 1, tzinfo=UTC)


def test_what_its_maker_may_not_give_any_more_is_not_given(pages: Pages) -> None:
    pages.store.people.grant(MARIE, "example.org", BUNDLES["owner"], by="root")
    secret = pages.store.invitations.invite(
        "zoe@example.org", Grant("example.org", BUNDLES["helper"]), by=MARIE
    )
    pages.store.people.suspend(MARIE, by="root")
    guest = pages.visitor()
    assert guest.get(f"/admin/invitation/{secret}").status == 404
    assert pages.store.people.find("zoe@example.org") is None
    pages.store.people.suspend(MARIE, by="root", suspended=False)
    page = guest.get(f"/admin/invitation/{secret}")
    pages.store.people.revoke(pages.store.people.find(MARIE).grants[0].id, by="root")  # type: ignore[union-attr]
    assert guest.post(f"/admin/invitation/{secret}", {"csrf": page.field("csrf")}).status == 404
    assert pages.store.people.find("zoe@example.org") is None
