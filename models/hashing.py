"""Hashing of byte n-grams and of words, vectorised, the same on every machine and in every process.

Python's own `hash()` is salted per process, so none of it is used. Words are hashed by a polynomial over
their octets modulo 2^64, read off prefix sums: the hash of octets[s:e] is (S[e] - S[s]) / P^s with
S[i] = sum of octets[j] * P^j for j < i (Karp & Rabin 1987), and division by the odd P is multiplication by
its inverse. A final multiply-xorshift round (Steele, Lea & Flood 2014) spreads it over all bits.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Octets = npt.NDArray[np.uint8]
Hashes = npt.NDArray[np.uint64]
Positions = npt.NDArray[np.intp]
Buckets = npt.NDArray[np.uint32]

MAX_OCTETS = 65_536
"""Octets that one call hashes words in; callers cut their text to less."""
MAX_WORD = 32
"""Octets of a word; a longer one (base64, a run of dashes) is known by its length only."""

_BASE = 0x9E37_79B9_7F4A_7C15
_INVERSE = pow(_BASE, -1, 1 << 64)
_MIX = np.uint64(0xBF58_476D_1CE4_E5B9)
_MIX2 = np.uint64(0x94D0_49BB_1331_11EB)
_PAIR = np.uint64(0xD6E8_FEB8_6659_FD93)
_GRAM = np.uint32(0x9E37_79B1)


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


def octets_of(text: bytes) -> Octets:
    """The octets of `text`, at most MAX_OCTETS, without a copy."""
    return np.frombuffer(text, dtype=np.uint8, count=min(len(text), MAX_OCTETS))


def mix(hashes: Hashes) -> Hashes:
    """A bijection of 64-bit numbers that makes every bit depend on every other."""
    mixed = (hashes ^ (hashes >> np.uint64(30))) * _MIX
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _MIX2
    return mixed ^ (mixed >> np.uint64(31))


def spans(octets: Octets, inside: npt.NDArray[np.bool_]) -> tuple[Positions, Positions]:
    """Where the maximal runs of octets of a class begin and end; `inside` has 256 entries."""
    flags = np.zeros(len(octets) + 2, dtype=np.bool_)
    flags[1:-1] = inside[octets]
    edges = np.flatnonzero(flags[1:] != flags[:-1])
    return edges[::2], edges[1::2]


def word_hashes(octets: Octets, starts: Positions, ends: Positions) -> Hashes:
    """One 64-bit hash per span of `octets`."""
    if not len(starts):
        return np.zeros(0, dtype=np.uint64)
    sums = np.zeros(len(octets) + 1, dtype=np.uint64)
    np.cumsum((octets.astype(np.uint64) + np.uint64(1)) * _POWERS[: len(octets)], out=sums[1:])
    hashes = (sums[ends] - sums[starts]) * _INVERSES[starts]
    lengths = ends - starts
    long = lengths > MAX_WORD
    if long.any():
        hashes[long] = np.minimum(lengths[long], 1024).astype(np.uint64) >> np.uint64(3)
    return mix(hashes)


def salted(hashes: Hashes, salts: Hashes) -> Hashes:
    """`hashes` made different for every salt (a header's name)."""
    return mix(hashes + salts * _PAIR)


def pairs(hashes: Hashes, distance: int) -> Hashes:
    """Sparse bigrams: each word with the one `distance` words later (Siefkes et al. 2004, OSB)."""
    gap = np.uint64(2 * distance + 1)
    return mix(hashes[:-distance] * _PAIR + hashes[distance:] * gap)


def buckets(hashes: Hashes, bits: int) -> Buckets:
    """The bucket of 2^bits that each hash falls into."""
    return (hashes >> np.uint64(64 - bits)).astype(np.uint32)


def gram_hashes(octets: Octets) -> npt.NDArray[np.uint32]:
    """The 32-bit hash of the 4-gram at each octet but the last three."""
    count = len(octets) - 3
    if count <= 0:
        return np.zeros(0, dtype=np.uint32)
    wide = octets.astype(np.uint32)
    shift = np.uint32(8)
    grams = wide[:count] | wide[1 : count + 1] << shift
    grams |= (wide[2 : count + 2] | wide[3:] << shift) << np.uint32(16)
    grams ^= grams >> np.uint32(15)
    grams *= _GRAM
    grams ^= grams >> np.uint32(13)
    grams *= _GRAM
    return grams


def distinct(values: Buckets) -> Buckets:
    """The distinct values, ascending. `values` is sorted in place."""
    if len(values) < 2:
        return values
    values.sort()
    keep = np.empty(len(values), dtype=np.bool_)
    keep[0] = True
    np.not_equal(values[1:], values[:-1], out=keep[1:])
    return values[keep]
