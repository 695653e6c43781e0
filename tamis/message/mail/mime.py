"""MIME structure (RFC 2045, 2046): containers and leaf parts, found by offset, decoded when asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tamis.base.derived import derived
from tamis.message.mail.defects import DefectKind, DefectReport
from tamis.message.mail.headers import Headers, scan
from tamis.message.mail.limits import Limits
from tamis.message.mail.text import decode
from tamis.message.mail.transfer import ENCODINGS, decode_transfer
from tamis.message.mail.words import decode_words, parameters

_TYPE = re.compile(r"\s*([!#-'*+.0-9A-Z^-~-]+)\s*/\s*([!#-'*+.0-9A-Z^-~-]+)\s*(?:;|\(|$|\s)", re.IGNORECASE)
_TOKEN = re.compile(r"\s*([!#-'*+.0-9A-Z^-~-]+)", re.IGNORECASE)
# RFC 2046 5.1.1: a delimiter line may end in white space, which gateways add.
_DELIMITER_END = re.compile(rb"(--)?[ \t]*+(?:\r?\n|\r?\Z)")
_META_CHARSET = re.compile(
    rb"<meta[^>]{1,200}?charset\s{0,9}=\s{0,9}[\"']?\s{0,9}([\w.:-]{1,60})", re.IGNORECASE
)
_META_OCTETS = 2048  # octets of HTML searched for a charset, as HTML 13.2.3.2 has 1024; beyond: not searched
_RFC2046_BOUNDARY_OCTETS = 70
_HEAD_OCTETS = 128
_LF = 0x0A
_PDF_HEAD = 1024  # octets: readers' programs look so far for the mark (ISO 32000-2, annex I); beyond: no PDF
_IMAGE_MAGIC = (
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",
    b"GIF87a",
    b"GIF89a",
    b"BM",
    b"II*\x00",
    b"MM\x00*",
    b"\x00\x00\x01\x00",
)
_MESSAGE_TYPES = frozenset({"message/rfc822", "message/global", "message/news"})


@dataclass(frozen=True, slots=True)
class ContentType:
    """A Content-Type field: ``type/subtype`` lower-cased, and its parameters (RFC 2231 joined)."""

    name: str
    parameters: dict[str, str]


def is_pdf(octets: bytes) -> bool:
    """Whether a file begins as PDF documents do."""
    return b"%PDF-" in octets[:_PDF_HEAD]


@dataclass(frozen=True, slots=True)
class Container:
    """A composite part: multipart or message.

    ``path`` is '' for the message itself, else the numbers of the parts down to it, '1.2'; ``depth`` counts
    the containers around it; ``boundary`` is '' for a message.
    """

    content_type: str
    path: str
    depth: int
    boundary: str
    parameters: dict[str, str]
    headers: Headers


class Part:
    """A leaf of the MIME structure; its payload and its text are decoded when asked for, and once.

    ``size`` is in octets as transferred; ``cut`` is true when not all of it is examined.
    ``path`` is '1.2' and the like; of a message that is one part, '1'.
    """

    def __init__(
        self,
        raw: bytes,
        span: tuple[int, int],
        headers: Headers,
        content_type: ContentType,
        place: tuple[str, int],
        limits: Limits,
        report: DefectReport,
    ) -> None:
        self._raw = raw
        self._start, self._end = span
        self.headers = headers
        self.content_type = content_type.name
        self.parameters = content_type.parameters
        self.path, self.depth = place
        self.size = self._end - self._start
        self._limits = limits
        self._report = report
        self._allowance = self.size
        self.cut = False

    def allow(self, octets: int) -> int:
        """Let at most ``octets`` encoded octets be examined; returns how many of them this part takes."""
        self._allowance = min(self.size, max(0, octets))
        self.cut |= self._allowance < self.size
        return self._allowance

    @derived
    def charset(self) -> str | None:
        """The charset parameter, lower-cased; ``None`` if there is none."""
        return self.parameters.get("charset", "").strip().lower() or None

    @derived
    def disposition(self) -> str | None:
        """'inline', 'attachment' or whatever Content-Disposition (RFC 2183) says, lower-cased."""
        value = self._disposition[0]
        token = _TOKEN.match(value)
        return token[1].lower() if token else None

    @derived
    def _disposition(self) -> tuple[str, dict[str, str]]:
        fields = self.headers.fields_of("content-disposition")
        if not fields:
            return "", {}
        value = fields[0].unfolded
        return value, parameters(value) if ";" in value else {}

    @derived
    def filename(self) -> str | None:
        """The file's name from Content-Disposition, else the name from Content-Type, decoded."""
        name = self._disposition[1].get("filename") or self.parameters.get("name")
        return decode_words(name, self._report, self.path) if name else None

    @derived
    def encoding(self) -> str:
        """The Content-Transfer-Encoding (RFC 2045 6.1), lower-cased; '7bit' when there is none."""
        return transfer_encoding(self.headers, self._report, self.path)

    @derived
    def payload(self) -> bytes:
        """The content without its transfer encoding, as much of it as the bounds allow."""
        if self._allowance < self.size:
            self._report.add(DefectKind.DECODED_TOO_LARGE, self.size, self.path)
        return self._decoded(self._start + self._allowance, self._content_report)

    @property
    def _content_report(self) -> DefectReport:
        return self._report.of_cut() if self.cut else self._report

    def _decoded(self, end: int, report: DefectReport) -> bytes:
        return decode_transfer(self._raw, self._start, end, self.encoding, report, self.path)

    @derived
    def text(self) -> str:
        """A text or message part's characters, else ''; at most ``Limits.text_characters``."""
        if not self.content_type.startswith(("text/", "message/")):
            return ""
        charset = self.charset
        payload = self.payload
        if self.content_type == "text/html" and charset is None:
            meta = _META_CHARSET.search(payload[:_META_OCTETS])
            charset = meta[1].decode("ascii", "replace").lower() if meta else None
        report = self._content_report
        # No charset takes more than four octets for a character.
        if len(payload) > 4 * self._limits.text_characters:
            payload = payload[: 4 * self._limits.text_characters]
            report = self._report.of_cut()
        text = decode(payload, charset, report, self.path)
        if "\r" in text:
            # The same message has LF lines in a mailbox and CRLF lines in SMTP: its text must not differ.
            text = text.replace("\r\n", "\n")
        if len(text) > self._limits.text_characters:
            self._report.add(DefectKind.TEXT_TRUNCATED, len(text), self.path)
            text = text[: self._limits.text_characters]
        return text

    @derived
    def head(self) -> bytes:
        """The first decoded octets, about 100, whatever the part's size: enough for a magic number."""
        end = min(self._end, self._start + _HEAD_OCTETS)
        return self._decoded(end, DefectReport(0))

    @derived
    def is_image(self) -> bool:
        """Whether the part is an image by its type or by its first octets."""
        if self.content_type.startswith("image/"):
            return True
        if self.content_type.startswith(("text/", "message/")):
            return False
        head = self.head
        return head.startswith(_IMAGE_MAGIC) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")

    @derived
    def is_pdf(self) -> bool:
        """Whether the part is a PDF document by its first octets, its type or its name."""
        if self.content_type == "application/pdf" or (self.filename or "").lower().endswith(".pdf"):
            return is_pdf(self.payload)
        return not self.content_type.startswith(("text/", "message/")) and is_pdf(self.head)

    @derived
    def is_attachment(self) -> bool:
        """Whether the part is for keeping rather than for reading: named, marked so, or no text."""
        if self.disposition == "attachment" or self.filename is not None:
            return True
        return not self.content_type.startswith(("text/", "message/"))

    def __repr__(self) -> str:
        return f"Part({self.path!r}, {self.content_type!r}, {self.size})"


