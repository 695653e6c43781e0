"""The model on disk: one file, read through a shared mapping, replaced as a whole.

    8 octets   magic "TAMISMDL"
    u32        format
    u32        length of the JSON that follows the fixed part
    u32        CRC-32 of that JSON
    JSON       feature version, table size, counts of what was learned, CRC-32 of each table
    zeros      up to a page
    f32[]      weights, up to a page
    f32[]      accumulators (read by the writer only)

All numbers are little-endian. A new model is written to a temporary file, synced and renamed over the old
one, so a reader sees the old model or the new one; a process that has the old one mapped keeps it until it
looks again. Readers of weights never touch the accumulators' pages.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import zlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np

from tamis.errors import TamisError
from tamis.models.features import FEATURE_VERSION, TABLE_SIZE, Features
from tamis.models.learner import Learner, Score, Weights, score

MAGIC: Final = b"TAMISMDL"
FORMAT: Final = 1
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


def write_model(path: Path, learner: Learner, learned: Learned) -> None:
    """Put a model in the place of the one at `path`, durably. Raises OSError when the disk says no."""
    tables = [np.ascontiguousarray(table, dtype="<f4") for table in (learner.weights, learner.accumulators)]
    text = json.dumps(
        {
            "features": FEATURE_VERSION,
            "size": TABLE_SIZE,
            "learned": asdict(learned),
            "crc": [zlib.crc32(table.data) for table in tables],
        }
    ).encode()
    head = _FIXED.pack(MAGIC, FORMAT, len(text), zlib.crc32(text)) + text
    parts = (head, *(table.tobytes() for table in tables))
    replace_file(path, (part + bytes(_pages(len(part)) - len(part)) for part in parts))


def replace_file(path: Path, parts: Iterable[bytes]) -> None:
    """Write `parts` to a temporary file, sync it, rename it to `path`, sync the folder."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames within a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Model:
    """A model mapped read-only; all processes that map the same file share its memory.

    `weights` is read-only and has TABLE_SIZE entries.
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
        self._crc = about["crc"]
        self._start = _pages(_FIXED.size + length)
        if status.st_size != self._start + 2 * _pages(_TABLE_OCTETS):
            raise ModelError(path, "the file is not whole")
        self.weights: Weights = self._table(0)

    def _table(self, number: int) -> Weights:
        start = self._start + number * _pages(_TABLE_OCTETS)
        table = np.frombuffer(self._map, dtype="<f4", count=TABLE_SIZE, offset=start)
        if zlib.crc32(table.data) != self._crc[number]:
            raise ModelError(self.path, f"table {number} is damaged")
        return table

    def score(self, features: Features) -> Score:
        """The message's score in log-odds."""
        return score(self.weights, features)

    def learner(self) -> Learner:
        """A learner that goes on from here, with its own copy. Raises ModelError on a damaged table."""
        return Learner(self.weights, self._table(1))


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
