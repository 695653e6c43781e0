"""How the letters of a message divide over the scripts."""

from __future__ import annotations

import string
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, fields

_NOT_LETTERS = bytes(octet for octet in range(256) if chr(octet) not in string.ascii_letters)

# First code point of each run and its script (Unicode 15 blocks); a letter in no named run is "other".
_RUNS: tuple[tuple[int, str], ...] = (
    (0x0000, "latin"),
    (0x02B0, "other"),
    (0x0370, "greek"),
    (0x0400, "cyrillic"),
    (0x0530, "other"),
    (0x0590, "hebrew"),
    (0x0600, "arabic"),
    (0x0700, "other"),
    (0x0750, "arabic"),
    (0x0780, "other"),
    (0x0870, "arabic"),
    (0x0900, "other"),
    (0x0E00, "thai"),
    (0x0E80, "other"),
    (0x1100, "hangul"),
    (0x1200, "other"),
    (0x1C80, "cyrillic"),
    (0x1C90, "other"),
    (0x1D00, "latin"),
    (0x1D26, "other"),
    (0x1E00, "latin"),
    (0x1F00, "greek"),
    (0x2000, "other"),
    (0x212A, "latin"),
    (0x212C, "other"),
    (0x2C60, "latin"),
    (0x2C80, "other"),
    (0x2DE0, "cyrillic"),
    (0x2E00, "other"),
    (0x2E80, "han"),
    (0x2FE0, "other"),
    (0x3005, "han"),
    (0x3008, "other"),
    (0x3041, "hiragana"),
    (0x30A0, "katakana"),
    (0x3100, "other"),
    (0x3130, "hangul"),
    (0x3190, "other"),
    (0x31F0, "katakana"),
    (0x3200, "other"),
    (0x3400, "han"),
    (0x4DC0, "other"),
    (0x4E00, "han"),
    (0xA000, "other"),
    (0xA640, "cyrillic"),
    (0xA6A0, "other"),
    (0xA722, "latin"),
    (0xA800, "other"),
    (0xA960, "hangul"),
    (0xA980, "other"),
    (0xAB30, "latin"),
    (0xAB70, "other"),
    (0xAC00, "hangul"),
    (0xD800, "other"),
    (0xF900, "han"),
    (0xFB00, "latin"),
    (0xFB13, "other"),
    (0xFB1D, "hebrew"),
    (0xFB50, "arabic"),
    (0xFE00, "other"),
    (0xFE70, "arabic"),
    (0xFF00, "other"),
    (0xFF21, "latin"),
    (0xFF5B, "other"),
    (0xFF66, "katakana"),
    (0xFFA0, "hangul"),
    (0xFFE0, "other"),
    (0x1B000, "katakana"),
    (0x1B001, "hiragana"),
    (0x1B150, "other"),
    (0x20000, "han"),
    (0x323B0, "other"),
)
_STARTS = [start for start, _ in _RUNS]
_SCRIPTS = [script for _, script in _RUNS]


@dataclass(frozen=True, slots=True)
class Scripts:
    """Counts of letters by script; what is no letter (digits, marks, punctuation) does not count."""

    latin: int = 0
    cyrillic: int = 0
    han: int = 0
    hiragana: int = 0
    katakana: int = 0
    hangul: int = 0
    greek: int = 0
    arabic: int = 0
    hebrew: int = 0
    thai: int = 0
    other: int = 0

    @property
    def letters(self) -> int:
        """All letters, of whatever script."""
        return sum(getattr(self, field.name) for field in fields(self))

    def share(self, script: str) -> float:
        """The share of a script in all letters, 0 to 1; 0 when there are no letters.

        Raises ``ValueError`` for a script that is not counted.
        """
        if script not in self.__slots__:
            raise ValueError(f"{script}: no such script, only {', '.join(self.__slots__)}")
        letters = self.letters
        return int(getattr(self, script)) / letters if letters else 0.0


def count_scripts(text: str) -> Scripts:
    """Count the letters of ``text`` by script, in linear time; ASCII takes a fast path."""
    latin = len(text.encode("ascii", "ignore").translate(None, _NOT_LETTERS))
    if text.isascii():
        return Scripts(latin=latin)
    counts: Counter[str] = Counter()
    for character, number in Counter(text).items():
        if character > "\x7f" and character.isalpha():
            counts[_SCRIPTS[bisect_right(_STARTS, ord(character)) - 1]] += number
    counts["latin"] += latin
    return Scripts(**counts)
