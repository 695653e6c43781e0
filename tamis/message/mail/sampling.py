"""What is looked at where a bound leaves out the rest: some of it is always certain, the rest nobody can foresee."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from random import Random
from typing import Generic, NamedTuple, Protocol, TypeVar

from tamis.base.derived import derived

T = TypeVar("T")

_KEY = secrets.token_bytes(32)


class Chance(Protocol):
    """Where numbers are drawn from; random.Random is one."""

    def random(self) -> float:
        """A number from 0 to less than 1."""

    def randrange(self, start: int, stop: int) -> int:
        """A whole number from `start` to less than `stop`."""


class MessageChance:
    """Random numbers for one message and purpose: the same again in this process, and unknown outside of it. Made only
    when one is drawn, for most messages stay within all bounds."""

    def __init__(self, octets: bytes, purpose: str) -> None:
        self._octets = octets
        self._purpose = purpose

    @derived
    def _made(self) -> Random:
        hashed = blake2b(self._octets[:65_536], digest_size=16, key=_KEY)
        hashed.update(f"{len(self._octets)} {self._purpose}".encode())
        return Random(hashed.digest())  # noqa: S311 - its seed is the secret

    def random(self) -> float:
        """See Chance."""
        return self._made.random()

    def randrange(self, start: int, stop: int) -> int:
        """See Chance."""
        return self._made.randrange(start, stop)

    def sample(self, items: Sequence[T], number: int) -> list[T]:
        """As random.Random.sample."""
        return self._made.sample(items, number)


def sampled(
    items: Sequence[T],
    most: int,
    random: Chance,
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


class Some(NamedTuple, Generic[T]):
    """What was taken of many, and whether that is not all."""

    items: list[T]
    is_cut: bool


def some_of(items: Iterable[T], most: int, random: Chance) -> Some[T]:
    """All items, or of more than `most` some that nobody can foresee; each as likely as the others (reservoir)."""
    kept: list[T] = []
    number = 0
    for number, item in enumerate(items, 1):
        if number <= most:
            kept.append(item)
        elif (at := random.randrange(0, number)) < most:
            kept[at] = item
    return Some(kept, number > most)


def excerpt(octets: bytes, most: int, random: Chance) -> bytes:
    """At most `most` octets: half of them from the beginning, a quarter from anywhere, a quarter from the end; each on
    lines of its own."""
    return b"\n".join(octets[piece] for piece in _pieces(len(octets), most, random))


def text_excerpt(text: str, most: int, random: Chance) -> str:
    """The same of characters."""
    return "\n".join(text[piece] for piece in _pieces(len(text), most, random))


def _pieces(length: int, most: int, random: Chance) -> tuple[slice, ...]:
    if length <= most:
        return (slice(None),)
    quarter = most // 4 - 1
    start = random.randrange(quarter, length - quarter + 1)
    return slice(2 * quarter), slice(start, start + quarter), slice(-quarter, None)
