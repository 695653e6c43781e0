"""The recipient's pages, over HTTP: what can be seen, done and undone, and by whom."""

from __future__ import annotations

import itertools
import re
import socket
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from html import unescape
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tamis.base.tokens import SHORT, Purpose
from tamis.challenge.challenge_records import ChallengeDecision
from tamis.contract.lists import Colour
from tamis.judging.suppression import NotAsked
from tamis.message.address import PLATFORM
from tamis.models.reports import Spool
from tamis.quarantine.records import HeldState
from tamis.web import signing_in
from tamis.web.rate_limits import CHANGES, MAILS_TO_UNKNOWN
from tests.desk.smtp import Listener
from tests.real.support import wait_until
from tests.web.pages import ADMIN, JEAN, MARIE, Answer, Pages, Visitor
from tests.web.samples import NOW, content, message

SENDER = "contact@garage.example.net"


def shown(visitor: Visitor, path: str = "/mail") -> list[str]:
    """The subjects of a list."""
    answer = visitor.get(path)
    assert answer.status == 200, answer.text
    return [unescape(s) for s in re.findall(r"data-open><bdi>([^<]*)</bdi>", answer.text)]


def state(pages: Pages, number: str) -> HeldState:
    record = pages.store.quarantine.get(number)
    assert record is not None
    return record.summary.state


def labels(pages: Pages) -> list[tuple[str, str, str]]:
    """What is waiting to be learned: label, source, reporter."""
    reports = Spool(pages.settings.spool_directory).reports(100)
    return [(r.label, r.source, r.reporter) for r in reports if not isinstance(r, Path)]


def act(visitor: Visitor, number: str, verb: str) -> str:
    """Do something from the list; where it leads."""
    answer = visitor.submit("/mail", f"/mail/{number}", verb=verb)
    assert answer.status == 303, answer.text
    return answer.location


def undo(visitor: Visitor, where: str) -> str:
    """Press the notice's button; what the page says then."""
    answer = visitor.post("/undo", {"deed": visitor.get(where).field("deed")})
    assert answer.status == 303, answer.text
    return visitor.get(answer.location).text


def test_a_mailbox_shows_its_own_mail_alone_newest_first(pages: Pages) -> None:
    for n in range(3):
        pages.hold(message(n, subject=f"No. {n}"), content())
    pages.hold(message(9, recipient="paul@example.com", subject="not hers"), content())
    marie = pages.visitor(MARIE)
    assert shown(marie) == ["No. 2", "No. 1", "No. 0"]
    assert shown(pages.visitor("nobody@example.com")) == []
    assert "No message is held" in pages.visitor("nobody@example.com").get("/mail").text


def test_search_and_paging_lose_nothing(pages: Pages) -> None:
    for n in range(120):
        pages.hold(message(n, subject=f"No. {n:03}", header_from=f"X <x{n % 2}@example.net>"), content())
    marie, seen, path = pages.visitor(MARIE), [], "/mail"
    for size in (50, 50, 20):
        part = shown(marie, path)
        assert len(part) == size
        seen += part
        older = re.search(r'href="([^"]+)" rel="next"', marie.get(path).text)
        path = unescape(older[1]) if older else ""
    assert (seen, path) == ([f"No. {n:03}" for n in reversed(range(120))], "")
    assert shown(marie, "/mail?q=11+no.") == [f"No. {n:03}" for n in reversed((11, *range(110, 120)))]
    assert len(shown(marie, "/mail?q=x1%40example.net")) == 50
    assert shown(marie, "/mail?q=100%25") == []


def test_search_knows_no_accents_and_takes_words_in_any_order(pages: Pages) -> None:
    number = pages.hold(
        message(
            1, subject="Révision complète : ŒUVRE n\u00ba 7", header_from="Zoë Müller <z@straße.example>"
        ),
        content(),
    )
    pages.hold(message(2, subject="Devis"), content())
    marie = pages.visitor(MARIE)
    for asked in (
        "revision",
        "COMPLÈTE révision",
        "muller 7",
        "zoe revi",
        "strasse",
        "no 7",
        "re\u0301vision",
    ):
        found = marie.get("/mail?" + urlencode({"q": asked}))
        assert f"/mail/{number}" in found.text, asked
        assert found.text.count("data-open") == 1, asked
    for asked in ("revision devis", "%", "_", "' OR 1=1"):
        assert "Nothing found" in marie.get("/mail?" + urlencode({"q": asked})).text


def ticked(visitor: Visitor, verb: str, form: dict[str, str | list[str]], where: str = "/mail") -> Answer:
    """Press a button for all that are ticked; the page that it leads to."""
    page = visitor.get(where)
    shown = {
        name: unescape(ids) for name, ids in re.findall(r'name="(shown-\w+)" value="([^"]*)"', page.text)
    }
    answer = visitor.post("/mail", {"csrf": page.field("csrf"), "verb": verb, **shown, **form})
    assert answer.status == 303, answer.text
    return visitor.get(answer.location)


