"""Challenges, clients and fingerprints in the console: what is said, what is done, how it is undone."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tamis.challenge.challenge_records import ChallengeDecision, ChallengeState
from tamis.contract.lists import Colour, Subject
from tamis.contract.state_keys import BLOCKED
from tamis.database.list_entries import NewEntry
from tamis.database.marks import Mark, MarkKind
from tamis.filters.ip_complaints import CONDEMNED
from tamis.filters.temporary_blacklist import entry
from tamis.judging.suppression import NotAsked
from tamis.message.address import PLATFORM
from tamis.people.rights import BUNDLES, Reach
from tamis.settings import NoticeSettings
from tests.web.console.conftest import PLATFORM_ADMIN
from tests.web.console.numbers import fill
from tests.web.console.test_overview import answer
from tests.web.pages import ADMIN, JEAN, MARIE, Answer, Pages, Visitor
from tests.web.samples import content, message

SOON = timedelta(days=1)
HASH = "ab" * 32


def state_of(pages: Pages, key: str) -> str | None:
    """What the shared state has."""
    return asyncio.run_coroutine_threadsafe(pages.house.state.get(key), pages.loop).result(60)


def put(pages: Pages, key: str, value: str) -> None:
    asyncio.run_coroutine_threadsafe(pages.house.state.put(key, value, 600), pages.loop).result(60)


def send(visitor: Visitor, page: str, form: dict[str, str | list[str]], path: str = "") -> Answer:
    """Send a form of a page; the page that says what was done."""
    done = visitor.send(f"/admin{page}", form, f"/admin{path or page}")
    assert done.status == 303, done.text
    return visitor.get(done.location)


def take_back(visitor: Visitor, said: Answer, path: str, **more: str) -> Answer:
    """Press Undo on the page that says what was done."""
    form = {"csrf": said.field("csrf"), "deed": said.field("deed")} | more
    done = visitor.post(f"/admin{path}", form)
    assert done.status == 303
    return visitor.get(done.location)


# --- challenges ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def asked(pages: Pages) -> Pages:
    """Two senders that were asked, one that was not; one of a locked mailbox, one of another domain."""
    for number, mailbox in enumerate((MARIE, MARIE, JEAN, "zoe@example.org"), 1):
        one = message(number, recipient=mailbox, sender=f"s{number}@example.net", subject=f"Devis {number}")
        pages.store.challenges.hold_asked(one, content(), language="en", authenticated=True)
    pages.hold(message(5, sender="list@example.net"), content())
    later = datetime.now(UTC) + SOON
    (copy,) = pages.store.challenges.undecided(held_before=later)
    pages.store.challenges.decide(
        [ChallengeDecision(copy, NotAsked.LIST, "en", authenticated=False)], NoticeSettings()
    )
    return pages


def shown(page: Answer) -> set[str]:
    return set(re.findall(r"<bdi>([^<]+@[^<]+)</bdi></a></th>", page.text))


def test_challenges_are_narrowed_and_stay_in_their_domain(asked: Pages) -> None:
    admin, ask = asked.visitor(ADMIN), "/admin/challenges?in=example.com"
    assert shown(admin.get(ask)) == {"s1@example.net", "s2@example.net", "list@example.net"}
    assert shown(admin.get(f"{ask}&state=asked")) == {"s1@example.net", "s2@example.net"}
    assert shown(admin.get(f"{ask}&reason=list")) == {"list@example.net"}
    assert shown(admin.get(f"{ask}&sender=S1@example.net")) == {"s1@example.net"}
    assert shown(admin.get(f"{ask}&state=no&reason=no")) == shown(admin.get(ask)), "nothing that there is"
    assert "No sender in question" in admin.get(f"{ask}&sender=nobody@example.net").text
    root = asked.visitor(PLATFORM_ADMIN).get("/admin/challenges")
    assert "s4@example.net" in shown(root)
    assert "s3@example.net" not in root.text, "it wrote to a locked mailbox"


def test_challenges_are_told_in_a_sentence(asked: Pages) -> None:
    assert "A mailbox here is locked" in asked.visitor(PLATFORM_ADMIN).get("/admin/challenges").text
    fill(asked.store, 100, 3)
    said = answer(asked.visitor(PLATFORM_ADMIN).get("/admin/challenges").text)
    assert "4 senders were asked; 0 answered" in said
    assert "For 1 held message, nobody was asked." in said


def test_one_challenge_is_seen_by_who_sees_a_copy(asked: Pages) -> None:
    by_sender = {one.sender: one for one in asked.store.challenges.list()}
    admin = asked.visitor(ADMIN)
    page = admin.get(f"/admin/challenges/{by_sender['s1@example.net'].id}").text
    assert "has not answered" in page
    assert "Devis 1" in page
    listed = admin.get(f"/admin/challenges/{by_sender['list@example.net'].id}").text
    assert "The reason: it came from a mailing list or in bulk." in listed
    for other in ("s3@example.net", "s4@example.net"):
        assert admin.get(f"/admin/challenges/{by_sender[other].id}").status == 404
    for bad in ("x", "0" * 26, "%00", "a" * 500):
        assert admin.get(f"/admin/challenges/{bad}").status == 404
    assert by_sender["s1@example.net"].state is ChallengeState.ASKED


def test_challenges_are_paged(asked: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tamis.web.console.challenge_pages.PAGE", 2)
    admin, found, path = asked.visitor(ADMIN), [], "/admin/challenges?in=example.com"
    for _ in range(2):
        page = admin.get(path)
        found += sorted(shown(page))
        older = re.search(r'href="([^"]+)" rel="next"', page.text)
        path = older[1].replace("&amp;", "&") if older else ""
    assert path == ""
    assert sorted(found) == ["list@example.net", "s1@example.net", "s2@example.net"]


# --- clients ------------------------------------------------------------------------------------------


def test_a_client_is_blocked_and_let_in_again(pages: Pages) -> None:
    root, client = pages.visitor(PLATFORM_ADMIN), "192.0.2.7"
    form: dict[str, str | list[str]] = {
        "client": f" {client} ",
        "why": "flood",
        "for": "86400",
        "verb": "block",
    }
    said = send(root, "/clients", form)
    assert "192.0.2.7 is blocked." in said.text
    assert "1 client is blocked now." in answer(said.text)
    (kept,) = pages.store.blocked.all()
    assert (kept.client, "flood" in kept.entry) == (client, True)
    assert state_of(pages, BLOCKED + client) == kept.entry
    assert "stands as before" in take_back(root, said, "/clients/undo").text
    assert (pages.store.blocked.all(), state_of(pages, BLOCKED + client)) == ([], None)
    assert "stands as before" in take_back(root, said, "/clients/undo").text, "once more changes nothing"
    assert pages.store.blocked.all() == []


def test_what_a_honeypot_blocked_is_named_and_comes_back(pages: Pages) -> None:
    root, client = pages.visitor(PLATFORM_ADMIN), "198.51.100.9"
    put(pages, BLOCKED + client, entry("2 senders wrote to honeypots", "honeypot"))
    page = root.get("/admin/clients").text
    assert "2 senders wrote to honeypots" in page
    said = send(root, "/clients", {"verb": f"unblock {client}"})
    assert state_of(pages, BLOCKED + client) is None
    take_back(root, said, "/clients/undo")
    assert "honeypot" in str(state_of(pages, BLOCKED + client))
    send(root, "/clients", {"verb": f"unblock {client}"})


def test_a_client_is_condemned_and_settled(pages: Pages) -> None:
    root, client = pages.visitor(PLATFORM_ADMIN), "203.0.113.4"
    pages.store.complaints.report([client] * 3)
    said = send(root, "/clients", {"verb": f"condemn {client}"})
    assert state_of(pages, CONDEMNED + client) == "complaints"
    take_back(root, said, "/clients/undo")
    known = pages.store.complaints.get(client)
    assert known is not None
    assert (known.reports, known.why) == (3, "")
    assert state_of(pages, CONDEMNED + client) is None
    said = send(root, "/clients", {"verb": f"settle {client}"})
    assert pages.store.complaints.get(client) is None
    take_back(root, said, "/clients/undo")
    assert pages.store.complaints.get(client) == known
    actions = [one.action for one in pages.store.trail.find(Reach(frozenset({PLATFORM})), limit=4)]
    assert actions == ["client bring back", "client settle", "client bring back", "client condemn"]


@pytest.mark.parametrize("client", ["", "x", "192.0.2.0/24", "2001:db8::/32", "127.0.0.1", "::1", "1" * 400])
def test_what_is_no_client_or_our_own_is_refused(pages: Pages, client: str) -> None:
    told = pages.visitor(PLATFORM_ADMIN).send("/admin/clients", {"client": client, "verb": "block"})
    assert told.status == 422
    assert 'role="alert"' in told.text
    assert pages.store.blocked.all() == []


def test_undo_is_for_who_did_it(pages: Pages) -> None:
    root, other = pages.visitor(PLATFORM_ADMIN), "chief@example.org"
    said = send(root, "/clients", {"client": "192.0.2.8", "verb": "condemn"})
    pages.store.people.grant(other, PLATFORM, BUNDLES["owner"], by="test")
    stranger = pages.visitor(other)
    form = {"csrf": stranger.get("/admin/clients").field("csrf"), "deed": said.field("deed")}
    told = stranger.get(stranger.post("/admin/clients/undo", form).location)
    assert "too late" in told.text
    assert pages.store.complaints.get("192.0.2.8") is not None
    for wrong in ("", "x", "9" * 200):
        assert stranger.post("/admin/clients/undo", form | {"deed": wrong}).status == 303
    forged = root.get(f"/admin/clients?said=Hello&did=x&seal={'0' * 32}").text
    assert "<p>Hello</p>" not in forged
    root.send("/admin/clients", {"verb": "settle 192.0.2.8"})


def test_complaints_are_paged_and_searched(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tamis.web.console.client_pages.PAGE", 2)
    root = pages.visitor(PLATFORM_ADMIN)
    counts = {"203.0.113.21": 2, "203.0.113.22": 2, "203.0.113.23": 5, "203.0.113.24": 1, "203.0.113.25": 2}
    pages.store.complaints.report([one for one, number in counts.items() for _ in range(number)])
    found, path = [], "/admin/clients?q=203.0.113.2"
    while path:
        page = root.get(path)
        found += re.findall(r"<bdi>(203\.0\.113\.2\d)</bdi></a></th>", page.text)
        older = re.search(r'href="([^"]+)" rel="next"', page.text)
        path = older[1].replace("&amp;", "&") if older else ""
    assert sorted(found) == sorted(counts)
    assert [counts[one] for one in found] == [5, 2, 2, 2, 1]
    for bad in ("x", "/", "1/", "99999999999999999999/x"):
        assert root.get(f"/admin/clients?before={bad}").status == 200
    for one in counts:
        pages.store.complaints.settle(one, by="test")


# --- fingerprints -------------------------------------------------------------------------------------


@pytest.fixture
def listed(pages: Pages) -> Iterator[Pages]:
    """A file and an image on the lists, marks of two domains and of a locked mailbox."""
    pages.store.lists.add(
        NewEntry(colour=Colour.BLACK, subject=subject, pattern=pattern, scope=scope, author="t", note="n")
        for subject, pattern, scope in (
            (Subject.ATTACHMENT, HASH, PLATFORM),
            (Subject.ATTACHMENT, "cd" * 32, JEAN),
            (Subject.IMAGE, "ef" * 16, "example.org"),
        )
    )
    words = [
        Mark(kind, fingerprint, scope, f"m{number}", who, spam=True)
        for number, (kind, fingerprint, scope, who) in enumerate(
            (
                (MarkKind.ATTACHMENT, "12" * 32, "example.com", MARIE),
                (MarkKind.ATTACHMENT, "12" * 32, "example.org", "zoe@example.org"),
                (MarkKind.ATTACHMENT, "34" * 32, JEAN, JEAN),
                (MarkKind.MESSAGE, f"192.0.2.7 {'56' * 20}", "example.com", MARIE),
            )
        )
    ]
    pages.store.marks.note(words, expires=datetime.now(UTC) + SOON)
    yield pages
    pages.store.lists.remove([one.id for one in pages.store.lists.find()], by="test")
    pages.store.marks.note([replace(one, spam=None) for one in words], expires=datetime.now(UTC))


def test_fingerprints_are_shown_by_kind(listed: Pages) -> None:
    root = listed.visitor(PLATFORM_ADMIN)
    files = root.get("/admin/fingerprints").text
    assert HASH in files
    assert files.count("12" * 32) >= 2
    assert "cd" * 32 not in files, "of a locked mailbox"
    assert "34" * 32 not in files, "of a locked mailbox"
    assert "ef" * 16 in root.get("/admin/fingerprints?kind=image").text
    assert "192.0.2.7" in root.get("/admin/fingerprints?kind=message").text
    assert HASH not in root.get("/admin/fingerprints?in=example.com").text
    assert "No fingerprint begins like that." in root.get("/admin/fingerprints?q=ff").text
    assert "12" * 32 in root.get("/admin/fingerprints?q=12").text


def test_fingerprints_are_added(listed: Pages) -> None:
    root, new = listed.visitor(PLATFORM_ADMIN), "9a" * 32
    said = send(
        root, "/fingerprints", {"kind": "attachment", "hashes": f"{new.upper()} # x\n{HASH}", "note": "w"}
    )
    assert "1 new, 1 brought up to date" in said.text
    found = {one.pattern: one for one in listed.store.lists.find(subject=Subject.ATTACHMENT, scope=PLATFORM)}
    assert found.keys() == {new, HASH}
    assert (found[new].author, found[new].note, found[new].colour) == (PLATFORM_ADMIN, "w", Colour.BLACK)
    for form, status in (
        ({"kind": "attachment", "hashes": "xyz"}, 422),
        ({"kind": "attachment", "hashes": ""}, 422),
        ({"kind": "attachment", "hashes": new, "until": "2020-01-01"}, 422),
        ({"kind": "message", "hashes": new}, 404),
    ):
        assert root.send("/admin/fingerprints", form).status == status, form
    elsewhere = f"/admin/fingerprints?in={JEAN}"
    assert root.send("/admin/fingerprints", {"kind": "attachment", "hashes": new}, elsewhere).status == 404


def test_what_is_taken_off_comes_back(listed: Pages) -> None:
    root = listed.visitor(PLATFORM_ADMIN)
    before = {(one.pattern, one.scope) for one in listed.store.lists.find()}
    (entry_,) = listed.store.lists.find(pattern=HASH)
    (locked,) = listed.store.lists.find(scope=JEAN)
    form: dict[str, str | list[str]] = {
        "kind": "attachment",
        "entry": [str(entry_.id), str(locked.id), "x"],
        "mark": [f"{'12' * 32} example.com", f"{'34' * 32} {JEAN}", "nothing"],
    }
    said = send(root, "/fingerprints", form, "/fingerprints/change")
    assert "Taken off the lists: 1. Marks ended: 1." in said.text
    left = {(one.fingerprint, one.scope): one.marks for one in listed.store.marks.find(MarkKind.ATTACHMENT)}
    assert left == {("12" * 32, "example.org"): 1, ("34" * 32, JEAN): 1}
    take_back(root, said, "/fingerprints/undo", kind="attachment")
    assert {(one.pattern, one.scope) for one in listed.store.lists.find()} == before
    assert len(listed.store.marks.find(MarkKind.ATTACHMENT)) == 3
    assert root.send("/admin/fingerprints", {"kind": "image"}, "/admin/fingerprints/change").status == 400


def test_the_end_of_a_messages_mark_reaches_the_filters(listed: Pages) -> None:
    root, place = listed.visitor(PLATFORM_ADMIN), f"192.0.2.7 {'56' * 20}"
    form: dict[str, str | list[str]] = {"kind": "message", "mark": f"{place} example.com"}
    said = send(root, "/fingerprints?kind=message", form, "/fingerprints/change")
    assert listed.store.marks.find(MarkKind.MESSAGE) == []
    assert state_of(listed, f"marked:{place}") is None
    take_back(root, said, "/fingerprints/undo", kind="message")
    assert '"example.com": 1' in str(state_of(listed, f"marked:{place}"))


def test_marks_are_paged(listed: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tamis.web.console.fingerprint_pages.PAGE", 1)
    root, found, path = listed.visitor(PLATFORM_ADMIN), [], "/admin/fingerprints"
    for _ in range(2):
        page = root.get(path).text
        found += re.findall(r'name="mark" value="([^"]+)"', page)
        more = re.search(r'href="([^"]+after=[^"]+)" rel="next"', page)
        path = more[1].replace("&amp;", "&") if more else ""
    assert path == ""
    assert found == [f"{'12' * 32} example.com", f"{'12' * 32} example.org"]


@pytest.mark.parametrize("path", ["/challenges", "/clients", "/fingerprints", "/fingerprints?kind=message"])
def test_pages_speak_french(asked: Pages, path: str) -> None:
    page = asked.visitor(PLATFORM_ADMIN, **{"Accept-Language": "fr"}).get(f"/admin{path}").text
    assert '<html lang="fr">' in page
    for english in (" asked", "Nobody", "Marked", "client is", "Which ", "Nothing"):
        assert english not in re.sub(r'<[^>]*lang="en"[^>]*>.*?<', "<", page), english
