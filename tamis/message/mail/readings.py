"""Where readers differ: the other ways in which they take a part, each of which is examined as well."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from tamis.message.mail.cards import card_files, is_card, read_card
from tamis.message.mail.defects import DefectKind, DefectReport
from tamis.message.mail.embedded import EmbeddedFile, embedded_files, has_files
from tamis.message.mail.limits import Limits
from tamis.message.mail.part import ContentType, Part, PartReading, content_types
from tamis.message.mail.rtf import rtf_text
from tamis.message.mail.text import guess, other_readings
from tamis.message.mail.transfer import decode_base64_through, decode_url_safe, is_padded_within, is_url_safe

CARD = "card"
"""Why: what programs show of an invitation or a card, wherever it is."""
_PLAIN = ContentType("text/plain", {"charset": "utf-8"})
_PAGE = ContentType("text/html", {"charset": "utf-8"})
_RTF = frozenset({"text/rtf", "application/rtf", "text/richtext", "application/msword"})
_MARKUP = re.compile(
    rb"\s*(?:<!--.{0,200}?-->\s*)?<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL
)
_MARKUP_OCTETS = 512  # octets of a text in which markup begins; beyond: it is text: browsers look no further
_SOFT = re.compile(r" \n(?!-- \n)")
_SOFT_QUOTED = re.compile(r"(?<=[^\n]) \n>{1,50} ?(?!-- \n)")
_STUFFED = re.compile(r"^ ", re.MULTILINE)


def further_readings(
    parts: Iterable[Part], further: Iterable[Part], limits: Limits, report: DefectReport
) -> tuple[Part, ...]:
    """The other readings of ``parts``, with ``further`` ones that their structure gave, and once more theirs."""
    room = limits.reading_octets
    found: list[Part] = list(further)
    for turn in (parts, found):
        fresh: list[Part] = []
        for part in turn:
            for reading in readings(part, report):
                room -= reading.size
                if room < 0 or len(found) + len(fresh) >= limits.readings:
                    report.add(DefectKind.TOO_MANY_READINGS, limits.readings, part.path)
                    return (*found, *fresh)
                fresh.append(reading)
        found += fresh
    return tuple(found)


def readings(part: Part, report: DefectReport) -> Iterator[PartReading]:
    """The other ways in which readers take one part."""
    kind = ContentType(part.content_type, part.parameters)
    if len(part.encodings) > 1:
        for encoding in part.encodings[1:]:
            yield PartReading(part, part.decoded(encoding, DefectReport(0)), kind, "encoding")
    if not isinstance(part, PartReading):
        yield from _by_header(part, kind)
    if part.content_type.startswith("text/"):
        yield from _of_text(part, kind)
    if is_card(octets := part.payload):
        yield from _of_card(part, octets)
    if part.content_type in _RTF and part.is_shown and (told := rtf_text(part.text or guess(part.payload))):
        yield PartReading(part, told.encode("utf-8", "replace"), _PLAIN, "rtf")
    if part.content_type == "message/external-body":
        report.add(DefectKind.EXTERNAL_BODY, part.parameters.get("access-type", ""), part.path)
        told = " ".join(part.parameters.get(name, "") for name in ("url", "site", "directory", "name"))
        yield PartReading(part, told.encode("utf-8", "replace") + b"\n" + part.payload, _PLAIN, "external")


def _by_header(part: Part, kind: ContentType) -> Iterator[PartReading]:
    """By another field, parameter or file name of the part's header."""
    if "content-type" in part.headers and _has_several_types(part):
        for other in content_types(part.headers, kind.name, DefectReport(0), part.path)[1:]:
            if not other.name.startswith(("multipart/", "message/")):
                yield PartReading(part, part.payload, other, "type")
    if part.encoding == "base64" and is_padded_within(part.transferred):
        yield PartReading(part, decode_base64_through(part.transferred), kind, "padding")
    if part.encoding == "base64" and is_url_safe(part.transferred):
        yield PartReading(part, decode_url_safe(part.transferred), kind, "padding")
    suffixes = {_suffix(part.filenames[0])} if part.filenames else set()
    for name in part.filenames[1:]:
        if _suffix(name) not in suffixes:
            suffixes.add(_suffix(name))
            yield PartReading(part, part.payload, kind, "name", name)


def _has_several_types(part: Part) -> bool:
    fields = part.headers.fields_of("content-type")
    told = fields[0].unfolded.lower()
    return len(fields) > 1 or told.count("charset") > 1 or ("html" in told and "/" not in told)


def _suffix(name: str) -> str:
    return name.rpartition(".")[2].strip().lower()


def _of_text(part: Part, kind: ContentType) -> Iterator[PartReading]:
    payload = part.payload
    for text in other_readings(payload, part.charset):
        unicode = ContentType(kind.name, kind.parameters | {"charset": "utf-8"})
        yield PartReading(part, text.encode("utf-8", "replace"), unicode, "charset")
    if kind.name != "text/html" and _MARKUP.match(payload, 0, _MARKUP_OCTETS):
        yield PartReading(part, payload, ContentType("text/html", kind.parameters), "markup")
    if kind.name == "text/plain" and kind.parameters.get("delsp", "").lower() == "yes":
        yield PartReading(part, _flowed(part.text).encode("utf-8", "replace"), _PLAIN, "flowed")
    if has_files(payload):
        yield from _embedded(part, embedded_files(payload))


def _embedded(part: Part, files: Iterable[EmbeddedFile]) -> Iterator[PartReading]:
    """Files that stand within a part, as attachments; empty ones are none."""
    for name, octets in files:
        if octets:
            yield PartReading(part, octets, ContentType("application/octet-stream", {}), "embedded", name)


def _of_card(part: Part, octets: bytes) -> Iterator[PartReading]:
    """What programs show of an invitation or a card, attached or not, and the files in it."""
    card = read_card(part.text or guess(octets))
    for told, kind in ((card.text, _PLAIN), (card.page, _PAGE)):
        if told:
            yield PartReading(part, told.encode("utf-8", "replace"), kind, CARD)
    yield from _embedded(part, card_files(octets))


def _flowed(text: str) -> str:
    """A text with its soft breaks taken out, and the blanks before them (RFC 3676 4.1, DelSp); in what is quoted with
    the marks behind them (4.5)."""
    return _STUFFED.sub("", _SOFT.sub("", _SOFT_QUOTED.sub("", text)))
