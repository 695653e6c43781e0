"""Characters that nobody sees: the one table, for host names, texts, rules and the model's words.

After Unicode's Default_Ignorable_Code_Point (DerivedCoreProperties.txt), with what programs show as nothing although
it is not among them. Each constant is the inside of a character class.
"""

from __future__ import annotations

import re

CONTROLS = "\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f"
"""Controls that are no white space."""
VARIATIONS = "\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef"
"""Variation selectors: honest behind an emoji or a sinogram."""
IGNORED = (
    "\u00ad\u034f\u061c\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"
)
"""Soft hyphens, joiners, steering of direction, tags and the like; U+FFF9 to U+FFFB annotate between lines."""
DIRECTION = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
"""Of these, what steers the direction of writing: honest in Hebrew and Arabic (Unicode Annex 9)."""
NONCHARACTERS = "\ufdd0-\ufdef" + "".join(
    f"{chr(plane << 16 | 0xFFFE)}{chr(plane << 16 | 0xFFFF)}" for plane in range(17)
)
"""What Unicode never gives to a character (Unicode 23.7): browsers leave it out."""
BLANK = "\u115f\u1160\u2800\u3164\uffa0\U00016fe4\U0001d159"
"""Characters that show as a blank, or as nothing: fonts differ."""

INVISIBLE = CONTROLS + VARIATIONS + IGNORED + NONCHARACTERS
"""All that shows as nothing, without BLANK."""

_FORMAT = re.compile(f"[{VARIATIONS}{IGNORED}]")


def is_invisible(character: str) -> bool:
    """Whether a character, no control, has no shape and no width of its own."""
    return _FORMAT.match(character) is not None


def without_invisible(text: str) -> str:
    """A text without the characters, controls aside, that nobody sees."""
    return text if text.isascii() else _FORMAT.sub("", text)
