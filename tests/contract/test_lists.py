"""White and black lists (L1-L2): what an entry can be, what meets it, and which one counts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.base.errors import ConfigError
from tamis.contract.filter import Message
from tamis.contract.finding import Finding, Status
from tamis.contract.list_index import ListIndex
from tamis.contract.lists import (
    ListEntry,
    Match,
    MatchedField,
    Subject,
    nearest,
    normalise_pattern,
    of_scopes,
)
from tamis.judging.verdict import Verdict
from tamis.message.address import PLATFORM, scopes_of
from tamis.message.mail import Mail
from tests.builders import FILTERS, MARIE, NOW, PAUL, PROPERTY, book, entry, envelope, message, verdict_of

HEADER = "From: {}\r\nSubject: x\r\n\r\nx\r\n"


@pytest.mark.parametrize(
    ("subject", "pattern", "normal"),
    [
        (Subject.IP, " 192.0.2.7 ", "192.0.2.7"),
        (Subject.IP, "192.0.2.7/32", "192.0.2.7"),
        (Subject.IP, "192.0.2.0/24", "192.0.2.0/24"),
        (Subject.IP, "2001:DB8:0::1", "2001:db8::1"),
        (Subject.IP, "2001:db8::/32", "2001:db8::/32"),
        (Subject.IP, "::ffff:192.0.2.7", "192.0.2.7"),
        (Subject.IP, "::ffff:192.0.2.0/120", "192.0.2.0/24"),
        (Subject.SENDER, "Stranger@Example.NET", "stranger@example.net"),
        (Subject.SENDER, "@Example.net", "example.net"),
        (Subject.SENDER, "Example.net.", "example.net"),
        (Subject.SENDER, "*.Example.net", "*.example.net"),
        (Subject.SENDER, "news-*@example.net", "news-*@example.net"),
        (Subject.SENDER, "marie@Bücher.example", "marie@xn--bcher-kva.example"),
    ],
)
def test_one_spelling(subject: Subject, pattern: str, normal: str) -> None:
    assert normalise_pattern(subject, pattern) == normal
    assert normalise_pattern(subject, normal) == normal


@pytest.mark.parametrize(
    ("subject", "pattern"),
    [
        (Subject.IP, ""),
        (Subject.IP, "192.0.2.7/24"),
        (Subject.IP, "192.0.2"),
        (Subject.IP, "example.net"),
        *(
            (Subject.SENDER, bad)
            for bad in ("", "@", "*", "?*", "*@*", "*.*", "a b@example.net", "a@b@example.net")
        ),
        *(
            (Subject.SENDER, bad)
            for bad in ("<a@example.net>", "a@[192.0.2.1]", '"a"@example.net', "a,b", "x" * 321)
        ),
    ],
)
def test_no_pattern(subject: Subject, pattern: str) -> None:
    with pytest.raises(ConfigError):
        normalise_pattern(subject, pattern)


@pytest.mark.parametrize(
    ("pattern", "ip", "met"),
    [
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "192.0.2.8", False),
        ("192.0.2.7", "::ffff:192.0.2.7", True),
        ("::ffff:192.0.2.7", "192.0.2.7", True),
        ("192.0.2.0/24", "192.0.2.255", True),
        ("192.0.2.0/24", "192.0.3.0", False),
        ("0.0.0.0/0", "203.0.113.9", True),
        ("0.0.0.0/0", "2001:db8::1", False),
        ("2001:db8::/32", "2001:db8:ffff::1", True),
        ("2001:db8::/32", "IPv6:2001:db8::1", True),
        ("2001:db8::/32", "2001:db9::1", False),
        ("::/0", "192.0.2.7", False),
        ("192.0.2.7", "", False),
        ("192.0.2.7", "unknown", False),
    ],
)
def test_clients(pattern: str, ip: str, met: bool) -> None:
    found = _matches([entry(pattern, subject="ip")], ip=ip, sender="", header="")
    assert [m.field for m in found] == [MatchedField.CLIENT] * met


@pytest.mark.parametrize(
    ("pattern", "sender", "met"),
    [
        ("stranger@example.net", "Stranger@EXAMPLE.net", True),
        ("stranger@example.net", "stranger@sub.example.net", False),
        ("stranger@example.net", "stranger+x@example.net", False),
        ("example.net", "anybody@example.net", True),
        ("example.net", "anybody@sub.example.net", False),
        ("example.net", "anybody@notexample.net", False),
        ("*.example.net", "anybody@sub.example.net", True),
        ("*.example.net", "anybody@deep.sub.example.net", True),
        ("*.example.net", "anybody@example.net", False),
        ("*.example.net", "anybody@notexample.net", False),
        ("news-*@example.net", "News-42@example.net", True),
        ("news-*@example.net", "news@example.net", False),
        ("news-*@example.net", "news-1@example.net.example.org", False),
        ("news-?@example.net", "news-1@example.net", True),
        ("news-?@example.net", "news-12@example.net", False),
        ("*@example.*", "anybody@example.org", True),
        ("mail*.example.net", "anybody@mail7.example.net", True),
        (
            "mail*.example.net",
            "mail7.example.net@example.org",
            False,
        ),  # a domain pattern sees the domain only
        ("xn--bcher-kva.example", "a@bücher.example", True),
        ("root", "root", True),
        ("example.net", "", False),
    ],
)
@pytest.mark.parametrize("place", [MatchedField.ENVELOPE, MatchedField.HEADER])
def test_senders(pattern: str, sender: str, met: bool, place: MatchedField) -> None:
    told = (
        {"sender": sender, "header": ""}
        if place is MatchedField.ENVELOPE
        else {"sender": "", "header": sender}
    )
    found = _matches([entry(pattern, subject="sender")], ip="", **told)
    if place is MatchedField.HEADER and "@" not in sender:
        assert not found  # no address, no author
    else:
        assert [m.field for m in found] == [place] * met


def test_every_author_is_looked_up_but_no_thousands() -> None:
    authors = [f"a@o{n}.example" for n in range(30)]
    entries = [entry(f"o{n}.example", number=n) for n in range(30)]
    assert len(_matches(entries, ip="", sender="", header=", ".join(authors[:10]))) == 10
    assert len(_matches(entries, ip="", sender="", header=", ".join(authors))) == 10


def test_an_entry_is_met_once_however_many_authors_meet_it() -> None:
    authors = [f"a{n}@example.net" for n in range(5)]
    assert len(_matches([entry("example.net")], ip="", sender="", header=", ".join(authors))) == 1


@pytest.mark.parametrize(("days", "met"), [(1, True), (0, False), (-1, False)])
def test_an_expired_entry_counts_no_more(days: int, met: bool) -> None:
    mortal = entry("example.net", expires=NOW + timedelta(days=days))
    assert bool(_matches([mortal])) is met


def test_only_entries_of_the_recipients_scopes_are_met() -> None:
    entries = [
        entry("example.net", scope=scope, number=n)
        for n, scope in enumerate((PLATFORM, "example.com", MARIE, "example.org", "paul@example.com"))
    ]
    assert {m.entry for m in _matches(entries)} == {0, 1, 2}


def test_a_match_survives_as_a_fact() -> None:
    (match,) = _matches([entry("example.net", "black", scope="example.com", number=7)])
    assert Match.from_fact(match.to_fact()) == match


def _matches(
    entries: list[ListEntry], *, ip: str = "192.0.2.7", sender: str = "stranger@example.net", header: str = ""
) -> tuple[Match, ...]:
    told = envelope(client_ip=ip, sender=sender)
    mail = Mail(HEADER.format(header).encode())
    return ListIndex(entries).matches(told, mail, frozenset(scopes_of(MARIE)))


WHITE, BLACK = "white", "black"


@pytest.mark.parametrize(
    ("entries", "decided_by"),
    [
        ([], ""),
        ([(WHITE, PLATFORM, "192.0.2.7")], "ip_whitelist"),
        ([(BLACK, PLATFORM, "192.0.2.7")], "ip_blacklist"),
        ([(BLACK, PLATFORM, "192.0.2.7"), (WHITE, PLATFORM, "192.0.2.0/24")], "ip_whitelist"),
        ([(BLACK, PLATFORM, "192.0.2.7"), (WHITE, PLATFORM, "example.net")], "sender_whitelist"),
        ([(BLACK, "example.com", "192.0.2.7"), (WHITE, PLATFORM, "192.0.2.7")], "ip_blacklist"),
        ([(BLACK, "example.com", "example.net"), (WHITE, PLATFORM, "192.0.2.7")], "sender_blacklist"),
        ([(BLACK, "example.com", "192.0.2.7"), (WHITE, MARIE, "example.net")], "sender_whitelist"),
        ([(BLACK, MARIE, "example.net"), (WHITE, "example.com", "example.net")], "sender_blacklist"),
        ([(BLACK, MARIE, "example.net"), (WHITE, MARIE, "stranger@example.net")], "sender_whitelist"),
        ([(WHITE, PLATFORM, "author@example.org")], "sender_whitelist"),  # the header From
        ([(BLACK, PLATFORM, "author@example.org")], "sender_blacklist"),
        ([(BLACK, PLATFORM, "192.0.2.7"), (WHITE, PLATFORM, "author@example.org")], "sender_whitelist"),
        ([(WHITE, "example.org", "192.0.2.7")], ""),
    ],
)
def test_nearest_scope_then_white_before_black(entries: list[tuple[str, str, str]], decided_by: str) -> None:
    assert _decided_by(entries, "") == decided_by


@pytest.mark.parametrize(
    ("entries", "decided_by"),
    [
        ([(WHITE, PLATFORM, "author@example.org")], ""),
        ([(BLACK, PLATFORM, "author@example.org")], "sender_blacklist"),
        # a From that anybody can write must not switch the blacklists off
        (
            [(WHITE, MARIE, "author@example.org"), (BLACK, PLATFORM, "stranger@example.net")],
            "sender_blacklist",
        ),
        ([(WHITE, MARIE, "author@example.org"), (BLACK, PLATFORM, "192.0.2.7")], "ip_blacklist"),
        ([(WHITE, MARIE, "stranger@example.net"), (BLACK, PLATFORM, "192.0.2.7")], "sender_whitelist"),
    ],
)
def test_the_header_from_can_be_left_out_of_the_whitelist(
    entries: list[tuple[str, str, str]], decided_by: str
) -> None:
    assert _decided_by(entries, "[filters.sender_whitelist]\nheader_from = false") == decided_by


def _decided_by(entries: list[tuple[str, str, str]], policy: str) -> str:
    listed = [
        entry(pattern, colour, scope=scope, number=n) for n, (colour, scope, pattern) in enumerate(entries)
    ]
    told = message(HEADER.format("author@example.org").encode(), lists=listed)
    return _verdict(told, policy).decided_by


def _verdict(told: Message, policy: str = "") -> Verdict:
    return verdict_of(
        book(policy).policy(MARIE),
        *(found for one in FILTERS if isinstance(found := one.examine(told), Finding)),
    )


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        ("192.0.2.7", "Whitelisted Peer IP (192.0.2.7)"),
        ("stranger@example.net", "Whitelisted EMail Address (stranger@example.net)"),
        ("author@example.org", "Whitelisted EMail Address From (NRP) (author@example.org)"),
    ],
)
def test_the_reason_names_the_field_and_the_entry(where: str, reason: str) -> None:
    told = message(HEADER.format("author@example.org").encode(), lists=[entry(where)])
    assert _verdict(told).because == reason


ENTRIES = st.lists(
    st.tuples(
        st.sampled_from([WHITE, BLACK]),
        st.sampled_from([PLATFORM, "example.com", MARIE]),
        st.sampled_from(
            ["192.0.2.7", "192.0.2.0/24", "example.net", "stranger@example.net", "*@example.net"]
        ),
    ),
    max_size=6,
)


@PROPERTY
@given(ENTRIES)
def test_the_lists_agree_with_one_sentence(entries: list[tuple[str, str, str]]) -> None:
    """The nearest scope that has an entry decides; there white goes before black."""
    decided_by = _decided_by(entries, "")
    for scope in scopes_of(MARIE):
        colours = {colour for colour, where, _ in entries if where == scope}
        if colours:
            assert decided_by.endswith("whitelist" if WHITE in colours else "blacklist")
            return
    assert decided_by == ""


def test_nearest_of_nothing() -> None:
    assert nearest((), scopes_of(MARIE)) is None


def test_a_record_holds_no_other_recipients_entries() -> None:
    mine, other = (
        [1, MARIE, "white", "sender", "a@example.net", "envelope"],
        [2, PAUL, "white", "sender", "a", "envelope"],
    )
    found = Finding("sender_whitelist", Status.HIT, "on the list", {"matches": [mine, other]})
    assert of_scopes(found, (MARIE, "platform")).facts == {"matches": [mine]}
    assert of_scopes(found, ("platform",)).status is Status.CLEAR
