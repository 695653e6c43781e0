"""Attachments looked into, archives unpacked within bounds. Runs in a helper process only (see helper.py).

libarchive reads every kind of archive as a stream, so what a bomb would become is never made; libmagic says what a
file is by its content; oletools finds macros.
"""

from __future__ import annotations

import hashlib
import random
import re
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import libarchive
import magic
from libarchive.exception import ArchiveError

from tamis.message.dangerous_names import named_by_content
from tamis.message.file_names import Risk, content_risks, name_risks
from tamis.message.mail import LIMITS, Mail
from tamis.message.mail.defects import DefectKind, DefectReport
from tamis.message.mail.file_links import file_urls, is_page_name, legible
from tamis.message.mail.html import Budget
from tamis.message.mail.part import is_pdf
from tamis.message.mail.sampling import text_excerpt
from tamis.message.mail.urls import text_urls
from tamis.services.files.active import document_texts, external_targets, field_risks, page_risks, text_risks
from tamis.services.files.containers import (
    MOST_MESSAGES,
    ONENOTE,
    RTF,
    calendar_files,
    encoded_files,
    is_message,
    message_members,
    messages_in,
    ole_members,
    onenote,
    page_files,
    pdf_files,
    rtf_objects,
    strings,
    unzip,
    zip_directory,
    zip_entries,
)
from tamis.services.files.disk_images import ImageError, image_members, is_closed, is_disc, is_image
from tamis.services.files.macros import OLE, document_risks, pdf_risks
from tamis.services.files.members import Member
from tamis.services.files.pdf_links import pdf_links
from tamis.services.files.tnef import MAGIC as TNEF
from tamis.services.files.tnef import members as tnef_members

_HEAD = 65_536  # octets that libmagic looks at; beyond: they do not change a file's kind
_COMPRESSED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x1f\x9d": "compress",
    b"LZIP": "lzip",
    b"\x04\x22\x4d\x18": "lz4",
    b"\x5d\x00\x00": "lzma",
}
_ARCHIVES = (b"PK\x03\x04", b"PK\x05\x06", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"MSCF\x00\x00\x00\x00")
_ZIP = b"PK\x03\x04"
_BEHIND = 4_194_304  # octets in front of an archive that is no ZIP
_SHORTCUT = b"L\x00\x00\x00"
_MEDIA = (
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"GIF8",
    b"BM",
    b"RIFF",
    b"OggS",
    b"ID3",
    b"\x00\x01\x00\x00\x00",
    b"OTTO",
    b"wOF",
    b"fLaC",
)
_ENCODED = re.compile(r"^[A-Za-z0-9+/]{60,76}\r?\n[A-Za-z0-9+/]{60}", re.MULTILINE)
_OF_OFFICE = re.compile(
    r"\.rels$|^(?:word|xl|ppt)/(?:[^/]{1,60}\.xml$|externalLinks/|slides/|worksheets/|comments/|notesSlides/)",
    re.IGNORECASE,
)
TEXT_CHARACTERS = 1_048_576
"""Characters of one legible file that are looked at. Beyond: its beginning, its end and a piece by lot; `long_file`."""
_PICTURES = frozenset(
    {"image/png", "image/jpeg", "image/gif", "image/bmp", "image/x-ms-bmp", "image/webp", "image/tiff"}
)
_MOST_PICTURES = 8  # pictures and documents within other files; beyond: by lot; `pictures_left_out`
_PICTURE_OCTETS = 5_242_880  # octets of one of them; beyond: not read, `pictures_left_out`
_PAGES = 2  # of a document within another file that are read
_DOCUMENTS = (OLE, b"%PDF", TNEF, ONENOTE, RTF)
"""What other things than documents may begin like, for programs that look elsewhere."""
_ZIP_SUFFIXES = (".zip", ".jar", ".docx", ".xlsx", ".pptx", ".docm", ".xlsm", ".apk", ".7z", ".rar")
_MOST_LINKS = 400  # addresses in all files of a message; beyond: by lot, `links_left_out`
_ARCHIVE_KINDS = frozenset(
    f"application/{name}"
    for name in (
        "x-tar",
        "x-iso9660-image",
        "x-cpio",
        "x-archive",
        "x-lzh-compressed",
        "x-lha",
        "x-lharc",
        "x-xar",
        "x-rar",
    )
)
_LOTS = random.SystemRandom()
_FILES = (0o100000, 0)  # regular, and what does not say: unpackers make a file of it
_PATH_CHARACTERS = 200
_RATIO_FROM = 1_048_576  # octets below which a high ratio is of no interest


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much of all attachments of a message is unpacked."""

    octets: int = 67_108_864
    """Octets unpacked. Beyond: `archive_limit`."""
    members: int = 1000
    """Files and members looked at. Beyond: `archive_limit`."""
    depth: int = 4  # archives within archives; beyond: `archive_limit`
    ratio: int = 200  # times its own size that an archive is unpacked to; beyond: `archive_limit`
    seconds: float = 5.0  # seconds of unpacking; beyond: `archive_limit`


@dataclass(frozen=True, slots=True)
class _Picture:
    """A picture or a document within another file, and what is said of it."""

    octets: bytes
    seen: dict[str, Any]


@dataclass(slots=True)
class _Work:
    bounds: Bounds
    until: float
    objects: list[dict[str, Any]] = field(default_factory=list)
    octets: int = 0
    links: int = 0
    pictures: list[_Picture] = field(default_factory=list)
    html: Budget = field(default_factory=lambda: Budget(LIMITS.html_characters, LIMITS.html_tags))

    def room(self) -> int:
        """Octets that may still be unpacked."""
        return max(1, self.bounds.octets - self.octets)

    def spent(self) -> bool:
        return (
            self.octets > self.bounds.octets
            or len(self.objects) >= self.bounds.members
            or time.monotonic() > self.until
        )


def inspect_job(request: Mapping[str, Any], blobs: Sequence[bytes]) -> dict[str, Any]:
    """The helper's job: `files` holds [name, whole] for each blob; answers one object a file and a member."""
    bounds = Bounds(**request.get("bounds", {}))
    work = _Work(bounds, time.monotonic() + bounds.seconds)
    for (name, whole), octets in zip(request["files"], blobs, strict=True):
        _look(work, octets, [str(name)], whole=whole)
    _read_pictures(work)
    return {"objects": work.objects}


