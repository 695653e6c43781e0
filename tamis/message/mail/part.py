"""Leaf parts of a message, decoded when asked for and once."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tamis.base.derived import derived
from tamis.message.mail.defects import DefectKind, DefectReport
from tamis.message.mail.headers import HeaderField, Headers
from tamis.message.mail.limits import Limits
from tamis.message.mail.text import decode
from tamis.message.mail.transfer import ENCODINGS, decode_transfer
from tamis.message.mail.words import all_parameters, decode_words, has_too_many_parameters

_TYPE = re.compile(r"\s*([!#-'*+.0-9A-Z^-~-]+)\s*/\s*([!#-'*+.0-9A-Z^-~-]+)\s*(?:;|\(|$|\s)", re.IGNORECASE)
_TOKEN = re.compile(r"\s*([!#-'*+.0-9A-Z^-~-]+)", re.IGNORECASE)
_COMMENT = re.compile(r"\([^()]*\)")
_META_CHARSET = re.compile(
    rb"<meta[^>]{1,200}?charset\s{0,9}=\s{0,9}[\"']?\s{0,9}([\w.:-]{1,60})", re.IGNORECASE
)
_META_OCTETS = 2048
"""Octets of HTML searched for a charset, as HTML 13.2.3.2 has 1024. Beyond: not searched: the charset is
guessed."""
_HEAD_OCTETS = 128
_PDF_HEAD = 1024
"""Octets: readers' programs look so far for the mark (ISO 32000-2, annex I). Beyond: no PDF: their programs say
the same."""
_SURE_IMAGES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a")
_IMAGE_MAGIC = (*_SURE_IMAGES, b"BM", b"II*\x00", b"MM\x00*", b"\x00\x00\x01\x00")
# What no text begins with: programs, archives, office files.
_FILE_MAGIC = (
    *(b"PK\x03\x04", b"Rar!\x1a\x07", b"7z\xbc\xaf\x27\x1c", b"\x1f\x8b\x08", b"\x7fELF"),
    *(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"MSCF\0\0\0\0", b"\xca\xfe\xba\xbe"),
)
_MOST_FIELDS = 20
"""Fields of one name in a part's header that are read. Beyond: not read; `duplicate_singleton`."""
_MOST_NAMES = 20
"""Names of one file. Beyond: not looked at; `duplicate_parameter`."""


@dataclass(frozen=True, slots=True)
class ContentType:
    """A Content-Type field: ``type/subtype`` lower-cased, and its parameters (RFC 2231 joined)."""

    name: str
    parameters: dict[str, str]


def is_pdf(octets: bytes) -> bool:
    """Whether a file begins as PDF documents do."""
    return b"%PDF-" in octets[:_PDF_HEAD]


