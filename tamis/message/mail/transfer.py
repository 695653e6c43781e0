"""Content-Transfer-Encoding (RFC 2045 6), undone leniently: what is no part of the encoding is skipped."""

from __future__ import annotations

import binascii
import re

from tamis.message.mail.defects import DefectKind, DefectReport

ENCODINGS = frozenset(
    {"7bit", "8bit", "binary", "base64", "quoted-printable", "x-uuencode", "uuencode", "x-uue", "uue"}
)
"""The encodings that are known. Those named for uuencode are known and left as they are."""

_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_BASE64 = bytes(octet for octet in range(256) if octet not in _BASE64)
_SPACE = b" \t\r\n\v\f"
_PADDING = re.compile(rb"=[=\s]*+")
_BAD_QP = re.compile(rb"=(?![0-9A-Fa-f]{2}|[ \t]*+\r?\n|[ \t]*+\Z)")
_SEGMENTS = 1000  # pieces of base64 that end in padding; beyond: one piece; `bad_base64`


def decode_transfer(
    raw: bytes, start: int, end: int, encoding: str, report: DefectReport, where: str
) -> bytes:
    """The content in ``raw[start:end]`` without its encoding; never raises, in linear time."""
    if encoding == "base64":
        return decode_base64(raw[start:end], report, where)
    octets = raw[start:end]
    if encoding == "quoted-printable" and b"=" in octets:
        if _BAD_QP.search(octets):
            report.add(DefectKind.BAD_QP, where=where)
        return binascii.a2b_qp(octets)
    return octets


def decode_base64(octets: bytes, report: DefectReport, where: str) -> bytes:
    """What base64 stands for; encoded pieces that follow one another, each padded, are joined."""
    octets = octets.rstrip()
    body = octets.rstrip(b"=" + _SPACE)
    strange = body.translate(None, _BASE64 + _SPACE)
    if not strange:
        try:
            return binascii.a2b_base64(octets)
        except binascii.Error:
            pass
    report.add(DefectKind.BAD_BASE64, strange[:20], where)
    if b"=" not in strange:
        return _unpadded(body)
    return b"".join(map(_unpadded, _PADDING.split(body, _SEGMENTS)))


def _unpadded(octets: bytes) -> bytes:
    letters = octets.translate(None, _NOT_BASE64)
    if len(letters) % 4 == 1:  # six bits are no octet
        letters = letters[:-1]
    return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))
