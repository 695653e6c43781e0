"""Addresses in files that are text: web pages, drawings, invitations, cards, shortcuts, RTF, anything legible.

Pure and bounded, so the same is used for attachments and, in helper processes, for what is in archives.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from quopri import decodestring

from tamis.message.mail.cards import unfolded
from tamis.message.mail.code_links import code_urls
from tamis.message.mail.defects import DefectKind, DefectReport
from tamis.message.mail.destinations import html_urls, urls_of
from tamis.message.mail.html import Budget, parse_html
from tamis.message.mail.limits import Limits
from tamis.message.mail.references import Link
from tamis.message.mail.rtf import rtf_text
from tamis.message.mail.text import guess
from tamis.message.mail.urls import Url, text_urls

_HEAD = 4096
_BOMS = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be", b"\xef\xbb\xbf": "utf-8"}
_UTF16 = re.compile(rb"(?:[\x09\x0a\x0d\x20-\x7e]\x00){8,}")
_CONTROL = bytes(octet for octet in range(0x20) if octet not in b"\t\n\r\f\x1b") + b"\x7f"
_MOST_CONTROL = 0.02
_MARKUP = re.compile(
    r"<(?:!doctype|html|head|body|script|svg|meta|iframe|form|img|div|table|center|frameset|base|style|object|a\s|p[\s>]"
    r"|xml|\?xml)",
    re.IGNORECASE,
)
_MARKUP_SUFFIXES = frozenset(
    {
        "html",
        "htm",
        "shtml",
        "shtm",
        "xhtml",
        "xht",
        "svg",
        "hta",
        "htc",
        "mht",
        "mhtml",
        "phtml",
        "html5",
        "xml",
    }
)
_ESCAPES = {"\\n": "\n", "\\N": "\n", "\\,": ",", "\\;": ";", "\\\\": "\\"}
_ESCAPE = re.compile(r"\\[nN,;\\]")
_RTF_OCTET = re.compile(r"(?:\\'[0-9a-fA-F]{2})+")
_RTF_UNICODE = re.compile(r"\\u(-?[0-9]{1,6}) ?\??")
_RTF_FIELD = re.compile(
    r"(?:HYPERLINK|INCLUDEPICTURE|INCLUDETEXT|IMPORT|\\\*\\template|LINK\s+\S{1,60})\s{0,9}[\\\"{}a-z* ]{0,60}?"
    r"((?:https?|ftp|file):[^\s\"{}]{3,2048}|\\\\[^\s\"{}]{4,2048})",
    re.IGNORECASE,
)
# Shortcuts, connections, desktop entries: "URL=file://host/share", "full address:s:host", "Exec=...".
_SETTING = re.compile(
    r"^[ \t]*(?:url|baseurl|origurl|iconfile|iconurl|icon|workingdirectory|exec|path|target|full address|server"
    r"|location|data source|logo|deeplink|connection)\s*(?:=|:[si]:)\s*(.{4,2048})$",
    re.IGNORECASE | re.MULTILINE,
)
_FORMULAS = 1_048_576
"""Characters in which a table's formulas are looked for. Beyond: joined addresses are left alone, whole ones found."""
_MOST = 400  # URLs of one file; beyond: `url_limit`


def file_urls(
    octets: bytes, name: str, budget: Budget, limits: Limits, report: DefectReport, where: str
) -> Iterator[Url]:
    """The addresses in a legible file, of source "file"; nothing in others. `budget` bounds all files together."""
    text = legible(octets, budget.characters, forced=is_page_name(name))
    if not text:
        return
    if len(text) >= budget.characters and len(octets) > len(text):
        report.add(DefectKind.LONG_FILE, len(octets), where)
    seen: set[tuple[str, str]] = set()
    for url in _urls(text, name, budget, limits, report, where):
        if (key := (url.raw, url.host)) not in seen:
            if len(seen) >= _MOST:
                report.add(DefectKind.URL_LIMIT, _MOST, where)
                return
            seen.add(key)
            yield replace(url, source="file")


def _urls(
    text: str, name: str, budget: Budget, limits: Limits, report: DefectReport, where: str
) -> Iterator[Url]:
    head = text[:_HEAD].lstrip().lower()
    if head.startswith("{\\rt"):
        yield from text_urls(rtf_text(text), limits)
        text = _RTF_UNICODE.sub(_rtf_character, _RTF_OCTET.sub(_rtf_octets, text))
        for found in _RTF_FIELD.finditer(text):
            yield from urls_of(Link(found[1], "", "a"), None, limits, report)
        text = re.sub(r"[{}]|\\(?:par|line|tab)\b", " ", text)
    elif "begin:v" in head:
        text = unfolded(text)
        if "quoted-printable" in text.lower():
            text = decodestring(text.encode()).decode("utf-8", "replace")
        text = _ESCAPE.sub(lambda found: _ESCAPES[found[0]], text)
    if is_page_name(name) or _MARKUP.search(text[:_HEAD]) or "<a " in text:
        html = parse_html(text, budget, limits, report, where)
        yield from html_urls(html, limits, report)
        yield from text_urls(html.text, limits)
        yield from code_urls(text, limits, report)
    else:
        budget.characters -= len(text)
    yield from text_urls(text, limits)
    if ":\\/\\/" in text:  # JSON (RFC 8259 7)
        yield from text_urls(text.replace("\\/", "/"), limits)
    if "hyperlink(" in text[:_FORMULAS].lower():
        yield from code_urls(text, limits, report)  # a formula joins its address as code does
    for found in _SETTING.finditer(text):
        yield from urls_of(Link(found[1].strip().strip('"'), "", "a"), None, limits, report)


def suffix_of(name: str) -> str:
    """A file name's last extension, lower-cased."""
    return name.rpartition(".")[2].strip(" .").lower()


def is_page_name(name: str) -> bool:
    """Whether a browser opens a file of this name, whatever is in it."""
    return suffix_of(name) in _MARKUP_SUFFIXES


def may_be_legible(head: bytes, name: str) -> bool:
    """Whether a file may be text by its first octets, or is taken for a web page by its name."""
    return is_page_name(name) or bool(legible(head, len(head)))


def legible(octets: bytes, most: int, *, forced: bool = False) -> str:
    """A file's characters, at most `most`, if it is text of some kind; else ''. `forced`: whatever it is."""
    head = octets[:_HEAD]
    for mark, codec in _BOMS.items():
        if head.startswith(mark):
            return octets[: 4 * most].decode(codec, "replace").lstrip("\ufeff")[:most]
    if head[1:2] == b"\0" and _UTF16.match(head):
        return octets[: 2 * most].decode("utf-16-le", "replace")[:most]
    if forced:
        return guess(octets[:most].replace(b"\0", b""))
    if not head or len(head) - len(head.translate(None, _CONTROL)) > _MOST_CONTROL * len(head):
        return ""
    return guess(octets[:most])


def _rtf_octets(found: re.Match[str]) -> str:
    return bytes.fromhex(found[0].replace("\\'", "")).decode("cp1252", "replace")


def _rtf_character(found: re.Match[str]) -> str:
    number = int(found[1]) & 0xFFFF
    return chr(number) if not 0xD800 <= number < 0xE000 else "\ufffd"
