"""List entries that say the contrary of each other, and which of them counts. Pure.

entries -> those whose scopes lie in one another, and whose patterns cover a common sender or client
        -> the nearer scope's wins; within one scope the white one (L1, L2)
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from tamis.contract.lists import OTHER, ListEntry, Match, MatchedField, Subject, in_order
from tamis.people.rights import upwards

MOST_COMPARED = 20_000
"""Entries, the newest, in which contradictions are looked for by pages and API; beyond: those of older ones are not
told, which is said."""
MOST = 1000
"""Conflicts that are looked for; beyond: the rest is not told, which is said."""
_MOST_ALIKE = 100
"""Entries that one is held against; beyond: the rest is not told."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two entries: for mail to `scope`, the nearer of their scopes, `wins` counts and `loses` does not."""

    wins: ListEntry
    loses: ListEntry
    scope: str


def conflicts(entries: Iterable[ListEntry], now: datetime) -> Iterator[Conflict]:
    """The conflicts of entries that are in force, in the order of the entries that lose nothing by them. Patterns with
    an asterisk elsewhere than in "*.domain" are not compared."""
    standing = [one for one in entries if one.expires is None or one.expires > now]
    named: dict[tuple[str, str, str], list[ListEntry]] = {}
    for one in standing:
        named.setdefault((str(one.subject), str(one.colour), one.pattern), []).append(one)
    prefixes = {ipaddress.ip_network(one.pattern).prefixlen for one in standing if one.subject is Subject.IP}
    seen: set[frozenset[int]] = set()
    for one in standing:
        for pattern in _covering(one, sorted(prefixes)):
            for other in named.get((str(one.subject), str(OTHER[one.colour]), pattern), ())[:_MOST_ALIKE]:
                pair = frozenset((one.id, other.id))
                scope = _common(one.scope, other.scope)
                if scope and pair not in seen:
                    seen.add(pair)
                    yield _decided(one, other, scope)
                    if len(seen) >= MOST:
                        return


def _covering(one: ListEntry, prefixes: Sequence[int]) -> Iterator[str]:
    """The patterns that cover all that an entry covers, its own among them."""
    yield one.pattern
    if one.subject is Subject.IP:
        network = ipaddress.ip_network(one.pattern)
        for length in prefixes:
            if length < network.prefixlen:
                yield str(network.supernet(new_prefix=length))
        return
    if one.subject is not Subject.SENDER:
        return
    local, at, domain = one.pattern.rpartition("@")
    if at and local:
        yield domain
    labels = domain.removeprefix("*.").split(".")
    first = 0 if domain.startswith("*.") else 1
    for start in range(max(first, 1), min(len(labels), 32)):
        yield "*." + ".".join(labels[start:])


def _common(one: str, other: str) -> str:
    """The nearer of two scopes of which one lies in the other; "" where nobody is in both."""
    if other in upwards(one):
        return one
    return other if one in upwards(other) else ""


def _decided(one: ListEntry, other: ListEntry, scope: str) -> Conflict:
    found = [Match.of(entry, MatchedField.ENVELOPE) for entry in (one, other)]
    first = in_order(found, upwards(scope))[0]
    wins, loses = (one, other) if first.entry == one.id else (other, one)
    return Conflict(wins, loses, scope)