def _read_pictures(work: _Work) -> None:
    """Look for codes and links in pictures and documents within others; of many in some that nobody foresees."""
    chosen = _LOTS.sample(work.pictures, min(_MOST_PICTURES, len(work.pictures)))
    for picture in work.pictures:
        risks: set[Risk] = set()
        if picture in chosen:
            _give(work, picture.seen, _pictured(work, picture.octets, risks), risks)
        else:
            risks.add(Risk.PICTURES_LEFT_OUT)
        picture.seen["risks"] = sorted({*picture.seen["risks"], *risks})


def _give(work: _Work, seen: dict[str, Any], links: Iterable[str], risks: set[Risk]) -> None:
    """Put the links of a file to what is said of it, as far as there is room."""
    room = max(0, _MOST_LINKS - work.links)
    some = list(dict.fromkeys(links))
    if len(some) > room:
        risks.add(Risk.LINKS_LEFT_OUT)
        some = _LOTS.sample(some, room)
    seen["links"] += some
    work.links += len(some)


def _look(work: _Work, octets: bytes, path: list[str], *, whole: bool, is_body: bool = False) -> None:
    """One file: what it is, what speaks against it, and what is in it."""
    name, depth = path[-1], len(path) - 1
    kind = magic.from_buffer(octets[:_HEAD], mime=True) if octets else "inode/x-empty"
    risks = set() if is_body else name_risks(named_by_content(name, octets), kind)
    risks |= content_risks(name, octets[:_HEAD])
    seen: dict[str, Any] = {
        "path": [piece[-_PATH_CHARACTERS:] for piece in path],
        "kind": kind,
        "size": len(octets),
        # of a piece only the piece's hash could be known
        "sha256": hashlib.sha256(octets).hexdigest() if whole and octets else "",
        "links": [],
    }
    work.objects.append(seen)
    if time.monotonic() > work.until:  # of many files each costs something: those before are not to be lost
        seen["risks"] = sorted({*risks, Risk.ARCHIVE_LIMIT})
        return
    links: list[str] = []
    of_office = bool(depth and _OF_OFFICE.search(name))
    is_page = is_page_name(name) and not of_office and not is_message(octets, name)
    if is_page:  # a browser shows it whatever it begins with
        links += _legible(work, octets, path, risks)
    if octets.startswith(OLE):
        risks |= document_risks(octets)
        _read(work, octets, path, risks, ole_members)
        links += strings(octets)
    elif kind == "application/pdf" or is_pdf(octets):
        risks |= pdf_risks(octets)
        if Risk.ENCRYPTED_DOCUMENT not in risks and b"EmbeddedFile" in octets:
            _read(work, octets, path, risks, pdf_files)
        told = pdf_links(octets)
        links += told.found
        if told.cut:
            risks.add(Risk.LINKS_LEFT_OUT)
        if depth:
            work.pictures.append(_Picture(octets, seen))
    elif octets.startswith(ONENOTE):
        _read(work, octets, path, risks, onenote)
        links += strings(octets)
    elif octets.startswith(TNEF):
        _read(work, octets, path, risks, tnef_members, embedded=False)
    elif octets[:64].lstrip().startswith(RTF):
        _read(work, octets, path, risks, rtf_objects)
        links += _legible(work, octets, path, risks)
    elif is_closed(octets):
        risks.add(Risk.CLOSED)
        links += _legible(work, octets, path, risks)
    elif whole and is_image(octets) and _read_image(work, octets, path, risks):
        if _form(octets, kind) == "":  # two file systems in one: Windows shows the newer
            _unpack(work, octets, "", path, risks)
    elif whole and (form := _form(octets, kind)) is not None:
        before = len(work.objects)
        members = _unpack(work, octets, form, path, risks)
        if kind == "application/epub+zip" and name.lower().endswith(".epub"):
            _excuse_pages(work.objects[before:])
        if Risk.BROKEN_ARCHIVE in risks and not form:
            _unpack_otherwise(work, octets, path, risks)
        if _has_basic(members):
            risks.add(Risk.MACRO)
        if not form and octets.find(_ZIP) >= 0:
            _further_entries(work, octets, path, members, risks)
        if kind != "application/java-archive" and _is_office(members):
            risks |= document_risks(octets)
    elif (at := _archive_behind(octets)) is not None and not risks & {Risk.EXECUTABLE}:
        risks.add(Risk.AMBIGUOUS_ARCHIVE)
        if octets.startswith(_ZIP, at):
            _further_entries(work, octets, path, [], risks)
        else:
            _unpack(work, octets[at:], "", path, risks)
    elif depth and kind in _PICTURES:
        work.pictures.append(_Picture(octets, seen))
    elif is_message(octets, name):
        _read(work, octets, path, risks, message_members, embedded=False)
        links += (
            url.raw for message in islice(messages_in(octets), MOST_MESSAGES) for url in Mail(message).urls
        )
    elif of_office:
        links += _of_office(octets, path, risks)
    elif not is_page:
        links += _legible(work, octets, path, risks)
    if (
        octets.startswith(_DOCUMENTS)
        and _ZIP in octets
        and (name.lower().endswith(_ZIP_SUFFIXES) or _ends_as_zip(octets))
    ):
        risks.add(Risk.AMBIGUOUS_ARCHIVE)
        _further_entries(work, octets, path, [], risks)
    if whole and octets.startswith(_DOCUMENTS) and (is_disc(octets) or is_image(octets)):
        risks.add(Risk.AMBIGUOUS_ARCHIVE)
        _read_image(work, octets, path, risks)
    if depth and risks & {Risk.EXECUTABLE, Risk.DANGEROUS_NAME}:
        risks.add(Risk.EXECUTABLE_IN_ARCHIVE)
    _give(work, seen, links, risks)
    seen["risks"] = sorted(risks)


