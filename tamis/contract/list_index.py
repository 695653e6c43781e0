"""The entries of an installation as messages ask for them: a base that all processes share, and what changed since."""

from __future__ import annotations

import fnmatch
import ipaddress
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Protocol
from weakref import WeakValueDictionary

from tamis.contract.lists import (
    FINGERPRINTS,
    MAX_PATTERN,
    PERCEPTUAL_DIGITS,
    Entry,
    Match,
    MatchedField,
    Subject,
)
from tamis.message.address import address_key, domain_of
from tamis.message.envelope import Envelope, IPAddress

if TYPE_CHECKING:
    from tamis.message.mail import Mail

NetworkKind = tuple[int, int]
"""The version of IP and the length of a prefix."""
Wild = tuple[re.Pattern[str], Entry]
"""An entry with wildcards, and what it is tried with."""

_MAX_LABELS = 32
_WILDCARDS, _NO_DOMAIN = frozenset("*?"), frozenset("*?@")


class EntryBase(Protocol):
    """All entries as of one revision; it never changes. Without entries of later revisions it is the whole truth."""

    @property
    def revision(self) -> int:
        """Of the store."""

    @property
    def networks(self) -> Collection[NetworkKind]:
        """The kinds of networks that entries are about."""

    @property
    def is_empty(self) -> bool:
        """Whether it has no entry at all."""

    def get(self, key: str) -> Sequence[Entry]:
        """The entries under a key (`lookup_key`)."""

    def wild(self, scope: str) -> Sequence[Wild]:
        """The entries of a scope that have wildcards."""

    def alike(self, fingerprint: int, distance: int) -> Iterable[Entry]:
        """The entries whose perceptual fingerprint differs in at most `distance` bits."""

    def __iter__(self) -> Iterator[Entry]:
        """Every entry, by id."""


class NoEntries:
    """A base with nothing in it."""

    revision = -1
    networks: Collection[NetworkKind] = ()
    is_empty = True

    def get(self, key: str) -> Sequence[Entry]:
        """None."""
        return ()

    def wild(self, scope: str) -> Sequence[Wild]:
        """None."""
        return ()

    def alike(self, fingerprint: int, distance: int) -> Iterable[Entry]:
        """None."""
        return ()

    def __iter__(self) -> Iterator[Entry]:
        return iter(())


NOTHING = NoEntries()


def is_wild(entry: Entry) -> bool:
    """Whether an entry has wildcards, so that it must be tried on every sender; `*.domain` is looked up."""
    pattern = entry.pattern
    if entry.subject is not Subject.SENDER or not _WILDCARDS & set(pattern):
        return False
    return not (pattern.startswith("*.") and not _NO_DOMAIN & set(pattern[2:]))


def lookup_key(entry: Entry) -> str:
    """The key under which an entry without wildcards is found, unlike that of any other pattern or subject."""
    pattern = entry.pattern
    if entry.subject in FINGERPRINTS:
        return fingerprint_key(entry.subject, pattern)
    if entry.subject is Subject.IP:
        network = ipaddress.ip_network(pattern)
        return network_key(network.version, network.prefixlen, int(network.network_address))
    return f".{pattern[2:]}" if pattern.startswith("*.") else f"={pattern}"


def fingerprint_key(subject: Subject, value: str) -> str:
    """The key of a file's or an image's fingerprint."""
    return f"#{subject}/{value}"


def network_key(version: int, prefix: int, network: int) -> str:
    """The key of a network."""
    return f"{version}/{prefix}/{network:x}"


def network_of(entry: Entry) -> NetworkKind:
    """What kind of network an entry of Subject.IP is about."""
    network = ipaddress.ip_network(entry.pattern)
    return network.version, network.prefixlen


def is_perceptual(entry: Entry) -> bool:
    """Whether an entry is met by images that look like one, too."""
    return entry.subject is Subject.IMAGE and len(entry.pattern) == PERCEPTUAL_DIGITS


_PATTERNS: WeakValueDictionary[str, re.Pattern[str]] = WeakValueDictionary()


