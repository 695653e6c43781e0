"""The headers on delivered mail: what they say, and that nobody can write another one with them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.contract.finding import Finding, Status
from tamis.judging.policy import Outcome
from tamis.judging.trace import (
    MAX_VALUE,
    NAMES,
    OwnFields,
    common_headers,
    failure_headers,
    header_value,
    own_headers,
    with_id,
)
from tamis.message.header_editing import NewFields
from tests.builders import MARIE, PROPERTY, book, envelope, finding, verdict_of

TAGS = finding("score_tags")


def headers(
    findings: Sequence[Finding], *, policy: str = "", outcome: Outcome = Outcome.INBOX, **told: str
) -> NewFields:
    verdict = verdict_of(book(policy).policy(MARIE), *findings)
    given_ = {"helo": "mail.example.net"} | told
    common = common_headers(
        verdict, {f.filter: f for f in findings}, envelope(**given_), prefix="X-Spam-", outcome=outcome
    )
    return common + own_headers(verdict, "X-Spam-")


def test_everything_that_was_seen() -> None:
    seen = (
        finding("empty", Status.UNAVAILABLE),
        TAGS,
        finding("malformed", names="nul", kinds=["nul"]),
    )
    assert headers(seen) == (
        ("X-Spam-Status", "No, score=2.0 required=7.5 tests=malformed=2"),
        ("X-Spam-Score", "2.0"),
        ("X-Spam-Unavailable", "empty"),
        ("X-Spam-Return-Path", "<stranger@example.net>"),
        ("X-Spam-Helo", "mail.example.net"),
        ("X-Spam-Client-IP", "192.0.2.7"),
        ("X-Spam-Rcpt", "<marie@example.com>"),
    )


def test_what_is_not_known_is_left_out_but_the_null_sender_is_shown() -> None:
    names = dict(headers((TAGS,), helo="", client_ip="", sender=""))
    assert names["X-Spam-Return-Path"] == "<>"
    assert not {"X-Spam-Helo", "X-Spam-Client-IP", "X-Spam-Unavailable"} & set(names)
    assert names["X-Spam-Status"].endswith("tests=none")


@pytest.mark.parametrize("outcome", Outcome)
def test_flag_is_for_junk_alone(outcome: Outcome) -> None:
    found = headers((finding("empty"), TAGS), outcome=outcome)
    assert (("X-Spam-Flag", "YES") in found) is (outcome is Outcome.JUNK)
    assert dict(found)["X-Spam-Status"].startswith("Yes, ")
    assert dict(found)["X-Spam-Status"].endswith(" tests=empty=spam decided=empty")


def test_a_shadow_is_marked() -> None:
    found = headers((finding("empty"), TAGS), policy='[filters.empty]\nstate = "shadow"')
    assert dict(found)["X-Spam-Status"] == "No, score=0.0 required=7.5 tests=empty=spam(shadow)"


def test_without_score_tags_only_what_does_something() -> None:
    off = '[filters.score_tags]\nstate = "off"'
    assert headers((finding("empty"), TAGS), policy=off, outcome=Outcome.JUNK) == (("X-Spam-Flag", "YES"),)
    assert headers((TAGS,), policy=off) == ()


def test_the_whitelist_reason() -> None:
    fact = [1, "platform", "white", "ip", "192.0.2.7", "client"]
    found = headers((finding("ip_whitelist", matches=[fact]),), policy='[filters.score_tags]\nstate = "off"')
    assert found == (("X-Spam-Whitelist", "Whitelisted Peer IP (192.0.2.7)"),)


@pytest.mark.parametrize(
    "hostile",
    ["a\r\nX-Spam-Flag: NO", "a\nb", "a\rb", "a\0b", "\u2028x", "é" * 2000, "x" * 2000, "\x1b[2J", "\udcff"],
)
def test_hostile_values_stay_in_their_line(hostile: str) -> None:
    found = headers((TAGS,), helo=hostile, sender=hostile, client_ip=hostile)
    assert len(found) == 6
    for name, value in found:
        assert re.fullmatch(r"[ -~]{0,900}", value), name
        assert value == value.strip()


@PROPERTY
@given(st.text())
def test_any_text_is_fit_for_a_header(text: str) -> None:
    value = header_value(text)
    assert re.fullmatch(r"[ -~]*", value)
    assert len(value) <= MAX_VALUE
    assert value == text or not re.fullmatch(r"[!-~]{0,900}", text)


def test_every_name_that_is_written_is_removed_when_it_arrives() -> None:
    own = OwnFields("X-Spam-", "mx.example.com")
    assert all(own.hold(f"x-SPAM-{name}", b"") for name in NAMES)
    assert not own.hold("X-Spam-Other", b"")
    written = (*headers((finding("empty"), TAGS), outcome=Outcome.JUNK), *failure_headers("X-Spam-"))
    assert all(own.hold(name, value.encode()) for name, value in written)


def test_the_id_stands_behind_the_status() -> None:
    told = (("X-Spam-Flag", "YES"), ("X-Spam-Status", "Yes"), ("X-Spam-Score", "9.0"))
    assert with_id(told, "X-Spam-", "abc\r\nX: y") == (*told[:2], ("X-Spam-Id", "abc?X: y"), told[2])
    assert with_id(told, "X-Spam-", "") == told
    assert with_id(told[:1], "X-Spam-", "abc") == told[:1], "where no details are told"