def _read(
    work: _Work,
    octets: bytes,
    path: list[str],
    risks: set[Risk],
    reader: Callable[[bytes], Iterator[Member]],
    *,
    embedded: bool = True,
) -> int:
    """Look at every member that a reader finds, and say how many; what its library raises on hostile files is told as
    not read."""
    if len(path) > work.bounds.depth:
        risks.add(Risk.ARCHIVE_LIMIT)
        return 0
    members = 0
    try:
        for name, content, whole, is_body in reader(octets):
            members += 1
            if work.spent():
                risks.add(Risk.ARCHIVE_LIMIT)
                break
            work.octets += len(content)
            _look(work, content, [*path, name], whole=whole, is_body=is_body)
    except Exception:  # noqa: BLE001 - readers raise whatever they stumble over
        risks.add(Risk.NOT_READ)
    if members and embedded:
        risks.add(Risk.EMBEDDED_FILE)
    return members


def _read_image(work: _Work, octets: bytes, path: list[str], risks: set[Risk]) -> bool:
    """Look at the files in an image; false where there are none, as any file may have a mark of one where it lies."""
    return (
        _read(work, octets, path, risks, lambda image: image_members(image, work.room()), embedded=False) > 0
    )


def _pictured(work: _Work, octets: bytes, risks: set[Risk]) -> list[str]:
    """What QR codes say in a picture or a document within another file, and the links of the document's text."""
    # slow to load, and few files have pictures or documents within
    from tamis.services.files.documents import read_document  # noqa: PLC0415
    from tamis.services.files.images import read_image  # noqa: PLC0415

    if len(octets) > _PICTURE_OCTETS or work.spent():
        risks.add(Risk.PICTURES_LEFT_OUT)
        return []
    told = (
        read_document(octets, (), _PAGES, work.until)
        if is_pdf(octets)
        else read_image(octets, (), work.until)
    )
    if told.get("cuts"):
        risks.add(Risk.PICTURES_LEFT_OUT)
    found = [
        url.raw for text in (*told.get("codes", ()), told.get("text", "")) for url in text_urls(text, LIMITS)
    ]
    return [*found, *(target for target, _ in told.get("links", ()))]


