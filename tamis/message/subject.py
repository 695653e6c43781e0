"""The tagged subject (spec O2): the tag in front, the original still decodable, whatever its charset."""

from __future__ import annotations

from email.charset import QP, Charset
from email.header import Header

_UTF8 = Charset("utf-8")
_UTF8.header_encoding = QP


def tagged_subject(tag: str, raw: bytes | None, decoded: str | None) -> bytes | None:
    """The new raw value of the Subject field, without the blank after the colon; None leaves it as it is.

    `raw` is the value as it stands in the message (None when there is no Subject), `decoded` its text. ASCII (encoded
    words included) and UTF-8 stay as they are behind the tag; other octets have no declared charset, so they are
    written anew as encoded words of the decoded text (RFC 2047). A subject that has the tag stays as it is.
    """
    value = (raw or b"").lstrip(b" \t\r\n")
    if value.startswith(tag.strip().encode("ascii")):
        return None
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        text = (decoded or value.decode("latin-1")).replace("\r", " ").replace("\n", " ")
        value = Header(text, _UTF8, header_name="Subject", maxlinelen=70).encode(linesep="\n").encode("ascii")
    return tag.encode("ascii") + value.replace(b"\0", b"")