def test_thirty_three_messages_are_gone_by_one_tick_and_one_press(pages: Pages) -> None:
    numbers = [pages.hold(message(n, subject=f"No. {n}"), content(f"{n}")) for n in range(33)]
    marie = pages.visitor(MARIE)
    page = ticked(marie, "delete", {"all": "all"})
    assert "33 messages were deleted." in page.text
    assert {state(pages, one) for one in numbers} == {HeldState.DELETED}
    late = pages.hold(message(50, subject="came meanwhile"), content("x"))
    assert (
        "33 messages are as before." in marie.get(marie.post("/undo", deed=page.field("deed")).location).text
    )
    assert {state(pages, one) for one in (*numbers, late)} == {HeldState.HELD}
    assert labels(pages) == []


def test_only_what_was_shown_is_acted_on(pages: Pages) -> None:
    """A message that came since the page was opened stays, and so do those of others, whatever a form names."""
    pages.hold(message(1), content())
    marie = pages.visitor(MARIE)
    foreign = pages.hold(message(2, recipient="paul@example.com"), content("2"))
    form: dict[str, str | list[str]] = {"all": "all", "one": [foreign, "x", "", "'"]}
    csrf = marie.get("/mail").field("csrf")
    shown = re.findall(r'name="(shown-\w+)" value="([^"]*)"', marie.get("/mail").text)
    late = pages.hold(message(3), content("3"))
    answer = marie.post("/mail", {"csrf": csrf, "verb": "delete", **dict(shown), **form})
    page = marie.get(answer.location)
    assert "1 message was deleted." in page.text
    assert [state(pages, one) for one in (foreign, late)] == [HeldState.HELD] * 2


def test_a_group_is_ticked_by_itself_and_spam_is_learned_and_forgotten(pages: Pages) -> None:
    perhaps = pages.hold(message(1, decided_by="reverse_dns"), content("1"))
    probably = [pages.hold(message(n, decided_by="antivirus"), content(f"{n}")) for n in (2, 3)]
    marie = pages.visitor(MARIE)
    page = ticked(marie, "spam", {"all": "probably"})
    assert "2 messages were deleted and reported as unwanted." in page.text
    assert [state(pages, one) for one in (perhaps, *probably)] == [HeldState.HELD, *[HeldState.DELETED] * 2]
    assert [label for label, _, _ in labels(pages)] == ["spam", "spam"]
    marie.post("/undo", deed=page.field("deed"))
    assert [label for label, _, _ in labels(pages)][2:] == ["forget", "forget"]


def test_delivering_many_with_postfix_down_keeps_all(pages: Pages) -> None:
    numbers = [pages.hold(message(n), content(f"{n}")) for n in range(3)]
    marie = pages.visitor(MARIE)
    page = ticked(marie, "deliver", {"one": numbers[:2]})
    assert "2 messages were delivered." in page.text
    assert len(pages.postbox.got) == 2
    with Listener(replies={"MAIL": b"451 later"}) as refusing:
        pages.settings.desk.__dict__["reinject"] = refusing.address
        page = ticked(marie, "deliver", {"all": "all"})
    assert "1 is still held: the mail server takes no more now." in page.text
    assert state(pages, numbers[2]) is HeldState.HELD
    assert "no message was chosen" in ticked(marie, "delete", {}).text
    assert marie.submit("/mail", verb="allow", one=numbers[2]).status == 400
    assert marie.post("/mail", verb="delete", one=numbers[2]).status == 403


def test_the_list_says_where_one_was(pages: Pages) -> None:
    """After a deed the next row is where the keyboard is."""
    numbers = [pages.hold(message(n, subject=f"No. {n}"), content(f"{n}")) for n in range(3)]
    marie = pages.visitor(MARIE)
    page = marie.get("/mail").text
    row = page[page.index(f'id="row-{numbers[1]}"') :]
    at = re.search(r'name="at" value="(\w+)"', row)
    assert at is not None
    assert at[1] == numbers[0], "the list is newest first"
    answer = marie.submit("/mail", f"/mail/{numbers[1]}", verb="delete", at=at[1])
    assert re.search(rf'/mail/{numbers[0]}[^"]*" data-open autofocus', marie.get(answer.location).text)


def test_what_was_dealt_with_is_told_and_taken_back(pages: Pages) -> None:
    numbers = [pages.hold(message(n, subject=f"No. {n}"), content(f"{n}")) for n in range(3)]
    marie = pages.visitor(MARIE)
    assert "Nothing yet" in marie.get("/done").text
    act(marie, numbers[0], "deliver")
    act(marie, numbers[1], "block")
    page = marie.get("/done").text
    assert ("No. 0" in page, "No. 1" in page, "No. 2" in page) == (True, True, False)
    assert page.index("No. 1") < page.index("No. 0"), "the last deed first"
    deeds = [unescape(one) for one in re.findall(r'name="deed" value="([^"]*)"', page)]
    assert len(deeds) == 2
    answer = marie.post("/undo", {"deed": deeds[0], "from": "done"})
    assert answer.location.startswith("/done?")
    assert "its sender is not blocked any more" in marie.get(answer.location).text
    assert state(pages, numbers[1]) is HeldState.HELD
    assert pages.store.lists.find() == ()
    assert "No. 1" not in marie.get("/done").text
    assert "No. 0" not in pages.visitor(JEAN).get("/done").text


