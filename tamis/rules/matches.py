"""What rules say of one message, for people who try them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tamis.message.mail import Mail
from tamis.rules.book import Rule, RuleBook, Spot
from tamis.rules.expression import Expression

MOST_SPOTS = 200
"""Places where patterns matched that are told. Beyond: left out: they are for people to look at, and change nothing."""
MOST_SECONDS = 2.0
"""How long places are looked for, and rules timed one by one. Beyond: the rest are not told: they change nothing."""
_TEXT = 200


@dataclass(frozen=True, slots=True)
class Tried:
    """What rules say of a message: `met` has those that it meets, with True, or with what is still open of other
    filters. `seconds` is what the daemon spends on all of them; `by_rule` what single rules cost by themselves, as far
    as there was time to try them, the dearest first."""

    met: tuple[tuple[Rule, Expression], ...]
    spots: tuple[Spot, ...]
    seconds: float
    by_rule: tuple[tuple[str, float], ...] = ()


def tried(book: RuleBook, mail: Mail, *, each: bool = False) -> Tried:
    """Try rules on a message, `each` by itself as well."""
    book.match(mail)  # texts are decoded and automata made once, not for each message
    start = time.perf_counter()
    values = book.match(mail).values
    seconds = time.perf_counter() - start
    spots = tuple(_spots(book, mail))
    times = sorted(_timed(book, mail), key=lambda one: -one[1]) if each else []
    met = tuple((book.by_name[name], value) for name, value in values.items())
    return Tried(met, spots, seconds, tuple(times))


def _spots(book: RuleBook, mail: Mail) -> Iterator[Spot]:
    until = time.perf_counter() + MOST_SECONDS
    for number, spot in enumerate(book.spots(mail)):
        if number >= MOST_SPOTS or time.perf_counter() > until:
            return
        yield spot


def _timed(book: RuleBook, mail: Mail) -> Iterator[tuple[str, float]]:
    """Rules of patterns, alone."""
    until = time.perf_counter() + MOST_SECONDS
    for rule in book.rules:
        if not rule.patterns:
            continue
        alone = RuleBook((rule,), book.tables)
        alone.match(mail)
        start = time.perf_counter()
        alone.match(mail)
        end = time.perf_counter()
        yield rule.name, end - start
        if end > until:
            return


def matches(book: RuleBook, mail: Mail) -> dict[str, Any]:
    """The rules that a message meets, or may meet, what matched where, and how long it took, as plain data."""
    found = tried(book, mail)
    return {
        "rules": [
            {
                "rule": rule.name,
                "met": True if value is True else None,
                "depends_on": None if value is True else value,
                "action": rule.action,
                "points": rule.points,
            }
            for rule, value in found.met
        ],
        "matches": [
            {"rule": s.rule, "place": s.place, "pattern": s.pattern, "text": s.text[:_TEXT]}
            for s in found.spots
        ],
        "seconds": round(found.seconds, 6),
    }
