"""Files within files that no archive reader knows: documents, notebooks, messages, pages. Runs in a helper only.

Each reader takes a file's octets and gives its members, lazily, so that the caller stops at its bounds; what goes wrong
in one raises, and the caller says that the file was not read.
"""

from __future__ import annotations

import io
import random
import re
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from tamis.message.dangerous_names import RUNS
from tamis.message.mail import Mail
from tamis.message.mail.code_links import decoded_text
from tamis.message.mail.embedded import embedded_files
from tamis.message.mail.references import data_of
from tamis.message.mail.sampling import some_of
from tamis.message.mail.written_links import octets_of
from tamis.services.files.members import Member

ONENOTE = bytes.fromhex("e4525c7b8cd8a74daeb15378d02996d3")
"""What a OneNote section begins with ([MS-ONESTORE] 2.3.1)."""
RTF = b"{\\rt"
"""What RTF begins with; Word asks for no more."""

_FILE_DATA = bytes.fromhex("e716e3bd65261145a4c48d4d0b7a9eac")  # FileDataStoreObject, [MS-ONESTORE] 2.6.13
_FILE_DATA_HEADER = struct.Struct("<QIQ")
_UTF16_NAME = re.compile(rb"(?:[\x20-\x7e]\x00){1,80}\.\x00(?:[A-Za-z0-9]\x00){1,14}")
_LINK_STRINGS = re.compile(rb"(?:https?|ftp|file)://[\x21-\x7e]{4,2000}", re.IGNORECASE)
_LOTS = random.SystemRandom()
_WIDE_LINK_STRINGS = re.compile(
    rb"(?:h\0t\0t\0p\0(?:s\0)?|f\0i\0l\0e\0|f\0t\0p\0):\0/\0/\0(?:[\x21-\x7e]\0){4,1000}", re.IGNORECASE
)
_MOST_STRINGS = 5000  # addresses in a file that is no text; beyond: by lot, `links_left_out`


def onenote(octets: bytes) -> Iterator[Member]:
    """The files embedded in a OneNote section, and the names of those that a click would run."""
    names = {found[0].decode("utf-16-le") for found in _UTF16_NAME.finditer(octets)}
    dangerous = [name for name in sorted(names) if name.rpartition(".")[2].lower() in RUNS]
    at = 0
    while (at := octets.find(_FILE_DATA, at)) >= 0:
        begin = at + len(_FILE_DATA) + _FILE_DATA_HEADER.size
        if begin > len(octets):
            break
        length = _FILE_DATA_HEADER.unpack_from(octets, at + len(_FILE_DATA))[0]
        yield Member("", octets[begin : begin + length])
        at = begin
    for name in dangerous:
        yield Member(name, b"")


_MOST_RTF_STEPS = 1_000_000  # groups and control words of RTF; beyond: no objects looked for, `not_read`


class _TooLongError(ValueError):
    """More of a file than is read."""


def rtf_objects(octets: bytes) -> Iterator[Member]:
    """The objects embedded in RTF: packages by their names, others by their classes."""
    from oletools.rtfobj import RtfObjParser  # noqa: PLC0415 # slow to load

    class Bounded(RtfObjParser):  # type: ignore[misc]
        steps = 0

        def step(self) -> None:
            self.steps += 1
            if self.steps > _MOST_RTF_STEPS:
                raise _TooLongError

        def open_group(self) -> None:
            self.step()

        def control_word(self, matchobject: object, cword: bytes, param: bytes | None) -> None:
            self.step()
            super().control_word(matchobject, cword, param)

        def control_symbol(self, matchobject: object) -> None:
            self.step()
            super().control_symbol(matchobject)

    parser = Bounded(octets)
    cut = None
    try:
        parser.parse()
    except _TooLongError as error:
        cut = error
    for found in parser.objects:
        if found.is_package:
            yield Member(_shown(found.filename), found.olepkgdata or b"")
        elif found.is_ole:
            yield Member(_shown(found.class_name), found.oledata or b"")
    if cut is not None:
        raise cut


def ole_members(octets: bytes) -> Iterator[Member]:
    """Packages in a compound file, and what is attached to an Outlook message (.msg, [MS-OXMSG])."""
    import olefile  # noqa: PLC0415
    from oletools.oleobj import OleNativeStream  # noqa: PLC0415

    with olefile.OleFileIO(io.BytesIO(octets)) as file:
        entries = file.listdir()
        names: dict[str, str] = {}
        for entry in entries:
            if entry[-1].lower() in {"__substg1.0_3707001f", "__substg1.0_3707001e", "__substg1.0_3704001f"}:
                wide = entry[-1].lower().endswith("1f")
                told = file.openstream(entry).read(1000).decode("utf-16-le" if wide else "cp1252", "replace")
                names.setdefault("/".join(entry[:-1]), told.rstrip("\0"))
        for entry in entries:
            last = entry[-1].lower()
            if last == "\x01ole10native":
                package = OleNativeStream(file.openstream(entry).read())
                yield Member(_shown(package.filename), package.data or b"")
            elif last == "__substg1.0_37010102":
                yield Member(names.get("/".join(entry[:-1]), ""), file.openstream(entry).read())
            elif last in {"__substg1.0_10130102", "__substg1.0_1013001f"}:
                yield Member("body.html", file.openstream(entry).read(), is_body=True)
            elif last in {"__substg1.0_1000001f", "__substg1.0_1000001e"}:
                yield Member("body.txt", file.openstream(entry).read())


