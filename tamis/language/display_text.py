"""What strangers wrote, made harmless for showing: no control, no turning of direction, nothing that breaks a line."""

from __future__ import annotations

import re
import unicodedata

from tamis.language.shown_mailbox import shown_mailbox

_MOST_MARKS = 2  # combining marks on one letter: enough for every language, too few to cover the line above
_REPLACED = "\ufffd"
_LINES = re.compile(r"\r\n?|\u2028|\u2029|\x85")


def plain(text: str, limit: int = 300) -> str:
    """One line that can do nothing where it is shown, at most `limit` characters: whatever has no place in it is a
    blank, and what turns the direction of writing is taken out."""
    shown = " ".join(_tamed(text[: 4 * limit], " ").split())
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def named(header_from: str, sender: str) -> tuple[str, str]:
    """Name and address of who is shown as sender, plain; "" for what is not known."""
    shown = plain(header_from, 400)
    name, address = shown_mailbox(shown)
    if "@" not in address:
        return (shown[:160], plain(sender, 160))
    return plain(name, 160), plain(address, 160)


def plain_lines(text: str, limit: int) -> str:
    """Several lines, as they came."""
    return _tamed(_LINES.sub("\n", text[:limit]), _REPLACED, keep="\n\t")


def _tamed(text: str, control: str, keep: str = "") -> str:
    kept: list[str] = []
    marks = 0
    for letter in text:
        kind = unicodedata.category(letter)
        marks = marks + 1 if kind in ("Mn", "Me") else 0
        if letter in keep:
            kept.append(letter)
        elif kind in ("Cc", "Cn", "Co", "Zl", "Zp"):
            kept.append(control)
        elif kind == "Cs":
            kept.append(_REPLACED)
        elif kind != "Cf" and marks <= _MOST_MARKS:
            kept.append(letter)
    return "".join(kept)