def content_type(headers: Headers, default: str, report: DefectReport, where: str) -> ContentType:
    """The Content-Type of a header; ``default`` when there is none, text/plain when it is invalid."""
    fields = headers.fields_of("content-type")
    if not fields:
        return ContentType(default, {})
    value = fields[0].unfolded
    found = parameters(value) if ";" in value else {}
    match = _TYPE.match(value)
    if match is None:
        report.add(DefectKind.INVALID_CONTENT_TYPE, value, where)
        return ContentType("text/plain", found)  # RFC 2045 5.2
    return ContentType(f"{match[1]}/{match[2]}".lower(), found)


def transfer_encoding(headers: Headers, report: DefectReport, where: str) -> str:
    """The Content-Transfer-Encoding of a header; an unknown one is reported and taken for 'binary'."""
    fields = headers.fields_of("content-transfer-encoding")
    if not fields:
        return "7bit"
    token = _TOKEN.match(fields[0].unfolded)
    name = token[1].lower() if token else ""
    if name not in ENCODINGS:
        report.add(DefectKind.UNKNOWN_ENCODING, fields[0].unfolded, where)
        return "binary"
    return name


class Structure:
    """The containers and the leaves of a message, depth first, within the bounds."""

    def __init__(
        self,
        raw: bytes,
        headers: Headers,
        body: int,
        limits: Limits,
        report: DefectReport,
        *,
        complete: bool = True,
    ) -> None:
        self._cut_end = None if complete else raw
        self.parts: list[Part] = []
        self.containers: list[Container] = []
        self._limits = limits
        self._report = report
        self._scanned = 0
        self._decoded = 0
        self._walk(raw, headers, body)
        self._allot()

    def _walk(self, raw: bytes, headers: Headers, body: int) -> None:
        """Depth first by a stack of spans yet to be read: attackers choose the depth."""
        limits, report = self._limits, self._report
        # raw, header or None, start, end, path, depth, default type
        stack: list[tuple[bytes, Headers | None, int, int, str, int, str]] = [
            (raw, headers, body, len(raw), "", 0, "text/plain")
        ]
        while stack:
            raw, known, start, end, path, depth, default = stack.pop()
            if len(self.parts) + len(self.containers) >= limits.parts:
                report.add(DefectKind.TOO_MANY_PARTS, limits.parts)
                return
            if known is None:
                known, start = scan(
                    raw, start, end, limits, report, path, complete=not self._is_cut(raw, end)
                )
            kind = content_type(known, default, report, path)
            prefix = f"{path}." if path else ""
            composite = kind.name.startswith("multipart/")
            if (composite or kind.name in _MESSAGE_TYPES) and depth >= limits.depth:
                report.add(DefectKind.TOO_DEEP, limits.depth, path)
                kind = ContentType("text/plain", kind.parameters)  # what is in it is at least read
            elif composite:
                spans = self._spans(raw, start, end, kind, known, path)
                if spans is not None:
                    boundary = kind.parameters.get("boundary", "")
                    self.containers.append(
                        Container(kind.name, path, depth, boundary, kind.parameters, known)
                    )
                    inner = "message/rfc822" if kind.name == "multipart/digest" else "text/plain"
                    stack.extend(
                        (raw, None, first, last, f"{prefix}{number}", depth + 1, inner)
                        for number, (first, last) in reversed(list(enumerate(spans, 1)))
                    )
                    continue
                kind = ContentType("text/plain", kind.parameters)
            elif kind.name in _MESSAGE_TYPES:
                self.containers.append(Container(kind.name, path, depth, "", kind.parameters, known))
                raw, start, end = self._enclosed(raw, start, end, known, path)
                stack.append((raw, None, start, end, f"{prefix}1", depth + 1, "text/plain"))
                continue
            part = Part(raw, (start, end), known, kind, (path or "1", depth), limits, report)
            part.cut = self._is_cut(raw, end)
            self.parts.append(part)

    def _is_cut(self, raw: bytes, end: int) -> bool:
        """Whether what ends at ``end`` was cut there by the caller, not by the sender."""
        return raw is self._cut_end and end >= len(raw)

    def _enclosed(
        self, raw: bytes, start: int, end: int, headers: Headers, path: str
    ) -> tuple[bytes, int, int]:
        """Where an enclosed message is; RFC 2045 6.4 forbids to encode it, and senders do so to hide it."""
        encoding = transfer_encoding(headers, self._report, path)
        if encoding not in {"base64", "quoted-printable"}:
            return raw, start, end
        self._report.add(DefectKind.ENCODED_CONTAINER, encoding, path)
        room = max(0, self._limits.decoded_octets - self._decoded)
        if end - start > room:
            self._report.add(DefectKind.DECODED_TOO_LARGE, end - start, path)
            end = start + room
        self._decoded += end - start
        report = self._report.of_cut() if end - start == room or self._is_cut(raw, end) else self._report
        octets = decode_transfer(raw, start, end, encoding, report, path)
        return octets, 0, len(octets)

    def _spans(
        self, raw: bytes, start: int, end: int, kind: ContentType, headers: Headers, path: str
    ) -> list[tuple[int, int]] | None:
        """The spans of a multipart's parts; ``None`` when it is to be taken for text."""
        limits, report = self._limits, self._report
        boundary = kind.parameters.get("boundary", "").rstrip().encode("utf-8")
        if not boundary:
            report.add(DefectKind.MULTIPART_WITHOUT_BOUNDARY, kind.name, path)
            return None
        if len(boundary) > _RFC2046_BOUNDARY_OCTETS:
            report.add(DefectKind.INVALID_BOUNDARY, len(boundary), path)
            boundary = boundary[: limits.boundary_octets]
        if transfer_encoding(headers, report, path) in {"base64", "quoted-printable"}:
            report.add(DefectKind.ENCODED_CONTAINER, kind.name, path)
        self._scanned += end - start
        if self._scanned > limits.scan_octets:
            report.add(DefectKind.TOO_MANY_PARTS, limits.scan_octets, path)
            return None
        spans, closed = self._delimited(raw, start, end, b"--" + boundary, path)
        cut = self._is_cut(raw, end)
        if not spans and not cut:
            report.add(DefectKind.BOUNDARY_MISSING, boundary, path)
        if not spans:
            return None
        if not closed and not cut:
            report.add(DefectKind.MULTIPART_TRUNCATED, boundary, path)
        return spans

    def _delimited(
        self, raw: bytes, start: int, end: int, delimiter: bytes, path: str
    ) -> tuple[list[tuple[int, int]], bool]:
        """The spans between delimiter lines, and whether a closing delimiter ends them."""
        spans: list[tuple[int, int]] = []
        near = 0
        limited = False
        opened = -1
        line = b"\n" + delimiter
        first = raw.startswith(delimiter, start, end)
        at = start - 1 if first else raw.find(line, start, end)
        while at >= 0:
            after = at + len(line)
            tail = _DELIMITER_END.match(raw, after, end)
            # Cut by the caller, the line might have gone on.
            if tail is None or (tail.end() == end and self._is_cut(raw, end) and raw[end - 1] != _LF):
                near += 1
                if near > self._limits.near_boundaries:
                    self._report.add(DefectKind.TOO_MANY_PARTS, self._limits.near_boundaries, path)
                    limited = True
                    break
                at = raw.find(line, after, end)
                continue
            if opened >= 0:
                # The line end before the delimiter belongs to it (RFC 2046 5.1.1).
                last = at - 1 if raw[at - 1 : at] == b"\r" else at
                spans.append((opened, max(opened, last)))
                opened = -1
            if tail[1] is not None:
                return spans, True
            opened = tail.end()
            if len(spans) >= self._limits.parts:
                self._report.add(DefectKind.TOO_MANY_PARTS, self._limits.parts, path)
                return spans, True
            # An empty part: the next delimiter's line end is this delimiter's own.
            at = raw.find(line, opened - 1, end)
        if opened >= 0:
            spans.append((opened, end))
        return spans, limited

    def _allot(self) -> None:
        """Share the octets that may be decoded: text first, for it is what is read."""
        room = self._limits.decoded_octets - self._decoded
        for part in self.parts:
            if part.content_type.startswith(("text/", "message/")):
                room -= part.allow(room)
        for part in self.parts:
            if not part.content_type.startswith(("text/", "message/")):
                room -= part.allow(room)