def test_who_is_asked_is_told_as_it_is(pages: Pages) -> None:
    held, _ = pages.store.challenges.hold_asked(message(), content(), language="en", authenticated=True)
    unasked = pages.hold(message(2), content("2"))
    marie = pages.visitor(MARIE)
    assert "Its sender was told, and can confirm it" in marie.get(f"/mail/{held}").text
    assert "Its sender" not in marie.get(f"/mail/{unasked}").text, "while nothing is decided nothing is said"
    (copy,) = [
        one
        for one in pages.store.challenges.undecided(held_before=NOW + timedelta(hours=1))
        if one.message == unasked
    ]
    refused = ChallengeDecision(copy, NotAsked.LIST, "en", authenticated=False)
    pages.store.challenges.decide([refused], pages.settings.notices, now=NOW)
    told = "Its sender was not asked to confirm it: it came from a mailing list or in bulk."
    assert told in marie.get(f"/mail/{unasked}").text


def test_whose_mailbox_it_is_stands_on_the_pages_of_administrators(pages: Pages) -> None:
    number = pages.hold(message(), content())
    admin = pages.visitor(ADMIN)
    assert f"<dt>Mailbox</dt><dd><bdi>{MARIE}</bdi>" in admin.get(f"/mail/{number}").text
    answer = admin.submit(f"/mail/{number}", verb="deliver")
    told = admin.get(answer.location).text
    assert f"Delivered. It will be in the inbox of {MARIE} in a moment." in told
    assert "your inbox" not in told


def test_a_recipient_reads_no_numbers_of_filters(pages: Pages) -> None:
    number = pages.hold(message(), content())
    page = pages.visitor(MARIE).get(f"/mail/{number}").text
    assert re.search(r"\bS\d", page) is None
    assert "4 filters found nothing. 1 did not look, or got no answer." in page
    assert "on no list" not in page
    whole = pages.visitor(ADMIN).get(f"/mail/{number}").text
    assert "S11" in whole
    assert "on no list" in whole


def test_no_page_is_a_dead_end(pages: Pages) -> None:
    pages.hold(message(), content())
    marie, guest = pages.visitor(MARIE), pages.visitor()
    for visitor, path in (
        (marie, "/nowhere"),
        (marie, "/mail/x"),
        (guest, "/nowhere"),
        (guest, "/a/x"),
        (guest, "/sign-in/x"),
    ):
        page = visitor.get(path)
        assert page.status == 404
        assert 'class="button primary"' in page.text, path
    sender = guest.get("/c/x").text
    assert "ask its recipient" in sender
    assert "Sign in" not in sender
    assert (
        "Try again" in marie.post("/lists", sender="a@example.net", colour="white").text
    )  # without its proof


def test_deliver_goes_to_the_inbox_and_teaches(pages: Pages) -> None:
    number = pages.hold(message(), content())
    marie = pages.visitor(MARIE)
    where = act(marie, number, "deliver")
    assert state(pages, number) is HeldState.RELEASED
    (copy,) = pages.postbox.got
    assert (copy.sender, copy.recipients) == (SENDER, [MARIE])
    assert labels(pages) == [("ham", "web", MARIE)]
    assert "Delivered." in marie.get(where).text
    assert "Forgotten." in undo(marie, where)
    assert labels(pages)[1:] == [("forget", "web", MARIE)]
    assert "already been done" in marie.get(act(marie, number, "deliver")).text
    assert "no longer here" in marie.get(act(marie, number, "delete")).text


def test_always_allow_lists_the_sender_for_this_mailbox_and_can_be_undone(pages: Pages) -> None:
    number = pages.hold(message(), content())
    marie = pages.visitor(MARIE)
    where = act(marie, number, "allow")
    (entry,) = pages.store.lists.find()
    assert (entry.scope, entry.colour, entry.pattern, entry.origin, entry.author) == (
        MARIE,
        Colour.WHITE,
        SENDER,
        "web",
        MARIE,
    )
    assert state(pages, number) is HeldState.RELEASED
    assert f"mail from {SENDER} will always reach you" in marie.get(where).text
    assert "filtered as before" in undo(marie, where)
    assert pages.store.lists.find() == ()
    assert [label for label, _, _ in labels(pages)] == ["ham", "forget"]


@pytest.mark.parametrize(
    ("verb", "taught", "listed"), [("delete", [], 0), ("spam", ["spam"], 0), ("block", ["spam"], 1)]
)
def test_what_deletes_can_be_undone(pages: Pages, verb: str, taught: list[str], listed: int) -> None:
    number = pages.hold(message(), content())
    marie = pages.visitor(MARIE)
    where = act(marie, number, verb)
    assert state(pages, number) is HeldState.DELETED
    assert [label for label, _, _ in labels(pages)] == taught
    assert [entry.colour for entry in pages.store.lists.find()] == [Colour.BLACK] * listed
    assert "The message is back" in undo(marie, where)
    assert state(pages, number) is HeldState.HELD
    assert pages.store.lists.find() == ()
    assert [label for label, _, _ in labels(pages)] == taught + ["forget"] * len(taught)
    assert shown(marie) == ["Votre devis"]


def test_an_entry_of_somebody_else_is_not_undone(pages: Pages) -> None:
    """The administrator had it there before: taking it away is not this click's to do."""
    first, second = (pages.hold(message(n), content(f"No. {n}")) for n in range(2))
    marie = pages.visitor(MARIE)
    act(marie, first, "allow")
    undo(marie, act(marie, second, "allow"))
    assert len(pages.store.lists.find()) == 1


