"""Lists in the console: added, doubted, dated, removed and brought back, in the own scopes alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tamis.contract.finding import Finding, Status
from tamis.contract.lists import Colour, ListEntry, Subject
from tamis.database.list_entries import NewEntry
from tamis.judging.stored_policy import Override
from tamis.message.address import PLATFORM
from tamis.people.rights import BUNDLES
from tests.services.dns.resolving import WrittenDNS
from tests.web.console.conftest import PLATFORM_ADMIN
from tests.web.pages import ADMIN, JEAN, MARIE, Answer, Pages, Visitor
from tests.web.samples import content, message

HERE = "?in=example.com"
TODAY = datetime.now(UTC).date()


@pytest.fixture(autouse=True)
def empty(pages: Pages) -> Iterator[None]:
    """Each test begins with empty lists."""
    yield
    pages.store.lists.remove([one.id for one in pages.store.lists.find()], by="test")


def add(visitor: Visitor, patterns: str, scope: str = "example.com", **fields: str) -> Answer:
    form = {"patterns": patterns, "colour": "white"} | fields
    return visitor.send(f"/admin/lists?in={scope}", form, f"/admin/lists?in={scope}")


def put(pages: Pages, pattern: str, scope: str, colour: Colour = Colour.WHITE) -> ListEntry:
    subject = Subject.IP if pattern[0].isdigit() else Subject.SENDER
    pages.store.lists.add(
        [NewEntry(colour=colour, subject=subject, pattern=pattern, scope=scope, author="t")]
    )
    return pages.store.lists.find(newest_first=True)[0]


def test_lines_become_entries(pages: Pages) -> None:
    until = TODAY + timedelta(days=3)
    told = add(
        pages.visitor(ADMIN),
        "Marie@Example.net\n\n192.0.2.7 # mx\n *.example.net \n",
        until=str(until),
        note="why",
    )
    assert "3 entries were added." in told.text
    found = {one.pattern: one for one in pages.store.lists.find()}
    assert found.keys() == {"marie@example.net", "192.0.2.7", "*.example.net"}
    for one in found.values():
        assert (one.scope, one.colour, one.author, one.note) == ("example.com", "white", ADMIN, "why")
        assert one.expires == datetime.combine(until + timedelta(days=1), datetime.min.time(), UTC)


@pytest.mark.parametrize(
    ("patterns", "fields", "says"),
    [
        ("a@example.net\nb c", {}, "line 2, <bdi>b c</bdi>"),
        ("# nothing", {}, "Nothing was added"),
        ("a@example.net", {"until": "2020-01-01"}, "This is no day to come."),
        ("a@example.net", {"until": "9999-12-31"}, "This is no day to come."),
        ("a@example.net", {"until": "soon"}, "This is no day to come."),
        ("\n".join(f"a{n}@example.net" for n in range(1001)), {}, "At most 1,000"),
        ("gmail.com", {}, "everybody at a mail provider"),
        ("example.com", {}, "a whole domain of our own"),
        ("co.uk", {}, "a domain that many owners share"),
        ("0.0.0.0/1", {}, "a whole network"),
        ("gmail.com", {"sure": "yes"}, "Say in the note"),
        ("gmail.com", {"note": "meant"}, "everybody at a mail provider"),
    ],
)
def test_what_is_wrong_or_broad_adds_nothing(
    pages: Pages, patterns: str, fields: dict[str, str], says: str
) -> None:
    told = add(pages.visitor(ADMIN), patterns, **fields)
    assert (told.status, says in told.text) == (422, True), told.text
    assert pages.store.lists.find() == ()


def test_broad_entries_are_taken_where_they_are_meant(pages: Pages) -> None:
    assert (
        add(pages.visitor(ADMIN), "gmail.com", sure="yes", note="everybody writes from there").status == 200
    )
    assert [one.pattern for one in pages.store.lists.find()] == ["gmail.com"]


PROTECTED = {"_dmarc.bank.example TXT": ["v=DMARC1; p=reject"], "signed.example TXT": ["v=spf1 -all"]}


@pytest.fixture
def dns(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> WrittenDNS:
    """What the pages' DNS says."""
    written = WrittenDNS(PROTECTED)
    monkeypatch.setattr(pages.house.dns, "queries", written.queries)
    return written


