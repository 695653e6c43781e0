"""Messages and the story of one: what is found, shown and done, and for whom."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from tamis.contract.finding import Finding, Status
from tamis.database.effective_labels import LabelSource
from tamis.judging.story import Told
from tamis.people.rights import BUNDLES, Right
from tamis.quarantine.records import HeldState
from tamis.web.console import messages
from tests.web.console.conftest import PLATFORM_ADMIN
from tests.web.console.mail import GARAGE, HELD, INBOX, arrive, held_ids, story
from tests.web.pages import ADMIN, JEAN, MARIE, Pages, Visitor
from tests.web.test_mailbox import labels

ANNE, ORG_ADMIN = "anne@example.org", "owner@example.org"
EVIL = "\"><script>alert(1)</script>'<img src=x onerror=alert(1)>{{7*7}}\u202e"


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[Pages]:
    """An installation with administrators of the platform and of two domains; Jean's mailbox is locked."""
    names = {ADMIN: ["example.com"], ORG_ADMIN: ["example.org"], PLATFORM_ADMIN: ["platform"]}
    with Pages(tmp_path, {"web": {"administrators": names}}) as serving:
        yield serving


def grant(pages: Pages, person: str, scope: str, rights: frozenset[Right]) -> None:
    pages.store.people.grant(person, scope, rights, by=PLATFORM_ADMIN)


def subjects(visitor: Visitor, **query: str) -> list[str]:
    asked = "&".join(f"{name}={quote(value)}" for name, value in query.items())
    answer = visitor.get(f"/admin/messages?{asked}")
    assert answer.status == 200, answer.text
    return [unescape(one) for one in re.findall(r"data-open><bdi>([^<]*)</bdi>", answer.text)]


def answer_of(page: str) -> str:
    found = re.search(r'<p class="answer">(.*?)</p>', page, re.DOTALL)
    assert found
    return " ".join(unescape(re.sub(r"<[^>]+>", "", found[1])).split())


def test_mail_is_found_by_what_one_knows_of_it(pages: Pages) -> None:
    arrive(
        pages,
        story(1, (MARIE, HELD), (ANNE, INBOX)),
        story(
            2,
            (MARIE, INBOX),
            subject="Résultats",
            header_from="Zoé <zoe@example.net>",
            sender="zoe@example.net",
        ),
        story(3, (ANNE, HELD), subject="For Anne"),
    )
    admin = pages.visitor(ADMIN)
    assert subjects(admin) == ["Résultats", "Votre devis"]
    assert subjects(admin, q="from:garage is:held") == ["Votre devis"]
    assert subjects(admin, q="resultats") == ["Résultats"]
    assert subjects(admin, q="is:held", outcome="inbox") == ["Résultats"], "what was chosen last counts"
    assert subjects(admin, by="reverse_dns") == ["Votre devis"]
    assert subjects(admin, q="marie@ score<1") == ["Votre devis"]
    assert subjects(admin, q="Anne") == []
    assert subjects(pages.visitor(PLATFORM_ADMIN)) == ["For Anne", "Résultats", "Votre devis"]
    assert subjects(pages.visitor(ORG_ADMIN)) == ["For Anne", "Votre devis"]
    page = admin.get("/admin/messages?q=is:held&by=reverse_dns").text
    assert 'value="is:held by:reverse_dns"' in page
    assert page.count('<span class="sr">Leave out ') == 2
    assert answer_of(page) == "1 found. CSV"
    assert ANNE not in page


def test_a_search_that_makes_no_sense_finds_nothing_and_says_why(pages: Pages) -> None:
    arrive(pages, story(1))
    page = pages.visitor(ADMIN).get("/admin/messages?q=ip:foo+before:99/99").text
    assert 'role="alert"' in page
    assert "“foo” is no IP address." in page
    assert "“99/99” is no date" in page
    assert "Votre devis" not in page
    french = pages.visitor(ADMIN, **{"Accept-Language": "fr"}).get("/admin/messages?q=par:spff").text
    assert "Vouliez-vous dire «\u00a0spf\u00a0»" in french.replace("« spf »", "«\u00a0spf\u00a0»")


