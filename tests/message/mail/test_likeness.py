"""What is nearly the same, and what is not."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.message.mail import Mail
from tamis.message.mail.likeness import LEAST, SKETCH, likeness, read, sketch_of, written
from tests.builders import PROPERTY

WORDS = [
    f"{a}{b}{c}" for a in ("ba", "do", "ki", "lu", "me") for b in ("ra", "si", "to") for c in ("n", "l", "x")
]


def letter(text: str, kind: str = "text/plain; charset=utf-8", head: str = "") -> Mail:
    return Mail(f"From: a@example.net\r\n{head}Content-Type: {kind}\r\n\r\n{text}\r\n".encode())


def prose(number: int, seed: int) -> list[str]:
    return random.Random(seed).choices(WORDS, k=number)


def varied(words: list[str], changes: int, seed: int) -> list[str]:
    chance, copy = random.Random(seed), list(words)
    for at in chance.sample(range(len(copy)), changes):
        copy[at] = f"other{chance.randrange(10**6)}".translate(str.maketrans("0123456789", "abcdefghij"))
    return copy


@pytest.mark.parametrize(("number", "changes"), [(60, 2), (200, 5), (900, 20)])
def test_a_varied_word_makes_no_other_message(number: int, changes: int) -> None:
    words = prose(number, number)
    first, second = (sketch_of(letter(" ".join(varied(words, changes, seed)))) for seed in (1, 2))
    assert likeness(first, second) >= 0.7
    assert likeness(first, sketch_of(letter(" ".join(prose(number, 7))))) < 0.2


@PROPERTY
@given(st.integers(50, 950), st.floats(0, 1), st.integers(0, 10**6))
def test_a_sketch_tells_nearly_what_all_runs_would(number: int, share: float, seed: int) -> None:
    words = prose(number, seed)
    other = varied(words, int(share * number * 0.3), seed)
    runs = [{tuple(some[at : at + 3]) for at in range(number - 2)} for some in (words, other)]
    whole = len(runs[0] & runs[1]) / len(runs[0] | runs[1])
    if min(map(len, runs)) >= LEAST:
        assert abs(likeness(*(sketch_of(letter(" ".join(some))) for some in (words, other))) - whole) < 0.3


def test_what_a_reader_does_not_see_or_mind_makes_no_difference() -> None:
    words = prose(100, 3)
    plain = sketch_of(letter(" ".join(words)))
    html = " ".join(f"<b>{word}</b>" for word in words)
    hidden = "<p style='display:none'>" + " ".join(prose(300, 4)) + "</p>"
    assert sketch_of(letter(f"<p>{html}</p>{hidden}", "text/html")) == plain
    assert sketch_of(letter(" 4711 ".join(words).upper())) == plain
    assert sketch_of(letter("\r\n".join(words) + "\r\n> " + "\r\n> ".join(prose(100, 5)))) == plain
    assert sketch_of(letter(" ".join(words).replace("o", "\u043e").replace("b", "b\u200b"))) == plain


def test_little_text_is_not_compared() -> None:
    assert sketch_of(letter("Thank you, see you on Tuesday. Best regards, Marie")) == ()
    assert sketch_of(letter("thank you " * 500)) == ()
    assert likeness((), ()) == 0.0


def test_of_little_text_the_structure_is_compared() -> None:
    def page(seed: int, cells: int) -> str:
        chance = random.Random(seed)
        rows = (
            f"<{t}><td><img src=cid:{seed}></td></{t}>"
            for t in chance.choices(["tr", "p", "div", "b"], k=cells)
        )
        return "<table>" + "".join(rows) + "</table>"

    first = sketch_of(letter(page(1, 60), "text/html"))
    assert len(first) >= LEAST
    assert sketch_of(letter(page(1, 60).replace("cid:1", "cid:2"), "text/html")) == first
    assert likeness(first, sketch_of(letter(page(2, 60), "text/html"))) < 0.5
    assert likeness(first, sketch_of(letter(" ".join(prose(200, 1))))) == 0


def test_a_script_without_blanks_has_runs_too() -> None:
    chance = random.Random(1)
    text = "".join(chr(0x4E00 + chance.randrange(2000)) for _ in range(300))
    first = sketch_of(letter(text))
    assert len(first) == SKETCH
    assert likeness(first, sketch_of(letter(text[:150] + "\u4e01\u4e02" + text[150:]))) > 0.7


@PROPERTY
@given(st.binary(max_size=3000))
def test_any_octets_have_a_bounded_sketch_that_can_be_written(octets: bytes) -> None:
    sketch = sketch_of(Mail(octets))
    assert len(sketch) <= SKETCH
    assert read(written(sketch)) == sketch


@PROPERTY
@given(st.text(max_size=200))
def test_what_is_no_sketch_is_none(text: str) -> None:
    assert len(read(text)) <= SKETCH


def test_a_large_message_is_looked_at_in_part() -> None:
    words = prose(1000, 9)
    assert sketch_of(letter(" ".join(words) + " tail" * 500_000)) == sketch_of(letter(" ".join(words)))
