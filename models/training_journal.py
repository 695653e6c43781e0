"""The journal of what a model learned since its base: reports in order, each with the message's features.

A record is

    u32  length of the body     u32  CRC-32 of the body
    body: u64 sequence, u8 kind (0 ham, 1 spam, 2 withdrawn; 4 more where it is known what other filters said, 8
          more where a stranger answers for it, 16 more where its sender is known), f32 weight, u32 salt of the
          domain, u16 length of the report's id, the id, then for a label f32 points of the other filters (where
          known), u32 number of the stranger (where there is one), u32 number of the sender (where known), u16[]
          counts by view and the zstd-packed differences of the feature indices

little-endian. A record is durable when `append` has returned. One that a crash cut short is the last one:
it is cut off when the journal is opened, and since its report was never acknowledged it comes again.
"""

from __future__ import annotations

import fcntl
import io
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import numpy as np
import zstandard

from tamis.base.shared_files import owned_like_its_folder
from tamis.models.durable import replace_file
from tamis.models.features import FEATURE_VERSION, VIEWS, Features
from tamis.models.learner import Lesson
from tamis.models.model_file import ModelBusyError, ModelError

_HEAD: Final = struct.Struct("<8sI")
_MAGIC: Final = b"TAMISJNL"
_FRAME = struct.Struct("<II")
_BODY = struct.Struct("<QBfIH")
_HAM, _SPAM, _WITHDRAWN, _BESIDE, _STRANGER, _SENDER = 0, 1, 2, 4, 8, 16
_POINTS = struct.Struct("<f")
_NUMBER = struct.Struct("<I")
_MAX_BODY = 1 << 22
_MAX_FEATURES = 1 << 20
_COUNTS_OCTETS = 2 * len(VIEWS)


@dataclass(frozen=True, slots=True)
class TrainingRecord:
    """One entry: `report` taught `features` as spam or ham with `weight`, for the domain that `salt` stands for; or,
    without features, was withdrawn."""

    sequence: int
    report: str
    spam: bool = False
    weight: float = 1.0
    features: Features | None = None
    salt: int = 0
    beside: float | None = None
    """Points that the other filters gave the message when it came, where known."""
    stranger: int = 0
    """Stands for the stranger who answers for the label, as in `Lesson`."""
    sender: int = 0
    """Stands for the sender, as in `Lesson`."""


def pack(record: TrainingRecord) -> bytes:
    """A record as it stands in the file."""
    report = record.report.encode()
    kind, tail = _WITHDRAWN, b""
    if record.features is not None:
        kind = _SPAM if record.spam else _HAM
        counts = record.features.counts.astype("<u2").tobytes()
        steps = np.diff(record.features.indices, prepend=np.uint32(0)).astype("<u4")
        # Octets of the same significance side by side: the high ones are nearly all zero.
        planes = steps.view(np.uint8).reshape(-1, 4).T.tobytes()
        tail = counts + zstandard.ZstdCompressor(level=3).compress(planes)
        if record.sender:
            kind |= _SENDER
            tail = _NUMBER.pack(record.sender) + tail
        if record.stranger:
            kind |= _STRANGER
            tail = _NUMBER.pack(record.stranger) + tail
        if record.beside is not None:
            kind |= _BESIDE
            tail = _POINTS.pack(record.beside) + tail
    body = _BODY.pack(record.sequence, kind, record.weight, record.salt, len(report)) + report + tail
    return _FRAME.pack(len(body), zlib.crc32(body)) + body


def _unpack(body: bytes) -> TrainingRecord:
    sequence, kind, weight, salt, length = _BODY.unpack_from(body)
    report = body[_BODY.size : _BODY.size + length].decode()
    if kind == _WITHDRAWN:
        return TrainingRecord(sequence, report)
    tail = body[_BODY.size + length :]
    beside: float | None = None
    numbers = {_STRANGER: 0, _SENDER: 0}
    if kind & _BESIDE:
        (beside,) = _POINTS.unpack_from(tail)
        tail = tail[_POINTS.size :]
    for sign in numbers:
        if kind & sign:
            (numbers[sign],) = _NUMBER.unpack_from(tail)
            tail = tail[_NUMBER.size :]
    counts = np.frombuffer(tail[:_COUNTS_OCTETS], dtype="<u2").astype(np.intp)
    planes = zstandard.ZstdDecompressor().decompress(tail[_COUNTS_OCTETS:], max_output_size=4 * _MAX_FEATURES)
    steps = np.frombuffer(planes, dtype=np.uint8).reshape(4, -1).T.copy().view("<u4").ravel()
    indices = np.cumsum(steps, dtype=np.uint32)
    is_spam = bool(kind & _SPAM)
    features = Features(indices, counts)
    return TrainingRecord(sequence, report, is_spam, weight, features, salt, beside, *numbers.values())


