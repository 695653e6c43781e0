"""Rules in the console: what they met, tried on a message, written with mistakes at their line; proposals taken."""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from datetime import UTC, datetime
from html import unescape

import pytest

from tamis.base.shared_files import make_folder, write_json
from tamis.contract.finding import Finding, Status
from tamis.database.effective_labels import LabelSource
from tamis.knowledge import compile_base
from tamis.people.rights import Right
from tamis.rules.proposals import Proposal
from tamis.rules.rule_file import compile_book
from tests.web.console.conftest import PLATFORM_ADMIN
from tests.web.console.mail import INBOX, story
from tests.web.pages import ADMIN, JEAN, MARIE, Answer, Pages, Visitor
from tests.web.samples import content, message
from tests.web.signing import code, enrolled
from tests.web.test_strong_sign_in import aged

HERE, EDIT = "/admin/rules?in=platform", "/admin/rules/edit?in=platform"
GOOD = """[[rule]]
name = "casino"
match = ['online casino']
action = "score"
points = 3.0
hits = ["Subject: Online casino\\n\\n"]
clear = ["Subject: The film\\n\\n"]
"""
HOSTILE = "<script>alert(1)</script>\u202e'\"&"


@pytest.fixture
def root(pages: Pages) -> Visitor:
    """The owner of the platform."""
    return pages.visitor(PLATFORM_ADMIN)


def write(visitor: Visitor, text: str, **fields: str) -> Answer:
    page = visitor.get(EDIT)
    form = {"csrf": page.field("csrf"), "base": page.field("base"), "text": text, "verb": "save"}
    return visitor.post(EDIT, form | fields)


def squeezed(answer: Answer) -> str:
    return " ".join(answer.text.split())


def test_rules_are_saved_as_versions_and_come_into_force(pages: Pages, root: Visitor) -> None:
    saved = write(root, GOOD.replace("\n", "\r\n"), note="sold by mail")
    assert saved.status == 303, saved.text
    page = squeezed(root.get(saved.location))
    first = pages.store.rules.newest()
    assert f"Saved as version {first}." in page
    assert "1 rule is in force." in page
    assert "written here, line 2" in page
    assert "+3 points" in page
    assert pages.settings.own_rules.read_text() == pages.store.rules.current().text == GOOD
    trail = {one.action: one for one in pages.store.trail.about(f"version {first} of the rules")}
    assert trail["rules"].who == PLATFORM_ADMIN
    assert write(root, GOOD).location.startswith("/admin/rules?in=platform&said=same")
    write(root, "")
    older = squeezed(root.get(f"{EDIT}&version={first}"))
    assert "+name = &#34;casino&#34;" in older, "what would change"
    assert "online casino" in older


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("[[rule]]\nname = 'a'\n", "Line 2, column 9", "must be 2 to 40"),
        ("[[rule]]\nname = 'aa'\nmatch = '(?=x)y'\n", "Line 3, column 10", "linear in the text"),
        ("[[rule]]\nname = 'aa'\nmatch = 'x(a)\\1'\n", "Line 3, column 14", "linear in the text"),
        ("[[rule]]\nname = 'aa'\nmatch = 'x'\nwhere = ['sbject']\n", "Line 4", "Did you mean subject?"),
        ("[[rule]\n", "Line 1", "no valid TOML"),
        ('x = "\x00"\n', "Line 1", "no valid TOML"),
        (GOOD.replace("The film", "online casino"), "examples", "casino: example 1 of clear"),
    ],
)
def test_what_is_wrong_stands_at_its_line_and_nothing_is_saved(
    pages: Pages, root: Visitor, text: str, place: str, says: str
) -> None:
    before = pages.store.rules.newest()
    told = write(root, text)
    page = squeezed(told)
    assert told.status == 422
    assert place.lower() in page.lower(), page
    assert says in page
    assert pages.store.rules.newest() == before


def test_who_saves_meanwhile_is_not_gone_over(pages: Pages, root: Visitor) -> None:
    old = root.get(EDIT).field("base")
    pages.store.rules.save(GOOD + "# other\n", by="anne")
    told = write(root, GOOD, base=old)
    assert "Somebody saved other rules meanwhile" in told.text
    assert pages.store.rules.current().who == "anne"


def test_saving_wants_a_code_in_the_same_form(pages: Pages) -> None:
    enrolled(pages, PLATFORM_ADMIN)
    visitor, mine = aged(pages, PLATFORM_ADMIN), GOOD + "# mine\n"
    for given, says in (({}, "wants a code"), ({"code": "000000"}, "This code is incorrect")):
        told = write(visitor, mine, **given)
        assert says in told.text
        assert "# mine" in told.text
        assert "# mine" not in pages.store.rules.current().text
    assert write(visitor, mine, code=code()).status == 303
    assert "# mine" in pages.store.rules.current().text
    assert visitor.get(EDIT).status == 200, "the session goes on"


