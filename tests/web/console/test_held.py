"""Held mail of a scope: what is shown first, many dealt with at once, and for whom."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from typing import Any

import pytest

from tamis.people.rights import BUNDLES, Right
from tamis.quarantine.records import HeldState
from tamis.web.console import held as held_pages
from tests.web.console.mail import HELD, arrive, held_ids, story
from tests.web.console.test_messages import ANNE, EVIL, ORG_ADMIN, grant, pages
from tests.web.pages import ADMIN, JEAN, MARIE, Pages, Visitor
from tests.web.samples import content, message
from tests.web.test_mailbox import labels

__all__ = ["pages"]


def hold(pages: Pages, number: int, recipient: str = MARIE, *, score: float = 0.0, **more: Any) -> str:
    return pages.hold(replace(message(number, recipient=recipient, **more), score=score), content())


def subjects(page: str) -> list[str]:
    return [unescape(one) for one in re.findall(r"data-open><bdi>([^<]*)</bdi>", page)]


def states(pages: Pages, ids: list[str]) -> list[HeldState]:
    return [one.state for one in pages.store.quarantine.several(ids)]


def press(visitor: Visitor, button: str, verb: str, ids: list[str], page: str = "/admin/held") -> str:
    name = "shown" if button == "all" else "id"
    answer = visitor.send(page, {button: verb, name: ids})
    assert answer.status == 303, answer.text
    return answer.location


def test_what_is_perhaps_wanted_comes_first(pages: Pages) -> None:
    hold(pages, 1, subject="likely", decided_by="reverse_dns", score=1.0)
    hold(pages, 2, subject="likeliest", decided_by="reverse_dns", score=0.0)
    hold(pages, 3, subject="near", decided_by="score", score=7.6)
    hold(pages, 4, subject="far", decided_by="score", score=20.0)
    hold(pages, 5, subject="virus", decided_by="antivirus", score=0.0)
    admin = pages.visitor(ADMIN)
    page = admin.get("/admin/held").text
    assert subjects(page) == ["likeliest", "likely", "near", "virus", "far"]
    assert "5 messages wait; 3 of them are perhaps wanted." in " ".join(page.split())
    assert subjects(admin.get("/admin/held?sort=newest").text) == [
        "virus",
        "far",
        "near",
        "likeliest",
        "likely",
    ]
    assert subjects(admin.get("/admin/held?q=like").text) == ["likeliest", "likely"]


def test_thirty_three_are_emptied_in_two_steps_and_come_back_in_one(pages: Pages) -> None:
    ids = [hold(pages, n) for n in range(33)]
    admin = pages.visitor(ADMIN)
    page = admin.get("/admin/held")
    shown = re.findall(r'name="shown" value="([^"]+)"', page.text)
    assert sorted(shown) == sorted(ids)
    said = admin.get(press(admin, "all", "delete", shown))
    assert "33 messages were deleted." in said.text
    assert set(states(pages, ids)) == {HeldState.DELETED}
    back = admin.post("/admin/undo", csrf=said.field("csrf"), deed=said.field("deed"), back="/held")
    assert "33 messages are as before." in admin.get(back.location).text
    assert set(states(pages, ids)) == {HeldState.HELD}


@pytest.mark.parametrize(("verb", "state"), [("deliver", HeldState.RELEASED), ("spam", HeldState.DELETED)])
def test_only_what_is_ticked_is_dealt_with(pages: Pages, verb: str, state: HeldState) -> None:
    ids = [hold(pages, n) for n in range(4)]
    admin = pages.visitor(ADMIN)
    press(admin, "verb", verb, ids[:2])
    assert set(states(pages, ids[:2])) == {state}
    assert set(states(pages, ids[2:])) == {HeldState.HELD}
    assert "Nothing was done" in admin.get(press(admin, "verb", verb, [])).text


def test_where_one_was_is_kept(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_pages, "PAGE", 2)
    ids = [hold(pages, n, subject=f"No. {n}") for n in range(5)]
    admin = pages.visitor(ADMIN)
    assert subjects(admin.get(f"/admin/held?sort=newest&before={ids[3]}").text) == ["No. 2", "No. 1"]
    place = {"q": "no", "before": ids[3], "sort": "newest"}
    answer = admin.send("/admin/held", {"verb": "delete", "id": [ids[2]]} | place)
    for name, value in place.items():
        assert f"{name}={value}" in answer.location
    assert subjects(admin.get(answer.location).text) == ["No. 1", "No. 0"]


ROLES = {
    "observer": ("example.com", BUNDLES["observer"], set[str](), set[str]()),
    "lister": ("example.com", frozenset({Right.HELD, Right.HISTORY}), {MARIE}, set[str]()),
    "helper": ("example.com", BUNDLES["helper"], {MARIE}, {MARIE}),
    "manager": ("example.com", BUNDLES["manager"], {MARIE}, {MARIE}),
    "of Marie": (MARIE, BUNDLES["manager"], {MARIE}, {MARIE}),
    "elsewhere": ("example.org", BUNDLES["owner"], {ANNE}, {ANNE}),
}


@pytest.mark.parametrize("role", ROLES)
def test_each_role_deals_with_what_was_granted_and_nothing_else(pages: Pages, role: str) -> None:
    scope, rights, sees, acts = ROLES[role]
    ids = {who: hold(pages, n, who, subject=who) for n, who in enumerate((MARIE, JEAN, ANNE))}
    person = "somebody@example.net"
    grant(pages, person, scope, rights)
    visitor = pages.visitor(person)
    listed = visitor.get("/admin/held")
    assert listed.status == (200 if sees else 404)
    assert set(subjects(listed.text) if sees else ()) == sees
    for who, number in ids.items():
        assert visitor.get(f"/admin/held/{number}").status == (303 if who in sees else 404)
    csrf = visitor.get("/admin/me").field("csrf")
    for verb in ("delete", "spam", "deliver", "allow", "block", "nonsense"):
        form = {"csrf": csrf, "verb": verb, "id": [*ids.values(), "nothing", "\0", "x" * 900]}
        answer = visitor.post("/admin/held", form)
        bad = verb in ("allow", "block", "nonsense")
        assert answer.status == (404 if not acts else 400 if bad else 303), verb
    for who, number in ids.items():
        (state,) = states(pages, [number])
        assert (state is not HeldState.HELD) == (who in acts), who


def test_a_helper_teaches_nothing(pages: Pages) -> None:
    number = hold(pages, 1)
    grant(pages, "helper@example.com", "example.com", BUNDLES["helper"])
    helper = pages.visitor("helper@example.com")
    assert 'value="spam"' not in helper.get("/admin/held").text
    press(helper, "verb", "spam", [number])
    assert states(pages, [number]) == [HeldState.HELD]
    press(helper, "verb", "delete", [number])
    assert states(pages, [number]) == [HeldState.DELETED]
    assert pages.store.labels.of("transaction1") == []
    other = hold(pages, 2)
    press(helper, "verb", "deliver", [other])
    assert states(pages, [other]) == [HeldState.RELEASED]
    assert labels(pages) == []


def test_who_sees_what_is_held_does_not_deal_with_it_in_the_list(pages: Pages) -> None:
    number = hold(pages, 1)
    grant(pages, "lister@example.com", "example.com", frozenset({Right.HELD}))
    visitor = pages.visitor("lister@example.com")
    assert visitor.send("/mail", {"one": [number], "verb": "delete"}).status == 303
    assert states(pages, [number]) == [HeldState.HELD]


def test_a_right_in_one_domain_is_none_in_another(pages: Pages) -> None:
    both = "both@example.net"
    grant(pages, both, "example.com", BUNDLES["helper"])
    grant(pages, both, "example.org", frozenset({Right.HELD, Right.HISTORY}))
    ids = [hold(pages, n, who) for n, who in enumerate((MARIE, ANNE))]
    visitor = pages.visitor(both)
    everything = "/admin/held?in=platform"
    assert len(subjects(visitor.get(everything).text)) == 2, "both are seen"
    press(visitor, "verb", "delete", ids, everything)
    assert [*states(pages, ids[:1]), *states(pages, ids[1:])] == [HeldState.DELETED, HeldState.HELD]


def test_a_held_message_leads_to_its_story(pages: Pages) -> None:
    (number,) = arrive(pages, story(1, (MARIE, HELD)))
    (held,) = held_ids(pages)
    admin = pages.visitor(ADMIN)
    assert admin.get(f"/admin/held/{held}").location.startswith(f"/admin/messages/{number}?")
    without = hold(pages, 2)
    assert admin.get(f"/admin/held/{without}").location == f"/mail/{without}"


def test_what_strangers_wrote_is_text_and_nothing_else(pages: Pages) -> None:
    hold(pages, 1, subject=EVIL, header_from=f"{EVIL} <a@example.net>", sender="a@example.net")
    page = pages.visitor(ADMIN).get("/admin/held").text
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert pages.visitor(ORG_ADMIN).get("/admin/held").text.count("data-open") == 0
