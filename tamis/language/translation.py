"""What people read is in their language: English sentences in the code, others in catalogues (locale/*.po)."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path
from types import MappingProxyType

from babel import negotiate_locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations

NAMES = MappingProxyType({"en": "English", "fr": "Français"})
"""The languages that pages and mails speak, with their own names."""

LANGUAGES = tuple(NAMES)
"""The first is the one of the code."""

CATALOGUES = Path(__file__).parents[1] / "locale"


@cache
def translations(language: str) -> Translations:
    """gettext and ngettext of one of LANGUAGES; the catalogue is read once a process, from its source."""
    path = CATALOGUES / language / "LC_MESSAGES" / "tamis.po"
    if not path.exists():
        return Translations()
    compiled = io.BytesIO()
    with path.open("rb") as source:
        write_mo(compiled, read_po(source, locale=language))
    compiled.seek(0)
    return Translations(compiled, domain="tamis")


def accepted(header: str, default: str = LANGUAGES[0]) -> str:
    """The best of LANGUAGES for an Accept-Language or Content-Language header (RFC 9110 12.5.4), else `default`."""
    wanted: list[tuple[float, int, str]] = []
    for place, part in enumerate(header[:500].split(",")):
        tag, _, parameters = part.strip().partition(";")
        name, _, value = parameters.strip().partition("=")
        try:
            quality = float(value) if name == "q" else 1.0
        except ValueError:
            continue
        if tag and 0 < quality <= 1:
            wanted.append((-quality, place, tag.strip()))
    tags = [tag for _, _, tag in sorted(wanted)]
    return negotiate_locale(tags, LANGUAGES, sep="-") or default


def marked(sentence: str) -> str:
    """The sentence itself: marks one that is translated where it is shown, for the catalogue's extraction."""
    return sentence