def test_pages_go_on_and_large_numbers_are_not_counted(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "PAGE", 2)
    monkeypatch.setattr(messages, "MOST_COUNTED", 4)
    monkeypatch.setattr(messages, "MOST_IN_FILE", 4)
    monkeypatch.setattr(messages, "_PART", 2)
    arrive(pages, *(story(n, (MARIE, INBOX), subject=f"No. {n}") for n in range(1, 6)))
    admin, seen, path = pages.visitor(ADMIN), [], "/admin/messages?q=no"
    while path:
        page = admin.get(path).text
        assert answer_of(page).startswith("More than 4 found, newest first.")
        seen += re.findall(r"data-open><bdi>([^<]*)</bdi>", page)
        older = re.search(r'href="([^"]+)" rel="next"', page)
        path = unescape(older[1]) if older else ""
    assert seen == [f"No. {n}" for n in (5, 4, 3, 2, 1)]
    file = admin.get("/admin/messages?q=no&as=csv")
    rows = list(csv.reader(io.StringIO(file.text)))
    assert [row[4] for row in rows[1:-1]] == [f"No. {n}" for n in (5, 4, 3, 2)]
    assert rows[-1] == ["There are more: search for fewer days."]


def test_a_file_runs_in_no_spreadsheet(pages: Pages) -> None:
    arrive(pages, story(1, subject="=cmd|' /C calc'!A0", header_from="@SUM(A1) <a@example.net>", helo="+1"))
    file = pages.visitor(ADMIN).get("/admin/messages?as=csv")
    assert file.headers["content-type"].startswith("text/csv")
    for row in csv.reader(io.StringIO(file.text.removeprefix("\ufeff"))):
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row)


def test_the_story_says_what_came_of_it_why_and_what_would_have_changed_that(pages: Pages) -> None:
    (number,) = arrive(
        pages, story(1, (MARIE, HELD), ("paul@example.com", INBOX), (JEAN, HELD), (ANNE, INBOX))
    )
    page = pages.visitor(ADMIN).get(f"/admin/messages/{number}?in=example.com").text
    order = ["Held", "Deliver", "It would have passed if", "What every filter saw"]
    places = [page.index(one) for one in order]
    assert places == sorted(places)
    assert "192.0.2.7 has no PTR record" in page
    assert "reverse dns were switched off" in page
    assert f"mail from {GARAGE} were always allowed" in page
    assert "set=filters.reverse_dns.state%3Doff" in page
    assert "Under today&#39;s policy: the same." in page or "Under today's policy: the same." in page
    assert re.search(r"the same\.\s+Held until", page), "sentences stand apart"
    assert "For 1 locked mailbox: not shown." in page
    assert JEAN not in page
    assert ANNE not in page
    assert "7 filters saw nothing" in page
    french = pages.visitor(ADMIN, **{"Accept-Language": "fr"}).get(f"/admin/messages/{number}").text
    assert "reverse dns était désactivé" in french
    assert not re.search(r"\bwere\b", re.sub(r"<[^>]+>", "", french))


def test_free_it_for_good_and_take_it_back(pages: Pages) -> None:
    (number,) = arrive(pages, story(1))
    (held,) = held_ids(pages)
    admin = pages.visitor(ADMIN)
    done = admin.submit(
        f"/admin/messages/{number}",
        f"/admin/messages/{number}/act",
        mailbox=MARIE,
        verb="allow",
        scope="example.com",
    )
    assert done.status == 303
    said = admin.get(done.location)
    assert f"Mail from {GARAGE} is always allowed for example.com." in said.text
    record = pages.store.quarantine.get(held)
    assert record is not None
    assert (record.summary.state, record.summary.released_by) == (HeldState.RELEASED, ADMIN)
    (entry,) = pages.store.lists.find()
    assert (entry.scope, entry.pattern, entry.author) == ("example.com", GARAGE, ADMIN)
    undone = admin.post(
        "/admin/undo", csrf=said.field("csrf"), deed=said.field("deed"), back=f"/messages/{number}"
    )
    assert "The sender is filtered as before." in admin.get(undone.location).text
    assert pages.store.lists.find() == ()


