"""What a signed or compressed S/MIME part holds (RFC 8551 3.5.2 and 3.6): mail programs show it, so it is read.

Only the frame around the content is read (RFC 5652, in BER, ITU-T X.690), no signature. Bounded in depth and octets.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import NamedTuple

TYPES = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
"""Media types of S/MIME parts with everything within."""
SUFFIXES = (".p7m", ".p7z")
"""Names by which programs know such a part of any other type (RFC 8551 3.2.1)."""

_SEQUENCE, _SET, _OCTETS, _OID, _EXPLICIT = 0x30, 0x31, 0x04, 0x06, 0xA0
_CONSTRUCTED = 0x20
_SIGNED = bytes.fromhex("2a864886f70d010702")
_COMPRESSED = bytes.fromhex("2a864886f70d0109100109")
_DEPTH = 12  # values within values; beyond: not read, `mislabelled_content`
_VALUES = 100_000  # values of one content, read again counted again; beyond: not read, `mislabelled_content`


class _Value(NamedTuple):
    tag: int
    begin: int
    end: int
    after: int
    """Where the next one begins."""


class OpaqueError(Exception):
    """The octets are none of this format, or beyond the bounds."""


def opaque_content(octets: bytes, most: int) -> tuple[bytes, bool] | None:
    """The content, itself an entity of MIME, of at most `most` octets, and whether that is all; None for what is
    encrypted or of a kind without content. Raises OpaqueError."""
    reader = _Reader(octets)
    try:
        outer = reader.value(0, len(octets), 0)
        kind, wrapped = reader.children(outer, 2)
        told = octets[kind.begin : kind.end]
        if outer.tag != _SEQUENCE or kind.tag != _OID:
            raise OpaqueError
        if told not in (_SIGNED, _COMPRESSED):
            return None
        (data,) = reader.children(wrapped, 1)
        _, _, inner = reader.children(data, 3)
        if told == _SIGNED and reader.has_no_content(inner):
            return None
        _, holder = reader.children(inner, 2)
        (string,) = reader.children(holder, 1)
        content = b"".join(reader.pieces(string, 0))
    except IndexError as error:
        raise OpaqueError from error
    if told == _SIGNED:
        return content[:most], len(content) <= most
    inflater = zlib.decompressobj()
    try:
        return inflater.decompress(content, max(1, most)), inflater.eof
    except zlib.error as error:
        raise OpaqueError from error


class _Reader:
    """Values of BER, in a bound: what is of indefinite length is read again at each level."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._left = _VALUES

    def value(self, at: int, end: int, depth: int) -> _Value:
        """The value that begins at an offset (X.690 8.1)."""
        octets = self._octets
        self._left -= 1
        if self._left < 0 or depth > _DEPTH or at + 2 > end or octets[at] & 0x1F == 0x1F:
            raise OpaqueError
        tag, length, begin = octets[at], octets[at + 1], at + 2
        if length == 0x80:  # of indefinite length: until two NULs
            if not tag & _CONSTRUCTED:
                raise OpaqueError
            inner = begin
            while octets[inner : inner + 2] != b"\0\0":
                inner = self.value(inner, end, depth + 1).after
            return _Value(tag, begin, inner, inner + 2)
        if length > 0x80:
            count = length & 0x7F
            if count > 4:
                raise OpaqueError
            length = int.from_bytes(octets[begin : begin + count], "big")
            begin += count
        # what is cut off at the end is read as far as it is there
        return _Value(tag, begin, min(end, begin + length), begin + length)

    def has_no_content(self, inner: _Value) -> bool:
        """Whether signatures or certificates are all that there is (RFC 5652 5.2: the content is optional)."""
        kind = self.children(inner, 1)[0]
        return kind.after >= inner.end

    def children(self, value: _Value, number: int) -> list[_Value]:
        """The first values within one; raises OpaqueError when there are fewer."""
        if not value.tag & _CONSTRUCTED:
            raise OpaqueError
        found: list[_Value] = []
        at = value.begin
        while len(found) < number:
            found.append(self.value(at, value.end, 1))
            at = found[-1].after
        return found

    def pieces(self, value: _Value, depth: int) -> Iterator[bytes]:
        """The octets of a string, which may be written in pieces (X.690 8.7.3)."""
        if value.tag == _OCTETS:
            yield self._octets[value.begin : value.end]
            return
        if value.tag != _OCTETS | _CONSTRUCTED or depth > _DEPTH:
            raise OpaqueError
        at = value.begin
        while at < value.end:
            piece = self.value(at, value.end, depth + 1)
            yield from self.pieces(piece, depth + 1)
            at = piece.after
