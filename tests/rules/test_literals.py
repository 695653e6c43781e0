"""What is said to be needed for a pattern to match is needed."""

from __future__ import annotations

import re
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.knowledge import SHIPPED, compile_base, read_base
from tamis.message.mail import Mail
from tamis.rules import engine
from tamis.rules.book import _Values
from tamis.rules.engine import Matcher, compiled
from tamis.rules.literals import alternatives

_letters = st.text("abcxyz", min_size=1, max_size=5)
_atoms = st.one_of(
    _letters,
    st.sampled_from(
        [r"\d", r"\w", ".", r"\b", "[ab]", "[^a]", "[a-c]", r"[\w.]", r"\.", "é", "[éè]", r"\x41", "K"]
    ),
)
_patterns = st.recursive(
    _atoms,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=4).map("".join),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"(?:{'|'.join(parts)})"),
        st.tuples(inner, st.sampled_from(["?", "*", "+", "{0,2}", "{1,2}", "{2}", "??"])).map(
            lambda both: f"(?:{both[0]}){both[1]}"
        ),
    ),
    max_leaves=8,
)


@given(st.lists(_patterns, min_size=1, max_size=3), st.data())
def test_no_match_is_missed(parts: list[str], data: st.DataObject) -> None:
    pattern = "|".join(parts)
    text = data.draw(st.from_regex(re.compile(pattern, re.IGNORECASE))) + data.draw(
        st.text("abcxyz .1", max_size=9)
    )
    octets = text.encode("utf-8", "replace")
    whole = compiled(pattern, place="text", ignore_case=True).search(octets) is not None
    others = [("other", f"zzqq{number}", True) for number in range(engine._FEW)]
    for asked in ([("r", pattern, True)], [("r", pattern, True), *others]):
        for work in (engine._MOST_WORK, 0):  # together where it pays, and one by one
            with patch.object(engine, "_MOST_WORK", work):
                found = Matcher("text", asked).patterns(octets)
            assert (found.get("r") == {pattern}) is whole


def test_what_is_too_large_to_be_asked_together_is_asked_one_by_one() -> None:
    large = [("r", f"[a-z]{{0,900}}{number}[a-z]{{0,90}}", True) for number in range(9)]
    matcher = Matcher("header:received", large)
    with patch.object(engine, "_TOGETHER_MEMORY", 1 << 10):
        assert set(matcher.patterns(b"")) == set()
        assert matcher.patterns(b"abc7def")["r"] == {large[7][1]}


_BOOK = compile_base(read_base(SHIPPED)).book


@given(st.sets(st.sampled_from([rule.name for rule in _BOOK.rules if rule.patterns]), max_size=40))
def test_a_rule_that_is_known_not_to_hold_does_not(met: set[str]) -> None:
    mail = Mail(b"Subject: lunch\n\nAt twelve.\n")
    found = {name: {"x"} for name in met}
    told = _Values(_BOOK, mail, found)
    with patch.object(_BOOK, "needs", {}):
        worked_out = _Values(_BOOK, mail, found)
        assert [told.of(name) for name in _BOOK.by_name] == [worked_out.of(name) for name in _BOOK.by_name]


@given(st.text(max_size=30))
def test_garbage_is_unknown_and_no_error(pattern: str) -> None:
    assert alternatives(pattern)


def test_most_shipped_patterns_need_something() -> None:
    rules = compile_base(read_base(SHIPPED)).book.rules
    needed = [needs for rule in rules for one in rule.patterns for _, needs in alternatives(one)]
    assert sum(map(bool, needed)) > 0.9 * len(needed)


@pytest.mark.parametrize(
    ("pattern", "needs"),
    [
        (r"\bnext[ -]of kin\b", ({"next of kin", "next-of kin"},)),
        (r"password.{0,40}(?:expires|ends)", ({"password"}, {"expires", "ends"})),
        (r"colou?r", ({"color", "colour"},)),
        (r"(?i)abc", ({"abc"},)),
        (r"(ab)c", ({"abc"},)),
        (r"(?P<n>ab)c", ()),
        (r"x*", ()),
    ],
)
def test_what_is_needed(pattern: str, needs: tuple[set[str], ...]) -> None:
    ((_, found),) = alternatives(pattern)
    assert tuple(map(set, found)) == needs


def test_more_patterns_than_automata_are_kept_all_match() -> None:
    names = [f"word{number}ing" for number in range(1000)]
    matcher = Matcher("text", [(name, rf"{name}\b", True) for name in names])
    text = " ".join(names).encode()
    assert matcher.patterns(text).keys() == matcher.patterns(text).keys() == set(names)
