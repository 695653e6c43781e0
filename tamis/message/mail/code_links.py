"""Addresses in scripts: as they stand there, and behind the usual ways of writing them so that nobody sees them."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from urllib.parse import unquote

from tamis.message.domains import is_top_level
from tamis.message.mail.defects import DefectKind, DefectReport
from tamis.message.mail.limits import Limits
from tamis.message.mail.sampling import MessageChance, text_excerpt
from tamis.message.mail.urls import Url, host_of, text_urls
from tamis.message.mail.written_links import as_link, plain

CHARACTERS = 262_144
"""Characters of code that are looked at in one place; what is decoded from it counts anew. Beyond: its beginning, its
end and a piece by lot; `script_truncated`."""

_DEPTH = 3  # layers of coding that are undone; beyond: not undone, `script_truncated`
_TOKENS = 40  # coded pieces of one script that are decoded; beyond: by lot, `script_truncated`
_TOKENS_TRIED = 2000  # words of one script that may be coded; beyond: by lot, `script_truncated`
_URLS = 200  # URLs of one script; beyond: left out, `script_truncated`
_JOINED = re.compile(
    r"[\"'`]\s{0,99}(?:[+&]|\)?\.concat\()\s{0,99}[\"'`]|\$\{\s{0,9}[\"'`]|[\"'`]\s{0,9}\}(?=[^\"'`]{0,200}`)"
)
_QUOTES = str.maketrans("\"'`", "   ")
_LISTED = re.compile(r"[\"'`]\s{0,99},\s{0,99}[\"'`]")
_ESCAPE = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]{1,6})\}|([0-3]?[0-7]{2})|(\\?/))"
)
_WIDE_ESCAPE = re.compile(r"%u([0-9a-fA-F]{4})")  # of unescape() (ECMA-262 B.2.1.2)
_TAKEN_OUT = re.compile(
    r"[\"'`]([^\"'`\n]{8,2000})[\"'`]\s{0,9}\.replace(?:All)?\(\s{0,9}(?:/([^/\n]{1,8})/[gi]{0,2}|[\"'`]([^\"'`\n]{1,8})[\"'`])"
    r"\s{0,9},\s{0,9}[\"'`]{2}"
)
_HOST = re.compile(
    r"[\"'`{]((?:[a-z0-9-]{1,63}\.){1,6}([a-z]{2,18}))(?:[/?#:][^\"'`\n]{0,2000})?[\"'`}]", re.IGNORECASE
)
"""A string that is a host: code puts the scheme before it in many ways."""
_ROT_13 = str.maketrans(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
    "NOPQRSTUVWXYZABCDEFGHIJKLMnopqrstuvwxyzabcdefghijklm",
)
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{12,}={0,2}")
_CODES = re.compile(
    r"(?:(?:0x[0-9a-f]{1,4}|[0-9]{2,5})\s{0,9},\s{0,9}){7,}(?:0x[0-9a-f]{1,4}|[0-9]{2,5})", re.IGNORECASE
)
_COMMA = re.compile(r"\s*,\s*")
_HEX = re.compile(r"(?:%?[0-9a-fA-F]{2}){10,}")
_GOES = re.compile(
    r"(?:location|href|window\.open|\.replace|\.assign|\.src|\.action)\s{0,9}[=(:,\s]{1,9}[\"'`]([^\"'`]{4,2048})",
    re.IGNORECASE,
)


def code_urls(code: str, limits: Limits, report: DefectReport) -> Iterator[Url]:
    """The addresses in code, each once, of source "script"; bounded in number, and in what is decoded."""
    lots = MessageChance(code[:CHARACTERS].encode("utf-8", "replace"), "code")
    if len(code) > CHARACTERS:
        report.add(DefectKind.SCRIPT_TRUNCATED, len(code))
        code = text_excerpt(code, CHARACTERS, lots)
    seen: set[str] = set()
    for url in _every_url(code, limits, lots, report):
        if url.raw in seen:
            continue
        if len(seen) >= _URLS:
            report.add(DefectKind.SCRIPT_TRUNCATED, _URLS)
            return
        seen.add(url.raw)
        yield Url(url.raw, url.scheme, url.host, "script")


def _every_url(code: str, limits: Limits, lots: MessageChance, report: DefectReport) -> Iterator[Url]:
    for text in _readings(code, _DEPTH, lots, report):
        yield from text_urls(text.translate(_QUOTES), limits)
        for found in _some(_HOST, text, lots, report):
            if is_top_level(found[2].lower()) and as_link(found[0][1:-1]):
                yield Url(found[0][1:-1], "http", host_of(found[1]), "script")
        for found in _some(_GOES, text, lots, report):
            address = as_link(found[1])
            if address and not found[1].lower().startswith("http"):
                yield from text_urls(address, limits)


def _some(
    pattern: re.Pattern[str], text: str, lots: MessageChance, report: DefectReport, most: int = _TOKENS
) -> Sequence[re.Match[str]]:
    """All matches of a few, in their order; of many some by lot."""
    found = list(pattern.finditer(text))
    if len(found) <= most:
        return found
    report.add(DefectKind.SCRIPT_TRUNCATED, len(found))
    return lots.sample(found, most)


def _readings(code: str, depth: int, lots: MessageChance, report: DefectReport) -> Iterator[str]:
    """Code as it stands, and what its strings stand for."""
    yield code
    if depth == 0:
        if any(True for _ in _hidden(code, lots, report)):
            report.add(DefectKind.SCRIPT_TRUNCATED, _DEPTH)
        return
    text = code
    if "\\" in text:
        text = _ESCAPE.sub(_character, text)
    text = _JOINED.sub("", text)
    if "&" in text:
        text = html.unescape(text)
    if text != code:
        yield text
    if "%u" in text:
        yield _WIDE_ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
    for found in _some(_TAKEN_OUT, text, lots, report) if ".replace" in text else ():
        yield found[1].replace((found[2] or found[3]).removeprefix("\\"), "")
    if "uggc" in text:
        yield text.translate(_ROT_13)
    if ".join(" in text or ".concat(" in code:
        yield _LISTED.sub("", text)
    if "%" in text and (decoded := unquote(text)) != text:
        yield from _readings(decoded, depth - 1, lots, report)
    if "ptth" in text:
        yield text[::-1]
    for piece in _hidden(text, lots, report):
        yield from _readings(piece[:CHARACTERS], depth - 1, lots, report)


def _hidden(text: str, lots: MessageChance, report: DefectReport) -> Iterator[str]:
    """Strings in base64, hexadecimal numbers or character codes."""
    tokens = _some(_BASE64, text, lots, report, _TOKENS_TRIED)
    decoded = [told for found in tokens if (told := decoded_text(found[0]))]
    if len(decoded) > _TOKENS:
        report.add(DefectKind.SCRIPT_TRUNCATED, len(decoded))
        decoded = lots.sample(decoded, _TOKENS)
    yield from decoded
    for found in _some(_CODES, text, lots, report):
        numbers = (int(one, 16 if one[1:2] in "xX" and one[1:] else 10) for one in _COMMA.split(found[0]))
        yield "".join(chr(number) if 0 < number < 0xD800 else " " for number in numbers)
    for found in _some(_HEX, text, lots, report):
        digits = found[0].replace("%", "")
        yield bytes.fromhex(digits[: len(digits) // 2 * 2]).decode("utf-8", "replace")


def decoded_text(token: str) -> str:
    """Text in base64, of several lines too; '' when it is none."""
    for cut in range(4):  # letters around it may be taken for a part of it
        if text := plain(token[cut:], lines=True):
            return text
    return ""


def _character(match: re.Match[str]) -> str:
    if match[5]:
        return "/"
    number = int(match[4], 8) if match[4] else int(match[1] or match[2] or match[3], 16)
    return chr(number) if 0 < number < 0x110000 and not 0xD800 <= number < 0xE000 else "\ufffd"
