"""Attachments looked into, archives unpacked within bounds. Runs in a helper process only (see helper.py).

libarchive reads every kind of archive as a stream, so what a bomb would become is never made; libmagic says what a
file is by its content; oletools finds macros.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import libarchive
import magic
from libarchive.exception import ArchiveError

from tamis.message.file_names import Risk, content_risks, name_risks
from tamis.services.files.macros import OLE, document_risks, pdf_risks

_HEAD = 65_536  # octets that libmagic looks at; beyond: they do not change a file's kind
_COMPRESSED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}
_ARCHIVES = (b"PK\x03\x04", b"PK\x05\x06", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"MSCF\x00\x00\x00\x00")
_FILES = (0o100000, 0)  # regular, and what does not say: unpackers make a file of it
_PATH_CHARACTERS = 200
_RATIO_FROM = 1_048_576  # octets below which a high ratio is of no interest


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much of all attachments of a message is unpacked."""

    octets: int = 67_108_864
    """Octets unpacked. Beyond: `archive_limit`."""
    members: int = 1000
    """Files and members looked at. Beyond: `archive_limit`."""
    depth: int = 4  # archives within archives; beyond: `archive_limit`
    ratio: int = 200  # times its own size that an archive is unpacked to; beyond: `archive_limit`
    seconds: float = 5.0  # seconds of unpacking; beyond: `archive_limit`


@dataclass(slots=True)
class _Work:
    bounds: Bounds
    until: float
    objects: list[dict[str, Any]] = field(default_factory=list)
    octets: int = 0

    def spent(self) -> bool:
        return (
            self.octets > self.bounds.octets
            or len(self.objects) >= self.bounds.members
            or time.monotonic() > self.until
        )


def inspect_job(request: Mapping[str, Any], blobs: Sequence[bytes]) -> dict[str, Any]:
    """The helper's job: `files` holds [name, whole] for each blob; answers one object a file and a member."""
    bounds = Bounds(**request.get("bounds", {}))
    work = _Work(bounds, time.monotonic() + bounds.seconds)
    for (name, whole), octets in zip(request["files"], blobs, strict=True):
        _look(work, octets, [str(name)], whole=whole)
    return {"objects": work.objects}


def _look(work: _Work, octets: bytes, path: list[str], *, whole: bool) -> None:
    """One file: what it is, what speaks against it, and what is in it."""
    name, depth = path[-1], len(path) - 1
    kind = magic.from_buffer(octets[:_HEAD], mime=True) if octets else "inode/x-empty"
    risks = name_risks(name, kind) | content_risks(name, kind)
    if depth and risks & {Risk.EXECUTABLE, Risk.DANGEROUS_NAME}:
        risks.add(Risk.EXECUTABLE_IN_ARCHIVE)
    seen = {
        "path": [piece[-_PATH_CHARACTERS:] for piece in path],
        "kind": kind,
        "size": len(octets),
        # of a piece only the piece's hash could be known
        "sha256": hashlib.sha256(octets).hexdigest() if whole and octets else "",
    }
    work.objects.append(seen)
    if octets.startswith(OLE):
        risks |= document_risks(octets)
    elif kind == "application/pdf":
        risks |= pdf_risks(octets)
    elif whole and (form := _form(octets, kind)) is not None:
        members = _unpack(work, octets, form, path, risks)
        if kind != "application/java-archive" and _is_office(members):
            risks |= document_risks(octets)
    seen["risks"] = sorted(risks)


def _form(octets: bytes, kind: str) -> str | None:
    """How libarchive is to read it: "" for archives, the filter's name for one compressed file."""
    if octets.startswith(_ARCHIVES) or kind in {"application/x-tar", "application/x-iso9660-image"}:
        return ""
    return next((form for head, form in _COMPRESSED.items() if octets.startswith(head)), None)


def _is_office(members: Sequence[str]) -> bool:
    return "[Content_Types].xml" in members


def _unpack(work: _Work, octets: bytes, form: str, path: list[str], risks: set[Risk]) -> list[str]:
    """Look at every member within the bounds; returns the members' names."""
    names: list[str] = []
    if len(path) > work.bounds.depth:
        risks.add(Risk.ARCHIVE_LIMIT)
        return names
    most = max(_RATIO_FROM, len(octets) * work.bounds.ratio)
    try:
        # "none" and "gzip" by name: "all" would let libarchive start other programs
        with libarchive.memory_reader(
            octets, format_name="raw" if form else "all", filter_name=form or "none"
        ) as archive:
            for entry in archive:
                if entry.filetype not in _FILES and not form:
                    continue
                name = _stem(path[-1]) if form else str(entry.pathname or "?")
                names.append(name)
                if work.spent():
                    risks.add(Risk.ARCHIVE_LIMIT)
                    break
                try:
                    content, whole = _content(work, entry.get_blocks(), most)
                except ArchiveError as error:
                    risks.add(_trouble(error, octets))
                    work.objects.append(_unread(path, name))
                    continue
                if not whole:
                    risks.add(Risk.ARCHIVE_LIMIT)
                _look(work, content, [*path, name], whole=whole)
    except (ArchiveError, UnicodeError) as error:
        risks.add(_trouble(error, octets))
    return names


def _content(work: _Work, blocks: Iterator[bytes], most: int) -> tuple[bytes, bool]:
    """A member's octets, and whether that is all of them."""
    content = bytearray()
    for block in blocks:
        content += block
        work.octets += len(block)
        if len(content) > most or work.spent():
            return bytes(content), False
    return bytes(content), True


def _unread(path: list[str], name: str) -> dict[str, Any]:
    """A member that can't be read still has a name."""
    risks = name_risks(name, "")
    if risks:
        risks.add(Risk.EXECUTABLE_IN_ARCHIVE)
    return {
        "path": [piece[-_PATH_CHARACTERS:] for piece in [*path, name]],
        "kind": "",
        "size": 0,
        "sha256": "",
        "risks": sorted(risks),
    }


def _trouble(error: Exception, octets: bytes) -> Risk:
    told = str(error).lower()
    if any(word in told for word in ("encrypt", "passphrase", "password")):
        return Risk.ENCRYPTED_ARCHIVE
    # libarchive has no words of its own for an encrypted header of 7z and RAR; their formats do
    return Risk.ENCRYPTED_ARCHIVE if _AES_7Z in octets[-1024:] else Risk.BROKEN_ARCHIVE


_AES_7Z = bytes.fromhex("06f10701")  # the 7z method id of AES-256


def _stem(name: str) -> str:
    """The name of what a compressed file holds."""
    return name.rpartition(".")[0] or name
