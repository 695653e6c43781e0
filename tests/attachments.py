"""Files to attach: archives, programs and office files made here, octet for octet the same in every run."""

from __future__ import annotations

import base64
import io
import struct
import zipfile
import zlib
from collections.abc import Mapping

PROGRAM = b"MZ" + bytes(200)
"""What libmagic takes for a program; it does nothing."""

PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"
_THE_DATE = (2026, 3, 1, 12, 0, 0)
_EICAR = (r"X5O!P%@AP[4\PZX54(P^)7CC)7}$", "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!", "$H+H*")


def eicar() -> bytes:
    """The test virus, put together when asked for, so that no scanner takes this file for one."""
    return "".join(_EICAR).encode()


def archive(files: Mapping[str, bytes], *, encrypted: bool = False) -> bytes:
    """A zip. `encrypted` only marks its members so."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        for name, octets in files.items():
            file.writestr(zipfile.ZipInfo(name, _THE_DATE), octets, compress_type=zipfile.ZIP_DEFLATED)
    octets = made.getvalue()
    if encrypted:
        octets = octets.replace(b"PK\x03\x04\x14\0\0\0", b"PK\x03\x04\x14\0\x01\0")
        octets = octets.replace(b"PK\x01\x02\x14\x03\x14\0\0\0", b"PK\x01\x02\x14\x03\x14\0\x01\0")
    return octets


def nested(depth: int, innermost: Mapping[str, bytes]) -> bytes:
    """A zip in a zip in a zip."""
    octets = archive(innermost)
    for number in range(depth - 1):
        octets = archive({f"{number}.zip": octets})
    return octets


def rar4(name: str, octets: bytes) -> bytes:
    """A RAR of version 4 with one file, stored as it is (RAR's technote, 2009)."""
    checksum, day = zlib.crc32(octets), 0x5C610000  # 2026-03-01
    told = struct.pack(
        "<IIBIIBBHI", len(octets), len(octets), 3, checksum, day, 20, 0x30, len(name), 0o100644
    )
    return (
        b"Rar!\x1a\x07\0"
        + _rar4_block(0x73, 0, bytes(6))
        + _rar4_block(0x74, 0x8000, told + name.encode())
        + octets
    )


def _rar4_block(kind: int, flags: int, body: bytes) -> bytes:
    head = struct.pack("<BHH", kind, flags, 7 + len(body)) + body
    return struct.pack("<H", zlib.crc32(head) & 0xFFFF) + head


def rar5(name: str, octets: bytes, *, mode: int = 0o100644) -> bytes:
    """A RAR of version 5 with one file, stored as it is (RAR 5.0 archive format)."""
    file = _vints(2, 2, len(octets), 4, len(octets), mode) + struct.pack("<I", zlib.crc32(octets))
    file += _vints(0, 1, len(name)) + name.encode()
    begin, end = _rar5_block(_vints(1, 0, 0)), _rar5_block(_vints(5, 0, 0))
    return b"Rar!\x1a\x07\x01\0" + begin + _rar5_block(file) + octets + end


def _rar5_block(body: bytes) -> bytes:
    sized = _vints(len(body)) + body
    return struct.pack("<I", zlib.crc32(sized)) + sized


def _vints(*numbers: int) -> bytes:
    """Numbers of variable length: seven bits an octet, the lowest first."""
    octets = bytearray()
    for number in numbers:
        left = number
        while left >= 0x80:
            octets.append(left & 0x7F | 0x80)
            left >>= 7
        octets.append(left)
    return bytes(octets)


def macro_document(code: str) -> bytes:
    """A compound file with one stream that holds compressed VBA (MS-CFB 2, MS-OVBA 2.4.1)."""
    plain = f'Attribute VB_Name = "Module1"\r\n{code}\r\n'.encode()
    chunks = b""
    for start in range(0, len(plain), 8):
        chunks += b"\0" + plain[start : start + 8]  # eight literal tokens
    stream = b"\x01" + struct.pack("<H", 0xB000 | (len(chunks) - 1)) + chunks
    stream += struct.pack("<H", 0x3FFF) + b" " * 4096  # from 4096 octets on a stream has sectors of its own
    sectors = -(-len(stream) // 512)
    chain = [*range(3, 2 + sectors), 0xFFFFFFFE]
    table = struct.pack("<128I", 0xFFFFFFFD, 0xFFFFFFFE, *chain, *[0xFFFFFFFF] * (126 - sectors))
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16)
    header += struct.pack("<5H6x", 0x3E, 3, 0xFFFE, 9, 6)
    header += struct.pack("<9I", 0, 1, 1, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0)
    header += struct.pack("<109I", 0, *[0xFFFFFFFF] * 108)
    folder = _entry("Root Entry", 5, 1, 0xFFFFFFFE, 0) + _entry("Module1", 2, 0xFFFFFFFF, 2, len(stream))
    return header + table + folder.ljust(512, b"\0") + stream.ljust(sectors * 512, b"\0")


def _entry(name: str, kind: int, child: int, first: int, size: int) -> bytes:
    encoded = (name + "\0").encode("utf-16-le")
    return (
        encoded.ljust(64, b"\0")
        + struct.pack("<HBBIII", len(encoded), kind, 1, 0xFFFFFFFF, 0xFFFFFFFF, child)
        + bytes(36)
        + struct.pack("<IQ", first, size)
    )


def blank_png(width: int, height: int) -> bytes:
    """A black-and-white PNG of one colour: tiny as a file, huge when decoded."""
    packer = zlib.compressobj(9)
    line = bytes(width // 8 + 1)
    data = b"".join(packer.compress(line) for _ in range(height)) + packer.flush()
    return (
        b"\x89PNG\r\n\x1a\n"
        + _png_chunk(b"IHDR", struct.pack("!IIBBBBB", width, height, 1, 0, 0, 0, 0))
        + _png_chunk(b"IDAT", data)
        + _png_chunk(b"IEND", b"")
    )


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack("!I", len(data)) + kind + data + struct.pack("!I", zlib.crc32(kind + data))


def letter(files: Mapping[str, bytes], *, kind: str = "application/octet-stream", number: int = 1) -> bytes:
    """A message with these files attached."""
    message = (
        f"From: Stranger <stranger@example.net>\r\nTo: marie@example.com\r\nSubject: Papers\r\n"
        f"Date: Sun, 1 Mar 2026 12:00:00 +0000\r\nMessage-ID: <{number}@example.net>\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nAs promised.\r\n'
    ).encode()
    for name, octets in files.items():
        message += (
            f'--b\r\nContent-Type: {kind}\r\nContent-Disposition: attachment; filename="{name}"\r\n'.encode()
        )
        message += b"Content-Transfer-Encoding: base64\r\n\r\n"
        message += base64.encodebytes(octets).replace(b"\n", b"\r\n")
    return message + b"--b--\r\n"
