"""Defects: what is wrong with a message, reported and never raised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class DefectKind(StrEnum):
    """What is wrong; the comment names the rule that is broken."""

    DUPLICATE_SINGLETON = "duplicate_singleton"  # RFC 5322 3.6: at most one; RFC 2045 3 for the MIME fields
    MISSING_FROM = "missing_from"  # RFC 5322 3.6: From is required
    MISSING_DATE = "missing_date"  # RFC 5322 3.6: Date is required
    IMPOSSIBLE_DATE = "impossible_date"  # RFC 5322 3.3
    BAD_ADDRESS = "bad_address"  # RFC 5322 3.4: a mailbox without local part and domain
    UNUSABLE_AUTHOR = (
        "unusable_author"  # RFC 5321 2.3.5: an at sign in From, and no domain that the DNS could have
    )
    AMBIGUOUS_ADDRESS = "ambiguous_address"  # RFC 5322 3.4: readers take a mailbox for different ones
    TOO_MANY_AUTHORS = "too_many_authors"  # RFC 5322 3.6.2 has no bound: more than are looked at
    TOO_MANY_ADDRESSES = "too_many_addresses"  # Limits.addresses
    UNDECODABLE_WORD = "undecodable_word"  # RFC 2047 2
    UNKNOWN_CHARSET = "unknown_charset"  # RFC 2045 5, RFC 2978: no charset, or one that is refused
    MISLABELLED_CHARSET = "mislabelled_charset"  # RFC 2045 5: octets that the charset named cannot hold
    RAW_8BIT_HEADER = "raw_8bit_header"  # RFC 5322 2.2, RFC 6532 3.2: neither ASCII nor UTF-8
    NUL = "nul"  # RFC 5322 2.2, 2.3: NUL octet
    BARE_CR = "bare_cr"  # RFC 5322 2.3: CR without LF
    BARE_LF = "bare_lf"  # RFC 5322 2.3: LF without CR in a message of CRLF lines
    LINE_TOO_LONG = "line_too_long"  # RFC 5322 2.1.1: a header line of more than 998 octets
    MBOX_FROM = "mbox_from"  # RFC 4155: a "From " line is no header field
    HEADER_WITHOUT_COLON = "header_without_colon"  # RFC 5322 2.2: ends the header, as in Postfix
    HEADER_TOO_LONG = "header_too_long"  # Limits.header_octets; 1,000 encoded words
    TOO_MANY_HEADERS = "too_many_headers"  # Limits.headers, Limits.header_block_octets
    TOO_MANY_PARTS = "too_many_parts"  # Limits.parts, Limits.near_boundaries, Limits.scan_octets
    TOO_DEEP = "too_deep"  # Limits.depth
    INVALID_CONTENT_TYPE = "invalid_content_type"  # RFC 2045 5.1
    MULTIPART_WITHOUT_BOUNDARY = "multipart_without_boundary"  # RFC 2046 5.1.1
    INVALID_BOUNDARY = "invalid_boundary"  # RFC 2046 5.1.1: more than 70 octets
    BOUNDARY_MISSING = "boundary_missing"  # RFC 2046 5.1.1: no delimiter line in the body
    MULTIPART_TRUNCATED = "multipart_truncated"  # RFC 2046 5.1.1: no closing delimiter
    ENCODED_CONTAINER = "encoded_container"  # RFC 2045 6.4: base64 or QP of a composite type
    UNKNOWN_ENCODING = "unknown_encoding"  # RFC 2045 6.1: unknown Content-Transfer-Encoding
    BAD_BASE64 = "bad_base64"  # RFC 2045 6.8
    BAD_QP = "bad_qp"  # RFC 2045 6.7
    DECODED_TOO_LARGE = "decoded_too_large"  # Limits.decoded_octets
    HTML_TRUNCATED = "html_truncated"  # Limits.html_characters, Limits.html_tags, Limits.links
    TEXT_TRUNCATED = "text_truncated"  # Limits.text_characters
    INVALID_HOST = "invalid_host"  # UTS 46 4.1, RFC 5891 5.4: a URL's host with characters that no name has
    URL_LIMIT = "url_limit"  # Limits.urls, Limits.url_characters
    TOO_MANY_FILES = "too_many_files"  # Limits.files
    TOO_MANY_HOSTS = "too_many_hosts"  # Limits.hosts
    TOO_MANY_TARGETS = "too_many_targets"  # redirects.MOST_TARGETS: addresses within one link
    LONG_HEADER = "long_header"  # Limits.searched_octets
    LONG_TEXT = "long_text"  # Limits.searched_octets
    STYLE_TRUNCATED = "style_truncated"  # Limits.style_characters, Limits.style_rules
    SCRIPT_TRUNCATED = "script_truncated"  # code_links: characters, layers, pieces, URLs
    TOO_MANY_IMAGES = "too_many_images"  # more images, drawings or documents than are read
    LONG_FILE = "long_file"  # more text, pages, links or pixels in images and documents than are looked at
    FILE_TRUNCATED = "file_truncated"  # more codes in images and documents than are looked at, or longer ones
    TOO_MANY_PARAMETERS = "too_many_parameters"  # words: parameters of one field, sections of one parameter
    TOO_MANY_READINGS = "too_many_readings"  # Limits.readings, Limits.reading_octets
    DUPLICATE_PARAMETER = "duplicate_parameter"  # RFC 2045 5.1: charset, boundary or filename twice
    MISLABELLED_CONTENT = "mislabelled_content"  # RFC 2045 5: a file that calls itself text
    TEXT_OUTSIDE_PARTS = (
        "text_outside_parts"  # RFC 2046 5.1.1: a preamble or epilogue that is a text of its own
    )
    PARTIAL_MESSAGE = "partial_message"  # RFC 2046 5.2.2: what is in the other pieces nobody sees here
    EXTERNAL_BODY = "external_body"  # RFC 2046 5.2.3: the content is elsewhere
    TRUNCATED = "truncated"  # the caller cut the message at its examination bound


class Attribution(StrEnum):
    """Whose doing a defect is."""

    SENDER = "sender"
    """The message breaks a rule."""
    BOUND = "bound"
    """The message may be right: the examination stopped at one of our bounds."""


_OF_BOUNDS = frozenset(
    {
        DefectKind.TOO_MANY_ADDRESSES,
        DefectKind.HEADER_TOO_LONG,
        DefectKind.TOO_MANY_HEADERS,
        DefectKind.TOO_MANY_PARTS,
        DefectKind.TOO_DEEP,
        DefectKind.DECODED_TOO_LARGE,
        DefectKind.HTML_TRUNCATED,
        DefectKind.TEXT_TRUNCATED,
        DefectKind.URL_LIMIT,
        DefectKind.TOO_MANY_FILES,
        DefectKind.TOO_MANY_HOSTS,
        DefectKind.TOO_MANY_TARGETS,
        DefectKind.LONG_HEADER,
        DefectKind.LONG_TEXT,
        DefectKind.STYLE_TRUNCATED,
        DefectKind.SCRIPT_TRUNCATED,
        DefectKind.TOO_MANY_IMAGES,
        DefectKind.LONG_FILE,
        DefectKind.FILE_TRUNCATED,
        DefectKind.TOO_MANY_PARAMETERS,
        DefectKind.TOO_MANY_READINGS,
        DefectKind.TRUNCATED,
    }
)

ATTRIBUTION: Mapping[DefectKind, Attribution] = MappingProxyType(
    {kind: Attribution.BOUND if kind in _OF_BOUNDS else Attribution.SENDER for kind in DefectKind}
)
"""Whether a kind of defect is the sender's malformation or one of our bounds; it has every kind."""

