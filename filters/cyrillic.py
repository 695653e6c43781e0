"""S29: written in Cyrillic."""

from __future__ import annotations

from tamis.filters.shared.writing import ScriptOptions, Writing
from tamis.language.translation import marked


class Cyrillic(Writing[ScriptOptions]):
    """Takes a message for spam when it is written in Cyrillic script. Off by default.

    The share of Cyrillic letters in subject and text counts, not a single letter; a link to an internationalised
    host name in Cyrillic alone is a hit.
    """

    name = "cyrillic"
    spec_id = "S29"
    summary = "written in Cyrillic script"
    plain_reason = marked("it is written in Cyrillic letters")
    scripts = ("cyrillic",)
