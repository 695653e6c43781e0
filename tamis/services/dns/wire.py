"""DNS messages (RFC 1035): questions to octets, and octets to answers, within bounds."""

from __future__ import annotations

import re
import socket
import struct
from dataclasses import dataclass, field
from typing import NamedTuple

from tamis.base.errors import ServiceError

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28}
MAX_RECORDS = 100
"""Records of one answer that are kept. Beyond: left out: no question needs so many."""

_HEADER = struct.Struct("!6H")
_RESPONSE, _TRUNCATED, _RECURSE = 0x80, 0x02, 0x0100  # the first two within the third octet
_ONE = b"\0\1"
_ASKED_NAME = (
    b"\xc0\x0c"  # the pointer to the name in the question, which is where a reply has most names from
)
_ASKING = struct.pack("!5H", _RECURSE, 1, 0, 0, 1)
_RECORD = struct.Struct("!HHIH")
_MINIMUM = struct.Struct("!I")
_PREFERENCE = struct.Struct("!H")
_KIND = struct.Struct("!HH")
_OPT = b"\0" + struct.pack("!HHIH", 41, 1232, 0, 0)  # EDNS0 (RFC 6891): replies up to 1232 octets
_MAX_PARSED = 400
"""Records of all sections: more takes too long to read and is never needed. Beyond: the answer is a failure."""
_MAX_CHAIN = 12  # aliases within one answer; beyond: the answer is a failure
_MAX_NAME = 254  # octets without the root's (RFC 1035 3.1); beyond: there is no such name
_LONGEST_TTL = 2**31 - 1  # RFC 2181 8
_INTERNET = 1
_LENGTHS = [bytes((length,)) for length in range(64)]
_ENDINGS = {rdtype: b"\0" + _KIND.pack(number, _INTERNET) for rdtype, number in TYPES.items()}
"""What stands behind the labels of a question."""
_NAME = re.compile(r"(?:[!-\-/-~]{1,63}(?:\.[!-\-/-~]{1,63})*)?", re.ASCII)
_PLAIN = re.compile(rb"[!-\-/-\[\]-~]*")  # neither the dot nor the backslash
_NXDOMAIN = 3
_RCODES = {1: "FORMERR", 2: "SERVFAIL", 4: "NOTIMP", 5: "REFUSED"}


class WireQuestion(NamedTuple):
    """A name and a type, with their octets as they stand in the question section."""

    name: str
    rdtype: str
    octets: bytes

    def message(self, number: int) -> bytes:
        """The query with this id."""
        return number.to_bytes(2, "big") + _ASKING + self.octets + _OPT


class DNSReply(NamedTuple):
    """What a server said: the records, or where a chain of aliases goes on that it did not follow.

    `ttl` is None for a negative answer without SOA, which can't be kept (RFC 2308 5).
    """

    records: tuple[str, ...]
    exists: bool
    ttl: float | None
    goes_on: str = ""


def question(name: str, rdtype: str) -> WireQuestion | None:
    """The question, or None for a name that can't be in the DNS (RFC 1035 3.1)."""
    if not _NAME.fullmatch(name) or len(name) > _MAX_NAME - 1:
        return None
    labels = [_LENGTHS[len(label)] + label for label in name.encode("ascii").split(b".")] if name else []
    return WireQuestion(name, rdtype, b"".join((*labels, _ENDINGS[rdtype])))


def number_of(octets: bytes) -> int | None:
    """The id of a reply with exactly one question, or None when this is none."""
    if len(octets) < _HEADER.size:
        return None
    if octets[2] & _RESPONSE and octets[4:6] == _ONE:
        return octets[0] << 8 | octets[1]
    return None


def answers(octets: bytes, asked: WireQuestion) -> bool:
    """Whether a reply repeats the question: one that does not was made by somebody else."""
    there = octets[_HEADER.size : _HEADER.size + len(asked.octets)]
    return there == asked.octets or there.lower() == asked.octets.lower()


def is_truncated(octets: bytes) -> bool:
    """Whether the whole answer is to be had over TCP only (RFC 7766)."""
    return bool(octets[2] & _TRUNCATED)


def read(octets: bytes, asked: WireQuestion) -> DNSReply:
    """What a reply says. Raises ServiceError when the server failed or wrote garbage.

    By hand, because a library's objects for every record cost more than everything else about a question.
    """
    _, flags, _, answered, authority, additional = _HEADER.unpack_from(octets)
    rcode = flags & 0xF
    if rcode not in (0, _NXDOMAIN):
        raise ServiceError(f"{_RCODES.get(rcode, rcode)} for {asked.rdtype} of {asked.name}")
    if answered + authority + additional > _MAX_PARSED:
        raise ServiceError(f"too long an answer for {asked.rdtype} of {asked.name}")
    if not answered and not authority:
        return DNSReply((), rcode != _NXDOMAIN, None)
    try:
        found, at = _answer(octets, _HEADER.size + len(asked.octets), answered, asked)
        last, ttl = _followed(found, asked) if found else (None, float(_LONGEST_TTL))
        if last is not None and last.records:
            return DNSReply(tuple(last.records), True, ttl)
        denied_for = _denied_for(octets, at, authority)
    except (IndexError, struct.error, ValueError, OSError) as error:
        raise ServiceError(f"unreadable answer for {asked.rdtype} of {asked.name}: {error}") from error
    if last is not None and rcode != _NXDOMAIN and denied_for is None:
        return DNSReply((), True, ttl, goes_on=last.alias)
    return DNSReply((), rcode != _NXDOMAIN, None if denied_for is None else min(ttl, denied_for))