# What the end of a cut content looks like.
_OF_CUTS = frozenset({DefectKind.BAD_BASE64, DefectKind.BAD_QP, DefectKind.MISLABELLED_CHARSET})

_DETAIL_CHARACTERS = 120
_WHERE_CHARACTERS = 60


def printable(value: object, characters: int = _DETAIL_CHARACTERS) -> str:
    """``value`` in printable ASCII, for logs and reports: at most ``characters`` long."""
    text = str(value)[:characters]
    if not (text.isascii() and text.isprintable()):
        text = text.encode("unicode_escape").decode("ascii")
    return text[:characters]


@dataclass(frozen=True, slots=True)
class Defect:
    """One defect: its kind, a bounded printable detail, and where it is (a field or a part's path)."""

    kind: DefectKind
    detail: str
    where: str


class DefectReport:
    """Collects defects: one of a kind in one place, bounded in number; the first of a kind always has room."""

    __slots__ = ("_defects", "_kinds", "_limit")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._defects: dict[tuple[DefectKind, str], Defect] = {}
        self._kinds: set[DefectKind] = set()

    def add(self, kind: DefectKind, detail: object = "", where: str = "") -> None:
        """Record a defect, unless one of its kind is recorded there, or one somewhere and the report is full."""
        where = printable(where, _WHERE_CHARACTERS)
        key = (kind, where)
        if key not in self._defects and (len(self._defects) < self._limit or kind not in self._kinds):
            self._defects[key] = Defect(kind, printable(detail), where)
            self._kinds.add(kind)

    def of_cut(self) -> DefectReport:
        """This report, without defects that cutting the content makes: they are not the sender's."""
        return _CutReport(self)

    def of_reading(self) -> DefectReport:
        """This report, of bounds alone: what is wrong with octets is not told again for each way to read them."""
        return _BoundReport(self)

    @property
    def defects(self) -> tuple[Defect, ...]:
        """The defects so far, in the order in which they were found."""
        return tuple(self._defects.values())


class _PartReport(DefectReport):
    """Passes some defects on."""

    __slots__ = ("_whole",)

    def __init__(self, whole: DefectReport) -> None:
        super().__init__(0)
        self._whole = whole


class _CutReport(_PartReport):
    """Passes defects on, but those that may come of the cut."""

    __slots__ = ()

    def add(self, kind: DefectKind, detail: object = "", where: str = "") -> None:
        if kind not in _OF_CUTS:
            self._whole.add(kind, detail, where)


class _BoundReport(_PartReport):
    """Passes on what our own bounds cut."""

    __slots__ = ()

    def add(self, kind: DefectKind, detail: object = "", where: str = "") -> None:
        if kind in _OF_BOUNDS:
            self._whole.add(kind, detail, where)