def with_pattern(entry: Entry) -> Wild:
    """An entry with wildcards and its pattern, compiled once in a process as long as some index has it."""
    found = _PATTERNS.get(entry.pattern)
    if found is None:
        # fnmatch.translate makes possessive groups of `*`: matching time stays linear a star
        found = _PATTERNS[entry.pattern] = re.compile(fnmatch.translate(entry.pattern.replace("[", "[[]")))
    return found, entry


_BY_ID = attrgetter("id")
_Versions = list[tuple[int, Entry]]


class Changes:
    """What changed since a base, shared by the indexes of all later revisions.

    It only grows, and each of them passes over what is later than itself: so a change costs the same however many
    entries there are, and a message that began before it doesn't see it. One thread adds, any number ask.
    """

    def __init__(self) -> None:
        self._entries: dict[str, _Versions] = {}
        self._wild: dict[str, list[tuple[int, Wild]]] = {}
        self._alike: _Versions = []
        self._when: dict[int, tuple[int, ...]] = {}
        self.networks: frozenset[NetworkKind] = frozenset()
        self.count = 0
        """Entries that were added, changed or taken away."""

    def apply(self, revision: int, entries: Iterable[Entry], gone: Iterable[int] = ()) -> None:
        """Take in one revision's: `entries` as they are from it on, and the ids of those that are `gone`."""
        keyed = [(entry, None if is_wild(entry) else lookup_key(entry)) for entry in entries]
        for entry, key in keyed:  # from here on nothing fails: all of it is taken in, or none
            if key is None:
                self._wild.setdefault(entry.scope, []).append((revision, with_pattern(entry)))
            else:
                self._entries.setdefault(key, []).append((revision, entry))
            if entry.subject is Subject.IP and (kind := network_of(entry)) not in self.networks:
                self.networks |= {kind}
            if is_perceptual(entry):
                self._alike.append((revision, entry))
            self._changed(entry.id, revision)
        for number in gone:
            self._changed(number, revision)

    def _changed(self, number: int, revision: int) -> None:
        before = self._when.get(number, ())
        if revision not in before:
            self._when[number] = (*before, revision)
        self.count += 1

    def hides(self, number: int, since: int, revision: int) -> bool:
        """Whether what an entry was at one revision is no longer true at a later one."""
        when = self._when.get(number)
        return when is not None and any(since < one <= revision for one in when)

    def get(self, key: str, revision: int) -> list[Entry]:
        """The entries under a key at a revision that changed up to it."""
        return self._valid(self._entries.get(key, ()), revision)

    def wild(self, scope: str, revision: int) -> list[Wild]:
        """Those with wildcards."""
        return [
            wild
            for since, wild in self._wild.get(scope, ())
            if since <= revision and not self.hides(wild[1].id, since, revision)
        ]

    def alike(self, fingerprint: int, distance: int, revision: int) -> list[Entry]:
        """Those whose perceptual fingerprint is near."""
        found = self._valid(self._alike, revision)
        return [e for e in found if (int(e.pattern, 16) ^ fingerprint).bit_count() <= distance]

    def all(self, revision: int) -> Iterator[Entry]:
        """Every entry that changed up to a revision, as it is at that."""
        for versions in tuple(self._entries.values()):
            yield from self._valid(versions, revision)
        for scope in tuple(self._wild):
            yield from (entry for _, entry in self.wild(scope, revision))

    def _valid(self, versions: Iterable[tuple[int, Entry]], revision: int) -> list[Entry]:
        return [
            entry
            for since, entry in versions
            if since <= revision and not self.hides(entry.id, since, revision)
        ]


