"""Where addresses lead, with aliases in a dict: as Postfix expands them, within bounds."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.judging.alias_targets import (
    MAX_DEPTH,
    MAX_TARGETS,
    NO_ALIASES,
    Destination,
    destinations,
    keys,
    targets,
)

HOSTED = ("example.com", "example.org")
MARIE, PAUL, FAN = "marie@example.com", "paul@example.com", "fan@example.net"


def ends(address: str, aliases: Mapping[str, Sequence[str]], hosted: Collection[str] = HOSTED) -> Destination:
    def look(asked: Collection[str]) -> Mapping[str, Sequence[str]]:
        return {one: aliases[one] for one in asked if one in aliases}

    return destinations([address], look, hosted)[address]


@pytest.mark.parametrize(
    ("aliases", "mailboxes", "outside"),
    [
        ({}, ["info@example.com"], []),
        ({"info@example.com": [MARIE]}, [MARIE], []),
        ({"info@example.com": [FAN]}, [], [FAN]),
        ({"info@example.com": [MARIE, PAUL]}, [MARIE, PAUL], []),
        ({"info@example.com": [MARIE, FAN]}, [MARIE], [FAN]),
        ({"info@example.com": ["a@example.org"], "a@example.org": [MARIE]}, [MARIE], []),
        (
            {"info@example.com": ["info@example.com", PAUL]},
            ["info@example.com", PAUL],
            [],
        ),  # kept, and copied
        ({"info@example.com": [PAUL], PAUL: [PAUL, FAN]}, [PAUL], [FAN]),
        ({"info@example.com": [MARIE], MARIE: ["info@example.com"]}, ["info@example.com"], []),  # a circle
        ({"info@example.com": [MARIE, MARIE]}, [MARIE], []),
        ({"info@example.com": ["marie@sub.example.com"]}, [], ["marie@sub.example.com"]),
    ],
)
def test_where_an_alias_leads(
    aliases: dict[str, list[str]], mailboxes: list[str], outside: list[str]
) -> None:
    assert ends("info@example.com", aliases) == Destination(tuple(mailboxes), tuple(outside))


def test_without_domains_nothing_is_outside() -> None:
    assert ends("info@example.com", {"info@example.com": [FAN]}, ()) == Destination((FAN,))


def test_an_address_elsewhere_that_is_no_alias_is_taken_as_it_is() -> None:
    """Such as those to whom our users write: only aliases are forwards."""
    assert ends(FAN, {}) == Destination((FAN,))


def test_a_chain_without_end_ends() -> None:
    chain = {f"a{n}@example.com": [f"a{n + 1}@example.com"] for n in range(100)}
    (last,) = ends("a0@example.com", chain).mailboxes
    assert last == f"a{MAX_DEPTH}@example.com"


def test_a_list_is_a_mailbox_of_its_own() -> None:
    many = [f"m{n}@example.com" for n in range(1000)]
    few = many[:MAX_TARGETS]
    assert ends("all@example.com", {"all@example.com": few}).is_divided
    assert not ends("all@example.com", {"all@example.com": many}).is_divided


names = st.sampled_from(
    [f"{letter}@{domain}" for letter in "abcd" for domain in ("example.com", "example.net")]
)


@given(st.dictionaries(names, st.lists(names, min_size=1, max_size=4)), names)
def test_every_graph_ends_somewhere(aliases: dict[str, list[str]], address: str) -> None:
    found = ends(address, aliases)
    everywhere = (*found.mailboxes, *found.outside)
    assert everywhere
    assert len(set(everywhere)) == len(everywhere)
    assert all(one.endswith("@example.net") for one in found.outside)


@pytest.mark.parametrize(
    ("value", "address", "matched", "expected"),
    [
        ("marie@example.com", "info@example.com", "info@example.com", [MARIE]),
        ("marie@example.com, paul@example.com", "t@example.com", "t@example.com", [MARIE, PAUL]),
        ("marie@example.com paul@example.com", "t@example.com", "t@example.com", [MARIE, PAUL]),
        ("<marie@example.com>", "info@example.com", "info@example.com", [MARIE]),
        ("marie", "info@example.com", "info@example.com", ["marie@mx.example.com"]),
        ("@example.org", "marie@example.com", "@example.com", ["marie@example.org"]),
        ("marie@example.com", "info+x@example.com", "info@example.com", ["marie+x@example.com"]),
        ("marie@example.com", "info+x@example.com", "info+x@example.com", [MARIE]),
        ("marie@example.com", "any+x@example.com", "@example.com", [MARIE]),
        ('"john smith"@example.com', "j@example.com", "j@example.com", ['"john smith"@example.com']),
        ("Marie@STRASSE.example", "j@example.com", "j@example.com", ["marie@strasse.example"]),
        (", ,", "j@example.com", "j@example.com", []),
        ('Marie "E, M" <marie@example.com>, paul', "j", "j", [MARIE, "paul@mx.example.com"]),
        ("marie@example.com (on leave, for a week)", "j", "j", [MARIE]),
        ('"a, b"@example.com', "j", "j", ['"a, b"@example.com']),
        ("marie@example.com, some words", "j", "j", []),
        ("team: marie@example.com, paul@example.com;", "j", "j", []),
        ("marie@example.com, <>", "j", "j", []),
        ("marie@example.com, @.", "j", "j", []),
        ('marie@example.com, "<"', "j", "j", []),
    ],
)
def test_right_hand_sides(value: str, address: str, matched: str, expected: list[str]) -> None:
    assert list(targets(value, address, matched, "mx.example.com", "+")) == expected


@given(st.text(alphabet='ab@., <>()"\\\\:;\n', max_size=60))
def test_no_right_hand_side_makes_half_an_address(value: str) -> None:
    for one in targets(value, "j@example.com", "j@example.com", "mx.example.com", "+"):
        assert one.rpartition("@")[0]
        assert "<" not in one
        assert one.rpartition("@")[2]


def test_keys_are_asked_for_in_postfixs_order() -> None:
    assert keys("info+x@example.com", {"mx.example.com"}, "+") == (
        "info+x@example.com",
        "info@example.com",
        "@example.com",
    )
    assert keys("info+x@mx.example.com", {"mx.example.com"}, "+") == (
        "info+x@mx.example.com",
        "info@mx.example.com",
        "info+x",
        "info",
        "@mx.example.com",
    )


def test_without_aliases_each_address_is_its_own() -> None:
    assert NO_ALIASES.destination("Marie@Example.COM") == Destination((MARIE,))
