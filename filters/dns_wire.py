"""DNS messages (RFC 1035): questions to octets, and octets to answers, within bounds."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tamis.errors import ServiceError

if TYPE_CHECKING:
    from dns.rrset import RRset

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28}
MAX_RECORDS = 100
"""Records of one answer that are kept."""

_HEADER = struct.Struct("!6H")
_RESPONSE, _TRUNCATED, _RECURSE = 0x8000, 0x0200, 0x0100
_RECORD = struct.Struct("!HHIH")
_MINIMUM = struct.Struct("!I")
_OPT = b"\0" + struct.pack("!HHIH", 41, 1232, 0, 0)  # EDNS0 (RFC 6891): replies up to 1232 octets
_MAX_PARSED = 400  # records of all sections: more takes too long to read and is never needed
_MAX_CHAIN = 12
_LABEL = re.compile(r"[!-~]{1,63}", re.ASCII)
_NXDOMAIN = 3
_RCODES = {1: "FORMERR", 2: "SERVFAIL", 4: "NOTIMP", 5: "REFUSED"}


@dataclass(frozen=True, slots=True)
class Question:
    """A name and a type, with their octets as they stand in the question section."""

    name: str
    rdtype: str
    octets: bytes

    def message(self, number: int) -> bytes:
        """The query with this id."""
        return _HEADER.pack(number, _RECURSE, 1, 0, 0, 1) + self.octets + _OPT


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server said: the records, or where a chain of aliases goes on that it did not follow.

    `ttl` is None for a negative answer without SOA, which can't be kept (RFC 2308 5).
    """

    records: tuple[str, ...]
    exists: bool
    ttl: float | None
    goes_on: str = ""


def question(name: str, rdtype: str) -> Question | None:
    """The question, or None for a name that can't be in the DNS (RFC 1035 3.1)."""
    labels = name.split(".") if name else []
    if not all(_LABEL.fullmatch(label) for label in labels):
        return None
    octets = b"".join(bytes((len(label),)) + label.encode("ascii") for label in labels) + b"\0"
    if len(octets) > 255:
        return None
    return Question(name, rdtype, octets + struct.pack("!HH", TYPES[rdtype], 1))


def number_of(octets: bytes) -> int | None:
    """The id of a reply with exactly one question, or None when this is none."""
    if len(octets) < _HEADER.size:
        return None
    number, flags, questions, *_ = _HEADER.unpack_from(octets)
    return number if flags & _RESPONSE and questions == 1 else None


def answers(octets: bytes, asked: Question) -> bool:
    """Whether a reply repeats the question: one that does not was made by somebody else."""
    there = octets[_HEADER.size : _HEADER.size + len(asked.octets)]
    return there.lower() == asked.octets.lower()


def is_truncated(octets: bytes) -> bool:
    """Whether the whole answer is to be had over TCP only (RFC 7766)."""
    return bool(_HEADER.unpack_from(octets)[1] & _TRUNCATED)


def read(octets: bytes, asked: Question) -> Reply:
    """What a reply says. Raises ServiceError when the server failed or wrote garbage."""
    _, flags, _, *counts = _HEADER.unpack_from(octets)
    rcode = flags & 0xF
    if rcode not in (0, _NXDOMAIN):
        raise ServiceError(f"{_RCODES.get(rcode, rcode)} for {asked.rdtype} of {asked.name}")
    if sum(counts) > _MAX_PARSED:
        raise ServiceError(f"too long an answer for {asked.rdtype} of {asked.name}")
    if counts[0] == 0:
        return _denial(octets, asked, counts[1], exists=rcode != _NXDOMAIN)
    import dns.exception  # noqa: PLC0415 - costs memory: only where DNS is asked
    import dns.message  # noqa: PLC0415

    try:
        message = dns.message.from_wire(octets, ignore_trailing=True)
    except (dns.exception.DNSException, ValueError, struct.error, IndexError) as error:
        raise ServiceError(f"unreadable answer for {asked.rdtype} of {asked.name}: {error}") from error
    return _read(message.answer, message.authority, asked, exists=rcode != _NXDOMAIN)


def _denial(octets: bytes, asked: Question, authority: int, *, exists: bool) -> Reply:
    """An answer without records, which most answers of DNS lists are: only the SOA's times are looked for.

    By hand, because reading it all costs more than everything else about a question.
    """
    at = _HEADER.size + len(asked.octets)
    try:
        for _ in range(authority):
            while 0 < (length := octets[at]) < 64:
                at += length + 1
            at += 2 if octets[at] >= 192 else 1
            rdtype, _, ttl, size = _RECORD.unpack_from(octets, at)
            at += _RECORD.size + size
            if rdtype == TYPES["SOA"]:
                (minimum,) = _MINIMUM.unpack_from(octets, at - _MINIMUM.size)
                return Reply((), exists, float(min(ttl, minimum)))
    except (IndexError, struct.error) as error:
        raise ServiceError(f"unreadable answer for {asked.rdtype} of {asked.name}: {error}") from error
    return Reply((), exists, None)


def _read(answer: list[RRset], authority: list[RRset], asked: Question, *, exists: bool) -> Reply:
    aliases = {str(one.name).lower(): one for one in answer if one.rdtype == TYPES["CNAME"]}
    wanted = {str(one.name).lower(): one for one in answer if one.rdtype == TYPES[asked.rdtype]}
    name = f"{asked.name.lower()}."
    ttls: list[float] = []
    for _ in range(_MAX_CHAIN):
        if name in wanted:
            found = wanted[name]
            records = tuple(
                _text(one, asked.rdtype) for _, one in zip(range(MAX_RECORDS), found, strict=False)
            )
            return Reply(records, True, min([*ttls, float(found.ttl)]))
        if name not in aliases:
            break
        ttls.append(float(aliases[name].ttl))
        name = str(next(iter(aliases[name])).target).lower()
    else:
        raise ServiceError(f"too long a chain of aliases from {asked.name}")
    soa = next((one for one in authority if one.rdtype == TYPES["SOA"]), None)
    if exists and ttls and soa is None:
        return Reply((), True, min(ttls), goes_on=name.rstrip("."))
    if soa is None:
        return Reply((), exists, None)
    return Reply((), exists, min([*ttls, float(soa.ttl), float(next(iter(soa)).minimum)]))


def _text(record: Any, rdtype: str) -> str:
    if rdtype == "TXT":
        return b"".join(record.strings).decode("latin-1")
    if rdtype == "MX":
        return f"{record.preference} {_host(record.exchange)}"
    if rdtype in ("PTR", "NS", "CNAME"):
        return _host(record.target)
    return str(record.to_text())


def _host(name: object) -> str:
    return str(name).lower().rstrip(".") or "."