def test_an_allowed_sender_whose_name_is_not_protected_is_doubted_first(
    pages: Pages, dns: WrittenDNS
) -> None:
    visitor = pages.visitor(ADMIN)
    lines = "marie@shop.example\n*.mail.bank.example\nbank.example\n192.0.2.7"
    told = add(visitor, lines)
    assert (told.status, pages.store.lists.find()) == (422, ())
    assert re.search(r"<bdi>marie@shop.example</bdi>: its domain has no DMARC record", told.text)
    assert "<bdi>bank.example</bdi>" not in told.text
    assert "<bdi>*.mail.bank.example</bdi>" not in told.text, "what the domain above it says holds for it"
    assert add(visitor, lines, sure="yes").status == 200, "no note is wanted"
    assert len(pages.store.lists.find()) == 4


def test_no_doubt_without_reason(pages: Pages, dns: WrittenDNS) -> None:
    visitor = pages.visitor(ADMIN)
    assert add(visitor, "bank.example").status == 200
    assert add(visitor, "marie@shop.example", colour="black").status == 200
    dns.dead = True
    assert add(visitor, "marie@other.example").status == 200, "without a DNS nothing is known"


def test_where_senders_must_be_authenticated_it_is_said_what_can_not_be(
    pages: Pages, dns: WrittenDNS
) -> None:
    keys = {"filters.sender_whitelist.state": "off", "filters.authenticated_whitelist.state": "on"}
    changes = [Override("example.com", key, value) for key, value in keys.items()]
    version = pages.store.overrides.change(changes, by="root", check=pages.check)
    assert version is not None
    try:
        told = add(pages.visitor(ADMIN), "shop.example\nsigned.example")
    finally:
        pages.store.overrides.undo(version.id, by="root", check=pages.check)
    assert "<bdi>shop.example</bdi>: its domain has neither an SPF nor a DMARC record" in told.text
    assert "<bdi>signed.example</bdi>" not in told.text


def test_the_owner_of_a_mailbox_is_told_when_it_is_allowed(pages: Pages, dns: WrittenDNS) -> None:
    visitor = pages.by_link(MARIE)
    for sender, warned in (("marie@shop.example", True), ("bank.example", False)):
        said = visitor.get(visitor.submit("/lists", sender=sender, colour="white").location).text
        assert f"Mail from {sender} will always reach you." in said
        assert ("no DMARC record" in said) is warned


def test_contradictions_are_told_in_words(pages: Pages) -> None:
    put(pages, "mamie@example.net", MARIE)
    put(pages, "mamie@example.net", "example.com", Colour.BLACK)
    page = " ".join(pages.visitor(ADMIN).get(f"/admin/lists{HERE}").text.split())
    assert "1 contradiction" in page
    assert (
        "<bdi>mamie@example.net</bdi> is allowed by <bdi>marie@example.com</bdi> and blocked by "
        "<bdi>example.com</bdi>: <strong>allowed</strong> wins for <bdi>marie@example.com</bdi>."
    ) in page


def test_what_was_removed_comes_back(pages: Pages) -> None:
    admin = pages.visitor(ADMIN)
    add(admin, "a@example.net\nb@example.net", note="n", until=str(TODAY + timedelta(days=9)))
    before = {(one.pattern, one.scope, one.note, one.expires) for one in pages.store.lists.find()}
    ids = [str(one.id) for one in pages.store.lists.find()]
    removed = admin.send(
        f"/admin/lists{HERE}", {"entry": ids, "verb": "remove"}, f"/admin/lists/change{HERE}"
    )
    assert "2 entries were removed." in removed.text
    assert pages.store.lists.find() == ()
    form = {name: removed.field(name) for name in ("csrf", "undo", "seal")}
    forged = admin.post(f"/admin/lists/undo{HERE}", form | {"undo": form["undo"].replace("a@", "c@")})
    assert forged.status == 404
    assert "2 entries are back." in admin.post(f"/admin/lists/undo{HERE}", form).text
    assert {(one.pattern, one.scope, one.note, one.expires) for one in pages.store.lists.find()} == before