def test_a_sender_in_our_own_name_is_not_listed(pages: Pages) -> None:
    """From says a colleague, MAIL FROM somebody else: "always" can only mean the latter."""
    number = pages.hold(message(header_from=f"Jean <{JEAN}>"), content())
    none = pages.hold(message(2, header_from=f"Jean <{JEAN}>", sender=""), content("2"))
    marie = pages.visitor(MARIE)
    assert f"mail from {SENDER}." in marie.get(f"/mail/{number}").text
    assert 'value="allow"' not in marie.get(f"/mail/{none}").text
    act(marie, number, "block")
    assert [entry.pattern for entry in pages.store.lists.find()] == [SENDER]


def test_postfix_down_means_held_as_before(tmp_path: Path) -> None:
    with Pages(tmp_path) as pages, Listener(replies={"MAIL": b"451 later"}) as refusing:
        pages.hold(message(), content())
        number = pages.store.quarantine.list(MARIE)[0].id
        pages.settings.desk.__dict__["reinject"] = refusing.address
        marie = pages.visitor(MARIE)
        answer = marie.submit("/mail", f"/mail/{number}", verb="deliver")
        assert (answer.status, "The mail server can&#39;t accept the message now" in answer.text) == (
            503,
            True,
        )
        # The code as a word: the page's token for its forms may hold these three digits by chance.
        assert re.search(r"\b451\b", answer.text) is None
        assert state(pages, number) is HeldState.HELD


def test_one_message_with_its_reasons(pages: Pages) -> None:
    number = pages.hold(
        message(), content(html="<p>Bonjour <b>Marie</b></p>", files={"devis\u202efdp.exe": b"MZ" * 100})
    )
    page = pages.visitor(MARIE).get(f"/mail/{number}").text
    assert "The server it came from has no name (PTR)." in page
    assert "192.0.2.7 has no PTR record" in page
    assert "Bonjour Marie" in page  # as a mail program opens it, which prefers HTML (RFC 2046 5.1.4)
    assert "devisfdp.exe" in page  # without what would turn it into devisexe.pdf
    assert f'src="/mail/{number}/formatted"' in page
    french = pages.visitor(MARIE, **{"Accept-Language": "fr"}).get(f"/mail/{number}").text
    assert "Le serveur d\u2019où il vient n\u2019a pas de nom (PTR)." in french


def test_strangers_messages_are_refused_like_missing_ones(pages: Pages) -> None:
    number = pages.hold(message(recipient="paul@example.com"), content())
    marie = pages.visitor(MARIE)
    pages.hold(message(2), content())
    proof = marie.get("/mail").field("csrf")
    missing = marie.get("/mail/01M8AJYGJ4XMYYWDKT89XS3ZSA")
    assert missing.status == 404
    for path in (
        f"/mail/{number}",
        f"/mail/{number}/formatted",
        "/mail/x",
        "/mail/%00",
        f"/mail/{number.lower()}",
    ):
        answer = marie.get(path)
        assert (answer.status, answer.body) == (404, missing.body), path
    answer = marie.post(f"/mail/{number}", {"csrf": proof, "verb": "deliver"})
    assert answer.status == 404
    assert state(pages, number) is HeldState.HELD
    for box in ("paul@example.com", "example.com", PLATFORM):
        assert marie.get(f"/mail?box={box}").status == 404


def test_administrators_see_their_domain_without_locked_mailboxes(pages: Pages) -> None:
    open_one = pages.hold(message(1, subject="open"), content())
    locked = pages.hold(message(2, recipient=JEAN, subject="locked"), content())
    other = pages.hold(message(3, recipient="a@example.org", subject="other domain"), content())
    admin = pages.visitor(ADMIN)
    assert shown(admin) == []
    assert shown(admin, "/mail?box=example.com") == ["open"]
    assert shown(admin, f"/mail?box={MARIE}") == ["open"]
    assert "looked at it" in admin.get(f"/mail/{open_one}").text
    for box in (JEAN, "example.org", "a@example.org", "jean%2Btag@example.com"):
        assert admin.get(f"/mail?box={box}").status == 404, box
    for number in (locked, other):
        assert admin.get(f"/mail/{number}").status == 404
    assert shown(pages.visitor(JEAN)) == ["locked"]  # the own mailbox is open to oneself
    assert [d.who for d in pages.store.trail.about(open_one)] == [ADMIN]  # and Marie can read it:
    assert ADMIN in pages.visitor(MARIE).get(f"/mail/{open_one}").text


def test_looking_at_the_formatting_alone_is_noted_too(pages: Pages) -> None:
    number = pages.hold(message(), content(html="<p>secret</p>"))
    assert "secret" in pages.visitor(ADMIN).get(f"/mail/{number}/formatted").text
    assert [(d.who, d.action) for d in pages.store.trail.about(number)] == [(ADMIN, "preview")]


def test_a_domain_of_locked_mailboxes_is_searched_to_its_end(pages: Pages) -> None:
    pages.hold(message(0, subject="the oldest"), content())
    for n in range(1, 130):
        pages.hold(message(n, recipient=JEAN, subject=f"locked {n}"), content())
    assert shown(pages.visitor(ADMIN), "/mail?box=example.com") == ["the oldest"]