@pytest.mark.parametrize(
    ("verb", "state"),
    [
        ("deliver", HeldState.RELEASED),
        ("spam", HeldState.DELETED),
        ("delete", HeldState.DELETED),
        ("block", HeldState.DELETED),
    ],
)
def test_every_deed_is_done_once_and_undone_as_far_as_it_can_be(
    pages: Pages, verb: str, state: HeldState
) -> None:
    (number,) = arrive(pages, story(1))
    (held,) = held_ids(pages)
    admin, path = pages.visitor(ADMIN), f"/admin/messages/{number}"
    said = admin.get(admin.submit(path, f"{path}/act", mailbox=MARIE, verb=verb).location)
    record = pages.store.quarantine.get(held)
    assert record is not None
    assert record.summary.state is state
    again = admin.get(admin.submit(path, f"{path}/act", mailbox=MARIE, verb="deliver").location)
    assert "no longer here" in again.text
    back = admin.get(
        admin.post(
            "/admin/undo", csrf=said.field("csrf"), deed=said.field("deed"), back=f"/messages/{number}"
        ).location
    )
    assert 'role="status"' in back.text
    record = pages.store.quarantine.get(held)
    assert record is not None
    assert record.summary.state is (state if verb == "deliver" else HeldState.HELD)
    assert pages.store.lists.find() == ()


def test_a_sender_of_mail_that_came_through_can_be_listed(pages: Pages) -> None:
    (number,) = arrive(pages, story(1, (MARIE, INBOX)))
    admin, path = pages.visitor(ADMIN), f"/admin/messages/{number}"
    page = admin.get(path).text
    assert 'value="deliver"' not in page
    said = admin.get(admin.submit(path, f"{path}/act", mailbox=MARIE, verb="block", scope=MARIE).location)
    assert f"Mail from {GARAGE} is always held for {MARIE}." in said.text
    assert [one.scope for one in pages.store.lists.find()] == [MARIE]
    admin.post("/admin/undo", csrf=said.field("csrf"), deed=said.field("deed"), back=f"/messages/{number}")
    assert pages.store.lists.find() == ()


def test_a_word_on_a_message(pages: Pages) -> None:
    (number,) = arrive(pages, story(1, (MARIE, INBOX)))
    admin, path = pages.visitor(ADMIN), f"/admin/messages/{number}"
    said = admin.get(admin.submit(path, f"{path}/label", mailbox=MARIE, wanted="no").location).text
    assert "Noted as unwanted." in said
    assert "It was unwanted." in said
    assert f"Said by {ADMIN}" in said
    assert "said to be unwanted" in admin.get("/admin/messages").text
    (label,) = pages.store.labels.of("transaction1")
    assert (label.wanted, label.source, label.who) == (False, LabelSource.OPERATOR, ADMIN)
    taken = admin.get(admin.submit(path, f"{path}/label", mailbox=MARIE, wanted="").location).text
    assert "Nobody has said whether it was wanted." in taken
    assert [one.action for one in pages.store.trail.about("transaction1")] == ["label", "label"]


def test_header_and_text_are_for_who_may_read_and_the_trail_knows(pages: Pages) -> None:
    (number,) = arrive(pages, story(1))
    (held,) = held_ids(pages)
    helper, path = "helper@example.com", f"/admin/messages/{number}?text={MARIE}"
    grant(pages, helper, "example.com", BUNDLES["helper"])
    assert "Bonjour, 1" not in pages.visitor(helper).get(path).text
    assert "Read its header" not in pages.visitor(helper).get(path).text
    assert "preview" not in [one.action for one in pages.store.trail.about(held)]
    page = pages.visitor(ADMIN).get(path).text
    assert "Bonjour, 1" in page
    assert "Message-ID: &lt;1@garage.example.net&gt;" in page
    assert [(one.who, one.action) for one in pages.store.trail.about(held)] == [(ADMIN, "preview")]


