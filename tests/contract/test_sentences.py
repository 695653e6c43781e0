"""What judging said is said again in another language, and nothing else is taken for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.contract.sentences import BLACKLISTED_SENDER, ON_LISTS, SENTENCES, TESTED, TOTAL, retold
from tamis.language.translation import translations

FRENCH = translations("fr").gettext


@pytest.mark.parametrize(
    ("text", "french"),
    [
        (
            ON_LISTS(subject="192.0.2.7", listed=2, answered=5, zones="a.example, b.example"),
            "192.0.2.7 figure sur des listes (2 sur 5 qui ont répondu)\u00a0: a.example, b.example",
        ),
        (TOTAL(total="9.5", required="7.5"), "le total de 9.5 atteint la limite de 7.5"),
        (
            BLACKLISTED_SENDER(pattern="{0.__class__} %(x)s"),
            "adresse sur la liste noire ({0.__class__} %(x)s)",
        ),
        ("not on the list", "pas sur la liste"),
        ("nobody said this", "nobody said this"),
        ("", ""),
    ],
)
def test_said_again(text: str, french: str) -> None:
    assert retold(text, FRENCH) == french
    assert retold(text, str) == text


def test_every_sentence_recognises_itself_alone() -> None:
    for sentence in SENTENCES:
        text = sentence.english.replace("{", "").replace("}", "")
        facts = dict.fromkeys(("subject", "listed", "answered", "zones", "seen", "window", "marks"), "7")
        facts |= dict.fromkeys(("fingerprint", "pattern", "total", "required"), "7")
        facts |= {"asked": "junk", "decided_by": "empty", "because": "no sentence of ours"}
        filled = sentence(**facts)
        assert [one for one in SENTENCES if one.read(filled) is not None] == [sentence], text


@given(st.text(max_size=3000))
def test_any_text_is_shown_as_it_is(text: str) -> None:
    assert retold(text, str) == text


def test_a_sentence_within_a_sentence_is_told_in_the_language_too() -> None:
    told = TESTED(asked="tag", decided_by="score", because=TOTAL(total="9.0", required="7.5"))
    decided = "le total de 9.0 atteint la limite de 7.5"
    assert retold(told, FRENCH) == (
        f"une chaîne de test demande «\u00a0tag\u00a0», et sans elle score décide\u00a0: {decided}"
    )