class Part:
    """A leaf of the MIME structure; its payload and its text are decoded when asked for, and once.

    ``size`` is in octets as transferred; ``cut`` is true when not all of it is examined.
    ``path`` is '1.2' and the like; of a message that is one part, '1'. ``why`` is '' for a part as most readers take
    it; else it says in a word where readers differ: "structure", "encoding", "type", "charset", "embedded" ...
    """

    why = ""

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
        """'inline', 'attachment' or whatever the first Content-Disposition (RFC 2183) says, lower-cased."""
        return self._dispositions[0][0] if self._dispositions else None

    @derived
    def is_shown(self) -> bool:
        """Whether some reader shows the part within the message: not every Content-Disposition forbids it."""
        found = self._dispositions
        return not found or any(said != "attachment" for said, _ in found)

    @derived
    def _dispositions(self) -> list[tuple[str | None, dict[str, list[str]]]]:
        fields = self.headers.fields_of("content-disposition")[:_MOST_FIELDS]
        once(fields, self._report)
        found: list[tuple[str | None, dict[str, list[str]]]] = []
        for field in fields:
            token = _TOKEN.match(_COMMENT.sub(" ", field.unfolded))
            value = all_parameters(field.unfolded) if "name" in field.unfolded.lower() else {}
            if has_too_many_parameters(field.unfolded):
                self._report.add(DefectKind.TOO_MANY_PARAMETERS, "content-disposition", field.where)
            if len(value.get("filename", ())) > 1:
                self._report.add(DefectKind.DUPLICATE_PARAMETER, "filename", field.where)
            found.append((token[1].lower() if token else None, value))
        return found

    @derived
    def filenames(self) -> tuple[str, ...]:
        """The distinct names that readers may give the file, decoded: every one of Content-Disposition, then of
        Content-Type."""
        names: dict[str, None] = {}
        for _, found in self._dispositions:
            names |= dict.fromkeys(found.get("filename", ()))
        for field in self.headers.fields_of("content-type")[:_MOST_FIELDS]:
            if "name" in field.unfolded.lower():
                names |= dict.fromkeys(all_parameters(field.unfolded).get("name", ()))
        decoded = (decode_words(name, self._report, self.path) for name in list(names)[:_MOST_NAMES] if name)
        return tuple(dict.fromkeys(decoded))

    @derived
    def filename(self) -> str | None:
        """The file's name from Content-Disposition, else the name from Content-Type, decoded."""
        return self.filenames[0] if self.filenames else None

    @derived
    def encodings(self) -> tuple[str, ...]:
        """The Content-Transfer-Encodings that readers may undo; most do the first."""
        return transfer_encodings(self.headers, self._report, self.path)

    @derived
    def encoding(self) -> str:
        """The Content-Transfer-Encoding (RFC 2045 6.1), lower-cased; '7bit' when there is none."""
        return self.encodings[0]

    @derived
    def payload(self) -> bytes:
        """The content without its transfer encoding, as much of it as the bounds allow."""
        if self._allowance < self.size:
            self._report.add(DefectKind.DECODED_TOO_LARGE, self.size, self.path)
        return self.decoded(self.encoding, self._content_report)

    @property
    def _content_report(self) -> DefectReport:
        return self._report.of_cut() if self.cut else self._report

    def decoded(self, encoding: str, report: DefectReport) -> bytes:
        """The content as ``encoding`` has it."""
        end = self._start + self._allowance
        return decode_transfer(self._raw, self._start, end, encoding, report, self.path)

    @property
    def transferred(self) -> bytes:
        """The content with its transfer encoding, as much of it as the bounds allow."""
        return self._raw[self._start : self._start + self._allowance]

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
            if charset and charset.startswith("utf-16"):  # that it can be read says otherwise (HTML 13.2.3.2)
                charset = "utf-8"
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
        return decode_transfer(self._raw, self._start, end, self.encoding, DefectReport(0), self.path)

    @derived
    def is_disguised(self) -> bool:
        """Whether what calls itself text is an image, a document, an archive or a program by its first octets."""
        head = self.head
        found = self.content_type.startswith("text/") and (
            head.startswith((*_SURE_IMAGES, *_FILE_MAGIC, b"%PDF-"))
            or (head[:2] == b"MZ" and b"\0" in head)
            or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
        )
        if found:
            self._report.add(DefectKind.MISLABELLED_CONTENT, self.content_type, self.path)
        return found

    @derived
    def is_image(self) -> bool:
        """Whether the part is an image by its type or by its first octets."""
        if self.content_type.startswith("image/"):
            return True
        if self.content_type.startswith(("text/", "message/")) and not self.is_disguised:
            return False
        head = self.head
        return head.startswith(_IMAGE_MAGIC) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")

    @derived
    def is_pdf(self) -> bool:
        """Whether the part is a PDF document by its first octets, its type or its name."""
        if self.content_type == "application/pdf" or (self.filename or "").lower().endswith(".pdf"):
            return is_pdf(self.payload)
        if self.content_type.startswith(("text/", "message/")) and not self.is_disguised:
            return False
        return is_pdf(self.head)

    @derived
    def is_attachment(self) -> bool:
        """Whether the part is for keeping rather than for reading: named, marked so, or no text."""
        if self.disposition == "attachment" or self.filename is not None or self.is_disguised:
            return True
        return not self.content_type.startswith(("text/", "message/"))

    def __repr__(self) -> str:
        return f"Part({self.path!r}, {self.content_type!r}, {self.size})"