ROLES = {
    "observer": ("example.com", BUNDLES["observer"]),
    "helper": ("example.com", BUNDLES["helper"]),
    "manager": ("example.com", BUNDLES["manager"]),
    "of Marie": (MARIE, BUNDLES["manager"]),
    "numbers": ("example.com", frozenset({Right.STATISTICS})),
    "elsewhere": ("example.org", BUNDLES["owner"]),
}
MAY = {
    "observer": set[str](),
    "helper": {"deliver", "delete", "spam"},
    "manager": {"deliver", "delete", "spam", "allow", "block", "label"},
    "of Marie": {"deliver", "delete", "spam", "allow", "block", "label"},
    "numbers": set[str](),
    "elsewhere": set[str](),
}


@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_do_what_it_was_granted_and_nothing_else(pages: Pages, role: str) -> None:
    """Each deed is tried as a form that somebody made, also for a locked mailbox and one of another domain."""
    shared, locked, foreign = arrive(
        pages, story(1, (MARIE, HELD), (ANNE, HELD)), story(2, (JEAN, HELD)), story(3, (ANNE, HELD))
    )
    person = "somebody@example.net"
    grant(pages, person, *ROLES[role])
    visitor = pages.visitor(person)
    csrf = visitor.get("/admin/me").field("csrf")
    sees = {"elsewhere": {shared, foreign}, "numbers": set[int]()}.get(role, {shared})
    for number in (shared, locked, foreign, 999, 1 << 62):
        assert visitor.get(f"/admin/messages/{number}").status == (200 if number in sees else 404)
    for number, mailbox in (
        (locked, JEAN),
        (foreign, ANNE),
        (shared, ANNE),
        (shared, JEAN),
        (shared, "x@example.com"),
    ):
        if role == "elsewhere" and mailbox == ANNE:
            continue
        for verb in ("deliver", "allow", "delete", "spam", "block"):
            refused = visitor.post(f"/admin/messages/{number}/act", csrf=csrf, mailbox=mailbox, verb=verb)
            assert refused.status == 404, (mailbox, verb)
        assert (
            visitor.post(f"/admin/messages/{number}/label", csrf=csrf, mailbox=mailbox, wanted="no").status
            == 404
        )
    assert {one.state for one in pages.store.quarantine.list()} == {HeldState.HELD}
    assert pages.store.lists.find() == ()
    shown = visitor.get(f"/admin/messages/{shared}").text if shared in sees else ""
    for verb in ("block", "allow", "delete", "spam", "deliver"):
        if role == "elsewhere":
            continue
        offered = f'value="{verb}"' in shown
        assert offered == (verb in MAY[role]), verb
        if not offered:
            assert (
                visitor.post(f"/admin/messages/{shared}/act", csrf=csrf, mailbox=MARIE, verb=verb).status
                == 404
            )
    if "label" not in MAY[role]:
        path = f"/admin/messages/{shared}/label"
        assert visitor.post(path, csrf=csrf, mailbox=MARIE, wanted="no").status == 404
    if "allow" in MAY[role]:
        beyond = visitor.post(
            f"/admin/messages/{shared}/act", csrf=csrf, mailbox=MARIE, verb="allow", scope="example.com"
        )
        assert beyond.status == (303 if role == "manager" else 404)
        elsewhere = visitor.post(
            f"/admin/messages/{shared}/act", csrf=csrf, mailbox=MARIE, verb="allow", scope="platform"
        )
        assert elsewhere.status == 400


def test_a_right_in_one_domain_is_none_in_another(pages: Pages) -> None:
    (number,) = arrive(pages, story(1))
    both = "both@example.net"
    grant(pages, both, "example.com", BUNDLES["observer"])
    grant(pages, both, "example.org", BUNDLES["owner"])
    visitor, path, everywhere = pages.visitor(both), f"/admin/messages/{number}", "?in=platform"
    form = {"csrf": visitor.get(f"{path}{everywhere}").field("csrf"), "mailbox": MARIE}
    for verb in ("deliver", "allow", "delete", "spam", "block"):
        assert visitor.post(f"{path}/act{everywhere}", form, verb=verb).status == 404, verb
    assert visitor.post(f"{path}/label{everywhere}", form, wanted="no").status == 404
    assert [one.state for one in pages.store.quarantine.list()] == [HeldState.HELD]
    assert pages.store.lists.find() == ()


