"""What legible files do: pages that build files, drawings with scripts, documents that fetch or start others."""

from __future__ import annotations

import html
import random
import re
from collections.abc import Iterator

from tamis.message.file_names import Risk
from tamis.message.mail.sampling import some_of

_SCRIPT = re.compile(
    r"<script\b|\bon[a-z]{3,20}\s{0,9}=\s{0,9}[\"']?|(?:href|src)\s{0,9}=\s{0,9}[\"']?\s{0,9}javascript:",
    re.IGNORECASE,
)
_BUILDS = re.compile(
    r"createObjectURL|msSaveOrOpenBlob|msSaveBlob|new\s+Blob\b|new\s+File\s*\(|\[[\"']Blob[\"']\]|navigator\.msSave",
    re.IGNORECASE,
)
_GIVES = re.compile(
    r"\.download\b|\bdownload\s{0,9}=|setAttribute\s*\(\s*[\"']download|\.click\s*\(|saveAs\s*\(",
    re.IGNORECASE,
)
_UNPACKS = re.compile(r"\batob\s*\(|fromCharCode|unescape\s*\(|charCodeAt|Uint8Array", re.IGNORECASE)
_DATA_FILE = re.compile(
    r"data:application/(?:octet-stream|zip|x-zip-compressed|x-msdownload|x-iso9660-image|java-archive|vnd\.[a-z.-]{1,60})[;,]",
    re.IGNORECASE,
)
_SVG = re.compile(r"<svg\b", re.IGNORECASE)
_LONG_STRING = re.compile(r"[A-Za-z0-9+/]{4000}")
_EXTERNAL = re.compile(rb"<Relationship\b[^<>]{0,4000}>", re.IGNORECASE)
_TARGET = re.compile(rb"\bTarget\s{0,9}=\s{0,9}(?:\"([^\"]{1,4000})\"|'([^']{1,4000})')", re.IGNORECASE)
_FETCHED = re.compile(
    rb"/(?:attachedTemplate|oleObject|frame|externalLink|externalLinkPath|subDocument|aFChunk|image|package)[\"']"
)
_DDE = re.compile(rb"\bDDE(?:AUTO)?\b[\s\"]|<ddeLink\b", re.IGNORECASE)
_INSTRUCTION = re.compile(
    rb"<w:instrText[^<>]{0,200}>([^<]{0,4000})|w:instr=\"([^\"]{0,4000})\"", re.IGNORECASE
)
_DDE_CELL = re.compile(
    r"^[\"']?[=+@-][^\r\n|]{0,200}\|[\"'\s]?[^\r\n!]{0,400}![A-Z0-9_]", re.MULTILINE | re.IGNORECASE
)
_MOST = 500  # addresses outside of a document; beyond: by lot, `links_left_out`
_LOTS = random.SystemRandom()


def page_risks(text: str) -> set[Risk]:
    """What a page's or a drawing's code is for."""
    risks: set[Risk] = set()
    if not _SCRIPT.search(text):
        return risks
    if _SVG.search(text[:4096]) and "<html" not in text[:4096].lower():
        risks.add(Risk.ACTIVE_IMAGE)
    gives = bool(_GIVES.search(text))
    if (
        (_BUILDS.search(text) and (gives or _UNPACKS.search(text)))
        or (gives and _DATA_FILE.search(text))
        or (_UNPACKS.search(text) and _LONG_STRING.search(text))
    ):
        risks.add(Risk.SMUGGLING)
    return risks


def text_risks(text: str) -> set[Risk]:
    """What a table in text starts when a spreadsheet program opens it."""
    return {Risk.DDE} if _DDE_CELL.search(text) else set()


def external_targets(octets: bytes) -> tuple[list[str], set[Risk]]:
    """What a document's relationships file (.rels, ECMA-376 part 2, 9) leads to outside of the document."""
    found: list[str] = []
    risks: set[Risk] = set()
    external = (found[0] for found in _EXTERNAL.finditer(octets) if b"External" in found[0])
    some = some_of(external, _MOST, _LOTS)
    if some.is_cut:
        risks.add(Risk.LINKS_LEFT_OUT)
    for whole in some.items:
        target = _TARGET.search(whole)
        if target is None:
            continue
        address = html.unescape((target[1] or target[2]).decode("utf-8", "replace"))
        found.append(address)
        remote = "://" in address or address.startswith("\\\\") or ":" in address[2:9]
        if remote and _FETCHED.search(whole) and b"/image" not in whole:
            risks.add(Risk.REMOTE_TEMPLATE)
    return found, risks


_NAMESPACE = re.compile(r"\bxmlns(?::[\w.-]{1,100})?\s{0,9}=\s{0,9}(?:\"[^\"]{0,2000}\"|'[^']{0,2000}')")
_VOCABULARY = re.compile(
    r"https?://(?:schemas\.(?:openxmlformats\.org|microsoft\.com)|www\.w3\.org|purl\.org|ns\.adobe\.com"
    r"|docs\.oasis-open\.org)/[^\s\"'<>]{0,300}",
    re.IGNORECASE,
)
_PARAGRAPH = re.compile(r"</(?:w:p|a:p|si|row|text:p)>|<(?:w:br|w:tab|w:cr)\b", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]{0,10000}>")


def document_texts(xml: str) -> Iterator[str]:
    """Where addresses stand in a document's XML: in attributes, without what only names a kind of markup, and in the
    text, which may be written in many pieces, a line a paragraph."""
    plain = _VOCABULARY.sub("", _NAMESPACE.sub("", xml))
    yield html.unescape(" ".join(found[0] for found in _TAG.finditer(plain) if "//" in found[0]))
    yield html.unescape(_TAG.sub("", _PARAGRAPH.sub("\n<", plain)))


def field_risks(octets: bytes) -> tuple[str, set[Risk]]:
    """The instructions of the fields in a document's XML, and whether one starts a program."""
    instructions = (found[1] or found[2] or b"" for found in _INSTRUCTION.finditer(octets))
    joined = re.sub(rb"\s+", b" ", b" ".join(instructions))  # a field may be written in many pieces
    starts = _DDE.search(joined) or _DDE.search(joined.replace(b" ", b"")) or b"<ddeLink" in octets
    return joined.decode("utf-8", "replace"), {Risk.DDE} if starts else set()
