"""White and black lists (spec L1-L2): what an entry is, and which one counts. `list_index` finds them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from tamis.base.errors import ConfigError
from tamis.contract.finding import Finding, Status
from tamis.message.address import address_key, domain_key


class Colour(StrEnum):
    """Which list an entry is on."""

    WHITE = "white"
    BLACK = "black"


OTHER = MappingProxyType({Colour.WHITE: Colour.BLACK, Colour.BLACK: Colour.WHITE})
"""The colour that contradicts."""


class Subject(StrEnum):
    """What an entry is about."""

    IP = "ip"
    SENDER = "sender"
    ATTACHMENT = "attachment"  # a file's SHA-256 (S26)
    IMAGE = "image"  # an image's SHA-256 or its perceptual fingerprint (S22)


class MatchedField(StrEnum):
    """Where in the message an entry matched."""

    CLIENT = "client"
    ENVELOPE = "envelope"  # MAIL FROM
    HEADER = "header"  # the From field of the content
    CONTENT = "content"  # a file of the content


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What of an entry decides which messages meet it. `pattern` is normalised (`normalise_pattern`); `expires` is
    aware or None."""

    id: int
    scope: str
    colour: Colour
    subject: Subject
    pattern: str
    expires: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListEntry(Entry):
    """One entry as the store has it, with who made it and why."""

    origin: str = "manual"
    author: str = ""
    note: str = ""
    created: datetime
    hits: int = 0


@dataclass(frozen=True, slots=True)
class Match:
    """A list entry that matches a message, and the field that matched."""

    entry: int
    scope: str
    colour: Colour
    subject: Subject
    pattern: str
    field: MatchedField

    def to_fact(self) -> list[Any]:
        """The form that a finding's facts hold."""
        return [
            self.entry,
            self.scope,
            str(self.colour),
            str(self.subject),
            self.pattern,
            str(self.field),
        ]

    @classmethod
    def of(cls, entry: Entry, field: MatchedField) -> Match:
        """An entry that matched."""
        return cls(entry.id, entry.scope, entry.colour, entry.subject, entry.pattern, field)

    @classmethod
    def from_fact(cls, fact: Sequence[Any]) -> Match:
        """Read what `to_fact` wrote."""
        entry, scope, colour, subject, pattern, where = fact
        return cls(entry, scope, Colour(colour), Subject(subject), pattern, MatchedField(where))


MAX_PATTERN = 320
"""Characters: the longest address of RFC 5321 4.5.3.1 (64 + 1 + 255)."""

_SENDER = re.compile(r"[^\s\x00-\x1f\x7f-\x9f<>,;:\"\\()\[\]]+")
_MAPPED_PREFIX = 96
_HEXADECIMAL = re.compile(r"[0-9A-Fa-f]+")
SHA256_DIGITS, PERCEPTUAL_DIGITS = 64, 32
FINGERPRINTS = MappingProxyType(
    {Subject.ATTACHMENT: (SHA256_DIGITS,), Subject.IMAGE: (SHA256_DIGITS, PERCEPTUAL_DIGITS)}
)
"""The subjects that are fingerprints, and their lengths."""


def normalise_pattern(subject: Subject, pattern: str) -> str:
    """The canonical spelling of a pattern. Raises ConfigError if nothing can match it.

    An IP pattern is an address or a network in CIDR form (host bits must be 0). A sender pattern is an
    address, a domain, `*.domain` (its sub-domains), or either with the wildcards `*` and `?`. An attachment's is the
    SHA-256 of its content, an image's that or its perceptual fingerprint, in hexadecimal digits.
    """
    text = pattern.strip()
    if subject in FINGERPRINTS:
        if len(text) not in FINGERPRINTS[subject] or not _HEXADECIMAL.fullmatch(text):
            digits = " or ".join(map(str, FINGERPRINTS[subject]))
            raise ConfigError(
                "lists", "pattern", f"no fingerprint of {digits} hexadecimal digits", value=pattern
            )
        return text.lower()
    if subject is Subject.IP:
        try:
            network = ipaddress.ip_network(text)
        except ValueError as error:
            raise ConfigError("lists", "pattern", f"no IP address or network: {error}", value=text) from None
        mapped = getattr(network.network_address, "ipv4_mapped", None)
        if mapped is not None and network.prefixlen >= _MAPPED_PREFIX:  # clients are compared as IPv4, too
            network = ipaddress.ip_network((mapped, network.prefixlen - _MAPPED_PREFIX))
        return str(network.network_address) if network.num_addresses == 1 else str(network)
    text = text.removeprefix("@")
    if not text or len(text) > MAX_PATTERN or not _SENDER.fullmatch(text) or text.count("@") > 1:
        raise ConfigError("lists", "pattern", "no address, domain or wildcard pattern", value=pattern)
    if not text.strip("*?@."):
        raise ConfigError("lists", "pattern", "would match every sender", value=pattern)
    key = address_key(text) if "@" in text else domain_key(text)
    if not _SENDER.fullmatch(key):  # IDNA maps some characters to blanks
        raise ConfigError("lists", "pattern", "no address, domain or wildcard pattern", value=pattern)
    return key


def in_order(matches: Iterable[Match], scopes: Sequence[str]) -> list[Match]:
    """The entries of these scopes in the order of their effect: the nearest scope's first, white before black within
    one (L1, L2)."""
    return sorted(
        (m for m in matches if m.scope in scopes),
        key=lambda m: (scopes.index(m.scope), m.colour is not Colour.WHITE),
    )


def nearest(matches: Iterable[Match], scopes: Sequence[str]) -> Match | None:
    """The entry that counts for a recipient."""
    return next(iter(in_order(matches, scopes)), None)


def unwanted(matches: Sequence[Match], scopes: Sequence[str]) -> Match | None:
    """The first fingerprint whose nearest entry is black: each file is judged by itself."""
    patterns = dict.fromkeys(match.pattern for match in matches)
    winners = (nearest((m for m in matches if m.pattern == pattern), scopes) for pattern in patterns)
    return next((one for one in winners if one is not None and one.colour is Colour.BLACK), None)


def of_scopes(finding: Finding, scopes: Sequence[str]) -> Finding:
    """A finding without the list entries of other recipients, who may be blind copies."""
    matches = finding.facts.get("matches")
    if matches is None:
        return finding
    own = [fact for fact in matches if Match.from_fact(fact).scope in scopes]
    if own:
        return replace(finding, facts={**finding.facts, "matches": own})
    return Finding(finding.filter, Status.CLEAR, "not on the list", {}, finding.seconds)
