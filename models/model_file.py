"""The model on disk: one file, read through a shared mapping, replaced as a whole.

    8 octets   magic "TAMISMDL"
    u32        format
    u32        length of the JSON that follows the fixed part
    u32        CRC-32 of that JSON
    JSON       feature version, table size, counts of what was learned, salts of the domains that have a
               correction, length of what waits for rehearsal, CRC-32 of it and of each table
    zeros      up to a page
    f32[]      weights, up to a page
    f32[]      accumulators, up to a page (read by the writer only)
    octets     what waits for rehearsal (in the writer's base only)

All numbers are little-endian. A new model is written to a temporary file, synced and renamed over the old
one, so a reader sees the old model or the new one; a process that has the old one mapped keeps it until it
looks again. Readers of weights never touch the accumulators' pages.
"""

from __future__ import annotations

import itertools
import json
import mmap
import os
import struct
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np

from tamis.base.errors import TamisError
from tamis.models.correction import salt_of
from tamis.models.durable import replace_file
from tamis.models.features import FEATURE_VERSION, TABLE_SIZE, Features
from tamis.models.learner import Learner, Score, Weights, corrected, score

MAGIC: Final = b"TAMISMDL"
FORMAT: Final = 2
_FIXED = struct.Struct("<8sIII")
_PAGE = 4096
_TABLE_OCTETS = TABLE_SIZE * 4
_MAX_JSON = 65_536


class ModelError(TamisError):
    """A model or journal that can't be used: names the file and what is wrong with it."""

    def __init__(self, path: Path, problem: str) -> None:
        self.path = path
        super().__init__(f"{path}: {problem}")


class ModelBusyError(ModelError):
    """Another process is the writer at this moment."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What a model has learned: messages by label, and the number of the last journal record within it."""

    ham: int = 0
    spam: int = 0
    sequence: int = 0


def _pages(octets: int) -> int:
    return -(-octets // _PAGE) * _PAGE


def write_model(path: Path, learner: Learner, learned: Learned, lessons: bytes = b"") -> None:
    """Put a model in the place of the one at `path`, durably; `lessons` are what waits for rehearsal.

    Raises OSError when the disk says no.
    """
    tables = [np.ascontiguousarray(table, dtype="<f4") for table in (learner.weights, learner.accumulators)]
    text = json.dumps(
        {
            "features": FEATURE_VERSION,
            "size": TABLE_SIZE,
            "learned": asdict(learned),
            "domains": sorted(learner.domains),
            "crc": [zlib.crc32(table.data) for table in tables],
            "lessons": [len(lessons), zlib.crc32(lessons)],
        }
    ).encode()
    head = _FIXED.pack(MAGIC, FORMAT, len(text), zlib.crc32(text)) + text
    parts = (head, *(table.tobytes() for table in tables))
    padded = (part + bytes(_pages(len(part)) - len(part)) for part in parts)
    replace_file(path, itertools.chain(padded, (lessons,)))


class Model:
    """A model mapped read-only; all processes that map the same file share its memory.

    `weights` is read-only and has TABLE_SIZE entries; `domains` are the salts of those that have a correction.
    """

    def __init__(self, path: Path) -> None:
        """Map and check the file. Raises ModelError when it is no whole model of this version, OSError
        (FileNotFoundError) when it can't be read."""
        self.path = path
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if status.st_size < _FIXED.size:
                raise ModelError(path, "too short for a model")
            # Kept alive by the arrays that look into it.
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.identity = _identity(status)
        magic, form, length, crc = _FIXED.unpack_from(self._map)
        if magic != MAGIC:
            raise ModelError(path, "not a model")
        if form != FORMAT:
            raise ModelError(path, f"format {form} is not {FORMAT}")
        text = self._map[_FIXED.size : _FIXED.size + min(length, _MAX_JSON)]
        if zlib.crc32(text) != crc:
            raise ModelError(path, "the header is damaged")
        about = json.loads(text)
        if about["features"] != FEATURE_VERSION or about["size"] != TABLE_SIZE:
            raise ModelError(path, f"its features are of version {about['features']}, not {FEATURE_VERSION}")
        self.learned = Learned(**about["learned"])
        self.domains = frozenset(about["domains"])
        self._crc = about["crc"]
        self._lessons = about["lessons"]
        self._start = _pages(_FIXED.size + length)
        if status.st_size != self._start + 2 * _pages(_TABLE_OCTETS) + self._lessons[0]:
            raise ModelError(path, "the file is not whole")
        self.weights: Weights = self._table(0)

    def _table(self, number: int) -> Weights:
        start = self._start + number * _pages(_TABLE_OCTETS)
        table = np.frombuffer(self._map, dtype="<f4", count=TABLE_SIZE, offset=start)
        if zlib.crc32(table.data) != self._crc[number]:
            raise ModelError(self.path, f"table {number} is damaged")
        return table

    def score(self, features: Features) -> Score:
        """The message's score in log-odds, for a recipient of no domain in particular."""
        return score(self.weights, features)

    def correction(self, features: Features, domain: str) -> float | None:
        """What a recipient's domain adds to it; None when it has no correction."""
        salt = salt_of(domain)
        return corrected(self.weights, features, salt) if salt in self.domains else None

    def accumulators(self) -> Weights:
        """The other table. Raises ModelError when it is damaged."""
        return self._table(1)

    def lessons(self) -> bytes:
        """What waits for rehearsal. Raises ModelError when it is damaged."""
        length, crc = self._lessons
        octets = self._map[len(self._map) - length :] if length else b""
        if zlib.crc32(octets) != crc:
            raise ModelError(self.path, "what waits for rehearsal is damaged")
        return octets


class SharedModel:
    """The model at a path, whichever it is now: for workers that score while a writer replaces it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._model: Model | None = None
        self._seen: _Identity | None = None
        self.problem = ""
        """Why the file as it was last seen can't be used; '' when it can."""

    def current(self) -> Model | None:
        """The newest whole model; the last good one while the file is missing or damaged, None before any.

        Costs one stat while nothing has changed.
        """
        try:
            identity = _identity(self.path.stat())
            if identity != self._seen:
                self._seen = identity
                self._model = Model(self.path)
                self.problem = ""
        except FileNotFoundError:
            return self._model
        except ModelError as error:
            # Scoring goes on with what is mapped; the writer's side reports its own failures.
            self.problem = str(error)
        return self._model


_Identity = tuple[int, int, int, int]


def _identity(status: os.stat_result) -> _Identity:
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size
