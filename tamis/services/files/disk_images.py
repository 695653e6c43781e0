"""Disk images and archives that libarchive does not know, read by 7-Zip. Runs in a helper process only.

7-Zip runs as a process of its own, without a file system to write to: the image is in memory, what it unpacks comes
through a pipe, as much of it as there is room for. Processor time and memory are bounded by the system.
"""

from __future__ import annotations

import os
import resource
import struct
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from shutil import which
from typing import IO

from tamis.services.files.members import Member

PROGRAMS = ("7zz", "7z")
"""7-Zip for Linux, Debian's package 7zip: as it is called until Debian 12, and from Debian 13 on."""

_CPU_SECONDS = 3  # seconds of processor time of one call; beyond: not read, `not_read`
_LISTED_OCTETS = 1_048_576  # octets of a list of members; beyond: not looked at, `not_read`
_SECTOR = 32_768
_MARKS: tuple[tuple[int, bytes], ...] = (
    (0, b"vhdxfile"),  # [MS-VHDX] 2.2.1
    (0, b"conectix"),  # VHD, dynamic
    (-512, b"conectix"),  # VHD, fixed: the footer alone says so
    (-512, b"koly"),  # Apple disk image
    (0, b"KDMV"),
    (0, b"QFI\xfb"),
    (64, b"\x7f\x10\xda\xbe"),  # VirtualBox
    (0, b"MSWIM\0\0\0"),
    (0, b"\x60\xea"),  # ARJ
    (512, b"EFI PART"),
    (3, b"NTFS    "),
    (3, b"EXFAT   "),
    (54, b"FAT1"),
    (82, b"FAT32"),
    (32, b"NXSB"),  # APFS
    *((1024, mark) for mark in (b"H+\0\4", b"HX\0\5")),  # HFS
    *((0, mark) for mark in (b"hsqs", b"sqsh", b"shsq", b"qshs")),  # SquashFS
    *((1080, b"\x53\xef" + state) for state in (b"\0\0", b"\1\0")),  # ext2, ext3, ext4
    (0, b"ER\x02\0"),  # Apple's partition map, blocks of 512 octets
    (16, b"Compressed ROMFS"),
    (0, b"SZDD\x88\xf0\x27\x33"),  # what compress.exe makes
    (0, b"ITOLITLS"),  # compiled help, version 2
    (0, b"\xed\xab\xee\xdb"),  # RPM
    *((_SECTOR + number * 2048 + 1, b"NSR0") for number in range(1, 8)),  # UDF (ECMA-167 part 3, 9.1)
)
_ISO = (_SECTOR + 1, b"CD001")  # ECMA-119 8.1: what stands before it is anything
_PARTITION = struct.Struct("<B3xB3xII")
_CLOSED: tuple[tuple[int, bytes], ...] = (
    (7, b"**ACE**"),
    (0, b"EGGA"),
    (0, b"ALZ\x01"),
    (0, b"SIT!"),
    (0, b"StuffIt!"),
    (0, b"7kSt\xa0\x31\x83\xd3"),  # ZPAQ
    (0, b"DAA\0"),
    (-12, b"NER5"),  # Nero
    (-8, b"NERO"),
    (0, b"\0" + b"\xff" * 10 + b"\0"),  # a disc's raw sectors (ECMA-130 14)
    (0, b"sprs"),  # sparse image of macOS
    (0, b"\x76\xe8\x04\x60\xc4\x11\xe3\x86"),  # a message with restricted permission ([MS-OXORMMS])
    (0, b"(This file must be converted with BinHex"),
)
"""Marks of what nobody here can open."""


_LEFT_OUT = ("-sns-", "-x![SYSTEM]", "-x![SYS]")
"""What 7-Zip is to say nothing of: alternate streams and the tables of a file system, which no reader can open."""


class ImageError(Exception):
    """7-Zip did not read an image, or is not there."""


def is_image(octets: bytes) -> bool:
    """Whether 7-Zip is to read a file: by its mark, or by its partitions."""
    return _has_mark(octets, _MARKS) or _is_partitioned(octets)


def is_disc(octets: bytes) -> bool:
    """Whether a file is an image of a disc (ISO 9660), whatever its first 32 KiB look like."""
    return _has_mark(octets, (_ISO,))