def test_the_digest_links_ask_before_they_act(pages: Pages) -> None:
    number = pages.hold(message(), content())
    token = pages.token(Purpose.ACTION, number)
    assert len(token) == SHORT
    reader = pages.visitor()
    page = reader.get(f"/a/{token}?do=delete")
    assert page.status == 200
    assert re.search(r'value="delete"\s+checked', page.text)
    assert re.search(r'value="deliver"\s+checked', reader.get(f"/a/{token}").text)
    assert "Voici le devis" in page.text  # who may have it delivered may read it as well
    assert pages.store.trail.about(number) == (), "opening it is noted nowhere: programs do so, too"
    assert state(pages, number) is HeldState.HELD
    done = reader.post(f"/a/{token}", verb="delete")
    assert "Deleted." in done.text
    assert state(pages, number) is HeldState.DELETED
    assert "no longer held: it was deleted." in reader.get(f"/a/{token}").text
    assert "The message is back." in reader.post("/undo", deed=done.field("deed")).text
    assert state(pages, number) is HeldState.HELD
    assert reader.post(f"/a/{token}", verb="nonsense").status == 400
    assert "Delivered." in reader.post(f"/a/{token}", verb="deliver").text
    assert len(pages.postbox.got) == 1


def test_links_of_older_versions_are_good_until_they_end(pages: Pages) -> None:
    number = pages.hold(message(), content())
    old = pages.token(Purpose.ACTION, MARIE, number, "allow")
    assert len(old) > SHORT
    assert re.search(r'value="allow"\s+checked', pages.visitor().get(f"/a/{old}").text)
    anothers = pages.visitor().get(f"/a/{pages.token(Purpose.ACTION, JEAN, number, 'allow')}")
    nothing = pages.visitor().get(f"/a/{pages.token(Purpose.ACTION, 'no-message')}")
    assert (anothers.status, 'value="allow"' in anothers.text) == (nothing.status, False)
    assert "Deleted." in pages.visitor().post(f"/a/{old}", verb="delete").text


def test_a_link_to_what_is_gone_lists_nobody(pages: Pages) -> None:
    number = pages.hold(message(), content())
    link = f"/a/{pages.token(Purpose.ACTION, number)}?do=allow"
    pages.store.quarantine.delete(number, MARIE)
    assert "no longer here" in pages.visitor().post(link, verb="allow").text
    assert pages.store.lists.find() == ()


def test_own_lists(pages: Pages) -> None:
    marie, jean = pages.visitor(MARIE), pages.visitor(JEAN)
    for pattern, colour in (("Friend@Example.NET", "white"), ("*.offers.example.net", "black")):
        answer = marie.submit("/lists", sender=pattern, colour=colour)
        assert answer.status == 303
    page = marie.get(answer.location).text
    assert "Mail from *.offers.example.net will always be held." in page
    assert "friend@example.net" in page
    for wrong in ("", "*", "a b", "x@y@z", "<script>"):
        assert marie.submit("/lists", sender=wrong, colour="white").status == 422
    assert marie.submit("/lists", sender="a.example", colour="green").status == 422
    entries = pages.store.lists.find(scope=MARIE)
    assert [(e.pattern, e.colour) for e in entries] == [
        ("friend@example.net", Colour.WHITE),
        ("*.offers.example.net", Colour.BLACK),
    ]
    assert jean.submit("/lists", remove=str(entries[0].id)).status == 404
    assert marie.submit("/lists", remove="99999").status == 404
    removed = marie.submit("/lists", remove=str(entries[0].id))
    notice = marie.get(removed.location)
    assert "filtered as before" in notice.text
    marie.post(
        "/lists", csrf=notice.field("csrf"), sender=notice.field("sender"), colour=notice.field("colour")
    )
    assert len(pages.store.lists.find(scope=MARIE)) == 2


def test_an_entry_takes_the_place_of_its_contrary_and_the_page_says_so(pages: Pages) -> None:
    marie = pages.visitor(MARIE)
    marie.submit("/lists", sender="a@example.net", colour="black")
    answer = marie.submit("/lists", sender="A@example.net", colour="white")
    assert "no longer among those you always block" in marie.get(answer.location).text
    (entry,) = pages.store.lists.find()
    assert (entry.pattern, entry.colour) == ("a@example.net", Colour.WHITE)


@pytest.mark.parametrize(
    ("white", "black", "says"),
    [
        ("a@example.net", "example.net", "will be held, except for what you always allow: a@example.net"),
        ("example.net", "a@example.net", "still reaches you, because you always allow example.net"),
        ("*@example.net", "a@example.net", "still reaches you, because you always allow *@example.net"),
        ("b@example.net", "a@example.net", "a@example.net will always be held"),
        ("*.example.net", "shop.example.net", "still reaches you"),
    ],
)
def test_the_page_promises_what_will_happen(pages: Pages, white: str, black: str, says: str) -> None:
    """Within one mailbox's lists, white goes before black."""
    marie = pages.visitor(MARIE)
    marie.submit("/lists", sender=white, colour="white")
    answer = marie.submit("/lists", sender=black, colour="black")
    assert says in marie.get(answer.location).text


def test_blocking_one_who_is_allowed_by_another_entry_says_so(pages: Pages) -> None:
    number = pages.hold(message(), content())
    marie = pages.visitor(MARIE)
    domain = SENDER.rpartition("@")[2]
    marie.submit("/lists", sender=domain, colour="white")
    page = marie.get(act(marie, number, "block")).text
    assert f"still gets through: {domain} is on a list of allowed senders" in page
    assert "will always be held" not in page


