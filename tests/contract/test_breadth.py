"""Which list entries reach further than anybody means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.base.errors import ConfigError
from tamis.contract.breadth import Breadth, breadth, breadth_below
from tamis.contract.lists import Subject, normalise_pattern
from tests.builders import PROPERTY

OWN = frozenset({"example.com"})


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("0.0.0.0/0", Breadth.NETWORK),
        ("128.0.0.0/1", Breadth.NETWORK),
        ("198.18.0.0/16", Breadth.NETWORK),
        ("198.18.0.0/17", None),
        ("192.0.2.7", None),
        ("::/0", Breadth.NETWORK),
        ("2001:db8::/32", Breadth.NETWORK),
        ("2001:db8::/48", None),
        ("::ffff:0.0.0.0/96", Breadth.NETWORK),
    ],
)
def test_networks(pattern: str, found: Breadth | None) -> None:
    assert breadth(Subject.IP, normalise_pattern(Subject.IP, pattern), OWN) is found


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("gmail.com", Breadth.PROVIDER),
        ("@GMAIL.com", Breadth.PROVIDER),
        ("*@gmail.com", Breadth.PROVIDER),
        ("a*@gmail.com", Breadth.PROVIDER),
        ("gm?il.com", Breadth.PROVIDER),
        ("bob@gmail.com", None),
        ("com", Breadth.SUFFIX),
        ("co.uk", Breadth.SUFFIX),
        ("*.co.uk", Breadth.SUFFIX),
        ("*@*.com", Breadth.SUFFIX),
        ("info@*", Breadth.SUFFIX),
        ("github.io", Breadth.SUFFIX),
        ("shop*", Breadth.SUFFIX),
        ("example.com", Breadth.OWN),
        ("*@example.com", Breadth.OWN),
        ("ex*mple.com", Breadth.OWN),
        ("marie@example.com", None),
        ("partner.example", None),
        ("*.partner.example", None),
        ("*@partner.example", None),
        ("shop.example.net", None),
    ],
)
def test_senders(pattern: str, found: Breadth | None) -> None:
    assert breadth(Subject.SENDER, normalise_pattern(Subject.SENDER, pattern), OWN) is found


def test_a_scope_has_its_own_domain() -> None:
    assert breadth(Subject.SENDER, "example.org", (), "marie@example.org") is Breadth.OWN
    assert breadth(Subject.SENDER, "example.org", (), "example.org") is Breadth.OWN
    assert breadth(Subject.SENDER, "example.org", ()) is None


def test_what_is_above_our_own_domains_covers_them() -> None:
    assert breadth_below("example.org", {"mail.example.org"}) is Breadth.OWN
    assert breadth_below("mail.example.org", {"example.org"}) is None


def test_fingerprints_are_of_one_file() -> None:
    assert breadth(Subject.ATTACHMENT, "0" * 64, OWN) is None


@PROPERTY
@given(st.text("ab*?.@-", min_size=1, max_size=20))
def test_every_pattern_is_judged(text: str) -> None:
    try:
        pattern = normalise_pattern(Subject.SENDER, text)
    except ConfigError:
        return
    assert breadth(Subject.SENDER, pattern, OWN) in {None, *Breadth}