def test_rules_are_tried_on_a_pasted_message_and_on_one_that_is_held(pages: Pages, root: Visitor) -> None:
    write(root, GOOD)
    pasted = "Subject: An ONLINE casino <b>\r\n\r\nHello\r\n"
    page = squeezed(root.submit(HERE, pasted=pasted, verb="try"))
    assert "It meets 1 rule; all rules together took" in page
    assert "<mark>ONLINE casino</mark>" in page
    assert "An ONLINE casino &lt;b&gt;" in page
    held = pages.hold(message(71, recipient=MARIE), b"Subject: online casino\r\n\r\nx\r\n")
    assert "It meets 1 rule" in squeezed(root.submit(HERE, held=held))
    assert {one.action for one in pages.store.trail.about(held)} >= {"preview"}
    unsaved = GOOD.replace("online casino", "hello").replace("Online casino", "hello")
    tried = write(root, unsaved, verb="try", pasted=pasted)
    assert "<mark>Hello</mark>" in tried.text, "rules that are not saved"


def test_whose_text_may_not_be_read_is_not_tried(pages: Pages, root: Visitor) -> None:
    locked = pages.hold(message(72, recipient=JEAN), content())
    told = root.submit(HERE, held=locked)
    assert (told.status, "No message that you may see has this name." in told.text) == (422, True)
    assert not pages.store.trail.about(locked)


def test_a_held_message_is_tried_only_by_who_may_read_texts(pages: Pages) -> None:
    who, held = "no-texts@example.com", pages.hold(message(73, recipient=MARIE), content())
    rights = {Right.PLATFORM, Right.STATISTICS, Right.HISTORY, Right.HELD}
    pages.store.people.grant(who, "platform", rights, by="test")
    visitor = pages.visitor(who)
    told = visitor.submit(HERE, held=held)
    assert (told.status, "No message that you may see has this name." in told.text) == (422, True)
    assert f'value="{held}"' not in visitor.get(HERE).text
    assert not pages.store.trail.about(held)


def test_a_message_whose_text_is_gone_says_what_it_met(pages: Pages, root: Visitor) -> None:
    looked = Finding("keywords", Status.HIT, "x", {"rules": [["casino", "score", 3.0]]})
    many = [(f"m{n}@example.com", INBOX) for n in range(5)]  # so many that a locked one can't be told
    one = replace(
        story(73, (MARIE, INBOX), *many), findings=(looked,), at=datetime.now(UTC), transaction="t73"
    )
    pages.store.history.add([("r:73", one)], {MARIE: MARIE})
    assert "These rules it met when it came: <code>casino</code>" in squeezed(
        root.submit(HERE, named="4F2A91C0073")
    )
    number = pages.store.history.show("t73")[0].id
    shown = root.get(f"/admin/messages/{number}?in=platform").text
    link = re.search(r'href="([^"]*)#tried">Try the rules on it', shown)
    assert link, "the story's hit leads to the tester"
    assert "<code>casino</code>" in root.get(unescape(link[1])).text
    assert "Try the rules on it" not in pages.visitor(ADMIN).get(f"/admin/messages/{number}").text
    write(root, GOOD)
    page = squeezed(root.get(HERE))
    assert '<td class="number">6</td> <td class="number">0</td> <td class="number">0</td>' in page
    pages.store.labels.say("t73", MARIE, True, LabelSource.RELEASE, MARIE)
    page = squeezed(root.get(HERE))
    assert '<td class="number">6</td> <td class="number">0</td> <td class="number">1</td>' in page
    assert "1 copy that met one was wanted, as people said." in page


def test_proposals_are_taken_put_into_shadow_and_forgotten(pages: Pages, root: Visitor) -> None:
    make_folder(pages.settings.rules_directory, 0o750)
    made = [Proposal(f"seen_{n}", f"phrase:{HOSTILE} {n}", 1.0, 9, 9, 9, 9, 0, 900, 0.01) for n in (1, 2)]
    write_json(pages.settings.rules_directory / "proposed.json", [asdict(one) for one in made])
    page = root.get(HERE).text
    assert "<script>alert" not in page
    assert "\u202e" not in page
    where = "/admin/rules/proposed?in=platform"
    for verb, said in (("shadow", "In shadow"), ("accept", "In force"), ("forget", "Taken out")):
        told = root.send(HERE, {"rule": ["seen_1"], "verb": verb}, where)
        assert said in root.get(told.location).text
    assert root.send(HERE, {"rule": ["seen_1"], "verb": "accept"}, where).status == 404, "forgotten"
    assert root.send(HERE, {"rule": ["seen_2"], "verb": "delete"}, where).status == 404


def test_rules_are_the_platforms(pages: Pages) -> None:
    admin = pages.visitor(ADMIN)
    assert admin.get("/admin/rules?in=example.com").status == 404
    assert "/admin/rules" not in admin.get("/admin?in=example.com").text


def test_what_is_looked_at_again_is_not_compiled_again(pages: Pages, root: Visitor) -> None:
    write(root, GOOD + "# once\n")
    places = (HERE, EDIT, "/admin/knowledge?in=platform")
    for place in places:
        assert root.get(place).status == 200
    compiled = compile_book.cache_info().misses, compile_base.cache_info().misses
    for place in places * 2:
        assert root.get(place).status == 200
    assert (compile_book.cache_info().misses, compile_base.cache_info().misses) == compiled
