"""What is looked at where a bound leaves out the rest: some of it is always certain, the rest nobody can foresee."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from hashlib import blake2b
from random import Random
from typing import TypeVar

T = TypeVar("T")

_KEY = secrets.token_bytes(32)


def chance(octets: bytes, purpose: str) -> Random:
    """Random numbers for one message and purpose: the same again in this process, and unknown outside of it."""
    made = blake2b(octets[:65_536], digest_size=16, key=_KEY)
    made.update(f"{len(octets)} {purpose}".encode())
    return Random(made.digest())  # noqa: S311 - its seed is the secret


def sampled(
    items: Sequence[T],
    most: int,
    random: Random,
    *,
    sure: int = 0,
    weight: Callable[[T], float] = lambda _: 1.0,
) -> list[T]:
    """At most `most` items in their order: the first `sure` ones, the last one, and others drawn by `weight` (> 0)."""
    if len(items) <= most:
        return list(items)
    last = len(items) - 1
    kept = {*range(min(sure, most - 1)), last}
    # Weighted without replacement (Efraimidis and Spirakis 2006): the largest of u^(1/w).
    drawn = [(random.random() ** (1 / weight(item)), at) for at, item in enumerate(items) if at not in kept]
    kept.update(at for _, at in sorted(drawn, reverse=True)[: most - len(kept)])
    return [items[at] for at in sorted(kept)]


def excerpt(octets: bytes, most: int, random: Random) -> bytes:
    """At most `most` octets: half of them from the beginning, a quarter from anywhere, a quarter from the end; each on
    lines of its own."""
    return b"\n".join(octets[piece] for piece in _pieces(len(octets), most, random))


def text_excerpt(text: str, most: int, random: Random) -> str:
    """The same of characters."""
    return "\n".join(text[piece] for piece in _pieces(len(text), most, random))


def _pieces(length: int, most: int, random: Random) -> tuple[slice, ...]:
    if length <= most:
        return (slice(None),)
    quarter = most // 4 - 1
    start = random.randrange(quarter, length - quarter + 1)
    return slice(2 * quarter), slice(start, start + quarter), slice(-quarter, None)
