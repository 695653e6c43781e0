"""Whether DNS lists can be believed: asked for the entries that each must have, and for some that none may have.

RFC 5782 5: a list of addresses has 127.0.0.2 and lacks 127.0.0.1; one of domains has TEST and lacks INVALID. A list
that died and answers for every name may keep its test entry, so strangers drawn at random are asked for, too.
"""

from __future__ import annotations

import ipaddress
import logging
import secrets
import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tamis.base.breaker import Breakers
from tamis.base.errors import ServiceError
from tamis.contract.service_protocols import DNS, Answer
from tamis.settings import Platform
from tamis.settings.dns_lists import DNSList, ListRefusedError

log = logging.getLogger(__name__)

LISTED_IP, NOT_LISTED_IP = "2.0.0.127", "1.0.0.127"  # 127.0.0.2 and 127.0.0.1
LISTED_NAME, NOT_LISTED_NAME = "test", "invalid"
OWN_TEST_NAMES = {
    "dbl.spamhaus.org": "dbltest.com",
    "multi.surbl.org": "test.surbl.org",
    "multi.uribl.com": "test.uribl.com",
}
"""Names that lists of domains have for testing besides RFC 5782's."""
LACKING = 3
"""Tests in a row in which a list lacks its test entry before it is left out: one may be its maintenance."""

_STRANGERS = 12
"""Random addresses asked for; lists of dial-up networks have a third of all, so that few would say nothing."""
_FIRST = 2


class ListHealth(StrEnum):
    """What a test says of a list."""

    WELL = "answers as it should"
    EVERYTHING = "lists what no list may have, so probably everything"
    NOTHING = "lacks its test entry: it is closed, or its return codes have changed"
    REFUSES = "refuses this resolver"
    SILENT = "no answer"


@dataclass(frozen=True, slots=True)
class Tested:
    """One list's, with what it or the DNS said where that is worth telling."""

    health: ListHealth
    told: str = ""


async def probe(dns: DNS, one: DNSList, listed: Sequence[str], absent: str) -> Tested:
    """Ask a list for entries of which it has at least one, for one that it lacks, and for strangers."""
    draw = stranger if absent == NOT_LISTED_IP else unknown_name
    first = [draw() for _ in range(_FIRST)]
    answers = await _asked(dns, one, [*listed, absent, *first])
    there, (not_there, *strange) = answers[: len(listed)], answers[len(listed) :]
    try:
        if _has(one, not_there):
            return Tested(ListHealth.EVERYTHING, absent)
        if all(_has(one, answer) for answer in strange):
            more = await _asked(dns, one, [draw() for _ in range(_STRANGERS - _FIRST)])
            if all(_has(one, answer) for answer in more):
                return Tested(ListHealth.EVERYTHING, first[0])
        heard = [answer for answer in there if isinstance(answer, Answer)]
        if not heard:
            return Tested(ListHealth.SILENT, str(there[0]))
        return Tested(ListHealth.WELL if any(_has(one, a) for a in heard) else ListHealth.NOTHING)
    except ListRefusedError as problem:
        return Tested(ListHealth.REFUSES, str(problem))


async def _asked(dns: DNS, one: DNSList, names: Sequence[str]) -> list[Answer | ServiceError]:
    return await dns.queries([(f"{name}.{one.zone}", "A") for name in names])


def _has(one: DNSList, answer: Answer | ServiceError) -> bool:
    """Whether an answer is a listing. Raises ListRefusedError."""
    return isinstance(answer, Answer) and bool(answer.records) and one.weight(answer.records) > 0


def stranger() -> str:
    """A public IPv4 address drawn at random, as lists are asked for it."""
    while True:
        address = ipaddress.IPv4Address(secrets.randbits(32))
        if address.is_global and not address.is_multicast:
            return address.reverse_pointer.removesuffix(".in-addr.arpa")


def unknown_name() -> str:
    """A domain that nobody has, drawn at random."""
    return "".join(secrets.choice(string.ascii_lowercase) for _ in range(24)) + ".com"


def lists_of(platform: Platform) -> list[tuple[DNSList, Sequence[str], str]]:
    """The lists of a platform, each once, with the entries that it has and the one that it lacks."""
    addresses = {one.zone: one for one in map(DNSList.parse, platform.dnsbl)}
    domains = {one.zone: one for one in map(DNSList.parse, (*platform.rhsbl, *platform.uribl))}
    names = {zone: [LISTED_NAME, *([own] if (own := OWN_TEST_NAMES.get(zone)) else [])] for zone in domains}
    return [
        *((one, [LISTED_IP], NOT_LISTED_IP) for one in addresses.values()),
        *((one, names[zone], NOT_LISTED_NAME) for zone, one in domains.items() if zone not in addresses),
    ]


class ListTests:
    """The tests of one process: a list that can't be believed is left out, loudly, until a test says otherwise."""

    def __init__(self) -> None:
        self._lacking: Counter[str] = Counter()
        self._doubted: frozenset[str] = frozenset()

    async def run(self, dns: DNS, breakers: Breakers, platform: Platform, every: float) -> None:
        """Test every list once; the next time is in `every` seconds."""
        useless: set[str] = set()
        lists = lists_of(platform)
        for one, listed, absent in lists:
            result = await probe(dns, one, listed, absent)
            if result.health is not ListHealth.WELL:
                useless.add(one.zone)
            self._judge(one, result, breakers, every)
        if 2 * len(useless) > len(lists) and not 2 * len(self._doubted) > len(lists):
            log.warning(
                "%d of %d DNS lists are of no use now (%s): the others decide little alone; see tamis doctor",
                len(useless),
                len(lists),
                ", ".join(sorted(useless)),
            )
        self._doubted = frozenset(useless)

    def _judge(self, one: DNSList, result: Tested, breakers: Breakers, every: float) -> None:
        breaker = breakers.part(one.part)
        if result.health is ListHealth.EVERYTHING:
            breaker.hold(f"{result.health} ({result.told})", every)
        elif result.health is ListHealth.NOTHING:
            self._lacking[one.zone] += 1
            if self._lacking[one.zone] >= LACKING:
                breaker.hold(result.health, every)
            elif self._lacking[one.zone] == 1:
                log.warning("%s %s; left out if this lasts", one.part, result.health)
        elif result.health is ListHealth.WELL:
            self._lacking.pop(one.zone, None)
            breaker.release()
