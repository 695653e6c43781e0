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
_PIECES = 100_000  # pieces of one content; beyond: not read, `mislabelled_content`


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
    try:
        outer = _value(octets, 0, len(octets), 0)
        kind, wrapped = _children(octets, outer, 2)
        told = octets[kind.begin : kind.end]
        if outer.tag != _SEQUENCE or kind.tag != _OID:
            raise OpaqueError
        if told not in (_SIGNED, _COMPRESSED):
            return None
        (data,) = _children(octets, wrapped, 1)
        _, _, inner = _children(octets, data, 3)
        if told == _SIGNED and _has_no_content(octets, inner):
            return None
        _, holder = _children(octets, inner, 2)
        (string,) = _children(octets, holder, 1)
        content = b"".join(_pieces(octets, string, 0))
    except IndexError as error:
        raise OpaqueError from error
    if told == _SIGNED:
        return content[:most], len(content) <= most
    inflater = zlib.decompressobj()
    try:
        return inflater.decompress(content, max(1, most)), inflater.eof
    except zlib.error as error:
        raise OpaqueError from error


def _value(octets: bytes, at: int, end: int, depth: int) -> _Value:
    """The value that begins at an offset (X.690 8.1)."""
    if depth > _DEPTH or at + 2 > end or octets[at] & 0x1F == 0x1F:
        raise OpaqueError
    tag, length, begin = octets[at], octets[at + 1], at + 2
    if length == 0x80:  # of indefinite length: until two NULs
        if not tag & _CONSTRUCTED:
            raise OpaqueError
        inner = begin
        while octets[inner : inner + 2] != b"\0\0":
            inner = _value(octets, inner, end, depth + 1).after
        return _Value(tag, begin, inner, inner + 2)
    if length > 0x80:
        count = length & 0x7F
        if count > 4:
            raise OpaqueError
        length = int.from_bytes(octets[begin : begin + count], "big")
        begin += count
    # what is cut off at the end is read as far as it is there
    return _Value(tag, begin, min(end, begin + length), begin + length)


def _has_no_content(octets: bytes, inner: _Value) -> bool:
    """Whether signatures or certificates are all that there is (RFC 5652 5.2: the content is optional)."""
    kind = _children(octets, inner, 1)[0]
    return kind.after >= inner.end


def _children(octets: bytes, value: _Value, number: int) -> list[_Value]:
    """The first values within one; raises OpaqueError when there are fewer."""
    if not value.tag & _CONSTRUCTED:
        raise OpaqueError
    found: list[_Value] = []
    at = value.begin
    while len(found) < number:
        found.append(_value(octets, at, value.end, 1))
        at = found[-1].after
    return found


def _pieces(octets: bytes, value: _Value, depth: int) -> Iterator[bytes]:
    """The octets of a string, which may be written in pieces (X.690 8.7.3)."""
    if value.tag == _OCTETS:
        yield octets[value.begin : value.end]
        return
    if value.tag != _OCTETS | _CONSTRUCTED or depth > _DEPTH:
        raise OpaqueError
    at = value.begin
    for _ in range(_PIECES):
        if at >= value.end:
            return
        piece = _value(octets, at, value.end, depth + 1)
        yield from _pieces(octets, piece, depth + 1)
        at = piece.after
    raise OpaqueError
