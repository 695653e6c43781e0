"""What a file's name gives away: what double-clicking would run, and tricks that hide it."""

from __future__ import annotations

import re
from enum import StrEnum


class Risk(StrEnum):
    """What speaks against a file; several may."""

    EXECUTABLE = "executable"  # a program by its content
    DISGUISED = "disguised"  # a program by its content whose name says something else
    DANGEROUS_NAME = "dangerous_name"  # its name makes a system run it or what is in it
    EXECUTABLE_IN_ARCHIVE = "executable_in_archive"  # either of these, inside an archive
    DOUBLE_EXTENSION = "double_extension"  # invoice.pdf.exe
    RTLO_NAME = "rtlo_name"  # directional controls turn the end of the name round
    MACRO = "macro"  # an office file with VBA macros
    MACRO_AUTO = "macro_auto"  # which run as soon as it is opened
    ENCRYPTED_ARCHIVE = "encrypted_archive"
    ENCRYPTED_DOCUMENT = "encrypted_document"
    ARCHIVE_LIMIT = "archive_limit"  # more, deeper or larger than is unpacked: a bomb, or just big
    BROKEN_ARCHIVE = "broken_archive"


# What Windows, macOS or a desktop runs on a double click (no list is complete: content is looked at too).
_RUNS_TEXT = """
    ade adp app appref-ms appx bat chm cmd com cpl dll exe gadget hlp hta inf ins isp jar jnlp js jse
    lib library-ms lnk mde msc msi msix msp mst nsh pif ps1 psc1 psm1 reg scf scr sct shb sys url vb vbe
    vbs vxd wsc wsf wsh xll desktop pkg command
"""
_RUNS = frozenset(_RUNS_TEXT.split())
# What a reader takes for a harmless file.
_HARMLESS_TEXT = """
    avi bmp csv doc docx gif htm html jpeg jpg mov mp3 mp4 odt pdf png ppt pptx rtf txt xls xlsx xml zip
"""
_HARMLESS = frozenset(_HARMLESS_TEXT.split())
_DIRECTION = re.compile("[\u202a-\u202e\u2066-\u2069\u200e\u200f]")
_PADDED = re.compile(r"[\s_.\u00a0]{6,}\.?[A-Za-z0-9-]{1,12}$")
_NAME_CHARACTERS = 1000
"""Characters of a file's name, its end. Beyond: not looked at: what comes last makes a system run it."""


def extensions(name: str) -> list[str]:
    """The last two extensions, lower-cased, the last one first; what Windows ignores at the end is left out."""
    base = re.split(r"[/\\]", name[-_NAME_CHARACTERS:])[-1]
    pieces = base.translate(_NO_DIRECTION).rstrip(". \t").lower().split(".")
    return [piece.strip() for piece in reversed(pieces[1:])][:2]


_NO_DIRECTION = {ord(c): None for c in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f"}


def name_risks(name: str, kind: str) -> set[Risk]:
    """The risks in a name; `kind` is the MIME type by content, '' when unknown."""
    risks: set[Risk] = set()
    found = extensions(name)
    last = found[0] if found else ""
    # "example.com" is more often the name of a site than of a DOS program
    runs = last in _RUNS and not (last == "com" and kind.startswith("text/"))
    if _DIRECTION.search(name) and runs:
        risks.add(Risk.RTLO_NAME)
    if runs:
        risks.add(Risk.DANGEROUS_NAME)
        if (len(found) > 1 and found[1] in _HARMLESS) or _PADDED.search(name):
            risks.add(Risk.DOUBLE_EXTENSION)
    return risks


def content_risks(name: str, kind: str) -> set[Risk]:
    """The risks in what a file is, against what its name says."""
    if kind not in PROGRAMS:
        return set()
    found = extensions(name)
    if found and found[0] in _HARMLESS:
        return {Risk.EXECUTABLE, Risk.DISGUISED}
    return {Risk.EXECUTABLE}


PROGRAMS = frozenset(
    {
        "application/x-dosexec",
        "application/vnd.microsoft.portable-executable",
        "application/x-executable",
        "application/x-pie-executable",
        "application/x-sharedlib",
        "application/x-mach-binary",
        "application/x-msi",
        "application/x-ms-shortcut",
        "application/x-java-applet",
        "application/vnd.android.package-archive",
    }
)
"""MIME types, as libmagic names them, of what runs."""