def pdf_files(octets: bytes) -> Iterator[Member]:
    """The files embedded in a PDF document (ISO 32000-2 7.11.4)."""
    import pypdfium2  # noqa: PLC0415

    document = pypdfium2.PdfDocument(octets)
    try:
        for number in range(document.count_attachments()):
            attached = document.get_attachment(number)
            yield Member(attached.get_name(), bytes(attached.get_data()))
    finally:
        document.close()


_FIELD = re.compile(rb"[A-Za-z][A-Za-z0-9-]{1,40}:[^\r\n]{0,998}(?:\r?\n[ \t][^\r\n]{0,998}){0,50}\r?\n")
_MAIL_FIELDS = re.compile(
    rb"^(?:received|from|to|subject|date|message-id|mime-version|content-type|return-path|x-[a-z-]{2,30}):",
    re.IGNORECASE | re.MULTILINE,
)


def is_message(octets: bytes, name: str) -> bool:
    """Whether a file is a message or a web archive (.eml, .mht): by its name, or as it begins with such fields."""
    if name.lower().endswith((".eml", ".mht", ".mhtml", ".nws")):
        return True
    head = octets[:4096].lstrip()
    if _MBOX.match(head):
        head = head.partition(b"\n")[2]
    begun = _FIELD.match(head)
    return begun is not None and len(set(_MAIL_FIELDS.findall(head))) > 2


_MBOX = re.compile(rb"^From (?![ \t]*:)[^\r\n]{1,500}\r?\n(?=[!-9;-~]{1,60}:)", re.MULTILINE)
MOST_MESSAGES = 100
"""Messages of one mailbox file. Beyond: not looked at, `not_read`."""


def messages_in(octets: bytes) -> Iterator[bytes]:
    """The messages of a mailbox file (RFC 4155); any other message alone. Raises ValueError beyond the bound."""
    begins = [found.start() for found in _MBOX.finditer(octets)]
    if len(begins) < 2 or begins[0]:
        yield octets
        return
    for number, (begin, end) in enumerate(zip(begins, [*begins[1:], len(octets)], strict=True)):
        if number >= MOST_MESSAGES:
            raise ValueError("more messages than are looked at")
        yield octets[begin:end]


def message_members(octets: bytes) -> Iterator[Member]:
    """The parts of a message, or of all those in a mailbox file; those that are read as well."""
    for message in messages_in(octets):
        yield from _parts_of(message)


def _parts_of(octets: bytes) -> Iterator[Member]:
    mail = Mail(octets)
    for part in mail.parts:
        is_body = part.content_type == "text/html" and part.disposition != "attachment"
        yield Member("body.html" if is_body else part.filename or "", part.payload, not part.cut, is_body)


_SCRIPT_STRINGS = re.compile(r"[A-Za-z0-9+/]{256,}={0,2}")
_DATA_URL = re.compile(r"data:[^,\"'\s<>]{0,200},[^\"'\s<>]{16,}", re.IGNORECASE)
_MAGIC = (
    b"MZ",
    b"PK\x03\x04",
    b"Rar!",
    b"7z\xbc\xaf",
    b"\xd0\xcf\x11\xe0",
    b"%PDF",
    b"ISO",
    b"MSCF",
    b"\x7fELF",
)


def page_files(text: str) -> Iterator[Member]:
    """Files that a page carries: data: URLs of no image, and strings in base64 that are files."""
    for found in _DATA_URL.finditer(text):
        data = data_of(found[0])
        if data is not None and not data[0].startswith(("image/", "font/", "text/", "audio/", "video/")):
            yield Member("", data[1])
    for found in _SCRIPT_STRINGS.finditer(text):
        octets = octets_of(found[0])
        if octets.startswith(_MAGIC):
            yield Member("", octets)
        elif not octets and (told := decoded_text(found[0])):
            yield Member("", told.encode())


_BASE64_LINES = re.compile(rb"(?:^[A-Za-z0-9+/]{60,76}\r?\n)+[A-Za-z0-9+/]*={0,2}", re.MULTILINE)