def _legible(work: _Work, octets: bytes, path: list[str], risks: set[Risk]) -> Iterator[str]:
    """What is in text: links, files within pages and invitations, and what its code does."""
    name = path[-1]
    text = legible(octets, len(octets), forced=is_page_name(name))
    if len(text) > TEXT_CHARACTERS:
        risks.add(Risk.LONG_FILE)
        text = text_excerpt(text, TEXT_CHARACTERS, _LOTS)
        octets = text.encode("utf-8", "replace")
    if not text:
        if (Risk.EXECUTABLE not in risks or octets.startswith(_SHORTCUT)) and not octets.startswith(_MEDIA):
            yield from strings(octets)
        return
    if "<" in text:
        risks |= page_risks(text)
        if "mso-application" in text[:_HEAD] or "ActiveMime" in text:
            risks |= document_risks(octets)
        _read(work, octets, path, risks, lambda _: page_files(text), embedded=False)
    if "BEGIN:V" in text[:4096].upper():
        _read(work, octets, path, risks, lambda _: calendar_files(text), embedded=False)
    if "begin" in text or _ENCODED.search(text):
        _read(work, octets, path, risks, encoded_files, embedded=False)
    risks |= text_risks(text)
    report = DefectReport(1)
    for url in file_urls(octets, name, work.html, LIMITS, report, name):
        yield url.raw
    if report.defects:
        is_long = report.defects[0].kind is DefectKind.LONG_FILE
        risks.add(Risk.LONG_FILE if is_long else Risk.ARCHIVE_LIMIT)