def unpack(octets: bytes) -> TrainingRecord:
    """The record that `pack` wrote. Raises ModelError on anything else."""
    bodies = list(_framed(io.BytesIO(octets)))
    if len(bodies) != 1 or len(octets) != _FRAME.size + len(bodies[0]):
        raise ModelError(Path("record"), "no record of a training journal")
    return _unpack(bodies[0])


def pack_lessons(lessons: Iterable[Lesson]) -> bytes:
    """What waits for rehearsal, as it stands in a model's file."""
    return b"".join(
        pack(TrainingRecord(0, "", one.spam, one.weight, one.features, one.salt)) for one in lessons
    )


def unpack_lessons(octets: bytes) -> Iterator[Lesson]:
    """The lessons that `pack_lessons` wrote."""
    for body in _framed(io.BytesIO(octets)):
        one = _unpack(body)
        if one.features is not None:
            yield Lesson(one.features, one.spam, one.weight, one.salt)


def _framed(file: IO[bytes]) -> Iterator[bytes]:
    """The whole records from here on; stops before one that is cut or damaged."""
    while len(frame := file.read(_FRAME.size)) == _FRAME.size:
        length, crc = _FRAME.unpack(frame)
        body = file.read(length) if length <= _MAX_BODY else b""
        if len(body) < length or not body or zlib.crc32(body) != crc:
            return
        yield body


class TrainingJournal:
    """The journal file, open for its one writer. Raises ModelError when another process has it open."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # A file of its own: the journal's is replaced now and then, and a lock goes with the file.
        self._lock = io.FileIO(f"{path}.lock", "w", opener=owned_like_its_folder)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise ModelBusyError(path, "another process is writing this model") from None
        self._file = io.FileIO(path, "a+", opener=owned_like_its_folder)
        self._file.seek(0)
        head = self._file.read(_HEAD.size)
        if len(head) < _HEAD.size:
            self._file.truncate(0)
            self._append(_HEAD.pack(_MAGIC, FEATURE_VERSION))
        elif head != _HEAD.pack(_MAGIC, FEATURE_VERSION):
            self.close()
            raise ModelError(path, f"no journal of features of version {FEATURE_VERSION}")
        else:
            whole = self._whole()
            if whole < os.fstat(self._file.fileno()).st_size:  # to cut nothing off would count as a change
                self._file.truncate(whole)

    def _bodies(self) -> Iterator[bytes]:
        """The whole records from the start."""
        self._file.seek(_HEAD.size)
        yield from _framed(self._file)

    def _whole(self) -> int:
        return _HEAD.size + sum(_FRAME.size + len(body) for body in self._bodies())

    def records(self) -> Iterator[TrainingRecord]:
        """Every record, in order. Not to be mixed with `append`."""
        for body in self._bodies():
            yield _unpack(body)

    def places(self) -> dict[int, int]:
        """Where each record begins, by its sequence number."""
        places: dict[int, int] = {}
        at = _HEAD.size
        for body in self._bodies():
            places[_BODY.unpack_from(body)[0]] = at
            at += _FRAME.size + len(body)
        return places

    def at(self, place: int) -> TrainingRecord:
        """The record that begins at a place."""
        self._file.seek(place)
        length, _ = _FRAME.unpack(self._file.read(_FRAME.size))
        return _unpack(self._file.read(length))

    def append(self, record: TrainingRecord) -> None:
        """Add a record, durably. Raises OSError, and adds nothing, when the disk says no."""
        self._append(pack(record))

    def _append(self, octets: bytes) -> None:
        end = self._file.seek(0, os.SEEK_END)
        rest = memoryview(octets)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
            os.fsync(self._file.fileno())
        except OSError:
            # On a full disk half a record would hide all that are written after it.
            self._file.truncate(end)
            raise

    def rewrite(self, records: Iterable[TrainingRecord]) -> None:
        """Put other records in the place of all, as a whole."""
        head = _HEAD.pack(_MAGIC, FEATURE_VERSION)
        replace_file(self.path, (part for part in (head, *map(pack, records))))
        self._file.close()
        self._file = io.FileIO(self.path, "a+", opener=owned_like_its_folder)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
        self._lock.close()
