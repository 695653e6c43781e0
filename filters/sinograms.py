"""S30: written in Chinese characters."""

from __future__ import annotations

from typing import Literal

from pydantic import Field as Option

from tamis.filters.shared.writing import ScriptOptions, Writing
from tamis.language.translation import marked


class SinogramsOptions(ScriptOptions):
    """Adds which scripts count beside Han."""

    also: tuple[Literal["hiragana", "katakana", "hangul"], ...] = Option(
        ("hiragana", "katakana", "hangul"), description="scripts that count together with Han"
    )


class Sinograms(Writing[SinogramsOptions]):
    """Takes a message for spam when it is written in Han characters. Off by default.

    Japanese kana and Korean hangul count too unless `also` leaves them out. The share is of all letters of subject
    and text; a link to an internationalised host name in these scripts alone is a hit.
    """

    name = "sinograms"
    spec_id = "S30"
    summary = "written in Han, kana or hangul"
    plain_reason = marked("it is written in Chinese, Japanese or Korean characters")
    options = SinogramsOptions
    scripts = ("han", "hiragana", "katakana", "hangul")

    def wanted(self, options: ScriptOptions) -> tuple[str, ...]:
        """Han, and what `also` names."""
        return ("han", *options.also) if isinstance(options, SinogramsOptions) else ("han",)
