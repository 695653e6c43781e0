"""DNS lists (RFC 5782): how one is written in the settings, and what its answers mean."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

from tamis.base.errors import ServiceError

DNSBL = (
    "zen.spamhaus.org=127.0.0.2-127.0.0.11",
    "bl.spamcop.net=127.0.0.2",
    "psbl.surriel.com=127.0.0.2",
    "bl.mailspike.net=127.0.0.2,127.0.0.10-127.0.0.12",
    "dnsbl-1.uceprotect.net=127.0.0.2",
    "bl.spameatingmonkey.net=127.0.0.2-127.0.0.3",
)
"""Lists of client addresses; docs/dns-lists.md tells about each."""
RHSBL = ("dbl.spamhaus.org=127.0.1.2-127.0.1.99", "multi.surbl.org=&8,&16,&64,&128*0.5")
URIBL = (
    "dbl.spamhaus.org=127.0.1.2-127.0.1.106",
    "multi.surbl.org+ip=&8,&16,&64,&128",
    "multi.uribl.com+ip=&2",
)

_ZONE = re.compile(
    r"(?=.{1,120}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}", re.IGNORECASE
)
_LOOPBACK = ipaddress.ip_network("127.0.0.0/8")
_REFUSALS = ipaddress.ip_network("127.255.255.0/24")
_RESERVED = ipaddress.ip_address("127.0.0.1")


class ListRefusedError(ServiceError):
    """A list that does not serve this resolver: it has not answered."""


@dataclass(frozen=True, slots=True)
class _Code:
    """Return codes: a range, or a bit of the last octet (`mask`), and what being listed under them weighs."""

    low: int
    high: int
    mask: int
    weight: float

    def covers(self, address: int) -> bool:
        return bool(address & self.mask) if self.mask else self.low <= address <= self.high


@dataclass(frozen=True, slots=True)
class DNSList:
    """One list. Written `ZONE`, or `ZONE=CODES`; `ZONE+ip` is a list of domains that also takes addresses.

    CODES are separated by commas, each an address, a range `A-B` or a bit `&N` of the last octet, with `*WEIGHT`
    (0-1) behind it if being listed under it counts for less than a whole list. Without CODES every answer from
    127.0.0.2 on is a listing.
    """

    zone: str
    takes_ips: bool
    codes: tuple[_Code, ...]

    @classmethod
    @lru_cache(maxsize=256)
    def parse(cls, text: str) -> Self:
        """Read one. Raises ValueError."""
        name, _, codes = text.replace(" ", "").partition("=")
        zone, plus, _ = name.partition("+ip")
        if not _ZONE.fullmatch(zone) or name != zone + plus:
            raise ValueError("must be ZONE, ZONE=CODES or ZONE+ip=CODES")
        found = tuple(_code(one) for one in (codes or "127.0.0.2-127.255.254.255").split(","))
        return cls(zone.lower(), bool(plus), found)

    @property
    def part(self) -> str:
        """Its name as an external part (tamis.base.breaker)."""
        return f"DNS list {self.zone}"

    def weight(self, records: Iterable[str]) -> float:
        """What the listing weighs, 0 when none of the list's codes is in the answer. Raises RefusedError.

        A resolver that the list refuses is told so by codes that are no listing; an answer outside 127/8 comes from
        somebody who answers for every name.
        """
        weight = 0.0
        for record in records:
            address = _listing(record)
            if not address:
                raise ListRefusedError(f"{self.zone} does not serve this resolver ({record})")
            weight = max([weight, *(c.weight for c in self.codes if c.covers(address))])
        return weight


@lru_cache(maxsize=1024)
def _listing(record: str) -> int:
    """The address of an answer as a number; 0 where it is no listing. Raises ValueError for what is no address."""
    address = ipaddress.ip_address(record)
    if address not in _LOOPBACK or address in _REFUSALS or address == _RESERVED:
        return 0
    return int(address)


def _code(text: str) -> _Code:
    span, star, number = text.partition("*")
    weight = float(number) if star else 1.0
    if not 0 <= weight <= 1:
        raise ValueError("a weight is 0 to 1")
    if span.startswith("&"):
        mask = int(span[1:])
        if not 0 < mask < 256:
            raise ValueError("a bit is &1 to &255")
        return _Code(0, 0, mask, weight)
    low, _, high = span.partition("-")
    ends = [ipaddress.IPv4Address(one) for one in (low, high or low)]
    if any(one not in _LOOPBACK for one in ends):
        raise ValueError("return codes lie in 127.0.0.0/8")
    return _Code(int(ends[0]), int(ends[1]), 0, weight)
