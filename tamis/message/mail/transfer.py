"""Content-Transfer-Encoding (RFC 2045 6), undone leniently: what is no part of the encoding is skipped."""

from __future__ import annotations

import binascii
import re

from tamis.message.mail.defects import DefectKind, DefectReport
from tamis.message.mail.embedded import decode_uuencode, decode_yenc

_UUENCODE = frozenset({"x-uuencode", "uuencode", "x-uue", "uue"})
_YENC = frozenset({"x-yenc", "yenc"})
ENCODINGS = frozenset({"7bit", "8bit", "binary", "base64", "quoted-printable", *_UUENCODE, *_YENC})
"""The encodings that are known."""

_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_BASE64 = bytes(octet for octet in range(256) if octet not in _BASE64)
_SPACE = b" \t\r\n\v\f"
_PADDING = re.compile(rb"=[=\s]*+")
_BAD_QP = re.compile(rb"=(?![0-9A-Fa-f]{2}|[ \t]*+\r?\n|[ \t]*+\Z)")
# RFC 2045 6.7 rule 3: blanks at the end of a line are not the sender's, behind a soft break's "=" neither.
_SOFT_BREAK = re.compile(rb"=(?:[ \t]++(?=\r?\n|\Z)|[ \t]*+\r(?!\n))")
_SEGMENTS = 1000  # pieces of base64 that end in padding; beyond: one piece; `bad_base64`


def decode_transfer(
    raw: bytes, start: int, end: int, encoding: str, report: DefectReport, where: str
) -> bytes:
    """The content in ``raw[start:end]`` without its encoding; never raises, in linear time."""
    octets = raw[start:end]
    if encoding == "base64":
        return decode_base64(octets, report, where)
    if encoding == "quoted-printable" and b"=" in octets:
        return decode_quoted_printable(octets, report, where)
    if encoding in _UUENCODE:
        return decode_uuencode(octets)
    if encoding in _YENC:
        return decode_yenc(octets)
    return octets


def decode_quoted_printable(octets: bytes, report: DefectReport, where: str) -> bytes:
    """What quoted-printable stands for; a "=" that begins nothing stands for itself."""
    if _BAD_QP.search(octets):
        report.add(DefectKind.BAD_QP, where=where)
    return binascii.a2b_qp(_SOFT_BREAK.sub(_break, octets))


def _break(found: re.Match[bytes]) -> bytes:
    # binascii takes all that stands behind a lone CR, up to the next LF, for part of the soft break
    return b"=\n" if found[0].endswith(b"\r") else b"="


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


def decode_base64_through(octets: bytes) -> bytes:
    """What base64 stands for to readers that skip a "=" in its midst like any other octet."""
    return _unpadded(octets)


def is_padded_within(octets: bytes) -> bool:
    """Whether base64 has padding in its midst: there readers differ."""
    return b"=" in octets.rstrip(b"=" + _SPACE)


def is_url_safe(octets: bytes) -> bool:
    """Whether base64 is written in its other alphabet (RFC 4648 5), which some readers know and others skip."""
    strange = octets.translate(None, _BASE64 + _SPACE + b"=")
    return bool(strange) and not strange.strip(b"-_") and b"+" not in octets and b"/" not in octets


def decode_url_safe(octets: bytes) -> bytes:
    """What base64 in its other alphabet stands for."""
    return _unpadded(octets.replace(b"-", b"+").replace(b"_", b"/"))


def _unpadded(octets: bytes) -> bytes:
    letters = octets.translate(None, _NOT_BASE64)
    if len(letters) % 4 == 1:  # six bits are no octet
        letters = letters[:-1]
    return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))
