"""The inner loops in C compute what numpy's do, bit for bit, whatever comes in; and refuse what they can't take."""

from __future__ import annotations

import importlib
import random
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.message.mail import Mail
from tamis.models import compiled
from tamis.models.features import TABLE_SIZE, VIEWS, Features, Octets, extract, features_of
from tamis.models.hashing import MAX_OCTETS
from tamis.models.learner import Learner, Lesson
from tamis.models.text_views import HEADER_WORD, LISTED, NOT_SPACE, WORD, Text, forms_of
from tests.message.mail.fuzz import GOOD, MUTATIONS
from tests.models.inner_loops import Built, build, using
from tests.models.mails import raw_mail

CLASSES = (HEADER_WORD, LISTED, LISTED, WORD, WORD, NOT_SPACE, LISTED, LISTED, LISTED, LISTED)
"""Of the texts of a message."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build(tmp_path_factory.mktemp("inner-loops"))


def same(found: Features, expected: Features) -> bool:
    """Down to the types."""
    return all(
        one.dtype == other.dtype and one.tobytes() == other.tobytes()
        for one, other in ((found.indices, expected.indices), (found.counts, expected.counts))
    )


def both(built: Built, what: Callable[[], Any]) -> tuple[Any, Any]:
    """What comes of it with the inner loops in C, and with numpy's."""
    with using(built.loops):
        found = what()
    with using(None):
        return found, what()


def test_this_checkout_uses_the_extension() -> None:
    """scripts/install has made it."""
    assert compiled.used, compiled.WHY_NOT


# Few characters, so that words come again, lines have few words and runs are long; and all there are, surrogates too.
some_text = st.text(st.sampled_from("ab 1\n\r\0\t:é特\ud800-"), max_size=400) | st.text(
    st.characters(exclude_categories=()), max_size=200
)
any_octets = st.binary(max_size=300) | some_text.map(lambda text: text.encode("utf-8", "surrogatepass"))
any_texts = st.tuples(*[st.builds(Text, any_octets, st.just(inside)) for inside in CLASSES])


@given(st.tuples(any_octets, any_octets, any_octets), any_texts)
def test_the_same_features_of_any_octets(
    built: Built, sections: tuple[bytes, ...], texts: tuple[Text, ...]
) -> None:
    octets = Octets(sections, texts)
    assert same(*both(built, partial(features_of, octets)))


@given(st.binary(max_size=600) | some_text.map(lambda text: text.encode("utf-8", "surrogatepass")), some_text)
def test_the_same_features_of_any_message(built: Built, raw: bytes, seen: str) -> None:
    for mail in (Mail(raw), Mail(b"Subject: %b\n\n%b" % (raw.replace(b"\n", b" "), raw))):
        assert same(*both(built, partial(extract, mail, seen_text=seen)))


def test_the_same_features_of_mangled_messages(built: Built) -> None:
    """Messages of the parser's fuzzer, generations of each of three."""
    chance = random.Random(1)
    for seed in (GOOD, raw_mail(1, spam=True), b""):
        raw = seed
        for _ in range(30):
            raw = chance.choice(MUTATIONS)(chance, raw or seed)[:50_000]
            assert same(*both(built, partial(extract, Mail(raw))))


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"a" * MAX_OCTETS,
        b"\n" * MAX_OCTETS,
        b"\0" * MAX_OCTETS,
        b"a\n" * (MAX_OCTETS // 2),
        b"a " * (MAX_OCTETS // 2),
        random.Random(1).randbytes(MAX_OCTETS),
        b" ".join(b"%x" % number for number in range(14_000))[:MAX_OCTETS],
    ],
    ids=["empty", "one word", "newlines", "NUL", "lines", "words", "random", "distinct words"],
)
def test_the_same_features_of_full_texts(built: Built, octets: bytes) -> None:
    """As much as can be, so that other threads go on meanwhile: several at a time."""
    full = Octets((octets,) * 3, tuple(Text(octets, inside) for inside in CLASSES))
    with using(None):
        expected = features_of(full)
    with using(built.loops), ThreadPoolExecutor(4) as threads:
        assert all(same(found, expected) for found in threads.map(features_of, [full] * 8))


@given(st.lists(some_text, max_size=5), some_text)
def test_the_same_forms(built: Built, texts: list[str], whole: str) -> None:
    found, expected = both(built, partial(forms_of, texts, whole))
    assert found == expected


def some_features(chance: random.Random) -> Features:
    """Of no message: views empty, small, and of as many features as long messages have."""
    places: list[int] = []
    counts: list[int] = []
    for view in VIEWS:
        count = chance.choice((0, 1, 2, 8, 9, 10, chance.randrange(200), chance.randrange(3000)))
        found = chance.sample(range(1 << view.bits), count)
        places += sorted(view.offset + bucket for bucket in found)
        counts.append(count)
    return Features(np.array(places, np.uint32), np.array(counts, np.intp))


