"""What is said to be needed for a pattern to match is needed."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.knowledge import SHIPPED, compile_base, read_base
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
    found = Matcher("text", [("r", pattern, True)]).patterns(octets)
    assert (found == {"r": {pattern}}) is whole


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
