"""Numbers of rows as they stand in addresses and forms, where anybody can write anything."""

from __future__ import annotations

MOST_DIGITS = 18
"""Digits of a number that databases can hold; beyond: it is no number of a row."""


def row_number(text: str) -> int | None:
    """The number that a text is, in ASCII digits alone; None for any other text."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS else None
