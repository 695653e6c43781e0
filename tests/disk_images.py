"""Disk images with files in them, made here: FAT12 (ECMA-107), plain, partitioned, as a fixed VHD and as a DMG."""

from __future__ import annotations

import plistlib
import struct
import subprocess
import zlib
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from tamis.services.files.disk_images import PROGRAMS, program

_SECTOR = 512
_SECTORS = 720
_TABLE = 3 * _SECTOR
_ROOT = 112


def fat(files: Mapping[str, bytes]) -> bytes:
    """A floppy disk of 360 KB with files of short names."""
    boot = bytearray(_SECTOR)
    boot[:11] = b"\xeb\x3c\x90MSDOS5.0"
    struct.pack_into("<HBHBHHBHHHII", boot, 11, _SECTOR, 1, 1, 2, _ROOT, _SECTORS, 0xFD, 3, 9, 2, 0, 0)
    boot[38:39], boot[43:62], boot[510:512] = b"\x29", b"NO NAME    FAT12   ", b"\x55\xaa"
    chain = [0xFFD, 0xFFF]
    contents = directory = b""
    for name, octets in files.items():
        base, _, ending = name.upper().partition(".")
        clusters = max(1, -(-len(octets) // _SECTOR))
        first = len(chain)
        chain += [*range(first + 1, first + clusters), 0xFFF]
        contents += octets.ljust(clusters * _SECTOR, b"\0")
        shown = base.ljust(8).encode() + ending.ljust(3).encode()
        directory += shown + b"\x20" + bytes(14) + struct.pack("<HI", first, len(octets))
    table = bytearray(_TABLE)
    for number, following in enumerate(chain):
        at, is_odd = number * 3 // 2, number % 2
        both = int.from_bytes(table[at : at + 2], "little") | following << 4 * is_odd
        table[at : at + 2] = both.to_bytes(2, "little")
    whole = bytes(boot) + bytes(table) * 2 + directory.ljust(_ROOT * 32, b"\0") + contents
    return whole.ljust(_SECTORS * _SECTOR, b"\0")


def partitioned(disk: bytes) -> bytes:
    """A disk with one partition (master boot record)."""
    table = bytearray(_SECTOR)
    struct.pack_into("<B3xB3xII", table, 446, 0x80, 1, 1, len(disk) // _SECTOR)
    table[510:] = b"\x55\xaa"
    return bytes(table) + disk


def dmg(disk: bytes) -> bytes:
    """A disk as an image of macOS: packed in one piece, with a property list and a trailer."""
    sectors = len(disk) // _SECTOR
    packed = zlib.compress(disk)
    piece = struct.pack(">IIQQQQ", 0x80000005, 0, 0, sectors, 0, len(packed))
    end = struct.pack(">IIQQQQ", 0xFFFFFFFF, 0, sectors, 0, len(packed), 0)
    blocks = b"mish" + struct.pack(">IQQQII", 1, 0, sectors, 0, sectors + 8, 0) + bytes(24 + 136)
    blocks += struct.pack(">I", 2) + piece + end
    listed = plistlib.dumps(
        {"resource-fork": {"blkx": [{"Attributes": "0x0050", "Name": "disk", "ID": "0", "Data": blocks}]}}
    )
    trailer = bytearray(_SECTOR)
    trailer[:4] = b"koly"
    struct.pack_into(">IIIQQQ", trailer, 4, 4, _SECTOR, 1, 0, 0, len(packed))
    struct.pack_into(">QQ", trailer, 216, len(packed), len(listed))
    struct.pack_into(">IQ", trailer, 488, 1, sectors)
    return packed + listed + bytes(trailer)


def packed(files: Mapping[str, bytes], kind: str, *options: str) -> bytes:
    """Files in an archive of a kind that 7-Zip writes."""
    with TemporaryDirectory() as folder:
        for name, octets in files.items():
            (Path(folder) / name).write_bytes(octets)
        command = [program() or PROGRAMS[0], "a", "-bd", f"-t{kind}", *options, f"made.{kind}", *files]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        return (Path(folder) / f"made.{kind}").read_bytes()


def vhd(disk: bytes) -> bytes:
    """A disk as a fixed VHD: with a footer."""
    footer = bytearray(_SECTOR)
    footer[:8] = b"conectix"
    struct.pack_into(">IIQI4sI4s", footer, 8, 2, 0x10000, 0xFFFFFFFFFFFFFFFF, 0, b"win ", 0x50003, b"Wi2k")
    struct.pack_into(">QQII", footer, 40, len(disk), len(disk), 0, 2)
    struct.pack_into(">I", footer, 64, ~sum(footer) & 0xFFFFFFFF)
    return disk + bytes(footer)
