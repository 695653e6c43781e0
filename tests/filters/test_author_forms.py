"""Ways of writing From, made by the thousand: whoever some mail program would show as author is held against DMARC and
the lists, and what can't be read adds points.

An ordinary run tries a hundred of each, and 2,000 with `pytest --hypothesis-profile=many`.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.contract.ask import answered
from tamis.contract.filter import Message
from tamis.contract.finding import Status
from tamis.filters.display_name import DisplayName
from tamis.filters.dmarc import DMARC
from tamis.filters.malformed import POINTS, Malformed
from tamis.message.mail import DefectKind, Limits, Mail
from tamis.message.mail.authors import MOST_AUTHORS
from tests.answering import from_dns
from tests.builders import entry, message
from tests.services.dns.resolving import WrittenDNS

FORGED = {
    "_dmarc.bank.example TXT": ["v=DMARC1; p=reject"],
    "_dmarc.xn--bnk-ula.example TXT": ["v=DMARC1; p=reject"],
}
CHANCE = POINTS[DefectKind.TOO_MANY_AUTHORS]
_SEEN_BY_NOBODY = "\u00ad\u200b\u2060\ufeff\u034f\ufe0f\U000e0100\u180b"

dots = st.sampled_from([".", "\u3002", "\uff0e", "\uff61"])
blanks = st.sampled_from(["", "", " ", "  ", "\t", "\r\n "])
comments = st.sampled_from(["", "(x)", "( y )", "(a(b)c)", '("q")', "(\\))", "(@)", "(<e@x.example>)"])


@st.composite
def around(draw: st.DrawFn) -> str:
    """What may stand between the tokens of an address (CFWS, RFC 5322 3.2.2)."""
    return draw(blanks) + draw(comments) + draw(blanks)


@st.composite
def labels(draw: st.DrawFn) -> str:
    """The label `bank` as browsers and programs read it, with what nobody sees."""
    letters = [draw(st.sampled_from([c, c, c.upper(), chr(ord(c) + 0xFEE0)])) for c in "bank"]
    for _ in range(draw(st.integers(0, 2))):
        letters.insert(draw(st.integers(1, len(letters))), draw(st.sampled_from(_SEEN_BY_NOBODY)))
    return "".join(letters)


@st.composite
def specs(draw: st.DrawFn) -> str:
    """An address at bank.example."""
    local = draw(
        st.sampled_from(["a", "a.b", '"a"', '"a b"', '"a\\"b"', '"a@x.example"', "\u00fc", "a+b", "a'b"])
    )
    at = draw(st.sampled_from(["@", "@", "@", "\uff20", "\ufe6b"]))
    if "@" in local and at != "@":
        at = "@"
    return (
        f"{local}{draw(around())}{at}{draw(around())}{draw(labels())}{draw(blanks)}{draw(dots)}{draw(blanks)}example"
        f"{draw(st.sampled_from(['', '.', ' ']))}{draw(around())}"
    )


def _encoded(text: str, charset: str = "utf-8") -> str:
    return f"=?{charset}?b?{base64.b64encode(text.encode(charset)).decode()}?="


def _quoted(text: str) -> str:
    return "=?utf-8?q?" + "".join("_" if o == 32 else f"={o:02X}" for o in text.encode()) + "?="


def _in_words(text: str) -> str:
    half = len(text) // 2
    return f"{_encoded(text[:half])} {_quoted(text[half:])}"


WRAPPED: dict[str, Callable[[str], str]] = {
    "bare": lambda a: a,
    "angle": lambda a: f"<{a}>",
    "name": lambda a: f"Boss <{a}>",
    "quoted name": lambda a: f'"The, Boss" <{a}>',
    "two angles": lambda a: f"Boss <{a}> <b@other.example>",
    "second angle": lambda a: f"Boss <b@other.example> <{a}>",
    "empty angle before": lambda a: f"Boss <> <{a}>",
    "empty angle behind": lambda a: f"Boss <{a}> <>",
    "doubled": lambda a: f"Boss <<{a}>>",
    "nested": lambda a: f"Boss <{a}<b@other.example>>",
    "not closed": lambda a: f"Boss <{a}",
    "not closed, another": lambda a: f"Boss <{a}, Eve <b@other.example>",
    "two in one": lambda a: f"Boss <b@other.example, {a}>",
    "group": lambda a: f"Team: b@other.example, Boss <{a}>;",
    "last of ten": lambda a: ", ".join([*(f"b{n}@other.example" for n in range(9)), f"<{a}>"]),
    "semicolon": lambda a: f"b@other.example; {a}",
    "behind an angle": lambda a: f"Eve <b@other.example>, {a}",
    "route": lambda a: f"Boss <@r.example,@s.example:{a}>",
    "mailto": lambda a: f"<mailto:{a}>",
    "garbage": lambda a: f"Boss <{a}> and more]",
    "open comment": lambda a: f"b@other.example (hello <{a}>",
    "open quote": lambda a: f'"Boss <{a}>',
    "guillemets": lambda a: f"Boss \u2039{a}\u203a",
    "NUL": lambda a: f"Boss <{a}>\0 <b@other.example>",
    "bare CR": lambda a: f"<{a}>\rFrom: <b@other.example>",
}
ENCODED: dict[str, Callable[[str], str]] = {
    "base64": lambda a: _encoded(f'"Boss" <{a}>'),
    "quoted-printable": lambda a: _quoted(f"Boss <{a}>"),
    "utf-16": lambda a: _encoded(f"Boss <{a}>", "utf-16-be"),
    "two words": lambda a: _in_words(f"Boss <{a}>"),
    "bare": _encoded,
    "beside another": lambda a: f"{_encoded(f'<{a}>')}, b@other.example",
    "in angles": lambda a: f"Boss <{_encoded(a)}>",
    "not a mailbox yet": lambda a: f"Boss {_quoted(a)}",
}


def letter(*fields: str) -> Message:
    header = "\r\n".join(fields)
    raw = f"{header}\r\nDate: Sun, 1 Mar 2026 12:00:00 +0000\r\nSubject: Hi\r\n\r\nHi\r\n".encode(
        "utf-8", "surrogateescape"
    )
    return message(raw, sender="x@other.example", lists=[entry("bank.example", "black")])


def assert_forged(one: Message) -> None:
    if len([1 for author in one.mail.from_addresses if author.address]) > MOST_AUTHORS:
        assert points(one) >= CHANCE  # only some are asked about
        return
    found = answered(DMARC().examine(one), from_dns(WrittenDNS(FORGED)))
    shown = [author.address for author in one.mail.from_addresses]
    assert (found.status, found.facts["domain"]) == (Status.HIT, "bank.example"), shown
    assert {match.pattern for match in one.list_matches} == {"bank.example"}


@pytest.mark.parametrize("wrapped", WRAPPED.values(), ids=WRAPPED)
@given(specs())
def test_every_author_is_held_against_his_domain(wrapped: Callable[[str], str], spec: str) -> None:
    assert_forged(letter(f"From: {wrapped(spec)}"))


@pytest.mark.parametrize("wrapped", ENCODED.values(), ids=ENCODED)
@given(
    st.sampled_from(
        ["a@bank.example", '"a b"@bank.example', "a (x) @ bank . example", "a@b\u00adank.example"]
    )
)
def test_an_author_within_encoded_words(wrapped: Callable[[str], str], spec: str) -> None:
    assert_forged(letter(f"From: {wrapped(spec)}"))


@given(specs(), st.sampled_from(list(WRAPPED.values())), st.integers(0, 1))
def test_an_author_in_one_of_two_fields(spec: str, wrapped: Callable[[str], str], place: int) -> None:
    fields = ["From: Eve <b@other.example>"]
    fields.insert(place, f"From: {wrapped(spec)}")
    assert_forged(letter(*fields))


@given(specs(), st.sampled_from(["To: b@other.example", "From:", "From: Boss", "From: Boss <>"]))
def test_sender_where_from_names_nobody(spec: str, field: str) -> None:
    assert_forged(letter(field, f"Sender: Boss <{spec}>"))


@pytest.mark.parametrize(
    "field",
    [
        "a@bank.example Boss <b@other.example>",
        "a @ bank.example <b@other.example>",
        "Boss <b@other.example> a@bank.example",
        "b@other.example a@bank.example",
        "Boss (<a@bank.example>)",
        '"a@bank.example"',
        "<a@bank.example@other.example>",
        "<b@other.example@bank.example>",
        "a%bank.example",
        "<bank.example!a>",
        "a@bank.example: b@other.example;",
        "<a@bank\\.example>",
        'Boss <a@"bank.example">',
        'Boss <"a@bank.example>',
        "Boss \u2039a@bank.example\u203a",
        "@bank.example",
        "Boss <a@ba nk.example>",
        "<a@bank.example/>",
        "'a@bank.example'",
    ],
)
def test_odd_forms(field: str) -> None:
    assert_forged(letter(f"From: {field}"))


def points(one: Message) -> float:
    found = Malformed().examine(one)
    kinds = found.facts.get("kinds", ())
    return sum(POINTS.get(DefectKind(kind), 0.0) for kind in kinds)


impossible = st.one_of(
    st.sampled_from(
        ["webserver1", "localhost", "[192.0.2.1]", "192.0.2.1", "bank..example", ".bank.example"]
    ),
    st.sampled_from(
        ["bank-.example", "-bank.example", "bank.example-", "bank .bank- .example", "ba%nk.example"]
    ),
    st.sampled_from(["b\u202eank.example", "xn--zz.example", "xn--b\u00fcnk.example", "bank.123"]),
    st.builds(lambda c: f"ba{c}nk.example", st.sampled_from("!#$%&*+/=?^`{|}~[]")),
    st.builds(lambda n: f"{'a' * n}.example", st.integers(64, 3000)),
    st.builds(lambda n: "a." * n + "example", st.integers(127, 2000)),
)


@given(
    impossible, st.sampled_from(["bare", "angle", "name", "quoted name", "doubled", "not closed", "group"])
)
def test_a_domain_that_can_not_be_is_told(domain: str, form: str) -> None:
    one = letter(f"From: {WRAPPED[form](f'service@{domain}')}")
    assert "unusable_author" in Malformed().examine(one).facts["kinds"]
    assert points(one) >= POINTS[DefectKind.UNUSABLE_AUTHOR]


def test_what_programs_within_a_site_write_is_let_off() -> None:
    own = message(b"From: root@webserver1\r\nDate: Sun, 1 Mar 2026 12:00:00 +0000\r\n\r\n", login="marie")
    assert Malformed().examine(own).status is Status.CLEAR
    report = (
        b"From: MAILER-DAEMON@webserver1\r\nDate: Sun, 1 Mar 2026 12:00:00 +0000\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=B\r\n\r\n--B\r\n\r\nhi\r\n--B\r\n"
        b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; a.example\r\n\r\n--B--\r\n"
    )
    assert Malformed().examine(message(report, sender="")).status is Status.CLEAR
    assert "unusable_author" in Malformed().examine(message(report)).facts["kinds"]


@given(st.integers(11, 1500), st.data())
def test_more_authors_than_are_asked_about_are_told(number: int, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, number - 1))
    authors = [f"b{n}@o{n}.example" for n in range(number)]
    authors[place] = "a@bank.example"
    one = letter(f"From: {', '.join(authors)}")
    assert points(one) >= CHANCE
    assert len(one.mail.some_authors) == 10
    assert one.mail.some_authors[0].address == authors[0]
    if place == 0:
        assert_forged(one)


def test_which_of_many_authors_are_asked_about_can_not_be_foreseen() -> None:
    many = ", ".join(f"b{n}@o{n}.example" for n in range(40))
    chosen = {letter(f"From: {many}", f"X: {n}").mail.some_authors for n in range(20)}
    assert len(chosen) > 10


shown_at = st.builds(
    lambda before, at, behind: before + at + behind,
    st.sampled_from(["", " ", "\u00a0", "\u200b"]),
    st.sampled_from(["@", "\uff20", "\ufe6b"]),
    st.sampled_from(["", " ", "  ", "\u2060", "\u3000"]),
)


@given(
    st.sampled_from(["service", "\uff53ervice", "a.b"]),
    shown_at,
    labels(),
    dots,
    st.sampled_from(["", '"', "'"]),
)
def test_an_address_shown_as_name(local: str, at: str, label: str, dot: str, mark: str) -> None:
    one = letter(f"From: {_encoded(f'{mark}{local}{at}{label}{dot}example{mark}')} <b@other.example>")
    found = DisplayName().look(one)
    assert (found.status, found.facts.get("shown")) == (Status.HIT, "bank.example")


def test_a_local_part_that_looks_like_an_address() -> None:
    found = DisplayName().look(letter('From: "service@bank.example"@other.example'))
    assert found.facts["shown"] == "bank.example"


FLOODS = {
    "comments": "a(x)@(y)g.example ",
    "open comments": "(",
    "angles": "<a@g.example>",
    "open angles": "a@g.example<",
    "quotes": '"\\" ',
    "at signs": "a@",
    "dots": "a@g . ",
    "groups": "g: a@g.example ;",
    "encoded words": "=?utf-8?q?a=40g.example?= ",
    "NUL": "\0a@g.example",
    "full-width": "a\uff20g\u3002example ",
    "joiners": "a@\u200d\u200c",
    "routes": "<@a:@b:",
    "percent": "a%g.example ",
    "mixed": '"a" (b) <c@d.example> e@f.example, ',
}


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
def test_ten_thousand_of_each_form_end_in_time(flood: str) -> None:
    many = f"From: x{flood * 10_000} y\r\nReply-To: x{flood * 10_000} y\r\n\r\n".encode()
    limits = Limits(header_octets=1 << 20, header_block_octets=1 << 22)
    started = time.process_time()
    _ = Mail(many, limits=limits).defects
    assert time.process_time() - started < 3.0  # a hang, not a benchmark: each takes less than 0.6 s