def test_what_was_removed_comes_back_only_where_one_may_still_change_lists(pages: Pages) -> None:
    entry = put(pages, "a@example.net", "example.org")
    both = "both@example.net"
    given = [
        pages.store.people.grant(both, f"example.{top}", BUNDLES["manager"], by="t") for top in ("com", "org")
    ]
    visitor, there = pages.visitor(both), "?in=example.org"
    form = {"entry": str(entry.id), "verb": "remove"}
    removed = visitor.send(f"/admin/lists{there}", form, f"/admin/lists/change{there}")
    back = {name: removed.field(name) for name in ("csrf", "undo", "seal")}
    pages.store.people.revoke(given[1].id, by="t")
    assert visitor.post(f"/admin/lists/undo{HERE}", back).status == 404
    assert pages.store.lists.find() == ()


def test_who_may_only_see_lists_there_changes_no_entry_by_a_form_of_the_own_domain(pages: Pages) -> None:
    entry, both = put(pages, "a@example.net", "example.org"), "seer@example.net"
    pages.store.people.grant(both, "example.com", BUNDLES["manager"], by="t")
    pages.store.people.grant(both, "example.org", BUNDLES["helper"], by="t")
    form = {"entry": str(entry.id), "verb": "remove"}
    assert (
        pages.visitor(both).send(f"/admin/lists{HERE}", form, "/admin/lists/change?in=platform").status == 404
    )
    assert [one.id for one in pages.store.lists.find()] == [entry.id]


def test_an_entry_gets_another_end(pages: Pages) -> None:
    admin, one = pages.visitor(ADMIN), put(pages, "a@example.net", "example.com")
    form = {"entry": str(one.id), "verb": "date", "until": str(TODAY + timedelta(days=2))}
    assert "has another end" in admin.send(f"/admin/lists{HERE}", form, f"/admin/lists/change{HERE}").text
    (dated,) = pages.store.lists.find()
    assert dated.expires is not None
    assert admin.send(f"/admin/lists{HERE}", form | {"until": ""}, f"/admin/lists/change{HERE}").status == 200
    assert pages.store.lists.find()[0].expires is None


def test_each_sees_and_changes_the_own(pages: Pages) -> None:
    """A locked mailbox's entries are its own; the platform's are shown to nobody below."""
    entries = {
        scope: put(pages, f"n{number}@example.net", scope)
        for number, scope in enumerate((PLATFORM, "example.com", "example.org", MARIE, JEAN))
    }
    admin, root = pages.visitor(ADMIN), pages.visitor(PLATFORM_ADMIN)
    for visitor, scope, seen in (
        (admin, "example.com", {"example.com", MARIE}),
        (root, "platform", {PLATFORM, "example.com", "example.org", MARIE}),
        (root, "example.org", {"example.org"}),
    ):
        page = visitor.get(f"/admin/lists?in={scope}").text
        assert {one for one, entry in entries.items() if f"<bdi>{entry.pattern}</bdi>" in page} == seen
    for scope in (PLATFORM, "example.org", JEAN):
        form = {"entry": str(entries[scope].id), "verb": "remove"}
        assert admin.send(f"/admin/lists{HERE}", form, f"/admin/lists/change{HERE}").status == 404
        form = {"patterns": "x@example.net", "colour": "white", "scope": scope}  # no field that there is
        assert admin.send(f"/admin/lists{HERE}", form, f"/admin/lists{HERE}").status == 200
        assert (
            admin.send(
                f"/admin/lists{HERE}", {"patterns": "y@example.net"}, f"/admin/lists?in={scope}"
            ).status
            == 404
        )
    assert {one.scope for one in pages.store.lists.find(pattern="x@example.net")} == {"example.com"}
    assert len(pages.store.lists.find()) == 6
    for bad in ("0", "-1", "x", "9" * 30):
        form = {"entry": bad, "verb": "remove"}
        assert admin.send(f"/admin/lists{HERE}", form, f"/admin/lists/change{HERE}").status == 404


