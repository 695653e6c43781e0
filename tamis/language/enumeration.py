"""Several things in one sentence."""

from __future__ import annotations

from collections.abc import Sequence

from tamis.language.display_text import plain
from tamis.language.translation import translations

_MOST_SHOWN = 5
_MOST_ADDRESS = 100


def listed(people: Sequence[str], language: str) -> str:
    """Addresses as a sentence names them: "a, b and c"; the first five of more, and how many others."""
    words = translations(language)
    shown = [plain(one, _MOST_ADDRESS) for one in people[:_MOST_SHOWN]]
    more = len(people) - len(shown)
    if more > 0:
        last = words.ngettext("{number} other", "{number} others", more).format(number=more)
    elif len(shown) > 1:
        last = shown.pop()
    else:
        return "".join(shown)
    return words.gettext("{some} and {others}").format(some=", ".join(shown), others=last)
