"""Hashing of byte n-grams and of words, vectorised, the same on every machine and in every process.

Python's own `hash()` is salted per process, so none of it is used. Words are hashed by a polynomial over
their octets modulo 2^64, read off prefix sums: the hash of octets[s:e] is (S[e] - S[s]) / P^s with
S[i] = sum of octets[j] * P^j for j < i (Karp & Rabin 1987), and division by the odd P is multiplication by
its inverse. A final multiply-xorshift round (Steele, Lea & Flood 2014) spreads it over all bits.

A call of numpy costs as much as some hundred words, and more where threads wait for each other at it. So each
function here takes all of a message at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]
Positions = npt.NDArray[np.intp]
Buckets = npt.NDArray[np.uint32]

MAX_OCTETS = 65_536
"""Octets of one text that words are taken from; callers cut their text to less."""
MAX_WORD = 32
"""Octets of a word; a longer one (base64, a run of dashes) is known by its length only."""

_BASE = 0x9E37_79B9_7F4A_7C15
_INVERSE = pow(_BASE, -1, 1 << 64)
_MIX = np.uint64(0xBF58_476D_1CE4_E5B9)
_MIX2 = np.uint64(0x94D0_49BB_1331_11EB)
_PAIR = np.uint64(0xD6E8_FEB8_6659_FD93)
_GRAM = np.uint32(0x9E37_79B1)
_ONE = np.uint64(1)
_SHIFTS = np.uint64(30), np.uint64(27), np.uint64(31)
_HALF = np.uint64(32)
_GRAM_SHIFTS = np.uint32(15), np.uint32(13)


def _powers(base: int) -> Hashes:
    """base^0 ... base^(MAX_OCTETS - 1) modulo 2^64, by doubling."""
    table = np.ones(MAX_OCTETS, dtype=np.uint64)
    filled, factor = 1, base
    while filled < MAX_OCTETS:
        table[filled : 2 * filled] = table[:filled] * np.uint64(factor)
        filled, factor = 2 * filled, factor * factor % (1 << 64)
    return table


_POWERS = _powers(_BASE)
_INVERSES = _powers(_INVERSE)


def mix(hashes: Hashes) -> Hashes:
    """A bijection of 64-bit numbers that makes every bit depend on every other, in place."""
    hashes ^= hashes >> _SHIFTS[0]
    hashes *= _MIX
    hashes ^= hashes >> _SHIFTS[1]
    hashes *= _MIX2
    hashes ^= hashes >> _SHIFTS[2]
    return hashes


def spans(flags: bytes) -> tuple[Positions, Positions]:
    """Where the maximal runs of 1 begin and end in octets of 0 and 1."""
    bounded = np.frombuffer(b"\0%b\0" % flags, dtype=np.uint8)
    edges = (bounded[1:] != bounded[:-1]).nonzero()[0]
    return edges[::2], edges[1::2]


def word_hashes(octets: bytes, starts: Positions, ends: Positions) -> Hashes:
    """One 64-bit hash per span of `octets`; none is longer than MAX_OCTETS."""
    if not len(starts):
        return np.empty(0, dtype=np.uint64)
    first = int(starts[0])
    length = int(ends[-1]) - first
    if length > MAX_OCTETS:
        half = len(starts) // 2
        parts = (slice(half), slice(half, None))
        return np.concatenate([word_hashes(octets, starts[part], ends[part]) for part in parts])
    terms = np.frombuffer(octets, np.uint8, length, first).astype(np.uint64)
    terms += _ONE
    terms *= _POWERS[:length]
    sums = np.empty(length + 1, dtype=np.uint64)
    sums[0] = 0
    np.add.accumulate(terms, out=sums[1:])
    before = starts - first
    hashes = sums[ends - first]
    hashes -= sums[before]
    hashes *= _INVERSES[before]
    lengths = ends - starts
    long = lengths > MAX_WORD
    if long.any():
        hashes[long] = np.minimum(lengths[long], 1024) >> 3
    return mix(hashes)


def salted(hashes: Hashes, salts: Hashes) -> Hashes:
    """`hashes` made different for every salt (a header's name)."""
    return mix(salts * _PAIR + hashes)


def neighbours(start: int, stop: int, distances: Sequence[int]) -> tuple[Positions, Positions]:
    """The first and the second of all pairs of numbers from `start` to `stop` - 1 at one of the distances."""
    every = np.arange(start, stop)
    return (
        np.concatenate([every[:-distance] for distance in distances]),
        np.concatenate([every[distance:] for distance in distances]),
    )


def pairs(hashes: Hashes, first: Positions, second: Positions) -> Hashes:
    """Sparse bigrams: of each pair of words, told by their numbers (Siefkes et al. 2004, OSB)."""
    gaps = second - first
    gaps += gaps
    gaps += 1
    found = hashes[second]
    found *= gaps.view(np.uint64)
    found += hashes[first] * _PAIR
    return mix(found)


def halves(hashes: Hashes) -> Buckets:
    """The upper half of each hash: a bucket of 2^bits is its first `bits` bits."""
    return (hashes >> _HALF).astype(np.uint32)


def gram_hashes(octets: bytes) -> Buckets:
    """The 32-bit hash of the 4-gram at each octet but the last three."""
    count = len(octets) - 3
    if count <= 0:
        return np.empty(0, dtype=np.uint32)
    grams = np.ndarray(count, "<u4", octets, strides=(1,)).astype(np.uint32)
    grams ^= grams >> _GRAM_SHIFTS[0]
    grams *= _GRAM
    grams ^= grams >> _GRAM_SHIFTS[1]
    grams *= _GRAM
    return grams


def distinct(values: Buckets) -> Buckets:
    """The distinct ones of ascending values."""
    if len(values) < 2:
        return values
    keep = np.empty(len(values), dtype=np.bool_)
    keep[0] = True
    np.not_equal(values[1:], values[:-1], out=keep[1:])
    return values.take(keep.nonzero()[0])
