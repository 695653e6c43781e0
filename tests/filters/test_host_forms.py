"""Ways of writing a host, made by the hundred: a listed or protected name is found behind each, in links and addresses.

An ordinary run tries a hundred of each, and 2,000 with `pytest --hypothesis-profile=many`.
"""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.contract.finding import Status
from tamis.contract.list_index import ListIndex
from tamis.contract.lists import Subject, normalise_pattern
from tamis.filters.lookalike_domain import LookalikeDomain
from tamis.filters.malformed import Malformed
from tamis.filters.same_address import SameAddress
from tamis.filters.sender_complaints import patterns_of
from tamis.filters.shared.link_hosts import subjects_of
from tamis.filters.signing.spf_check import identity_of
from tamis.judging.stored_policy import scope_key
from tamis.message.address import PLATFORM, address_key, domain_key, domain_of, scopes_of
from tamis.message.mail import Mail
from tamis.message.mail.urls import host_of
from tamis.message.names import host_name, is_host_name
from tests.builders import entry, envelope, message

DROPPED = "\u00ad\u200b\u2060\ufeff\u034f\u180b\u180c\u180d\u2064" + "".join(map(chr, range(0xFE00, 0xFE10)))
"""UTS 46, "ignored": browsers drop them from a host."""
REFUSED = "\u2800\U00016fe4\U0001d159\u202a\u202e\u2066\u2069\u061c\u200e\u200c\u200d\U000e0041"
"""Nobody sees them, and no host may have them where they stand here."""


@st.composite
def hosts(draw: st.DrawFn, hidden: str = DROPPED) -> str:
    """`evil.example` as browsers read it."""
    letters = []
    for letter in "evil.example":
        if letter == ".":
            letters.append(draw(st.sampled_from([".", "\u3002", "\uff0e", "\uff61"])))
        else:
            letters.append(draw(st.sampled_from([letter, letter, letter.upper(), chr(ord(letter) + 0xFEE0)])))
    for _ in range(draw(st.integers(1, 4))):
        letters.insert(draw(st.integers(1, len(letters) - 1)), draw(st.sampled_from(hidden)))
    return "".join(letters) + draw(st.sampled_from(["", ".", "\u3002"]))


@st.composite
def links(draw: st.DrawFn) -> str:
    """A link to such a host, as markup has it."""
    host = draw(hosts())
    coded = draw(st.sampled_from(["", "percent", "entities"]))
    if coded == "percent":
        host = "".join(quote(one) if draw(st.booleans()) else one for one in host)
    elif coded == "entities":
        host = "".join(f"&#{ord(one)};" if draw(st.booleans()) else one for one in host)
    before = draw(st.sampled_from(["", "www.", "bank.example@", "user:pw@", "\u00adwww\u3002"]))
    behind = draw(st.sampled_from(["", "/", ":80/x", "?q", "#f", "\\x"]))
    scheme = draw(st.sampled_from(["http://", "https://", "//", "HTTP:\\\\"]))
    return f"{scheme}{before}{host}{behind}"


def page(link: str) -> Mail:
    header = "From: a@other.example\r\nMIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
    return Mail(f'{header}<p>hi</p><a href="{link}">look</a>'.encode())


@given(links())
def test_a_link_leads_where_browsers_go(link: str) -> None:
    assert "evil.example" in subjects_of(page(link)).names


@given(hosts())
def test_one_spelling_for_all_who_compare(host: str) -> None:
    assert host_name(host).key == "evil.example"
    assert not host_name(host).problem
    address = f"Ann@{host}"
    assert address_key(address) == "ann@evil.example"
    assert scopes_of(address) == ("ann@evil.example", "evil.example", PLATFORM)
    assert scope_key(host) == "evil.example"
    assert normalise_pattern(Subject.SENDER, f"*.{host}") == "*.evil.example"
    assert domain_of(address) == domain_key(host) == "evil.example"
    assert list(patterns_of(address)) == ["ann@evil.example", "evil.example"]
    assert identity_of(envelope(sender=address)).domain == "evil.example"
    assert SameAddress().examine(message(b"\n", "ann@evil.example", sender=address)).status is Status.HIT


