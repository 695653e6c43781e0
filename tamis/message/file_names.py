"""What a file's name gives away: what double-clicking would run, and tricks that hide it."""

from __future__ import annotations

import re
from enum import StrEnum
from urllib.parse import unquote

from tamis.message.dangerous_names import CARRIES, RUNS
from tamis.message.mail.visible import canonical, skeleton
from tamis.message.names import LIKE_DOTS


class Risk(StrEnum):
    """What speaks against a file; several may."""

    EXECUTABLE = "executable"  # a program by its content
    DISGUISED = "disguised"  # a program by its content whose name says something else
    DANGEROUS_NAME = "dangerous_name"  # its name makes a system run it or what is in it
    RISKY_NAME = "risky_name"  # its name is that of what carries programs or code past other guards
    EXECUTABLE_IN_ARCHIVE = "executable_in_archive"  # either of these, inside an archive
    DOUBLE_EXTENSION = "double_extension"  # invoice.pdf.exe
    RTLO_NAME = "rtlo_name"  # directional controls turn the end of the name round
    MACRO = "macro"  # an office file with VBA macros
    MACRO_AUTO = "macro_auto"  # which run as soon as it is opened
    ENCRYPTED_ARCHIVE = "encrypted_archive"
    ENCRYPTED_DOCUMENT = "encrypted_document"
    ARCHIVE_LIMIT = "archive_limit"  # more, deeper or larger than is unpacked: a bomb, or just big
    BROKEN_ARCHIVE = "broken_archive"
    AMBIGUOUS_ARCHIVE = "ambiguous_archive"  # readers' programs differ in what is in it
    EMBEDDED_FILE = "embedded_file"  # a file within a document, which a click there opens
    SMUGGLING = "smuggling"  # a page that builds a file by script
    ACTIVE_IMAGE = "active_image"  # a drawing with a script in it
    REMOTE_TEMPLATE = "remote_template"  # a document that fetches another, or an object, when it is opened
    DDE = "dde"  # a document that starts a program by a field or a formula
    CLOSED = "closed"  # an archive, an image or a message that is not looked into here
    LINKS_LEFT_OUT = "links_left_out"  # more addresses in files than are looked at
    PICTURES_LEFT_OUT = "pictures_left_out"  # more pictures in archives than are read, or larger ones
    LONG_FILE = "long_file"  # more text in a file than is looked at
    NOT_READ = "not_read"  # a file whose reader failed or had no time left


# What a reader takes for a harmless file.
_HARMLESS_TEXT = """
    avi bmp csv doc docx gif htm html jpeg jpg mov mp3 mp4 odt pdf png ppt pptx rtf txt xls xlsx xml zip
"""
_HARMLESS = frozenset(_HARMLESS_TEXT.split())
# Before a harmless extension they ask the reader to rename the file: "run.bat.txt".
_RENAMED = frozenset("bat cmd exe scr pif vbs vbe js jse wsf hta ps1 lnk msi jar".split())  # noqa: SIM905
# "example.com" is more often the name of a site than of a DOS program; .mdx is Markdown with components as well.
_NAMES_OF_TEXT = frozenset({"com", "mdx"})
_DIRECTION = re.compile("[\u202a-\u202e\u2066-\u2069\u200e\u200f]")
_PADDED = re.compile(r"[\s_.\u00a0]{6,}\.?[A-Za-z0-9-]{1,12}$")
_NAME_CHARACTERS = 1000
"""Characters of a file's name, its end. Beyond: not looked at: what comes last makes a system run it."""


def extensions(name: str) -> list[str]:
    """The last two extensions, lower-cased, the last one first; what Windows ignores at the end is left out."""
    base = re.split(r"[/\\]", name[-_NAME_CHARACTERS:])[-1]
    if "%" in base:
        base = unquote(base)
    if not base.isascii():  # shown, and by some programs saved, as what it looks like
        base = skeleton(canonical(base.replace("\u202e", "").translate(LIKE_DOTS)))
    # a stream of a file (NTFS), and what systems ignore at the end
    pieces = _STREAM.sub("", base).rstrip(_AT_END).lower().split(".")
    return [piece.strip() for piece in reversed(pieces[1:])][:2]


_CLASS_ID = re.compile(r"\.\{[0-9a-f-]{25,40}\}\s*$", re.IGNORECASE)
_AT_END = ". \t\"';\0\u201c\u201d\u2018\u2019\u00bb"
_STREAM = re.compile(r":+\$?[a-z]*$", re.IGNORECASE)


def name_risks(name: str, kind: str) -> set[Risk]:
    """The risks in a name; `kind` is the MIME type by content, '' when unknown."""
    before, nul, _ = name.partition("\0")
    risks = name_risks(before, kind) if nul else set()  # where programs in C end a name
    found = extensions(name)
    last = found[0] if found else ""
    text = last in _NAMES_OF_TEXT and kind.startswith("text/")
    runs = last in RUNS and not text
    if _CLASS_ID.search(
        name
    ):  # Windows opens it by that class, and shows the name without (MailScanner's rules)
        risks.add(Risk.DANGEROUS_NAME)
    if _DIRECTION.search(name) and runs:
        risks.add(Risk.RTLO_NAME)
    if runs:
        risks.add(Risk.DANGEROUS_NAME)
        if (len(found) > 1 and found[1] in _HARMLESS) or _PADDED.search(name):
            risks.add(Risk.DOUBLE_EXTENSION)
    elif (last in CARRIES and not text) or (len(found) > 1 and last in _HARMLESS and found[1] in _RENAMED):
        risks.add(Risk.RISKY_NAME)
    return risks


def content_risks(name: str, head: bytes) -> set[Risk]:
    """The risks in what a file is by its first octets, against what its name says."""
    if not is_program(head):
        return set()
    found = extensions(name)
    if found and found[0] in _HARMLESS:
        return {Risk.EXECUTABLE, Risk.DISGUISED}
    return {Risk.EXECUTABLE}


_PROGRAMS = (
    b"\x7fELF",
    *(b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe"),  # Mach-O
    b"\xca\xfe\xba\xbe",  # Mach-O for several machines, Java class
    b"dex\n03",
    b"L\x00\x00\x00\x01\x14\x02\x00",  # Windows shortcut
    b"ITSF\x03\x00",  # compiled help
    b"#@~^",  # encoded Windows script
    b"!<arch>\ndebian",
    b"\xed\xab\xee\xdb",  # RPM
)
_DOS_HEADER = 64


def is_program(head: bytes) -> bool:
    """Whether a file is something that runs, by its own mark; libmagic takes random octets for DOS programs."""
    if head.startswith(_PROGRAMS):
        return True
    return head[:2] in {b"MZ", b"ZM"} and (len(head) < _DOS_HEADER or b"\0" in head[:_DOS_HEADER])