@pytest.mark.parametrize("seed", range(6))
def test_the_same_scores_and_lessons(built: Built, seed: int) -> None:
    """Of tables full of numbers, after each of three lessons and what is rehearsed with them."""
    chance, numbers = random.Random(seed), np.random.default_rng(seed)
    spam, weight = chance.random() < 0.5, chance.uniform(0.1, 1)
    weights = numbers.normal(0, chance.choice((0, 0.01, 1)), TABLE_SIZE).astype(np.float32)
    squares = numbers.exponential(0.001, TABLE_SIZE).astype(np.float32)
    lessons = [Lesson(some_features(chance), spam ^ (number == 1), weight) for number in range(3)]

    def taught() -> tuple[list[tuple[float, tuple[float, ...]]], bytes, bytes]:
        learner = Learner(weights, squares)
        scores = []
        for lesson in lessons:
            scores.append(learner.score(lesson.features))
            learner.take_in(lesson)
        return (
            [(one.log_odds, one.experts) for one in scores],
            learner.weights.tobytes(),
            learner.accumulators.tobytes(),
        )

    found, expected = both(built, taught)
    assert found == expected


def features_and_table() -> dict[str, Any]:
    """What `step` takes, all of it good."""
    counts = np.array([2, 0, 1], np.intp)
    return {
        "weights": np.zeros(100, np.float32),
        "accumulators": np.zeros(100, np.float32),
        "places": np.array([3, 5, 99], np.uint32),
        "counts": counts,
        "gradients": np.ones(len(counts), np.float32),
        "floor": 0.01,
        "rate": 0.3,
    }


def read_only(size: int) -> np.ndarray[Any, Any]:
    table = np.zeros(size, np.float32)
    table.flags.writeable = False
    return table


BAD_ARRAYS = [
    ("places", np.array([3, 5, 100], np.uint32), IndexError),
    ("places", np.array([3, 5, (1 << 32) - 1], np.uint32), IndexError),
    ("places", np.array([3, 5], np.uint32), ValueError),
    ("places", np.array([3, 5, 6, 7], np.uint32), ValueError),
    ("places", np.array([3, 5, 6], np.int64), TypeError),
    ("places", np.arange(6, dtype=np.uint32)[::2], ValueError),
    ("places", [3, 5, 6], TypeError),
    ("counts", np.array([4, -2, 1], np.intp), ValueError),
    ("counts", np.array([1 << 62, 1 << 62, 3], np.intp), ValueError),
    ("counts", np.array([2, 0, 1], np.int32), TypeError),
    ("weights", np.zeros(100, np.float64), TypeError),
    ("weights", np.zeros(0, np.float32), IndexError),
    ("weights", np.frombuffer(bytearray(401), np.float32, 100, 1), TypeError),
]
BAD_FOR_STEP = [
    ("weights", read_only(100), ValueError),
    ("accumulators", np.zeros(99, np.float32), ValueError),
    ("accumulators", read_only(100), ValueError),
    ("gradients", np.ones(2, np.float32), ValueError),
    ("gradients", None, TypeError),
]


@pytest.mark.parametrize(("name", "value", "error"), [*BAD_ARRAYS, *BAD_FOR_STEP])
def test_what_step_refuses(built: Built, name: str, value: object, error: type[Exception]) -> None:
    """And nothing is changed then."""
    good = features_and_table()
    with pytest.raises(error):
        built.loops.step(*(good | {name: value}).values())
    assert not good["weights"].any()
    assert not good["accumulators"].any()
    built.loops.step(*good.values())
    assert np.flatnonzero(good["weights"]).tolist() == [3, 5, 99]


@pytest.mark.parametrize(("name", "value", "error"), BAD_ARRAYS)
def test_what_sums_refuses(built: Built, name: str, value: object, error: type[Exception]) -> None:
    good = {key: features_and_table()[key] for key in ("weights", "places", "counts")}
    with pytest.raises(error):
        built.loops.sums(*(good | {name: value}).values())


GRAMS, WORDS, PAIRS = (0, 0, 8, 0), (0, 0, 9, 256), (0, 2, 10, 768)


def rows(*views: tuple[int, int, int, int]) -> bytes:
    return np.array(views, np.uint32).tobytes()