def _is_partitioned(octets: bytes) -> bool:
    """Whether a file begins with a table of partitions that lie within it (master boot record)."""
    if octets[510:512] != b"\x55\xaa":
        return False
    sectors = len(octets) // 512
    used = [entry for entry in _PARTITION.iter_unpack(octets[446:510]) if entry[1]]
    return bool(used) and all(
        status in {0, 0x80} and 0 < begin < sectors and size > 0 for status, _, begin, size in used
    )


def is_closed(octets: bytes) -> bool:
    """Whether a file is an archive, an image or a message that is not looked into here."""
    return _has_mark(octets, _CLOSED)


def _has_mark(octets: bytes, marks: Sequence[tuple[int, bytes]]) -> bool:
    size = len(octets)
    return any(octets.startswith(mark, at if at >= 0 else max(0, size + at)) for at, mark in marks)


def program() -> str | None:
    """Where 7-Zip is; None where it is not installed."""
    return next(filter(None, map(which, PROGRAMS)), None)


@dataclass(frozen=True, slots=True)
class _Listed:
    name: str
    size: int | None
    encrypted: bool


def image_members(octets: bytes, room: int) -> Iterator[Member]:
    """The files in an image, of at most `room` octets together; raises ImageError for what 7-Zip does not read, and
    behind the last one that it tells of when there are more."""
    with _in_memory(octets) as path:
        listed, is_cut = _list(path)
        if not listed:
            raise ImageError("nothing in it")
        content = _unpacked(path, room)
    at = 0
    for one in listed:
        end = at + (one.size or 0)
        is_whole = one.size is not None and end <= len(content) and not one.encrypted
        yield Member(one.name, content[at:end], whole=is_whole)
        at = end
    if is_cut:
        raise ImageError("too many files")


@contextmanager
def _in_memory(octets: bytes) -> Iterator[str]:
    """A file that is nowhere on a disk."""
    made = os.memfd_create("image")
    try:
        with open(made, "wb", closefd=False) as file:
            file.write(octets)
        yield f"/proc/self/fd/{made}"
    finally:
        os.close(made)


def _list(path: str) -> tuple[list[_Listed], bool]:
    """The files that 7-Zip tells of, and whether there are more."""
    with _running(["l", "-slt", "-ba"], path) as output:
        told = output.read(_LISTED_OCTETS + 1)
    is_cut = len(told) > _LISTED_OCTETS
    blocks = told.decode("utf-8", "replace").split("\n\n")[: -1 if is_cut else None]
    found = (dict(_fields(block)) for block in blocks if block.strip())
    files = [
        _Listed(
            one.get("Path", ""),
            int(one["Size"]) if one.get("Size", "").isdigit() else None,
            one.get("Encrypted") == "+",
        )
        for one in found
        if one.get("Folder") != "+"
    ]
    return files, is_cut


def _fields(block: str) -> Iterator[tuple[str, str]]:
    for line in block.splitlines():
        name, equals, value = line.partition(" = ")
        if equals:
            yield name, value


def _unpacked(path: str, room: int) -> bytes:
    """The contents of all files, one behind the other in the order of the list."""
    with _running(["x", "-so"], path) as output:
        return output.read(room)


@contextmanager
def _running(command: list[str], path: str) -> Iterator[IO[bytes]]:
    """7-Zip's output; it is stopped when enough was read. "-p-" keeps it from asking for a password."""
    seven_zip = program()
    if seven_zip is None:
        raise ImageError("7-Zip is not installed")
    memory = resource.getrlimit(resource.RLIMIT_AS)
    process = subprocess.Popen(  # noqa: S603 - a fixed command, no shell
        [seven_zip, *command, *_LEFT_OUT, "-p-", "-y", "-bd", "-mmt1", "--", path],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        pass_fds=(int(path.rpartition("/")[2]),),
        env={"LC_ALL": "C.UTF-8"},
        preexec_fn=lambda: _bound(memory),  # noqa: PLW1509 - a helper has one thread
    )
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        process.kill()
        process.stdout.close()
        process.wait()


def _bound(memory: tuple[int, int]) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, memory)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
