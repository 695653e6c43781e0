"""What is nearly the same, and what is not."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.message.mail import Mail
from tamis.message.mail.likeness import (
    ALIKE,
    LEAST,
    SKETCH,
    Sketch,
    SketchOf,
    likeness,
    read,
    sketch_of,
    written,
)
from tests.attachments import letter as with_files
from tests.builders import PROPERTY

WORDS = [
    f"{a}{b}{c}" for a in ("ba", "do", "ki", "lu", "me") for b in ("ra", "si", "to") for c in ("n", "l", "x")
]
LINES = [
    "our garden sheds are the warmest in the whole valley",
    "this week alone every shed comes with a free watering can",
    "choose between green and brown and tell us which day suits you",
    "two friendly men will bring it and put it up behind your house",
    "please answer soon because many of your neighbours asked for one",
    "we also repair old fences gates and greenhouses at a fair price",
]
TERMS = (
    "Goods may be sent back within thirty days in their box. The right of withdrawal and our address are on the back "
    "of this page, where you also find how we look after what you told us about yourself. Please keep it with the box "
    "until nothing is left to say, and write to our helpful people whenever something is not as you wished it to be."
)
ANSWERED = (
    "Shall we meet next week about the roof of the old barn? The carpenter says that it has to be covered before the "
    "snow comes, the farmer would lend us his ladder, and somebody should ask whether tiles of the same red are still "
    "made. I could come over in the evening when the milk is away, if that is no trouble to anybody."
)


def letter(text: str, kind: str = "text/plain; charset=utf-8", head: str = "") -> Mail:
    return Mail(f"From: a@example.net\r\n{head}Content-Type: {kind}\r\n\r\n{text}\r\n".encode())


def prose(number: int, seed: int) -> list[str]:
    return random.Random(seed).choices(WORDS, k=number)


def varied(words: list[str], changes: int, seed: int) -> list[str]:
    chance, copy = random.Random(seed), list(words)
    for at in chance.sample(range(len(copy)), changes):
        copy[at] = f"other{chance.randrange(10**6)}".translate(str.maketrans("0123456789", "abcdefghij"))
    return copy


def alike(one: str, other: str, kind: str = "text/plain; charset=utf-8") -> float:
    return likeness(sketch_of(letter(one, kind)), sketch_of(letter(other, kind)))


@pytest.mark.parametrize(("number", "changes"), [(60, 2), (200, 5), (900, 20)])
def test_a_varied_word_makes_no_other_message(number: int, changes: int) -> None:
    words = prose(number, number)
    first, second = (" ".join(varied(words, changes, seed)) for seed in (1, 2))
    assert alike(first, second) >= ALIKE


def test_other_texts_are_not_alike() -> None:
    assert alike(" ".join(LINES), TERMS) == 0
    assert alike(ANSWERED, TERMS) == 0


def _shuffled(lines: list[str], chance: random.Random) -> list[str]:
    return chance.sample(lines, len(lines))


def _named(lines: list[str], chance: random.Random) -> list[str]:
    return [f"Dear {chance.choice(['Marie', 'Paul', 'Jean-Luc', 'Zoe'])}", *lines]


def _numbered(lines: list[str], chance: random.Random) -> list[str]:
    codes = (f"code {chance.randrange(10**9)} {chance.randbytes(4).hex()}1" for _ in lines)
    return [f"{line} {code}" for line, code in zip(lines, codes, strict=True)]


def _unseen(lines: list[str], chance: random.Random) -> list[str]:
    def spoiled(letter: str) -> str:
        return letter + chance.choice(["", "", "", "\u200b", "\u00ad", "\u2060"])

    return ["".join(map(spoiled, line)) for line in lines]


def _one_word(lines: list[str], chance: random.Random) -> list[str]:
    return varied(" ".join(lines).split(), 1, chance.randrange(10**6))


def _wrapped(lines: list[str], chance: random.Random) -> list[str]:
    width, text = chance.randrange(3, 15), " ".join(lines).split()
    return [" ".join(text[at : at + width]) for at in range(0, len(text), width)]


VARIATIONS: list[Callable[[list[str], random.Random], list[str]]] = [
    *(_shuffled, _named, _numbered, _unseen, _one_word, _wrapped)
]


@PROPERTY
@given(st.lists(st.sampled_from(VARIATIONS), max_size=3, unique=True), st.randoms(use_true_random=False))
def test_what_spam_varies_makes_no_other_message(
    variations: list[Callable[[list[str], random.Random], list[str]]], chance: random.Random
) -> None:
    lines = LINES
    for vary in variations:
        lines = vary(lines, chance)
    assert alike("\r\n".join(LINES), "\r\n".join(lines)) >= ALIKE


GOODS = [
    "kettle",
    "garden hose",
    "pair of boots",
    "oak shelf",
    "woollen blanket",
    "reading lamp",
    "bread tin",
]


@PROPERTY
@given(st.lists(st.integers(100, 99_999), min_size=2, max_size=2, unique=True), st.integers(0, 6))
def test_two_receipts_are_two_messages(cents: list[int], bought: int) -> None:
    """The same customer, the same thing, even: another amount is another order."""
    first, second = (
        f"Thank you for your order, Marie!\r\n{GOODS[bought]}\r\nTotal: {one // 100}.{one % 100:02} EUR\r\n{TERMS}"
        for one in cents
    )
    assert alike(first, second) == 0


def test_two_newsletters_of_one_template_are_two_messages() -> None:
    news = " ".join(LINES[:2]), " ".join(LINES[2:4])
    first, second = (f"News from the valley\r\n\r\n{one}\r\n\r\n{TERMS} {TERMS}" for one in news)
    assert alike(first, second) == 0


@pytest.mark.parametrize("mark", ["> ", ""])
@pytest.mark.parametrize("line", ["On Monday Zoe wrote:", "-----Original Message-----", "_" * 32])
def test_two_answers_above_one_message_are_two_messages(mark: str, line: str) -> None:
    quote = "\r\n".join(mark + ANSWERED[at : at + 60] for at in range(0, len(ANSWERED), 60))
    said = (
        "Gladly, Tuesday evening would be best for us, with the ladder",
        "Sorry, we are away until Friday and the car is broken",
    )
    first, second = (f"{one}.\r\n\r\n{line}\r\n{quote}" for one in said)
    assert alike(first, second) == 0


def test_two_letters_with_one_signature_are_two_messages() -> None:
    first, second = (f"{said}\r\n\r\n-- \r\n{TERMS}" for said in ("See you on Tuesday.", "No, not today."))
    assert alike(first, second) == 0
    whole, other = (f"{' '.join(LINES)} {said}\r\n\r\n-- \r\n{TERMS}" for said in ("soon", "later"))
    assert alike(whole, other) >= ALIKE


def test_who_begins_with_a_signature_is_compared_all_the_same() -> None:
    first, second = (f"Hi\r\n-- \r\n{' '.join(LINES)} {one}" for one in ("4711", "4712"))
    assert alike(first, second) >= ALIKE


def test_messages_with_other_attachments_are_other_messages() -> None:
    text = "\r\n".join(LINES).encode()
    first, second = (
        sketch_of(Mail(with_files({"a.pdf": octets}).replace(b"As promised.", text)))
        for octets in (b"%PDF-1.4 one", b"%PDF-1.4 two")
    )
    assert first is not None
    assert likeness(first, first) == 1
    assert likeness(first, second) == 0


@PROPERTY
@given(st.integers(50, 950), st.floats(0, 1), st.integers(0, 10**6))
def test_a_sketch_tells_nearly_what_all_runs_would(number: int, share: float, seed: int) -> None:
    words = prose(number, seed)
    other = varied(words, int(share * number * 0.3), seed)
    runs = [{tuple(some[at : at + 3]) for at in range(number - 2)} for some in (words, other)]
    whole = len(runs[0] & runs[1]) / len(runs[0] | runs[1])
    first, second = (sketch_of(letter(" ".join(some))) for some in (words, other))
    if min(map(len, runs)) >= LEAST:
        assert first is not None
        assert second is not None
        assert abs(first.runs.shared(second.runs) - whole) < 0.3


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
    assert sketch_of(letter("Thank you, see you on Tuesday. Best regards, Marie")) is None
    assert sketch_of(letter("thank you " * 500)) is None
    assert likeness(None, None) == 0.0


def page(seed: int, image: str, text: str) -> str:
    chance = random.Random(seed)
    cells = "".join(f"<{t}><td></td></{t}>" for t in chance.choices(["tr", "p", "div", "b"], k=60))
    return f"<table><img src='https://example.net/7f3/{image}.jpg'>{cells}</table><p>{text}</p>"


def test_of_little_text_the_form_and_the_images_are_compared() -> None:
    text = "Hello {}, look at what we have for you and see all in your browser"
    first = page(1, "sheds-of-spring", text.format("Marie"))
    kind = "text/html"
    made = sketch_of(letter(first, kind))
    assert made is not None
    assert made.made_of is SketchOf.FORM
    assert alike(first, page(1, "sheds-of-spring", text.format("Paul")), kind) >= ALIKE
    assert alike(first, page(1, "boats-for-summer", "Marie, boats are here"), kind) < ALIKE
    assert alike(first, page(2, "sheds-of-spring", text.format("Marie")), kind) < ALIKE
    assert likeness(made, sketch_of(letter(" ".join(LINES)))) == 0
    assert sketch_of(letter(page(1, "1", ""), kind)) is None  # nothing but a form


def test_a_script_without_blanks_has_runs_too() -> None:
    chance = random.Random(1)
    text = "".join(chr(0x4E00 + chance.randrange(2000)) for _ in range(300))
    first = sketch_of(letter(text))
    assert first is not None
    assert len(first.runs.smallest) == SKETCH
    assert alike(text, text[:150] + "\u4e01\u4e02" + text[150:]) > ALIKE


def _bounded(sketch: Sketch | None) -> bool:
    return sketch is None or max(len(sketch.words.smallest), len(sketch.runs.smallest)) <= SKETCH


@PROPERTY
@given(st.binary(max_size=3000))
def test_any_octets_have_a_bounded_sketch_that_can_be_written(octets: bytes) -> None:
    sketch = sketch_of(Mail(octets))
    assert _bounded(sketch)
    assert sketch is None or read(written(sketch)) == sketch


@PROPERTY
@given(st.text(max_size=200))
def test_what_is_no_sketch_is_none(text: str) -> None:
    assert _bounded(read(text))


def test_a_large_message_is_looked_at_in_part() -> None:
    words = prose(1000, 9)
    assert sketch_of(letter(" ".join(words) + " tail" * 500_000)) == sketch_of(letter(" ".join(words)))