def test_entries_are_searched_and_paged(pages: Pages) -> None:
    pages.store.lists.add(
        NewEntry(
            colour=Colour.WHITE, subject=Subject.SENDER, pattern=f"n{n}@example.net", scope="example.com"
        )
        for n in range(101)
    )
    admin = pages.visitor(ADMIN)
    page = admin.get(f"/admin/lists{HERE}").text
    assert "n100@example.net" in page
    assert "<bdi>n0@example.net</bdi>" not in page
    found = admin.get(f"/admin/lists{HERE}&q=N7%40").text
    assert "<bdi>n7@example.net</bdi>" in found
    assert "n70@" not in found
    assert "No entry has that." in admin.get(f"/admin/lists{HERE}&q=%25").text


def test_entries_say_what_they_met_lately(pages: Pages) -> None:
    put(pages, "never@example.net", "example.com")
    longer, today = (put(pages, f"{name}@example.net", "example.com") for name in ("longer", "today"))
    now = datetime.now(UTC)
    pages.store.lists.count_hits({longer.id: 4}, now=now - timedelta(days=60))
    pages.store.lists.count_hits({today.id: 3}, now=now)
    page = pages.visitor(ADMIN).get(f"/admin/lists{HERE}").text
    rows = {
        re.search("<bdi>(.*?)@", row)[1]: " ".join(re.sub("<[^>]+>", " ", row).split())  # type: ignore[index]
        for row in page.partition("<tbody>")[2].partition("</tbody>")[0].split("</tr>")[:-1]
    }
    assert " 3 3 in all " in rows["today"]
    assert " 0 4 in all " in rows["longer"]
    assert " never" in rows["never"].partition("allowed")[2]


def test_what_strangers_wrote_is_text(pages: Pages) -> None:
    pages.store.lists.add(
        [
            NewEntry(
                colour=Colour.WHITE,
                subject=Subject.SENDER,
                pattern="a@example.net",
                scope="example.com",
                note="<script>alert(1)</script>\u202e",
                author="<b>x</b>",
            )
        ]
    )
    page = pages.visitor(ADMIN).get(f"/admin/lists{HERE}").text
    assert "<script>alert" not in page
    assert "<b>x" not in page


@pytest.mark.parametrize("path", ["/lists", "/lists/change", "/lists/undo"])
def test_forms_of_others_are_refused(pages: Pages, path: str) -> None:
    assert pages.visitor(ADMIN).post(f"/admin{path}{HERE}", {"patterns": "a@example.net"}).status == 403
    assert pages.visitor(MARIE).get(f"/admin{path}{HERE}").status in (404, 405)


def test_what_an_allowed_sender_would_not_let_in_is_said_at_once(pages: Pages) -> None:
    finding = Finding("antivirus", Status.HIT, "a virus").to_dict()
    pages.hold(replace(message(1), findings=[finding]), content())
    pages.hold(message(2), content())
    admin = pages.visitor(ADMIN)
    assert (
        "An allowed sender comes after virus scanners, SPF and DMARC" in admin.get(f"/admin/lists{HERE}").text
    )
    text = add(admin, "garage.example.net").text
    assert (
        "of 2 held messages, 1 would be held all the same, because a virus scanner raised the alarm." in text
    )
    assert "all the same, because" not in add(admin, "other.example.net").text
    assert "all the same, because" not in add(admin, "garage.example.net", colour="black").text