def test_what_allowing_replaced_is_back_when_it_is_undone(pages: Pages) -> None:
    number = pages.hold(message(), content())
    marie = pages.visitor(MARIE)
    marie.submit("/lists", sender=SENDER, colour="black")
    where = act(marie, number, "allow")
    assert [one.colour for one in pages.store.lists.find()] == [Colour.WHITE]
    undo(marie, where)
    assert [one.colour for one in pages.store.lists.find()] == [Colour.BLACK]


@pytest.mark.parametrize("broad", ["gmail.com", "co.uk", "*.com", "info@*", "example.com"])
def test_broad_entries_take_a_second_step(pages: Pages, broad: str) -> None:
    marie = pages.visitor(MARIE)
    asked = marie.submit("/lists", sender=broad, colour="white")
    assert asked.status == 422
    assert "Nothing was changed yet" in asked.text
    assert pages.store.lists.find() == ()
    assert marie.submit("/lists", sender=broad, colour="white", sure="other").status == 422
    assert marie.submit("/lists", sender=broad, colour="white", sure=broad).status == 303
    assert [one.pattern for one in pages.store.lists.find()] == [broad]


def test_nobody_else_puts_words_on_the_page_of_lists(pages: Pages) -> None:
    marie = pages.visitor(MARIE)
    marie.submit("/lists", sender="friend@example.net", colour="white")
    forged = "/lists?said=removed-white&about=rogue%40example.net"  # its "Undo" would allow the rogue
    jeans = pages.visitor(JEAN).submit("/lists", sender="rogue@example.net", colour="white").location
    for path in (forged, forged + "&seal=%C3%A9", jeans):
        assert "rogue@example.net" not in marie.get(path).text
    assert marie.submit("/lists", remove="9" * 5000).status == 404


def test_changes_are_limited(pages: Pages) -> None:
    marie = pages.visitor(MARIE)
    csrf = marie.get("/lists").field("csrf")
    answers = {marie.post("/lists", csrf=csrf, remove="1").status for _ in range(CHANGES.most)}
    assert answers == {404}
    assert marie.post("/lists", csrf=csrf, sender="a@example.net", colour="white").status == 429
    assert marie.post("/settings", csrf=csrf, language="fr").status == 429


def test_own_settings_as_far_as_policy_allows(pages: Pages) -> None:
    marie = pages.visitor(MARIE)
    page = marie.get("/settings").text
    assert ('name="digest"' in page, 'name="outcome"' in page, 'name="required"' in page) == (
        True,
        False,
        False,
    )
    form = {
        "digest": ["17:00", "", "08:30"],
        "language": "fr",
        "time_zone": "Europe/Paris",
        "outcome": "inbox",
    }
    assert marie.send("/settings", form).location == "/settings?saved=yes"
    terms = pages.site().book.policy(MARIE).terms
    assert (terms.digest, terms.language, terms.time_zone, terms.outcome) == (
        ("08:30", "17:00"),
        "fr",
        "Europe/Paris",
        "quarantine",  # not theirs to set
    )
    saved = marie.get("/settings?saved=yes").text
    assert "Enregistré" in saved  # the language that was chosen just now
    assert 'value="08:30"' in saved
    for wrong in ({"digest": "25:00"}, {"language": "xx"}, {"time_zone": "Mars/Olympus"}):
        assert marie.send("/settings", {**form, **wrong}).status == 422
    assert pages.site().book.policy(MARIE).terms == terms


def test_everything_can_be_left_to_recipients(tmp_path: Path) -> None:
    policy = {"self_service": ["outcome", "required"]}
    with Pages(tmp_path, {"policy": policy}) as pages:
        marie = pages.visitor(MARIE)
        assert marie.submit("/settings", outcome="junk", required="10.0").status == 303
        terms = pages.site().book.policy(MARIE).terms
        assert (terms.outcome, terms.required, terms.digest) == ("junk", 10.0, ())
        assert marie.submit("/settings", outcome="junk", required="nan").status == 422
        assert marie.submit("/settings", outcome="away", required="5.0").status == 422


def test_signing_in_by_link(pages: Pages) -> None:
    guest = pages.visitor()
    assert guest.get("/mail").location == "/sign-in"
    there = guest.submit("/sign-in", address=" Marie@Example.COM ", how="link")
    assert there.status == 200
    assert "If marie@example.com is a mailbox here" in there.text
    pages.wait_for_mail(1)
    mail = pages.postbox.got[0]
    assert (mail.sender, mail.recipients) == ("", [MARIE])
    assert b"Auto-Submitted: auto-generated" in mail.content
    link = pages.mailed_link()
    for _ in range(50):
        assert guest.get(link).status == 200
        assert guest.get(link, method="HEAD").status == 200
    assert guest.get("/mail").location == "/sign-in"
    assert guest.submit(link).location == "/mail"
    assert guest.get("/mail").status == 200
    other = pages.visitor()
    again = other.submit(link)
    assert (again.status, other.get("/mail").location) == (404, "/sign-in")
    last = link[-1]
    variants = [
        link[:-1] + c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" if c != last
    ]
    proof = other.get("/sign-in").field("csrf")
    assert {other.post(v, csrf=proof).status for v in variants} <= {404, 429}  # base64 has spare bits
    elsewhere = pages.visitor(MARIE)
    guest.submit("/mail", "/sign-out")
    assert (guest.get("/mail").location, elsewhere.get("/mail").status) == ("/sign-in", 200)
    pages.visitor(MARIE).submit("/settings", "/sign-out", everywhere="yes")
    assert elsewhere.get("/mail").location == "/sign-in"