class ListIndex:
    """All entries of an installation at one revision of the store, ready to be asked; immutable, shared by threads."""

    def __init__(
        self,
        entries: Iterable[Entry] = (),
        *,
        base: EntryBase = NOTHING,
        changes: Changes | None = None,
        revision: int = 0,
    ) -> None:
        self._base = base
        self._changes = Changes() if changes is None else changes
        self._revision = revision
        if changes is None:
            self._changes.apply(revision, entries)
        # the most specific network first, so that it is the one that is named
        self._networks = sorted({*base.networks, *self._changes.networks}, reverse=True)
        self._changed = self._changes.count > 0
        self._is_empty = base.is_empty and not self._changed
        self._get = self._changed_under if self._changed else base.get

    def __iter__(self) -> Iterator[Entry]:
        """Every entry, by id."""
        kept = (e for e in self._base if not self._changes.hides(e.id, self._base.revision, self._revision))
        return iter(sorted((*kept, *self._changes.all(self._revision)), key=_BY_ID))

    def matches(self, envelope: Envelope, mail: Mail, scopes: frozenset[str]) -> tuple[Match, ...]:
        """Entries of `scopes` that the client, the envelope sender or the header From meets."""
        if self._is_empty:
            return ()
        now = envelope.received_at
        found: list[Match] = []
        if (ip := envelope.ip) is not None:
            self._collect(found, self._of_ip(ip), MatchedField.CLIENT, scopes, now)
        if envelope.sender:
            self._collect(found, self._of_sender(envelope.sender, scopes), MatchedField.ENVELOPE, scopes, now)
        for author in mail.some_authors:
            self._collect(found, self._of_sender(author.address, scopes), MatchedField.HEADER, scopes, now)
        return tuple(dict.fromkeys(found))

    def fingerprints(
        self, subject: Subject, value: str, scopes: frozenset[str], now: datetime
    ) -> list[Entry]:
        """The entries of these scopes with exactly this fingerprint."""
        return self._in_force(self._get(fingerprint_key(subject, value)), scopes, now)

    def alike(self, value: str, distance: int, scopes: frozenset[str], now: datetime) -> list[Entry]:
        """The entries of images whose perceptual fingerprint differs from this one in at most `distance` bits."""
        wanted = int(value, 16)
        near = self._merged(
            self._base.alike(wanted, distance), self._changes.alike(wanted, distance, self._revision)
        )
        return self._in_force(near, scopes, now)

    def _changed_under(self, key: str) -> Sequence[Entry]:
        return self._merged(self._base.get(key), self._changes.get(key, self._revision))

    def _merged(self, base: Iterable[Entry], more: list[Entry]) -> list[Entry]:
        if not base and not more:
            return more
        hides, since, revision = self._changes.hides, self._base.revision, self._revision
        found = [*(one for one in base if not hides(one.id, since, revision)), *more]
        return sorted(found, key=_BY_ID) if len(found) > 1 else found

    def _wild(self, scope: str) -> Sequence[Wild]:
        base = self._base.wild(scope)
        if not self._changed:
            return base
        hides, since, revision = self._changes.hides, self._base.revision, self._revision
        kept = [one for one in base if not hides(one[1].id, since, revision)]
        return sorted((*kept, *self._changes.wild(scope, revision)), key=lambda one: one[1].id)

    @staticmethod
    def _in_force(entries: Iterable[Entry], scopes: frozenset[str], now: datetime) -> list[Entry]:
        return [e for e in entries if e.scope in scopes and (e.expires is None or now < e.expires)]

    @staticmethod
    def _collect(
        found: list[Match],
        entries: Iterable[Entry],
        field: MatchedField,
        scopes: frozenset[str],
        now: datetime,
    ) -> None:
        found.extend(Match.of(entry, field) for entry in ListIndex._in_force(entries, scopes, now))

    def _of_ip(self, ip: IPAddress) -> Iterable[Entry]:
        number, length = int(ip), ip.max_prefixlen
        for version, prefix in self._networks:
            if version == ip.version:
                shift = length - prefix
                yield from self._get(network_key(version, prefix, number >> shift << shift))

    def _of_sender(self, address: str, scopes: frozenset[str]) -> Iterable[Entry]:
        key, domain = address_key(address), domain_of(address)
        yield from self._get(f"={key}")
        if domain:
            yield from self._get(f"={domain}")
            labels = domain.split(".")
            for start in range(1, min(len(labels), _MAX_LABELS)):
                yield from self._get(f".{'.'.join(labels[start:])}")
        key = key[:MAX_PATTERN]
        for scope in scopes:
            for pattern, entry in self._wild(scope):
                if pattern.fullmatch(key if "@" in entry.pattern else domain):
                    yield entry
