"""Hashes: equal to their definition, the same everywhere, well spread."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tamis.models import hashing
from tamis.models.hashing import (
    MAX_OCTETS,
    MAX_WORD,
    Hashes,
    distinct,
    gram_hashes,
    halves,
    neighbours,
    pairs,
    spans,
    word_hashes,
)

_M = 1 << 64
_LETTERS = bytes(97 <= octet < 123 for octet in range(256))


def _mix(value: int) -> int:
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) % _M
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) % _M
    return value ^ (value >> 31)


def _naive(word: bytes) -> int:
    if len(word) > MAX_WORD:
        return _mix(min(len(word), 1024) >> 3)
    return _mix(sum((octet + 1) * pow(0x9E3779B97F4A7C15, i, _M) for i, octet in enumerate(word)) % _M)


@given(st.lists(st.binary(min_size=1, max_size=40).map(lambda b: bytes(97 + o % 26 for o in b)), max_size=30))
def test_word_hashes_are_what_they_say(words: list[bytes]) -> None:
    octets = b" ".join(words)
    starts, ends = spans(octets.translate(_LETTERS))
    assert [octets[s:e] for s, e in zip(starts, ends, strict=True)] == words
    assert word_hashes(octets, starts, ends).tolist() == [_naive(word) for word in words]


@given(st.binary(max_size=300), st.integers(8, 20))
def test_grams_are_the_distinct_ones(text: bytes, bits: int) -> None:
    found = gram_buckets(text, bits)
    assert len(found) <= len({text[i : i + 4] for i in range(max(0, len(text) - 3))})
    assert found == sorted(set(found))
    assert all(bucket < 1 << bits for bucket in found)


def gram_buckets(text: bytes, bits: int) -> list[int]:
    found: list[int] = distinct(np.sort(gram_hashes(text) >> np.uint32(32 - bits))).tolist()
    return found


def hashed(octets: bytes) -> Hashes:
    return word_hashes(octets, *spans(octets.translate(_LETTERS)))


def test_golden_values() -> None:
    """A change here makes every model on disk worthless: it needs another FEATURE_VERSION."""
    octets = b"free prize for you"
    hashes = hashed(octets)
    assert hashes.tolist()[:2] == [11578820030387890111, 9405190415593316525]
    assert pairs(hashes, *neighbours(0, 4, [1])).tolist()[0] == 17546331977508288631
    assert gram_buckets(octets, 18)[:4] == [49968, 61983, 111594, 114789]


def test_hashes_do_not_depend_on_the_place() -> None:
    """Beyond what one pass of the powers reaches, too."""
    alone = hashed(b"two words")
    assert set(hashed(b"two  words " * MAX_OCTETS).tolist()) == set(alone.tolist())
    far = hashed(b"two" + b" " * 3 * MAX_OCTETS + b"words")
    assert far.tolist() == alone.tolist()


@given(st.lists(st.integers(0, _M - 1), max_size=12))
def test_pairs_are_what_they_say(hashes: list[int]) -> None:
    found = pairs(np.array(hashes, dtype=np.uint64), *neighbours(0, len(hashes), (1, 2)))
    assert found.tolist() == [
        _mix((first * 0xD6E8FEB86659FD93 + second * (2 * distance + 1)) % _M)
        for distance in (1, 2)
        for first, second in zip(hashes, hashes[distance:], strict=False)
    ]


def test_neighbours_are_all_pairs_at_the_distances() -> None:
    first, second = neighbours(5, 9, (1, 3))
    assert list(zip(first.tolist(), second.tolist(), strict=True)) == [(5, 6), (6, 7), (7, 8), (5, 8)]
    assert [len(numbers) for numbers in neighbours(5, 6, (1, 2))] == [0, 0]


def test_words_spread_over_the_buckets() -> None:
    words = (bytes(97 + number // 26**place % 26 for place in range(3)) for number in range(10_000))
    found = distinct(np.sort(halves(hashed(b" ".join(words))) >> np.uint32(32 - 18)))
    assert len(found) > 9_700  # 10,000 balls into 2^18 boxes meet about 190 times


def test_pairs_tell_order_and_distance() -> None:
    hashes = hashed(b"one two one")
    assert len(set(pairs(hashes, *neighbours(0, 3, (1, 2))).tolist())) == 3
    assert hashing.salted(hashes, hashes[::-1]).tolist() != hashes.tolist()