@pytest.mark.parametrize(
    "address",
    [
        "victim%example.net@example.com",
        "example.net!victim@example.com",
        "<victim@example.net>,marie@example.com",
        "marie>,<victim@example.net@example.com",
        '"victim@example.net"@example.com',
        "victim@example.net@example.com",
        "victim@example.net",
    ],
)
def test_no_sign_in_mail_leaves_the_platform(pages: Pages, address: str) -> None:
    """Postfix trusts what comes from us: it would follow a route in an address to any host."""
    assert pages.visitor().submit("/sign-in", address=address, how="link").status == 422


def test_the_answer_is_the_same_whether_the_mailbox_exists(tmp_path: Path) -> None:
    with Pages(tmp_path) as pages, Listener(replies={"RCPT": b"550 no such user"}) as refusing:
        told = [pages.visitor().submit("/sign-in", address=MARIE, how="link") for _ in range(1)]
        pages.wait_for_mail(1)
        pages.settings.desk.__dict__["reinject"] = refusing.address
        told.append(pages.visitor().submit("/sign-in", address="nobody@example.com", how="link"))
        first, second = told
        assert first.status == second.status == 200
        assert first.text.replace(MARIE, "X") == second.text.replace("nobody@example.com", "X")
        elsewhere = pages.visitor().submit("/sign-in", address="x@elsewhere.example", how="link")
        assert elsewhere.status == 422


def test_no_link_goes_to_a_forward(tmp_path: Path) -> None:
    """Who is outside has no right to act here, also where the address is one of ours."""
    policy = {"mailboxes": {"club@example.com": {"forward": True}}}
    with Pages(tmp_path, {"policy": policy}) as pages:
        pages.hold(message(1, recipient="club@example.com"), content())
        for address in ("club@example.com", "Club+x@example.com", MARIE):
            assert pages.visitor().submit("/sign-in", address=address, how="link").status == 200
        pages.wait_for_mail(1)
        all_mails_leave(pages)
        assert [mail.recipients for mail in pages.postbox.got] == [[MARIE]]


def test_signing_in_leads_to_the_page_that_was_asked_for(pages: Pages) -> None:
    """As from a digest: "read it first", signing in, and the message is there."""
    number = pages.hold(message(1), content())
    guest = pages.visitor()
    asked = guest.get(f"/mail/{number}")
    assert asked.location == f"/sign-in?to=%2Fmail%2F{number}"
    guest.submit(asked.location, address=MARIE, how="link")
    pages.wait_for_mail(1)
    link = pages.mailed_link()
    assert link.endswith(f"?to=/mail/{number}")
    assert guest.submit(link).location == f"/mail/{number}"


@pytest.mark.parametrize(
    "to",
    ["//evil.example", "https://evil.example", "/mail/../x", "/sign-out", "/mail/x", "/lists\n", "\\evil"],
)
def test_signing_in_leads_nowhere_else(pages: Pages, to: str) -> None:
    there = "/sign-in?" + urlencode({"to": to})
    guest = pages.visitor()
    assert 'action="/sign-in"' in guest.get(there).text
    token = pages.token(Purpose.SIGN_IN, MARIE, f"once {to}")
    assert guest.submit(f"/sign-in/{token}?" + urlencode({"to": to})).location == "/mail"


def test_a_link_that_is_over_offers_a_new_one(pages: Pages) -> None:
    for path in ("/sign-in/x", "/a/x"):
        assert "Get a new link" in pages.visitor().get(path).text
    assert "Get a new link" not in pages.visitor().get("/c/x").text, "senders have no mailbox here"


def flood(pages: Pages, addresses: Iterator[str], networks: Iterable[str], each: int) -> list[int]:
    """So many sign-in requests from each network; how they were answered."""
    statuses = []
    for network in networks:
        robot = pages.visitor(**{"X-Forwarded-For": network})
        proof = robot.get("/sign-in").field("csrf")
        for _ in range(each):
            asked = robot.post("/sign-in", csrf=proof, address=next(addresses), how="link")
            statuses.append(asked.status)
    return statuses


def all_mails_leave(pages: Pages) -> None:
    """Wait until those have left that were answered; each begins after its answer, so another one is asked for."""
    assert pages.visitor().get("/sign-in").status == 200
    wait_until(lambda: not pages.house.under_way, timeout=60, what="the mails")


def mails_to(pages: Pages, address: str) -> int:
    """How many have left."""
    return sum(mail.recipients == [address] for mail in pages.postbox.got)


def ask_for_a_link(pages: Pages, address: str, network: str) -> None:
    visitor = pages.visitor(**{"X-Forwarded-For": network})
    assert visitor.submit("/sign-in", address=address, how="link").status == 200


def signs_in(pages: Pages, address: str, network: str) -> bool:
    """Somebody who asks for a link gets one."""
    before = mails_to(pages, address)
    ask_for_a_link(pages, address, network)
    wait_until(lambda: mails_to(pages, address) > before, timeout=60, what="the link")
    return True


