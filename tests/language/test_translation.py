"""The reader's language."""

from __future__ import annotations

import pytest

from tamis.language.translation import LANGUAGES, accepted, translations


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("fr", "fr"),
        ("fr-CA,fr;q=0.8,en;q=0.5", "fr"),
        ("en;q=0.3, fr;q=0.9", "fr"),
        ("de, es;q=0.9", "en"),
        ("fr;q=0", "en"),
        ("fr;q=nonsense, en", "en"),
        (",;=,\x00" * 1000, "en"),
    ],
)
def test_the_best_language_that_we_speak(header: str, language: str) -> None:
    assert accepted(header) == language


def test_every_language_has_its_translations() -> None:
    for language in LANGUAGES:
        assert translations(language).gettext("not a sentence of ours") == "not a sentence of ours"
    assert translations("fr") is translations("fr")