@given(hosts(), st.booleans())
def test_lists_meet_a_sender_however_written(host: str, in_header: bool) -> None:
    index = ListIndex([entry("evil.example", "black")])
    sender, author = ("b@other.example", f"a@{host}") if in_header else (f"a@{host}", "b@other.example")
    mail = Mail(f"From: {author}\r\n\r\n".encode())
    assert index.matches(envelope(sender=sender), mail, frozenset({PLATFORM}))


@given(hosts(REFUSED))
def test_what_no_host_may_have_is_told_and_hides_nothing(host: str) -> None:
    found = host_name(host)
    assert (found.key, bool(found.problem)) == ("evil.example", True)
    linked = message(page(f"http://{host}/").raw)
    assert "evil.example" in subjects_of(linked.mail).names
    assert "invalid_host" in Malformed().examine(linked).facts["kinds"]
    written = message(f"From: a@{host}\r\nDate: Sun, 1 Mar 2026 12:00:00 +0000\r\n\r\n".encode())
    assert "unusable_author" in Malformed().examine(written).facts["kinds"]


@given(st.sampled_from("\u00ad\u200b\u2060\ufeff\u034f\ufe0f"), st.integers(1, 6))
def test_what_looks_like_ours_is_seen_through_what_nobody_sees(hidden: str, place: int) -> None:
    imitated = "exampel"
    host = f"{imitated[:place]}{hidden}{imitated[place:]}.org"
    one = message(page(f"http://{host}/").raw, "marie@example.com")
    assert LookalikeDomain().examine(one).facts["pairs"] == [["exampel.org", "example.com", "a link"]]


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("stra\u00dfe.example", "xn--strae-oqa.example"),
        ("STRA\u1e9eE.example", "xn--strae-oqa.example"),
        ("strasse.example", "strasse.example"),
        ("\u03b2\u03cc\u03bb\u03bf\u03c2.example", "xn--nxasmm1c.example"),
        ("\u03b2\u03cc\u03bb\u03bf\u03c3.example", "xn--nxasmq6b.example"),
        ("\u0646\u0627\u0645\u0647\u200c\u0627\u06cc.example", "xn--mgba3gch31f060k.example"),
        ("\u0646\u0627\u0645\u0647\u0627\u06cc.example", "xn--mgba3gch31f.example"),
        ("b\u00fccher.example", "xn--bcher-kva.example"),
        ("bu\u0308cher.example", "xn--bcher-kva.example"),
        ("XN--BCHER-KVA.Example.", "xn--bcher-kva.example"),
        ("\u2603.example", "xn--n3h.example"),
    ],
)
def test_letters_that_are_no_others(written: str, key: str) -> None:
    assert (host_name(written).key, host_name(written).problem) == (key, "")
    assert is_host_name(key)
    assert host_of(f"{written}/x") == key


@pytest.mark.parametrize(
    "name",
    [
        *(
            "xn--zz.example",
            "xn--google-.example",
            "xn--b\u00fc.example",
            "a\u200db.example",
            "a\u202eb.example",
        ),
        *("\u0301a.example", "a\u05d0.example", "\u00fc" * 64 + ".example", "\u00fc" * 3000),
    ],
)
def test_no_names(name: str) -> None:
    found = host_name(name)
    assert found.problem
    assert found.key.isascii()
    assert domain_key(found.key) == found.key


@given(st.text(max_size=80))
def test_a_key_is_ascii_and_its_own(text: str) -> None:
    key = domain_key(text)
    assert key.isascii()
    assert domain_key(key) == key
    assert address_key(address_key(text)) == address_key(text)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Ann@example.com", "ann@EXAMPLE.com", True),
        ('"ann"@example.com', "ann@example.com", True),
        ('"a b"@example.com', "ab@example.com", False),
        ("a\u0301@example.com", "\u00e1@example.com", True),
        ("a\u200bnn@example.com", "ann@example.com", True),
        ("stra\u00dfe@example.com", "strasse@example.com", False),
    ],
)
def test_local_parts(one: str, other: str, same: bool) -> None:
    assert (address_key(one) == address_key(other)) is same