def _of_office(octets: bytes, path: list[str], risks: set[Risk]) -> Iterator[str]:
    """A part of an OOXML document: what it leads to, fetches and starts, told of the part itself."""
    xml = legible(octets, len(octets), forced=True)
    if b"\0" in octets[:_HEAD]:  # UTF-16, as XML may be
        octets = xml.encode("utf-8", "replace")
    if path[-1].endswith(".rels"):
        targets, found = external_targets(octets)
        risks |= found
        yield from targets
        return
    told, found = field_risks(octets)
    risks |= found
    if len(xml) > TEXT_CHARACTERS:
        risks.add(Risk.LONG_FILE)
        xml = text_excerpt(xml, TEXT_CHARACTERS, _LOTS)
    for text in (told, *document_texts(xml)):
        yield from (url.raw for url in text_urls(text, LIMITS))


def _form(octets: bytes, kind: str) -> str | None:
    """How libarchive is to read it: "" for archives, the filter's name for one compressed file."""
    if octets.startswith(_ARCHIVES) or kind in _ARCHIVE_KINDS or is_disc(octets):
        return ""
    return next((form for head, form in _COMPRESSED.items() if octets.startswith(head)), None)


def _archive_behind(octets: bytes) -> int | None:
    """Where an archive begins behind something else, as unpackers find it; None when there is none."""
    if _ZIP in octets and b"PK\x05\x06" in octets:
        return octets.find(_ZIP)
    begins = [
        at
        for head in (b"7z\xbc\xaf\x27\x1c\x00", b"Rar!\x1a\x07")
        if (at := octets.find(head, 0, _BEHIND)) > 0
    ]
    return min(begins, default=None)


def _ends_as_zip(octets: bytes) -> bool:
    """Whether a file ends with a ZIP's directory, so that unpackers take it for one (APPNOTE 4.3.16)."""
    at = octets.rfind(b"PK\x05\x06", -65_557)
    return (
        0 <= at <= len(octets) - 22
        and int.from_bytes(octets[at + 20 : at + 22], "little") == len(octets) - at - 22
    )


def _further_entries(
    work: _Work, octets: bytes, path: list[str], known: Sequence[str], risks: set[Risk]
) -> None:
    """What a ZIP holds beside what its last directory names: of joined ZIPs, behind junk, under other names."""
    if len(path) > work.bounds.depth:
        risks.add(Risk.ARCHIVE_LIMIT)
        return
    entries = zip_entries(octets, work.bounds.members)
    listed = zip_directory(octets, work.bounds.members)
    if max(len(entries), len(listed)) >= work.bounds.members:  # of folders, too, though nothing is in them
        risks.add(Risk.ARCHIVE_LIMIT)
    missing = Counter(known)
    most = max(_RATIO_FROM, len(octets) * work.bounds.ratio)
    for entry in entries:
        if missing[entry.name]:
            missing[entry.name] -= 1
            continue
        if entry.name.endswith("/"):
            continue
        risks.add(Risk.AMBIGUOUS_ARCHIVE)
        if work.spent():
            risks.add(Risk.ARCHIVE_LIMIT)
            return
        if entry.encrypted:
            risks.add(Risk.ENCRYPTED_ARCHIVE)
            work.objects.append(_unread(path, entry.name))
            continue
        try:
            content, whole = unzip(octets, entry, min(most, work.room()))
        except zlib.error:
            risks.add(Risk.BROKEN_ARCHIVE)
            work.objects.append(_unread(path, entry.name))
            continue
        work.octets += len(content)
        if not whole:
            risks.add(Risk.ARCHIVE_LIMIT)
        _look(work, content, [*path, entry.name], whole=whole)
    names = {entry.name for entry in entries} | set(known)
    for name in listed:
        if name not in names and not name.endswith("/") and entries:
            risks.add(Risk.AMBIGUOUS_ARCHIVE)
            work.objects.append(_unread(path, name))


def _has_basic(members: Sequence[str]) -> bool:
    """Whether an OpenDocument file has macros (OpenDocument 1.3 part 2, 2.2)."""
    return "content.xml" in members and any(name.startswith(("Basic/", "Scripts/")) for name in members)


def _is_office(members: Sequence[str]) -> bool:
    return "[Content_Types].xml" in members


