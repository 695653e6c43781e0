"""MIME structure (RFC 2045, 2046): containers and leaf parts, found by offset."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import NamedTuple

from tamis.message.mail.defects import DefectKind, DefectReport
from tamis.message.mail.headers import Headers, scan
from tamis.message.mail.limits import Limits
from tamis.message.mail.opaque import SUFFIXES, TYPES, OpaqueError, opaque_content
from tamis.message.mail.part import ContentType, Part, content_types, transfer_encodings
from tamis.message.mail.transfer import decode_transfer

# RFC 2046 5.1.1: a delimiter line may end in white space, which gateways add; to many readers CR is some.
_DELIMITER_END = re.compile(rb"(--)?[ \t\r]*+(?:\n|\Z)")
# What looks like a delimiter line before a part's header, for readers that guess a boundary.
_LIKE_DELIMITER = re.compile(rb"(?<![^\n])--([^\r\n]{1,200}?)[ \t]*\r?\n(?:content-|\r?\n)", re.IGNORECASE)
_RFC2046_BOUNDARY_OCTETS = 70
_LF = 0x0A
OUTSIDE = "outside"
"""Why a preamble or an epilogue is a further reading."""
_PARTIAL = "message/partial"
_MESSAGE_TYPES = frozenset({"message/rfc822", "message/global", "message/news", _PARTIAL})
_EMPTY_LINE = (b"\n\n", b"\n\r\n")
_UNENCODED = frozenset({"7bit", "8bit", "binary"})
_REMARK = 300
"""Octets of a preamble or epilogue from which on it is a text, not a remark for old readers."""


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


class _Span(NamedTuple):
    """Octets yet to be walked: a part with its header (`headers` is None), or a body whose header is known."""

    raw: bytes
    headers: Headers | None
    start: int
    end: int
    path: str
    depth: int
    default: str = "text/plain"
    kind: ContentType | None = None
    """Instead of what the header says first."""


class Structure:
    """The containers and the leaves of a message, depth first, within the bounds.

    ``further`` are the leaves that come of other ways to take a header or a boundary, and the texts outside parts.
    """

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
        self.further: list[Part] = []
        self._limits = limits
        self._report = report
        self._scanned = 0
        self._decoded = 0
        self._later: list[_Span] = []
        whole = _Span(raw, headers, body, len(raw), "", 0)
        self._read_on(whole, headers, body)
        self._walk([whole], self.parts, self.containers)
        self._allot()
        if self._later:
            self._report = report.of_reading()
            self._walk(self._later[::-1], self.further, [])
        room = limits.reading_octets
        for part in self.further:
            part.why = part.why or "structure"
            room -= part.allow(room)

    def _walk(self, stack: list[_Span], parts: list[Part], containers: list[Container]) -> None:
        """Depth first by a stack of spans yet to be read: attackers choose the depth."""
        limits, report = self._limits, self._report
        while stack:
            span = stack.pop()
            raw, known, start, end, path, depth, default, forced = span
            if len(parts) + len(containers) >= limits.parts:
                report.add(DefectKind.TOO_MANY_PARTS, limits.parts)
                return
            if known is None:
                known, start = scan(
                    raw, start, end, limits, report, path, complete=not self._is_cut(raw, end)
                )
                self._read_on(span, known, start)
            if forced is None:
                kind, *others = content_types(known, default, report, path)
                for other in others:
                    if _is_composite(kind) or _is_composite(other):
                        self._add_later(span._replace(headers=known, start=start, kind=other))
            else:
                kind = forced
            prefix = f"{path}." if path else ""
            if _is_composite(kind) and depth >= limits.depth:
                report.add(DefectKind.TOO_DEEP, limits.depth, path)
                kind = ContentType("text/plain", kind.parameters)  # what is in it is at least read
            elif kind.name in _MESSAGE_TYPES:
                containers.append(Container(kind.name, path, depth, "", kind.parameters, known))
                if kind.name == _PARTIAL:
                    report.add(DefectKind.PARTIAL_MESSAGE, kind.parameters.get("number", ""), path)
                first, *more = self._enclosed(raw, start, end, known, path)
                stack.append(_Span(*first, f"{prefix}1", depth + 1))
                for one in more:
                    self._add_later(_Span(*one, f"{prefix}1", depth + 1))
                continue
            elif _is_composite(kind):
                held = self._held(span._replace(headers=known, start=start), kind)
                if held is not None:
                    raw, spans = held
                    boundary = kind.parameters.get("boundary", "")
                    containers.append(Container(kind.name, path, depth, boundary, kind.parameters, known))
                    inner = "message/rfc822" if kind.name == "multipart/digest" else "text/plain"
                    stack.extend(
                        _Span(raw, None, first, last, f"{prefix}{number}", depth + 1, inner)
                        for number, (first, last) in reversed(list(enumerate(spans, 1)))
                    )
                    continue
                kind = ContentType("text/plain", kind.parameters)
            part = Part(raw, (start, end), known, kind, (path or "1", depth), limits, report)
            part.cut = self._is_cut(raw, end)
            parts.append(part)
            if _may_be_opaque(kind, known):
                stack.extend(self._within(part, span._replace(raw=raw, headers=known, start=start)))

    def _read_on(self, span: _Span, known: Headers, start: int) -> None:
        """Some readers skip a line within a part's header that is no field, and go on behind it."""
        if not known.fields or span.raw[max(0, start - 3) : start].endswith(_EMPTY_LINE):
            return
        line = span.raw.find(b"\n", start, span.end) + 1
        if not line:
            return
        more, body = scan(span.raw, line, span.end, self._limits, DefectReport(0), span.path)
        if more.fields:
            fields = Headers((*known.fields, *more.fields))
            self._add_later(span._replace(headers=fields, start=body))

    def _within(self, part: Part, span: _Span) -> list[_Span]:
        """The entity that a signed or compressed S/MIME part holds."""
        room = max(0, self._limits.decoded_octets - self._decoded)
        if span.depth >= self._limits.depth:
            self._report.add(DefectKind.TOO_DEEP, self._limits.depth, span.path)
            return []
        octets = self._decode(span.raw, span.start, span.end, part.encoding, span.path)
        try:
            found = opaque_content(octets, room)
        except OpaqueError:
            if not part.cut:
                self._report.add(DefectKind.MISLABELLED_CONTENT, part.content_type, span.path)
            return []
        if found is None:
            return []
        content, whole = found
        self._decoded += len(content)
        if not whole:
            self._report.add(DefectKind.DECODED_TOO_LARGE, len(content), span.path)
        return [_Span(content, None, 0, len(content), f"{part.path}.1", span.depth + 1)]

    def _add_later(self, span: _Span) -> None:
        if len(self._later) < self._limits.readings:
            self._later.append(span)
        else:
            self._report.add(DefectKind.TOO_MANY_READINGS, self._limits.readings)

    def _is_cut(self, raw: bytes, end: int) -> bool:
        """Whether what ends at ``end`` was cut there by the caller, not by the sender."""
        return raw is self._cut_end and end >= len(raw)

    def _enclosed(
        self, raw: bytes, start: int, end: int, headers: Headers, path: str
    ) -> list[tuple[bytes, None, int, int]]:
        """Where an enclosed message is, by each encoding that its header names; RFC 2045 6.4 forbids to encode it,
        and senders do so to hide it."""
        found: list[tuple[bytes, None, int, int]] = []
        for encoding in transfer_encodings(headers, self._report, path):
            if encoding in _UNENCODED:
                found.append((raw, None, start, end))
                continue
            self._report.add(DefectKind.ENCODED_CONTAINER, encoding, path)
            octets = self._decode(raw, start, end, encoding, path)
            found.append((octets, None, 0, len(octets)))
        return found

    def _decode(self, raw: bytes, start: int, end: int, encoding: str, path: str) -> bytes:
        room = max(0, self._limits.decoded_octets - self._decoded)
        if end - start > room:
            self._report.add(DefectKind.DECODED_TOO_LARGE, end - start, path)
            end = start + room
        self._decoded += end - start
        report = self._report.of_cut() if end - start == room or self._is_cut(raw, end) else self._report
        return decode_transfer(raw, start, end, encoding, report, path)

    def _held(self, span: _Span, kind: ContentType) -> tuple[bytes, list[tuple[int, int]]] | None:
        """The octets of a multipart and the spans of its parts in them; ``None`` when it is to be taken for text."""
        raw, headers, start, end, path, *_ = span
        limits, report = self._limits, self._report
        assert headers is not None
        boundary = kind.parameters.get("boundary", "").rstrip().encode("utf-8")
        if not boundary:
            report.add(DefectKind.MULTIPART_WITHOUT_BOUNDARY, kind.name, path)
            self._guess(span, kind)
            return None
        if len(boundary) > _RFC2046_BOUNDARY_OCTETS:
            report.add(DefectKind.INVALID_BOUNDARY, len(boundary), path)
            boundary = boundary[: limits.boundary_octets]
        encodings = [one for one in transfer_encodings(headers, report, path) if one not in _UNENCODED]
        if encodings:
            report.add(DefectKind.ENCODED_CONTAINER, kind.name, path)
        self._scanned += end - start
        if self._scanned > limits.scan_octets:
            report.add(DefectKind.TOO_MANY_PARTS, limits.scan_octets, path)
            return None
        cut = self._is_cut(raw, end)
        spans, closed = self._delimited(raw, start, end, b"--" + boundary, path)
        if not spans and encodings and not cut:
            raw = b"\n" + self._decode(raw, start, end, encodings[0], path)
            start, end = 1, len(raw)
            spans, closed = self._delimited(raw, start, end, b"--" + boundary, path)
        if not spans:
            if not cut:
                report.add(DefectKind.BOUNDARY_MISSING, boundary, path)
                self._guess(span, kind)
            return None
        if closed is None and not cut:
            report.add(DefectKind.MULTIPART_TRUNCATED, boundary, path)
        self._look_outside(span._replace(raw=raw, start=start, end=end), boundary, spans[0][0], closed)
        return raw, spans

    def _guess(self, span: _Span, kind: ContentType) -> None:
        """Some readers take the first line that looks like a delimiter for one."""
        found = _LIKE_DELIMITER.search(span.raw, span.start, span.end)
        if found and span.kind is None:
            boundary = found[1].decode("utf-8", "replace")
            self._add_later(
                span._replace(kind=replace(kind, parameters=kind.parameters | {"boundary": boundary}))
            )

    def _look_outside(self, span: _Span, boundary: bytes, first: int, closed: int | None) -> None:
        """Preamble and epilogue, which some readers show, and parts behind the closing delimiter, which some read."""
        raw, headers, start, end, path, depth, *_ = span
        assert headers is not None
        preamble_end = raw.rfind(b"--" + boundary, start, first)
        texts = [(start, preamble_end)]
        if closed is not None and 0 <= closed < end:
            texts.append((closed, end))
            if raw.find(b"\n--" + boundary, closed - 1, end) >= 0:
                kind = ContentType("multipart/mixed", {"boundary": boundary.decode("utf-8", "replace")})
                self._add_later(_Span(raw, headers, closed, end, path, depth, kind=kind))
        for begin, stop in texts:
            octets = raw[begin:stop].strip()
            if not octets:
                continue
            if len(octets) > _REMARK or b"://" in octets:
                self._report.add(DefectKind.TEXT_OUTSIDE_PARTS, octets[:40], path)
            if len(self.further) >= self._limits.readings:
                self._report.add(DefectKind.TOO_MANY_READINGS, self._limits.readings)
                return
            place, muted = (path or "1", depth), self._report.of_reading()
            kind = ContentType("text/plain", {})
            part = Part(raw, (begin, stop), Headers(()), kind, place, self._limits, muted)
            part.why = OUTSIDE
            self.further.append(part)

    def _delimited(
        self, raw: bytes, start: int, end: int, delimiter: bytes, path: str
    ) -> tuple[list[tuple[int, int]], int | None]:
        """The spans between delimiter lines, and where the closing delimiter ends; ``None`` when there is none, -1
        when a bound ended the search."""
        spans: list[tuple[int, int]] = []
        near = 0
        limited: int | None = None
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
                    limited = -1
                    break
                at = raw.find(line, after, end)
                continue
            if opened >= 0:
                # The line end before the delimiter belongs to it (RFC 2046 5.1.1).
                last = at - 1 if raw[at - 1 : at] == b"\r" else at
                spans.append((opened, max(opened, last)))
                opened = -1
            if tail[1] is not None:
                return spans, tail.end()
            opened = tail.end()
            if len(spans) >= self._limits.parts:
                self._report.add(DefectKind.TOO_MANY_PARTS, self._limits.parts, path)
                return spans, -1
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


def _may_be_opaque(kind: ContentType, headers: Headers) -> bool:
    """Whether a part is one of S/MIME by its type, or by its name as programs go by that."""
    if kind.name in TYPES:
        return kind.parameters.get("smime-type", "").lower() != "enveloped-data"
    if kind.name != "application/octet-stream":
        return False
    named = f"{kind.parameters.get('name', '')} {headers.first('content-disposition') or ''}".lower()
    return any(suffix in named for suffix in SUFFIXES)


def _is_composite(kind: ContentType) -> bool:
    return kind.name.startswith("multipart/") or kind.name in _MESSAGE_TYPES
