"""The text of RTF (Rich Text Format 1.9.1) as its readers show it: without control words, pieces joined. Linear."""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"\\([a-zA-Z]{1,32})(-?[0-9]{1,10})? ?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z])|([{}])|([^\\{}]+)|(\\)",
    re.DOTALL,
)
_BREAKS = {"par": "\n", "line": "\n", "sect": "\n", "page": "\n", "row": "\n", "cell": "\t", "tab": "\t"}
_SIGNS = {
    "lquote": "\u2018",
    "rquote": "\u2019",
    "ldblquote": "\u201c",
    "rdblquote": "\u201d",
    "emdash": "\u2014",
    "endash": "\u2013",
    "bullet": "\u2022",
    "emspace": " ",
    "enspace": " ",
}
# Destinations that hold no text of the document.
_UNSHOWN = frozenset(
    {"fonttbl", "colortbl", "stylesheet", "info", "pict", "object", "themedata", "datastore"}
)


def rtf_text(source: str) -> str:
    """What a reader sees; '' for what is no RTF. Hidden text and ignorable destinations are left out."""
    if not source.lstrip()[:5].startswith("{\\rt"):
        return ""
    pieces: list[str] = []
    hidden = [False]
    skip = 0  # characters that stand for the one before, for readers without Unicode
    width = 1
    for token in _TOKEN.finditer(source):
        word, number, octet, sign, brace, text, _ = token.groups()
        if brace == "{":
            hidden.append(hidden[-1])
        elif brace == "}":
            if len(hidden) > 1:
                hidden.pop()
        elif word in _UNSHOWN or sign == "*":
            hidden[-1] = True
        elif word == "v":
            hidden[-1] = number != "0"
        elif word == "uc":
            width = min(int(number or 1), 9)
        elif hidden[-1]:
            continue
        elif word == "u" and number:
            code = int(number) & 0xFFFF
            pieces.append(chr(code) if not 0xD800 <= code < 0xE000 else "\ufffd")
            skip = width
        elif word:
            pieces.append(_BREAKS.get(word) or _SIGNS.get(word, ""))
        elif octet:
            pieces.append("" if skip else bytes([int(octet, 16)]).decode("cp1252", "replace"))
            skip = max(0, skip - 1)
        elif sign:
            pieces.append({"~": "\u00a0", "_": "-", "-": "", "\n": "\n", "\r": "\n"}.get(sign, sign))
        elif text:
            shown = text.replace("\r", "").replace("\n", "")
            pieces.append(shown[skip:])
            skip = max(0, skip - len(shown))
    return "".join(pieces)