@pytest.mark.parametrize(
    ("sections", "texts", "views", "error"),
    [
        ([b"abcd"], ((b"a", WORD),), rows(GRAMS, WORDS), TypeError),
        (("abcd",), ((b"a", WORD),), rows(GRAMS, WORDS), TypeError),
        ((bytearray(4),), ((b"a", WORD),), rows(GRAMS, WORDS), TypeError),
        ((b"abcd",), (b"a",), rows(GRAMS, WORDS), TypeError),
        ((b"abcd",), ((b"a", WORD, WORD),), rows(GRAMS, WORDS), TypeError),
        ((b"abcd",), (("a", WORD),), rows(GRAMS, WORDS), TypeError),
        ((b"abcd",), ((b"a", None),), rows(GRAMS, WORDS), TypeError),
        ((b"abcd",), ((b"a", WORD[:255]),), rows(GRAMS, WORDS), ValueError),
        ((b"abcd",), ((b"a", WORD),), "", TypeError),
        ((b"abcd",), ((b"a", WORD),), rows(GRAMS, WORDS)[:-1], ValueError),
        ((b"abcd",) * 3, ((b"a", WORD),), rows(GRAMS, GRAMS), ValueError),
        ((b"abcd",), ((b"a", WORD),), rows((1, 0, 8, 0)), ValueError),
        ((b"abcd",), ((b"a", WORD),), rows(GRAMS, (1, 0, 8, 0)), ValueError),
        ((b"abcd",), (), rows(GRAMS, WORDS), ValueError),
        ((b"abcd",), ((b"a", WORD),), rows(GRAMS, (0, 9, 8, 0)), ValueError),
        ((b"abcd",), ((b"a", WORD),), rows(GRAMS, (0, 0, 0, 0)), ValueError),
        ((b"abcd",), ((b"a", WORD),), rows(GRAMS, (0, 0, 25, 0)), ValueError),
        ((b"abcd",), ((b"a", WORD),), rows(GRAMS, (0, 0, 8, (1 << 32) - 256)), ValueError),
        ((b"a",) * 65, ((b"a", WORD),), rows(*(GRAMS,) * 65), ValueError),
        ((b"abcd",), ((b"a", WORD),) * 65, rows(GRAMS, WORDS), ValueError),
        ((bytes(1 << 23), bytes(1 << 23)), ((b"a", WORD),), rows(GRAMS, GRAMS), ValueError),
    ],
)
def test_what_places_refuses(
    built: Built, sections: object, texts: object, views: object, error: type[Exception]
) -> None:
    with pytest.raises(error):
        built.loops.places(sections, texts, views)


def test_nothing_has_no_places(built: Built) -> None:
    assert built.loops.places((), (), b"") == (b"", b"")
    assert built.loops.places((b"abc",), ((b"", WORD),), rows(GRAMS, WORDS, PAIRS)) == (b"", bytes(24))


def test_without_memory_there_is_an_error_and_no_leak(built: Built) -> None:
    """Whichever allocation fails; with enough of them the same comes out as ever."""
    good = features_and_table()
    arguments: list[tuple[Callable[..., object], tuple[Any, ...]]] = [
        (built.loops.places, ((b"abcdef",), ((b"a b c", WORD),), rows(GRAMS, WORDS, PAIRS))),
        (built.loops.squeezed, (b"aab",)),
        (built.loops.sums, (good["weights"], good["places"], good["counts"])),
    ]
    for called, given_ in arguments:
        expected = called(*given_)
        references = [sys.getrefcount(one) for one in given_]
        failed = 0
        while True:
            with built.memory_for(failed):
                try:
                    found = called(*given_)
                except MemoryError:
                    failed += 1
                    continue
            break
        assert found == expected
        assert failed > 0
        assert [sys.getrefcount(one) for one in given_] == references


@pytest.fixture
def imported(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[object], None]]:
    """Imports `compiled` anew, with this as the extension; afterwards with the one that is there."""

    def anew(extension: object) -> None:
        monkeypatch.delattr("tamis.models._inner_loops", raising=False)
        monkeypatch.setitem(sys.modules, "tamis.models._inner_loops", extension)
        importlib.reload(compiled)

    yield anew
    monkeypatch.undo()
    importlib.reload(compiled)


def test_without_an_extension_numpy_is_used(imported: Callable[[object], None]) -> None:
    imported(None)
    assert not compiled.used
    assert compiled.WHY_NOT.startswith("the extension can't be loaded: ")
    assert features_of(Octets((b"abcd",) * 3, tuple(Text(b"a", inside) for inside in CLASSES))).counts.any()


def test_an_extension_of_another_interface_is_not_used(imported: Callable[[object], None]) -> None:
    """A checkout that was not installed anew."""
    imported(SimpleNamespace(INTERFACE=0))
    assert not compiled.used
    assert compiled.WHY_NOT == "the extension is of interface 0, not 1: install Tamis anew"
