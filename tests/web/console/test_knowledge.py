"""Knowledge in the console: what each rule that ships met here, and what it counts, changed through policy."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape

from tamis.contract.finding import Finding, Status
from tamis.database.effective_labels import LabelSource
from tamis.people.rights import Right
from tests.web.console.mail import INBOX, story
from tests.web.pages import ADMIN, MARIE, Answer, Pages, Visitor

HERE = "/admin/knowledge?in=example.com"
RULE = "answer"


def row(answer: Answer, rule: str) -> str:
    page = " ".join(answer.text.split())
    return next(one for one in page.split("<tr>") if f"<code>{rule}</code>" in one)


def test_each_rule_says_what_it_met_and_how_often_that_was_wanted(pages: Pages) -> None:
    seen = Finding("knowledge", Status.HIT, "x", {"rules": [[RULE, -0.68], ["gone_since", 1.0]], "pairs": []})
    many = [(f"k{n}@example.com", INBOX) for n in range(5)]  # so many that a locked one can't be told
    one = replace(story(81, *many), findings=(seen,))
    pages.store.history.add([("k:81", one)])
    pages.store.labels.say(one.transaction, many[0][0], True, LabelSource.RELEASE, "k0")
    pages.store.labels.say(one.transaction, many[1][0], False, LabelSource.SPAM_BUTTON, "k1")
    page = pages.visitor(ADMIN).get(HERE)
    cells = row(page, RULE)
    assert '<td class="number">5</td> <td class="number">1</td> <td class="number">1</td>' in cells
    assert "it answers a message" in cells
    assert "1 of them met mail in this time, 1 met mail that people wanted." in " ".join(page.text.split())
    french = pages.visitor(ADMIN, **{"Accept-Language": "fr"}).get(HERE)
    assert "il répond à un message" in row(french, RULE)
    other = pages.visitor(ADMIN).get(f"{HERE}&sort=wanted&q=answers")
    assert "<code>answer</code>" in other.text
    assert "<code>bulk_1</code>" not in other.text


def test_ticked_rules_are_changed_through_a_review(pages: Pages) -> None:
    admin = pages.visitor(ADMIN)
    found = re.search(r'<td class="number">([+-][0-9.]+)', row(admin.get(HERE), RULE))
    assert found
    ships = found[1]
    for verb, key, value in (
        ("off", "leave_out", [RULE, "bulk_1"]),
        ("shadow", "shadowed", [RULE, "bulk_1"]),
    ):
        review = admin.send(HERE, {"rule": [RULE, "bulk_1"], "verb": verb}, HERE)
        assert f"filters.knowledge.{key}" in review.text
        assert "Try it on past mail first" in review.text
        save(admin, review)
        own = {one.override.key: one.override.value for one in pages.store.overrides.list("example.com")}
        assert own[f"filters.knowledge.{key}"] == value
    assert "in shadow" in row(admin.get(HERE), RULE)
    assert "filters.knowledge.leave_out" not in own, "as above again, so it is taken back"
    save(admin, admin.send(HERE, {"rule": [RULE], "verb": "points", "points": "1,5"}, HERE))
    assert f"set by policy, instead of {ships}<" in row(admin.get(HERE), RULE)
    save(admin, admin.send(HERE, {"rule": [RULE, "bulk_1"], "verb": "on"}, HERE))
    save(admin, admin.send(HERE, {"rule": [RULE], "verb": "points", "points": ""}, HERE))
    assert "All rules count here as they ship." in admin.get(HERE).text
    assert pages.store.overrides.list("example.com") == ()


def save(visitor: Visitor, review: Answer) -> None:
    """Press Save on a review."""
    form = review.text[review.text.index("/admin/policy/save") :]
    fields: dict[str, list[str]] = {}
    for name, value in re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', form):
        fields.setdefault(name, []).append(unescape(value))
    answer = visitor.post("/admin/policy/save?in=example.com", fields, note="test")
    assert answer.status == 303, answer.text


def test_what_is_no_rule_and_no_number_changes_nothing(pages: Pages) -> None:
    admin = pages.visitor(ADMIN)
    assert "Tick at least one rule." in admin.send(HERE, {"verb": "off"}, HERE).text
    for points in ("nan", "inf", "1e9", "much"):
        told = admin.send(HERE, {"rule": [RULE], "verb": "points", "points": points}, HERE)
        assert (told.status, "Points are a number" in told.text) == (422, True)
    assert admin.send(HERE, {"rule": ["no_such"], "verb": "off"}, HERE).status == 404
    assert admin.send(HERE, {"rule": [RULE], "verb": "delete"}, HERE).status == 404


def test_who_may_only_look_has_no_form(pages: Pages) -> None:
    pages.store.people.grant("look@example.com", "example.com", [Right("policy.read")], by="root")
    page = pages.visitor("look@example.com").get(HERE)
    assert page.status == 200
    assert 'type="checkbox"' not in page.text
    assert "what they met is not shown here" in page.text
    assert MARIE not in page.text
