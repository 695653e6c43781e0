"""Numbers of rows, days and places as they stand in addresses and forms, where anybody can write anything."""

from __future__ import annotations

MOST_DIGITS = 18
"""Digits of a number that databases can hold; beyond: it is no number of ours."""


def typed_number(text: str, *, most: int = 10**MOST_DIGITS - 1) -> int | None:
    """The number from 0 to `most` that a text is, in ASCII digits alone; None for any other text."""
    is_number = text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS
    return int(text) if is_number and int(text) <= most else None