def test_who_may_deliver_and_not_teach_teaches_nothing(pages: Pages) -> None:
    (number,) = arrive(pages, story(1))
    grant(pages, "helper@example.com", "example.com", BUNDLES["helper"])
    path = f"/admin/messages/{number}"
    pages.visitor("helper@example.com").submit(path, f"{path}/act", mailbox=MARIE, verb="deliver")
    assert [one.state for one in pages.store.quarantine.list(state=None)] == [HeldState.RELEASED]
    assert labels(pages) == []


def test_a_weak_session_opens_none_of_it(pages: Pages) -> None:
    (number,) = arrive(pages, story(1))
    for path in ("/admin/messages", f"/admin/messages/{number}"):
        answer = pages.by_link(ADMIN).get(path)
        assert answer.status == 303
        assert urlsplit(answer.location).path == "/admin/sign-in"


def test_what_strangers_wrote_is_text_and_nothing_else(pages: Pages) -> None:
    evil = story(
        1,
        (MARIE, replace(HELD, because=EVIL, decided_by="reverse_dns")),
        subject=EVIL,
        header_from=f"{EVIL} <a@example.net>",
        helo=EVIL,
        message_id=EVIL,
        queue_id=EVIL[:40],
        login="",
        host=EVIL,
        sender="evil@example.net",
    )
    evil = replace(
        evil, findings=tuple(replace(one, facts={"ip": EVIL} | dict(one.facts)) for one in evil.findings)
    )
    (number,) = arrive(pages, evil)
    admin = pages.visitor(PLATFORM_ADMIN)
    paths = (
        "/admin/messages",
        f"/admin/messages?q={quote(EVIL)}",
        f"/admin/messages?q=ip:{quote(EVIL)}",
        f"/admin/messages/{number}?text={MARIE}",
        f"/admin/messages/{number}?said={quote(EVIL)}&did={quote(EVIL)}&q={quote(EVIL)}&seal=x",
    )
    for path in paths:
        page = admin.get(path).text
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "49" not in re.findall(r"<bdi>([^<]*)</bdi>", page)
        assert "\u202e" not in page.split("<main")[1].replace(unescape("&#8238;"), "") or "value=" in page
    assert 'role="status"' not in admin.get(paths[-1]).text, "nobody puts words on the page by an address"


def test_another_persons_undo_is_nobodys(pages: Pages) -> None:
    (number,) = arrive(pages, story(1))
    admin, path = pages.visitor(ADMIN), f"/admin/messages/{number}"
    location = admin.submit(path, f"{path}/act", mailbox=MARIE, verb="delete").location
    deed = parse_qs(urlsplit(location).query)["did"][0]
    other = pages.visitor(PLATFORM_ADMIN)
    csrf = other.get(path).field("csrf")
    late = other.get(other.post("/admin/undo", csrf=csrf, deed=deed, back=f"/messages/{number}").location)
    assert "too late to undo" in late.text
    assert held_ids(pages) == []
    for back in ("//evil.example", "/messages/1/../../x", "https://evil.example", ""):
        assert other.post("/admin/undo", csrf=csrf, deed=deed, back=back).status == 400


def test_what_always_allow_cannot_promise_is_said_before_and_after(pages: Pages) -> None:
    infected = Told("spam", "quarantine", "antivirus", "Eicar", 0.0, 7.5, "antivirus=spam")
    seen = (Finding("antivirus", Status.HIT, "{virus}", {"virus": "Eicar"}),)
    kept, infected_one = arrive(pages, story(1), story(2, (MARIE, infected), findings=seen))
    admin = pages.visitor(ADMIN)
    despite = "would still be taken for spam, because a virus scanner raised the alarm."
    assert "still be taken" not in admin.get(f"/admin/messages/{kept}").text
    page = f"/admin/messages/{infected_one}"
    assert despite in admin.get(page).text
    done = admin.submit(page, f"{page}/act", mailbox=MARIE, verb="allow", scope="example.com")
    said = admin.get(done.location).text
    assert f"Mail from {GARAGE} is always allowed for example.com. “Always allow” is not enough here" in said
