"""Expressions of rspamd's regexp module: patterns with the place they look at, and logic over them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from tamis.importing.perl_patterns import NoPatternError, parsed

_TYPES = MappingProxyType(
    {
        "b": "text", "m": "text", "p": "text", "c": "text", "d": "text", "mime": "text", "body": "text",
        "sa_body": "text", "sa_raw_body": "written", "raw_mime": "html", "r": "html", "s": "text",
        "u": "urls", "url": "urls", "x": "raw", "raw_body": "raw", "raw": "raw", "a": "headers",
        "all_header": "headers", "words": "text", "stem_words": "text",
    }
)  # fmt: skip
"""Where a pattern of the regexp module looks, by its flag."""


@dataclass(slots=True)
class Formula:
    """An expression of the regexp module: its patterns, and the logic over P0, P1, …"""

    patterns: list[str] = field(default_factory=list)
    logic: str = ""


_PIECE = re.compile(r"((?:[\w-]+\s*=\s*)?/(?:[^/\\]|\\.)*/[A-Za-z]*(?:\{[\w:,]+\})?)")


def formula(text: str) -> Formula:
    """Take an expression apart. Raises NoPatternError."""
    parts = Formula()
    pieces = _PIECE.split(text)
    if len(pieces) < 3 or len(pieces) > 100:
        raise NoPatternError("no pattern between slashes")
    for number, piece in enumerate(pieces):
        if number % 2:
            parts.logic += f"P{len(parts.patterns)}"
            parts.patterns.append(piece)
        else:
            parts.logic += piece
    parts.logic = parts.logic.strip()
    return parts


def pattern_keys(text: str) -> dict[str, Any]:
    """`Header=/re/flags` or `/re/flags{type}` as a rule's keys. Raises NoPatternError."""
    found = re.fullmatch(r"(?:([\w-]+)\s*=\s*)?(/.*/)([A-Za-z]*)(?:\{([\w:,]+)\})?", text, re.DOTALL)
    if found is None:
        raise NoPatternError("a pattern that is not understood")
    header, body, letters, kind = found[1], found[2], found[3], (found[4] or "").lower()
    flags = "".join(one for one in letters if one in "imsx")
    kinds = [one.lower() for one in letters if one not in "imsxugOoLl"]
    pattern = parsed(body + flags)
    if header:
        where = f"header:{header.lower()}"
    elif kind in ("header", "mime_header", "raw_header") or (kind or (kinds or ["b"])[0]) not in _TYPES:
        raise NoPatternError(f"no rule here looks at {kind or kinds[0]}")
    else:
        where = _TYPES[kind or (kinds or ["b"])[0]]
    return {"match": [pattern.text], "where": [where], "ignore_case": pattern.ignore_case}