class PartReading(Part):
    """Another way in which readers take a part's octets: decoded already, perhaps under a name of its own.

    What is wrong with the octets was reported when they were decoded; only the bounds that stop this reading are
    reported anew.
    """

    def __init__(
        self, part: Part, octets: bytes, content_type: ContentType, why: str, name: str | None = None
    ) -> None:
        super().__init__(
            octets,
            (0, len(octets)),
            part.headers,
            content_type,
            (part.path, part.depth),
            part._limits,
            part._report.of_reading(),
        )
        self.why = why
        self.cut = part.cut
        self._name = name

    @derived
    def encodings(self) -> tuple[str, ...]:
        """None: the octets are decoded."""
        return ("binary",)

    @derived
    def filenames(self) -> tuple[str, ...]:
        """The name that this reading is about, else those of the part."""
        return (self._name,) if self._name else super().filenames


def once(fields: list[HeaderField], report: DefectReport) -> None:
    """DefectReport a field that may stand once in a header, and stands there more often."""
    if len(fields) > 1:
        report.add(DefectKind.DUPLICATE_SINGLETON, len(fields), fields[0].where)


def content_types(headers: Headers, default: str, report: DefectReport, where: str) -> list[ContentType]:
    """The distinct Content-Types of a header as readers may take them, what most take first.

    ``default`` when there is none, text/plain when it is invalid. One field has several when it has a charset or a
    boundary twice.
    """
    fields = headers.fields_of("content-type")
    if not fields:
        return [ContentType(default, {})]
    once(fields, report)
    found: list[ContentType] = []
    for field in fields[:_MOST_FIELDS]:
        value = field.unfolded
        every = all_parameters(value) if ";" in value or "=" in value else {}
        if has_too_many_parameters(value):
            report.add(DefectKind.TOO_MANY_PARAMETERS, "content-type", where)
        first = {name: values[0] for name, values in every.items()}
        match = _TYPE.match(value)
        if match is None and ("(" in value or '"' in value):
            match = _TYPE.match(_COMMENT.sub(" ", value).replace('"', " "))
        if match is None:
            report.add(DefectKind.INVALID_CONTENT_TYPE, value, where)
        name = f"{match[1]}/{match[2]}".lower() if match else "text/plain"  # RFC 2045 5.2
        found.append(ContentType(name, first))
        if match is None and "html" in value.lower():
            found.append(ContentType("text/html", first))
        for parameter, values in every.items():
            if len(values) > 1 and parameter in {"boundary", "charset"}:
                report.add(DefectKind.DUPLICATE_PARAMETER, parameter, where)
                found += (ContentType(name, first | {parameter: other}) for other in values[1:_MOST_FIELDS])
    return [one for number, one in enumerate(found) if one not in found[:number]]


def transfer_encodings(headers: Headers, report: DefectReport, where: str) -> tuple[str, ...]:
    """The distinct Content-Transfer-Encodings of a header, what most readers take first; an unknown one is reported
    and taken for 'binary' and for what it resembles."""
    fields = headers.fields_of("content-transfer-encoding")
    if not fields:
        return ("7bit",)
    once(fields, report)
    found: list[str] = []
    for field in fields[:_MOST_FIELDS]:
        value = field.unfolded
        token = _TOKEN.match(_COMMENT.sub(" ", value) if "(" in value else value)
        name = token[1].lower() if token else ""
        if name in ENCODINGS:
            found.append(name)
            continue
        report.add(DefectKind.UNKNOWN_ENCODING, value, where)
        low = value.lower()
        found.append("binary")
        if "64" in low or name == "b":
            found.append("base64")
        elif "quoted" in low or "qp" in low or name == "q":
            found.append("quoted-printable")
        elif "uu" in low:
            found.append("x-uuencode")
    return tuple(dict.fromkeys(found))
