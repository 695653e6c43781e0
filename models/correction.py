"""What one domain makes of mail differently from the platform: a small correction, hashed into a common table.

A newsletter that one domain calls spam is wanted in another. The words of senders and bodies are hashed once more,
together with the domain, into places behind the platform's weights (Weinberger et al. 2009, feature hashing for
multitask learning); the sign is hashed too, so that what collides averages out. The table has one size however many
domains teach.
"""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
import numpy.typing as npt

from tamis.models.features import CORRECTION_BITS, PLATFORM_SIZE, VIEWS, Features
from tamis.models.hashing import Buckets

RATE: Final = 0.1
"""AdaGrad's step of the correction: smaller than the platform's, so that what all agree on is learned there."""
FLOOR: Final = 0.01
"""AdaGrad's epsilon of the correction."""
MOST_DOMAINS: Final = 1000
"""Domains that have a correction; those that teach first."""

Values = npt.NDArray[np.float32]

_SEEN: Final = ("header words", "origins", "body words")
_NUMBERS = tuple(number for number, view in enumerate(VIEWS) if view.name in _SEEN)
_ODD = np.uint32(0x9E37_79B1)
_ODD2 = np.uint32(0x85EB_CA6B)
_SIGN = np.uint32(1)


def salt_of(domain: str) -> int:
    """What stands for a domain in hashes and in the model's file; 0 for none."""
    if not domain:
        return 0
    return int.from_bytes(hashlib.blake2b(domain.lower().encode(), digest_size=4).digest(), "little") or 1


def places_of(features: Features, salt: int) -> tuple[Buckets, Values]:
    """Where in the table a domain's words of a message are, and the value of each there."""
    ends = np.cumsum(features.counts)
    found = [features.indices[ends[n] - features.counts[n] : ends[n]] for n in _NUMBERS]
    sizes = [len(one) for one in found]
    hashes = (np.concatenate(found) ^ np.uint32(salt)) * _ODD
    hashes ^= hashes >> np.uint32(15)
    hashes *= _ODD2
    hashes ^= hashes >> np.uint32(13)
    scales = [1.0 / np.sqrt(max(1, size)) for size in sizes]
    values = np.repeat(np.array(scales, dtype=np.float32), sizes)
    values[(hashes & _SIGN) == 1] *= -1
    return (hashes >> np.uint32(32 - CORRECTION_BITS)) + np.uint32(PLATFORM_SIZE), values
