"""Whether something rare stands in markup: a plain word is looked for first, its pattern only where the word is there.

One pattern with many alternatives that don't begin alike is tried at each character, which costs ten times as much.
"""

from __future__ import annotations

import re
from collections.abc import Sequence


class Hints:
    """Pairs of a word in lower case and the pattern that begins with it; the case of letters does not matter."""

    def __init__(self, hints: Sequence[tuple[str, str]]) -> None:
        self._hints = [(word, re.compile(pattern)) for word, pattern in hints]
        self._whole = re.compile("|".join(pattern for _, pattern in hints), re.IGNORECASE)

    def are_in(self, text: str) -> bool:
        """Whether one of the patterns is in a text."""
        if not text.isascii():  # four letters beyond ASCII are letters of it when case does not matter
            return self._whole.search(text) is not None
        low = text.lower()
        return any(word in low and pattern.search(low) is not None for word, pattern in self._hints)