def encoded_files(octets: bytes) -> Iterator[Member]:
    """Files in text: uuencoded, yEnc, and lines of base64 that are a file."""
    for name, content in embedded_files(octets):
        yield Member(name, content)
    for found in _BASE64_LINES.finditer(octets):
        content = octets_of("".join(found[0].decode("ascii").split()))
        if content.startswith(_MAGIC):
            yield Member("", content)


_ICS_ATTACHED = re.compile(
    r"^ATTACH((?:;[^:\r\n]{0,500})?;ENCODING=BASE64(?:;[^:\r\n]{0,500})?):([A-Za-z0-9+/=\s]+)",
    re.IGNORECASE | re.MULTILINE,
)
_ICS_NAME = re.compile(r"(?:FILENAME|X-[A-Z-]{0,30}FILENAME)=\"?([^\";:]{1,200})", re.IGNORECASE)


def calendar_files(text: str) -> Iterator[Member]:
    """The files within an invitation (RFC 5545 3.8.1.1)."""
    unfolded = re.sub(r"\r?\n[ \t]", "", text)
    for found in _ICS_ATTACHED.finditer(unfolded):
        name = _ICS_NAME.search(found[1])
        yield Member(name[1] if name else "", octets_of("".join(found[2].split())))


def strings(octets: bytes) -> Iterator[str]:
    """Addresses that stand in a file that is no text, in ASCII or UTF-16."""
    for found in some_of(_LINK_STRINGS.finditer(octets), _MOST_STRINGS, _LOTS).items:
        yield found[0].decode("ascii")
    for wide in some_of(_WIDE_LINK_STRINGS.finditer(octets), _MOST_STRINGS, _LOTS).items:
        yield wide[0].decode("utf-16-le")


class ZipEntry(NamedTuple):
    """A local file header of a ZIP and where its data is (APPNOTE 4.3.7)."""

    name: str
    offset: int
    method: int
    size: int
    encrypted: bool


_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_STORED, _DEFLATED, _ENCRYPTED, _DESCRIPTOR, _UTF8 = 0, 8, 1, 8, 0x800


def zip_entries(octets: bytes, most: int) -> list[ZipEntry]:
    """Every local header in its order: behind junk, of several joined ZIPs, left out of the directory."""
    found: list[ZipEntry] = []
    at = octets.find(b"PK\x03\x04")
    while 0 <= at <= len(octets) - _LOCAL.size and len(found) < most:
        _, _, flags, method, _, _, _, packed, _, name_length, extra = _LOCAL.unpack_from(octets, at)
        begin = at + _LOCAL.size
        if method > 99 or not name_length or begin + name_length > len(octets):
            at = octets.find(b"PK\x03\x04", at + 4)
            continue
        name = octets[begin : begin + name_length]
        data = begin + name_length + extra
        size = packed if packed and packed != 0xFFFFFFFF else 0
        shown = _unicode_path(octets[begin + name_length : data]) or _zip_name(name, flags)
        found.append(ZipEntry(shown, data, method, size, bool(flags & _ENCRYPTED)))
        beyond = data + size if size and data + size <= len(octets) else data
        at = octets.find(b"PK\x03\x04", beyond)
    return found


def zip_directory(octets: bytes, most: int) -> list[str]:
    """The names in every central directory."""
    names: list[str] = []
    at = octets.find(b"PK\x01\x02")
    while 0 <= at <= len(octets) - _CENTRAL.size and len(names) < most:
        fields = _CENTRAL.unpack_from(octets, at)
        begin = at + _CENTRAL.size
        names.append(_zip_name(octets[begin : begin + fields[10]], fields[3]))
        at = octets.find(b"PK\x01\x02", begin + fields[10])
    return names


def unzip(octets: bytes, entry: ZipEntry, most: int) -> tuple[bytes, bool]:
    """An entry's content by its own header, at most `most` octets, and whether that is all; raises zlib.error."""
    if entry.method == _DEFLATED:
        inflater = zlib.decompressobj(-15)
        content = inflater.decompress(memoryview(octets)[entry.offset :], most)
        return content, inflater.eof
    if entry.method != _STORED:
        raise zlib.error(f"method {entry.method}")
    end = entry.offset + entry.size if entry.size else octets.find(b"PK", entry.offset)
    content = octets[entry.offset : end if end > 0 else len(octets)]
    return content[:most], len(content) <= most


def _unicode_path(extra: bytes) -> str:
    """The name in a Unicode Path extra field (APPNOTE 4.6.9), which unpackers prefer; '' when there is none."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == 0x7075 and length > 5:
            return extra[at + 9 : at + 4 + length].decode("utf-8", "replace")
        at += 4 + length
    return ""


def _zip_name(name: bytes, flags: int) -> str:
    return name.decode("utf-8" if flags & _UTF8 else "cp437", "replace")


def _shown(name: str | bytes | None) -> str:
    if isinstance(name, bytes):
        return name.decode("utf-8", "replace")
    return name or ""
