"""Invitations (iCalendar, RFC 5545) and cards (vCard, RFC 6350): what readers' programs show of them, and the files in
them.

Programs show what they can read, whatever a strict grammar says, so nothing is refused here. Pure, in linear time.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from mimetypes import guess_extension
from quopri import decodestring
from urllib.parse import unquote

from tamis.message.mail.defects import DefectReport
from tamis.message.mail.embedded import EmbeddedFile
from tamis.message.mail.text import decode, guess

_BEGIN = re.compile(rb"^\W{0,8}BEGIN[ \t]*:[ \t]*V[A-Z]{3,8}\b", re.IGNORECASE | re.MULTILINE)
_HEAD = 4096
"""Octets of a file in which an invitation or card begins. Beyond: it is none: programs look at its beginning."""
_FOLD = re.compile(r"\r?\n[ \t]")  # RFC 5545 3.1, RFC 6350 3.2
_SOFT_BREAK = re.compile(r"=[ \t]*\r?\n")
# vCard 2.1 has quoted-printable lines.
_QUOTED = re.compile(
    r"^[^\r\n:]{0,500}quoted-printable(?:[^\r\n]*=[ \t]*\r?\n)*+[^\r\n]*", re.IGNORECASE | re.MULTILINE
)
# [group.]NAME *(;parameter) ":" value, in which a parameter may be in quotation marks.
_LINE = re.compile(
    r"^[ \t]*(?:[\w-]{1,60}\.)?([\w-]{1,60})[ \t]*((?:;(?:[^:\"\r\n]|\"[^\"\r\n]*\")*+)?):(.*)$", re.MULTILINE
)
_PARAMETER = re.compile(r";\s*([\w-]{1,60})\s*(?:=\s*(?:\"([^\"]*)\"|([^;]*)))?")
_ESCAPES = {"n": "\n", "^n": "\n", "^'": '"', "^^": "^"}
_ESCAPE = re.compile(r"\\(.)|\^[n'^]", re.DOTALL)  # the latter in parameters: RFC 6868
_MARKUP = re.compile(
    r"<(?:!doctype|html|body|div|p|br|span|a|b|i|u|h[1-6]|ul|ol|li|table|font|img)\b", re.IGNORECASE
)
_DATA = re.compile(r"\s*data:([\w.+-]{1,100}/[\w.+-]{1,100})?((?:;[^,;]{1,100}){0,9}),", re.IGNORECASE)
_SHOWN = frozenset(
    {
        *("SUMMARY", "DESCRIPTION", "STYLED-DESCRIPTION", "X-ALT-DESC", "LOCATION", "COMMENT", "CONTACT"),
        *("CATEGORIES", "RESOURCES", "NAME", "X-WR-CALNAME", "X-WR-CALDESC"),
        *("FN", "N", "NICKNAME", "ORG", "TITLE", "ROLE", "NOTE", "ADR", "LABEL"),
    }
)
_STRUCTURED = frozenset({"N", "ORG", "ADR"})
_BETWEEN = re.compile(r"(?<!\\);+")
_NAMING = frozenset({"ORGANIZER", "ATTENDEE"})
_ENCODINGS = frozenset({"b", "base64", "quoted-printable"})
_FILES = frozenset({"ATTACH", "IMAGE", "PHOTO", "LOGO", "SOUND", "KEY"})
_NAMES = ("X-FILENAME", "FILENAME", "X-APPLE-FILENAME", "X-LABEL", "LABEL")


@dataclass(frozen=True, slots=True)
class Card:
    """What a program shows of an invitation or a card: its lines, and those of them that are HTML."""

    text: str
    page: str


def is_card(octets: bytes) -> bool:
    """Whether a file begins as invitations and cards do; cheap."""
    return b":" in octets[:_HEAD] and _BEGIN.search(octets[:_HEAD]) is not None


def unfolded(text: str) -> str:
    """The text with its folded lines joined, and without quoted-printable's soft breaks."""
    return _FOLD.sub("", _QUOTED.sub(lambda found: _SOFT_BREAK.sub("", found[0]), text))


