"""What rules measure of a message."""

from __future__ import annotations

from email.message import EmailMessage

import pytest

from tamis.message.mail import Mail
from tamis.rules.message_measures import MEASURES


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        ("P\u200ba\u200cy\u2060p\u00ada\u200bl", 5),
        ("\u202bשלום\u202c, \u2067Paul\u2069\u200f: \u202aTamis 1.0\u202c\u200e", 0),  # noqa: RUF001 # Hebrew
        ("Bonjour", 0),
    ],
    ids=["between letters", "Hebrew", "none"],
)
def test_direction_marks_are_no_invisible_characters(text: str, counted: int) -> None:
    """They are in honest letters in Hebrew and Arabic, one or two pairs a line."""
    message = EmailMessage()
    message.set_content(text)
    assert MEASURES["invisible_characters"](Mail(message.as_bytes())) == counted