@dataclass(slots=True)
class _Found:
    """What the answer section has of a name: records of the type that was asked for, or an alias."""

    records: list[str] = field(default_factory=list)
    alias: str = ""
    ttl: int = _LONGEST_TTL


def _answer(octets: bytes, at: int, number: int, asked: WireQuestion) -> tuple[dict[str, _Found], int]:
    """The answer section by name, and where it ends."""
    found: dict[str, _Found] = {}
    rdtype = TYPES[asked.rdtype]
    for _ in range(number):
        if octets[at : at + 2] == _ASKED_NAME and "\\" not in asked.name:
            name, at = asked.name.lower(), at + 2
        else:
            name, at = _name(octets, at)
        kind, group, ttl, size = _RECORD.unpack_from(octets, at)
        at += _RECORD.size
        if at + size > len(octets):
            raise ValueError("a record goes on behind the end")
        if group == _INTERNET and kind in (rdtype, TYPES["CNAME"]):
            one = found.setdefault(name, _Found())
            one.ttl = min(one.ttl, ttl if ttl <= _LONGEST_TTL else 0)
            if kind != rdtype:
                one.alias = one.alias or _target(octets, at, at + size)
            elif len(one.records) < MAX_RECORDS:
                record = _record(octets, at, at + size, kind)
                if record not in one.records:
                    one.records.append(record)
        at += size
    return found, at


def _followed(found: dict[str, _Found], asked: WireQuestion) -> tuple[_Found | None, float]:
    """Where the aliases lead from the name that was asked for, as far as the answer goes, and the least time."""
    name, ttl = asked.name.lower(), float(_LONGEST_TTL)
    last: _Found | None = None
    for _ in range(_MAX_CHAIN):
        one = found.get(name)
        if one is None:
            return last, ttl
        ttl = min(ttl, float(one.ttl))
        if one.records:
            return one, ttl
        last, name = one, one.alias.rstrip(".")
    raise ServiceError(f"too long a chain of aliases from {asked.name}")


def _denied_for(octets: bytes, at: int, authority: int) -> float | None:
    """The seconds for which a denial may be kept: the lesser of the SOA's two times (RFC 2308 5)."""
    for _ in range(authority):
        while 0 < (length := octets[at]) < 64:
            at += length + 1
        at += 2 if octets[at] >= 192 else 1
        kind, _, ttl, size = _RECORD.unpack_from(octets, at)
        at += _RECORD.size + size
        if kind == TYPES["SOA"]:
            (minimum,) = _MINIMUM.unpack_from(octets, at - _MINIMUM.size)
            return float(min(ttl, minimum))
    return None


def _record(octets: bytes, at: int, end: int, kind: int) -> str:
    """A record's data in presentation form. Raises ValueError, IndexError or struct.error on garbage."""
    if kind == TYPES["A"]:
        return socket.inet_ntoa(octets[at:end])
    if kind == TYPES["AAAA"]:
        return socket.inet_ntop(socket.AF_INET6, octets[at:end])
    if kind == TYPES["MX"]:
        (preference,) = _PREFERENCE.unpack_from(octets, at)
        return f"{preference} {_target(octets, at + _PREFERENCE.size, end)}"
    if kind == TYPES["TXT"]:
        return _strings(octets, at, end).decode("latin-1")
    if kind in (TYPES["PTR"], TYPES["NS"], TYPES["CNAME"]):
        return _target(octets, at, end)
    raise ValueError(f"records of type {kind} are not read")


def _strings(octets: bytes, at: int, end: int) -> bytes:
    """Character strings, joined."""
    pieces: list[bytes] = []
    while at < end:
        following = at + 1 + octets[at]
        pieces.append(octets[at + 1 : following])
        at = following
    if at != end:
        raise ValueError("a character string goes on behind its record")
    return b"".join(pieces)


def _target(octets: bytes, at: int, end: int) -> str:
    """The name that is the rest of a record; "." for the root."""
    name, ends = _name(octets, at)
    if ends != end:
        raise ValueError("a name does not end with its record")
    return name or "."


def _name(octets: bytes, at: int) -> tuple[str, int]:
    """A name, lower case, without the trailing dot, and where it ends (RFC 1035 4.1.4)."""
    labels: list[str] = []
    size, end, least = 0, 0, at
    while (length := octets[at]) != 0:
        if length >= 192:
            end = end or at + 2
            at = (length & 63) << 8 | octets[at + 1]
            if at >= least:  # each pointer leads further back, so that none can lead round
                raise ValueError("a name points forward")
            least = at
            continue
        if length > 63:
            raise ValueError("a label is too long")
        label = octets[at + 1 : at + 1 + length]
        at += 1 + length
        size += 1 + length
        if size > _MAX_NAME:
            raise ValueError("a name is too long")
        labels.append(_label(label))
    return ".".join(labels), end or at + 1


def _label(label: bytes) -> str:
    """Text that can't be taken for several labels, or for anything but printable ASCII (RFC 4343 2.1)."""
    if _PLAIN.fullmatch(label):
        return label.decode("ascii").lower()
    return "".join(chr(o) if _PLAIN.fullmatch(bytes((o,))) else f"\\{o:03d}" for o in label).lower()