def read_card(text: str) -> Card:
    """The texts and names that are shown, in their order, each once; HTML among them also as a page."""
    shown: dict[str, None] = {}
    pages: dict[str, None] = {}
    for name, parameters, value in _lines(unfolded(text)):
        if name in _NAMING:
            shown[_unescaped(parameters.get("CN", ""))] = None
        elif name in _SHOWN:
            told = _decoded(parameters, value)
            told = _unescaped(_BETWEEN.sub(" ", told) if name in _STRUCTURED else told)
            is_page = "html" in parameters.get("FMTTYPE", "").lower() or _MARKUP.search(told)
            (pages if is_page else shown)[told] = None
            other = _data_text(parameters.get("ALTREP", ""))
            (pages if _MARKUP.search(other) else shown)[other] = None
    return Card(
        "\n".join(one for one in shown if one.strip()), "\n<br>\n".join(one for one in pages if one.strip())
    )


def card_files(octets: bytes) -> Iterator[EmbeddedFile]:
    """The files that stand in it whole, in base64; what is no base64 in them is passed over, as programs do."""
    for name, parameters, value in _lines(unfolded(octets.decode("latin-1"))):
        if name not in _FILES:
            continue
        data = _DATA.match(value)
        kind = (data[1] or "") if data else parameters.get("FMTTYPE", "") or parameters.get("TYPE", "")
        encoding = parameters.get("ENCODING", "").strip().lower()
        if not (
            data or encoding in {"b", "base64"} or parameters.get("VALUE", "").strip().lower() == "binary"
        ):
            continue
        if data and ";base64" not in data[2].lower():
            content = unquote(value[data.end() :], "latin-1").encode("latin-1", "replace")
        else:
            content = _base64(value[data.end() :] if data else value)
        if content:
            yield EmbeddedFile(_name(parameters, kind), content)


def _lines(text: str) -> Iterator[tuple[str, dict[str, str], str]]:
    for found in _LINE.finditer(text):
        parameters: dict[str, str] = {}
        for one in _PARAMETER.finditer(found[2]):
            if "=" in one[0]:
                parameters.setdefault(one[1].upper(), one[2] or one[3] or "")
            else:  # vCard 2.1 has the value alone: ";QUOTED-PRINTABLE", ";PNG"
                parameters.setdefault("ENCODING" if one[1].lower() in _ENCODINGS else "TYPE", one[1])
        yield found[1].upper(), parameters, found[3].rstrip("\r")


def _decoded(parameters: dict[str, str], value: str) -> str:
    encoding = parameters.get("ENCODING", "").strip().lower()
    if encoding in {"b", "base64"}:
        return guess(_base64(value))
    if encoding == "quoted-printable":
        octets = decodestring(value.encode("utf-8", "surrogateescape"))
        charset = parameters.get("CHARSET", "").strip().lower()
        return decode(octets, charset, DefectReport(0), "") if charset else guess(octets)
    return value


def _unescaped(value: str) -> str:
    return _ESCAPE.sub(
        lambda found: _ESCAPES.get((found[1] or found[0]).lower(), found[1] or found[0]), value
    )


def _data_text(value: str) -> str:
    """What a data: address (RFC 2397) holds, as text; '' for another."""
    found = _DATA.match(value)
    if found is None:
        return ""
    content = value[found.end() :]
    return guess(_base64(unquote(content))) if ";base64" in found[2].lower() else unquote(content)


def _base64(value: str) -> bytes:
    try:
        return binascii.a2b_base64(value.encode("ascii", "ignore"))
    except binascii.Error:  # cut within a group of four: the whole groups count
        letters = re.sub(r"[^A-Za-z0-9+/]", "", value)
        return binascii.a2b_base64(letters[: len(letters) // 4 * 4])


def _name(parameters: dict[str, str], kind: str) -> str:
    named = next((parameters[one] for one in _NAMES if parameters.get(one)), "")
    kind = kind.strip().lower()
    return (
        named.strip()[:255]
        or f"attachment{guess_extension(kind) or guess_extension(f'image/{kind}') or '.bin'}"
    )