def _unpack(work: _Work, octets: bytes, form: str, path: list[str], risks: set[Risk]) -> list[str]:
    """Look at every member within the bounds; returns the members' names."""
    names: list[str] = []
    if len(path) > work.bounds.depth:
        risks.add(Risk.ARCHIVE_LIMIT)
        return names
    most = max(_RATIO_FROM, len(octets) * work.bounds.ratio)
    try:
        # "none" and "gzip" by name: "all" would let libarchive start other programs
        with libarchive.memory_reader(
            octets, format_name="raw" if form else "all", filter_name=form or "none"
        ) as archive:
            for entry in archive:
                if entry.filetype not in _FILES and not form:
                    continue
                name = (_gzip_name(octets) or _stem(path[-1])) if form else str(entry.pathname or "?")
                names.append(name)
                if work.spent():
                    risks.add(Risk.ARCHIVE_LIMIT)
                    break
                try:
                    content, whole = _content(work, entry.get_blocks(), most)
                except ArchiveError as error:
                    risks.add(_trouble(error, octets))
                    work.objects.append(_unread(path, name))
                    continue
                if not whole:
                    risks.add(Risk.ARCHIVE_LIMIT)
                _look(work, content, [*path, name], whole=whole)
    except (ArchiveError, UnicodeError) as error:
        risks.add(_trouble(error, octets))
    return names


def _excuse_pages(objects: Iterable[dict[str, Any]]) -> None:
    """A book is made of pages (EPUB 3.3, 2): their names are no risk there."""
    for one in objects:
        if is_page_name(one["path"][-1]):
            one["risks"] = [risk for risk in one["risks"] if risk != Risk.RISKY_NAME]


def _unpack_otherwise(work: _Work, octets: bytes, path: list[str], risks: set[Risk]) -> None:
    """What 7-Zip finds where libarchive did not read all: it knows further ways of packing."""
    try:
        for name, content, whole, _ in image_members(octets, work.room()):
            if work.spent():
                risks.add(Risk.ARCHIVE_LIMIT)
                return
            work.octets += len(content)
            if content:
                _look(work, content, [*path, name], whole=whole)
    except ImageError:
        return


def _content(work: _Work, blocks: Iterator[bytes], most: int) -> tuple[bytes, bool]:
    """A member's octets, and whether that is all of them."""
    content = bytearray()
    for block in blocks:
        content += block
        work.octets += len(block)
        if len(content) > most or work.spent():
            return bytes(content), False
    return bytes(content), True


def _unread(path: list[str], name: str) -> dict[str, Any]:
    """A member that can't be read still has a name."""
    risks = name_risks(name, "")
    if risks:
        risks.add(Risk.EXECUTABLE_IN_ARCHIVE)
    return {
        "path": [piece[-_PATH_CHARACTERS:] for piece in [*path, name]],
        "kind": "",
        "size": 0,
        "sha256": "",
        "links": [],
        "risks": sorted(risks),
    }


def _trouble(error: Exception, octets: bytes) -> Risk:
    told = str(error).lower()
    if any(word in told for word in ("encrypt", "passphrase", "password")):
        return Risk.ENCRYPTED_ARCHIVE
    # libarchive has no words of its own for an encrypted header of 7z and RAR; their formats do
    return Risk.ENCRYPTED_ARCHIVE if _AES_7Z in octets[-1024:] else Risk.BROKEN_ARCHIVE


_AES_7Z = bytes.fromhex("06f10701")  # the 7z method id of AES-256


def _gzip_name(octets: bytes) -> str:
    """The name that a gzip header gives what is packed (RFC 1952 2.3.1); '' when it gives none."""
    if not octets.startswith(b"\x1f\x8b\x08") or len(octets) < 10 or not octets[3] & 8:
        return ""
    begin = 12 + int.from_bytes(octets[10:12], "little") if octets[3] & 4 else 10
    return octets[begin : begin + _PATH_CHARACTERS].split(b"\0")[0].decode("latin-1")


def _stem(name: str) -> str:
    """The name of what a compressed file holds."""
    return name.rpartition(".")[0] or name