def gets_no_link(pages: Pages, address: str, network: str) -> bool:
    """Whether all mails have left and none is the one that was asked for."""
    before = mails_to(pages, address)
    ask_for_a_link(pages, address, network)
    all_mails_leave(pages)
    return mails_to(pages, address) == before


def test_a_flood_for_addresses_that_are_not_there_keeps_nobody_out(pages: Pages) -> None:
    """1,040 requests from 52 networks: as many as the whole hour had mails."""
    pages.hold(message(1), content())
    pages.hold(message(2, recipient="paul@example.org"), content())
    made_up = (f"u{number}@example.{('com', 'org')[number % 2]}" for number in itertools.count())
    networks = [f"198.51.{number}.7" for number in range(52)]
    assert flood(pages, made_up, networks, 20) == [200] * 1040
    assert signs_in(pages, MARIE, "203.0.113.7")
    assert signs_in(pages, "paul@example.org", "203.0.113.7")
    all_mails_leave(pages)
    sent = Counter(mail.recipients[0].partition("@")[2] for mail in pages.postbox.got)
    most = MAILS_TO_UNKNOWN.most + 1
    assert sent == {"example.com": most, "example.org": most}, "each domain has its own"


def test_a_flood_for_real_mailboxes_keeps_no_other_one_out(
    pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit, most in (("MAILS_OF_DOMAIN", 3), ("MAILS_IN_ALL", 5)):
        smaller = replace(getattr(signing_in, limit), most=most)
        monkeypatch.setattr(signing_in, limit, smaller)
    boxes = [f"box{number}@example.com" for number in range(12)]
    for number, box in enumerate([*boxes, MARIE, "paul@example.org"]):
        pages.hold(message(number, recipient=box), content(f"{number}"))
    flood(pages, itertools.cycle(boxes), [f"198.51.{number}.7" for number in range(3)], 12)
    all_mails_leave(pages)
    assert len(pages.postbox.got) == 12 + 3 + 5, "the first of each, and what the domain and all have beyond"
    assert signs_in(pages, MARIE, "203.0.113.7")
    assert gets_no_link(pages, MARIE, "203.0.113.7")
    assert signs_in(pages, "paul@example.org", "203.0.113.7")
    assert signs_in(pages, "paul@example.org", "203.0.113.7"), "its domain has mails left"


def test_addresses_that_the_mail_server_refuses_use_up_nothing(pages: Pages) -> None:
    with Listener(replies={"RCPT": b"550 no such user"}) as refusing:
        taking, pages.settings.desk.__dict__["reinject"] = pages.settings.desk.reinject, refusing.address
        made_up = (f"u{number}@example.com" for number in itertools.count())
        flood(pages, made_up, [f"198.51.{number}.7" for number in range(4)], 20)
        all_mails_leave(pages)
        pages.settings.desk.__dict__["reinject"] = taking
    assert signs_in(pages, "new@example.com", "203.0.113.7")


def test_a_slow_mail_server_does_not_tell_which_mailboxes_exist(pages: Pages) -> None:
    """The next request on a connection is answered while the mail to a mailbox that exists is still under way."""
    pages.hold(message(1), content())
    silent = socket.create_server(("127.0.0.1", 0))
    pages.settings.desk.__dict__["reinject"] = f"127.0.0.1:{silent.getsockname()[1]}"
    guest = pages.visitor()
    proof = guest.get("/sign-in").field("csrf")
    form = urlencode({"csrf": proof, "address": MARIE, "how": "link"})
    cookies = "; ".join(f"{name}={value}" for name, value in guest.cookies.items())
    connection = HTTPConnection("127.0.0.1", pages.port, timeout=60)
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": cookies}
    with closing(connection), silent:
        for _ in range(2):
            connection.request("POST", "/sign-in", form, headers)
            assert connection.getresponse().read()
        connection.request("GET", "/sign-in")
        assert connection.getresponse().read()
        assert pages.house.under_way, "and the mails are still waiting for the server"


def test_sign_in_mails_are_limited(pages: Pages) -> None:
    for _ in range(6):
        assert pages.visitor().submit("/sign-in", address=MARIE, how="link").status == 200
    for n in range(14):
        assert pages.visitor().submit("/sign-in", address=f"u{n}@example.com", how="link").status == 200
    assert pages.visitor().submit("/sign-in", address="last@example.com", how="link").status == 429
    pages.wait_for_mail(3 + 14)
    assert sum(mail.recipients == [MARIE] for mail in pages.postbox.got) == 3


def test_a_session_ends(pages: Pages) -> None:
    secret = pages.store.sessions.begin(MARIE, timedelta(seconds=-1), how="test")
    visitor = pages.visitor()
    visitor.cookies["tamis_session"] = secret
    assert visitor.get("/mail").location == "/sign-in"


def test_language_by_choice_browser_and_policy(tmp_path: Path) -> None:
    policy = {"domains": {"example.com": {"language": "fr"}}}
    with Pages(tmp_path, {"policy": policy}) as pages:
        assert '<html lang="fr">' in pages.visitor(MARIE).get("/mail").text
        english = pages.visitor(MARIE, **{"Accept-Language": "en-US,en;q=0.9"})
        assert '<html lang="en">' in english.get("/mail").text
        assert '<html lang="fr">' in english.get("/mail?lang=fr").text
        assert '<html lang="fr">' in english.get("/mail").text  # remembered
        assert english.get("/mail?lang=xx").status == 200
