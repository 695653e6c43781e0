"""A file of list entries that all processes map: written once, then never changed.

header   magic, version, length, CRC-32 of the rest, where each section is
records  one after the other: id, expiry, colour, subject, scope, pattern
hashes   CRC-32 of each record's key, ascending; offsets: where its record is; first: by the hash's first bits,
         where to begin among the hashes
images   the perceptual fingerprints, 16 octets each, in the order of their records' offsets
about    JSON: what is few and is read as a whole
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import sys
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from io import BufferedRandom
from pathlib import Path
from typing import Any

from tamis.base.errors import StoreError
from tamis.contract.list_index import (
    NetworkKind,
    Wild,
    is_perceptual,
    is_wild,
    lookup_key,
    network_of,
    with_pattern,
)
from tamis.contract.lists import Colour, Entry, Subject

_MAGIC = b"tamis\0l\n"
_VERSION = 1
_SECTIONS = ("records", "hashes", "offsets", "first", "images", "image_offsets", "about")
_HEADER = struct.Struct(f"<8sI{len(_SECTIONS)}Q{len(_SECTIONS)}QQI")
_HEADER_CRC = struct.Struct("<I")
_RECORD = struct.Struct("<qqBBII")
_NEVER = -(2**63)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_COLOURS, _SUBJECTS = tuple(Colour), tuple(Subject)
_HASH_BITS = 32
_BUCKET_BITS = 3  # 2 to the power of it: hashes that share a place in `first`, on average
_READ = 1 << 20
_IMAGE_OCTETS = 16


def to_microseconds(moment: datetime | None) -> int:
    """A moment as a number, exactly; None is the smallest."""
    return _NEVER if moment is None else (moment - _EPOCH) // _MICROSECOND


def from_microseconds(number: int) -> datetime | None:
    """What `to_microseconds` made a number of."""
    return None if number == _NEVER else _EPOCH + number * _MICROSECOND


def _hash(key: str) -> int:
    try:
        return zlib.crc32(key.encode())
    except UnicodeEncodeError:
        return zlib.crc32(key.encode("utf-8", "surrogatepass"))


class _Writer:
    """A file that is written from its beginning to its end; what comes after the header is summed up."""

    def __init__(self, file: BufferedRandom) -> None:
        self._file = file
        self._file.write(bytes(_HEADER.size + _HEADER_CRC.size))
        self.at = _HEADER.size + _HEADER_CRC.size
        self.sum = 0
        self.places: dict[str, tuple[int, int]] = {}

    def write(self, data: bytes) -> int:
        """Write octets; returns where they begin."""
        began = self.at
        self._file.write(data)
        self.sum = zlib.crc32(data, self.sum)
        self.at += len(data)
        return began

    def section(self, name: str, data: bytes) -> None:
        """Write a section, at a multiple of 8 octets."""
        self.write(bytes(-self.at % 8))
        self.places[name] = (self.write(data), len(data))

    def finish(self) -> None:
        """Write the header, and see to it that all of it is on the disk."""
        starts, lengths = zip(*(self.places[name] for name in _SECTIONS), strict=True)
        header = _HEADER.pack(_MAGIC, _VERSION, *starts, *lengths, self.at, self.sum)
        self._file.seek(0)
        self._file.write(header + _HEADER_CRC.pack(zlib.crc32(header)))
        self._file.flush()
        os.fsync(self._file.fileno())


def write_entries(
    file: BufferedRandom, revision: int, entries: Iterable[Entry], more: Mapping[str, Any]
) -> None:
    """Write `entries`, which come by id, as of a revision, and what `more` there is to be said (JSON)."""
    out = _Writer(file)
    places, hashes = array("Q"), array("Q")  # a hash, and which of the places: sorted as one number
    images, image_offsets = bytearray(), array("Q")
    networks: set[NetworkKind] = set()
    wild: list[int] = []
    began = out.at
    for entry in entries:
        at = out.write(_record(entry))
        if is_wild(entry):
            wild.append(at)
            continue
        hashes.append(_hash(lookup_key(entry)) << _HASH_BITS | len(places))
        places.append(at)
        if entry.subject is Subject.IP:
            networks.add(network_of(entry))
        if is_perceptual(entry):
            images += int(entry.pattern, 16).to_bytes(_IMAGE_OCTETS)
            image_offsets.append(at)
    out.places["records"] = (began, out.at - began)
    in_order = sorted(hashes)
    sums = array("I", (one >> _HASH_BITS for one in in_order))
    bits = _bits(len(sums))
    first = array("I", (bisect_left(sums, n << _HASH_BITS - bits) for n in range(1 << bits)))
    first.append(len(sums))
    out.section("hashes", sums.tobytes())
    out.section("offsets", array("Q", (places[one & 2**_HASH_BITS - 1] for one in in_order)).tobytes())
    out.section("first", first.tobytes())
    out.section("images", bytes(images))
    out.section("image_offsets", image_offsets.tobytes())
    about = {"order": sys.byteorder, "revision": revision, "networks": sorted(networks), "wild": wild}
    out.section("about", json.dumps({**about, "more": dict(more)}).encode())
    out.finish()


def _bits(count: int) -> int:
    return max(0, count.bit_length() - _BUCKET_BITS)


def _record(entry: Entry) -> bytes:
    scope, pattern = (text.encode("utf-8", "surrogatepass") for text in (entry.scope, entry.pattern))
    head = _RECORD.pack(
        entry.id,
        to_microseconds(entry.expires),
        _COLOURS.index(entry.colour),
        _SUBJECTS.index(entry.subject),
        len(scope),
        len(pattern),
    )
    return head + scope + pattern


class EntryFile:
    """What `write_entries` wrote, mapped into memory: an `EntryBase`. Raises StoreError when it is not whole.

    Every octet is read once, past the map, to see that they are those that were written: a wrong index would let in
    whom it should not. Looking up maps only the pages that it meets.
    """

    is_empty: bool

    def __init__(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                places = _checked(file.fileno(), path)
                self._map = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        except FileNotFoundError as error:
            raise StoreError(f"the lists {path} are not there") from error
        except (OSError, ValueError) as error:
            raise StoreError(f"the lists {path} can't be read: {error}") from error
        whole = memoryview(self._map)
        parts = {name: whole[start : start + length] for name, (start, length) in places.items()}
        self._records = places["records"]
        self._hashes, self._first = parts["hashes"].cast("I"), parts["first"].cast("I")
        self._offsets, self._image_offsets = parts["offsets"].cast("Q"), parts["image_offsets"].cast("Q")
        self._images = parts["images"]
        self._shift = _HASH_BITS - _bits(len(self._hashes))
        about = json.loads(bytes(parts["about"]))
        if about["order"] != sys.byteorder:
            raise StoreError(f"the lists {path} are another machine's")
        self.revision: int = about["revision"]
        self.networks: Sequence[NetworkKind] = [(version, prefix) for version, prefix in about["networks"]]
        self.more: Mapping[str, Any] = about["more"]
        self._wild: dict[str, list[Wild]] = {}
        for at in about["wild"]:
            entry, _ = self._entry(at)
            self._wild.setdefault(entry.scope, []).append(with_pattern(entry))
        self.is_empty = not self._hashes and not self._wild

    def get(self, key: str) -> Sequence[Entry]:
        """The entries under a key."""
        wanted = _hash(key)
        bucket = wanted >> self._shift
        hashes, first = self._hashes, self._first
        end = first[bucket + 1]
        at = bisect_left(hashes, wanted, first[bucket], end)
        if at == end or hashes[at] != wanted:
            return ()
        found = []
        while at < end and hashes[at] == wanted:
            entry, _ = self._entry(self._offsets[at])
            if lookup_key(entry) == key:
                found.append(entry)
            at += 1
        return found

    def wild(self, scope: str) -> Sequence[Wild]:
        """The entries of a scope that have wildcards."""
        return self._wild.get(scope, ())

    def alike(self, fingerprint: int, distance: int) -> Iterator[Entry]:
        """The entries whose perceptual fingerprint differs in at most `distance` bits."""
        for number, offset in enumerate(self._image_offsets):
            at = number * _IMAGE_OCTETS
            one = int.from_bytes(self._images[at : at + _IMAGE_OCTETS])
            if (one ^ fingerprint).bit_count() <= distance:
                yield self._entry(offset)[0]

    def __iter__(self) -> Iterator[Entry]:
        at, length = self._records
        end = at + length
        while at < end:
            entry, at = self._entry(at)
            yield entry

    def _entry(self, at: int) -> tuple[Entry, int]:
        """The record at an offset, and where the next one is."""
        number, expires, colour, subject, of_scope, of_pattern = _RECORD.unpack_from(self._map, at)
        at += _RECORD.size
        scope, pattern = self._map[at : at + of_scope], self._map[at + of_scope : at + of_scope + of_pattern]
        entry = Entry(
            id=number,
            scope=scope.decode("utf-8", "surrogatepass"),
            colour=_COLOURS[colour],
            subject=_SUBJECTS[subject],
            pattern=pattern.decode("utf-8", "surrogatepass"),
            expires=from_microseconds(expires),
        )
        return entry, at + of_scope + of_pattern


def _checked(descriptor: int, path: Path) -> dict[str, tuple[int, int]]:
    """Where each section is, when the file is whole. Raises StoreError, OSError."""
    header = os.pread(descriptor, _HEADER.size, 0)
    told = os.pread(descriptor, _HEADER_CRC.size, _HEADER.size)
    if len(told) < _HEADER_CRC.size or not header.startswith(_MAGIC):
        raise StoreError(f"the lists {path} are no such file")
    if _HEADER_CRC.unpack(told) != (zlib.crc32(header),):
        raise StoreError(f"the lists {path} are damaged")
    _, version, *numbers, length, wanted = _HEADER.unpack(header)
    if version != _VERSION:
        raise StoreError(f"the lists {path} are of another version of Tamis")
    if os.fstat(descriptor).st_size != length:
        raise StoreError(f"the lists {path} are not whole")
    found, at = 0, _HEADER.size + _HEADER_CRC.size
    while piece := os.pread(descriptor, _READ, at):
        found, at = zlib.crc32(piece, found), at + len(piece)
    if found != wanted:
        raise StoreError(f"the lists {path} are damaged")
    return dict(
        zip(_SECTIONS, zip(numbers[: len(_SECTIONS)], numbers[len(_SECTIONS) :], strict=True), strict=True)
    )
