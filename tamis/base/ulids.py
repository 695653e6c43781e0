"""ULIDs: ids that sort by time, 128 bits in 26 characters of Crockford's base 32."""

from __future__ import annotations

DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH, OCTETS = 26, 16
_VALUES = {digit: value for value, digit in enumerate(DIGITS)}


def ulid_text(octets: bytes) -> str:
    """16 octets as they are written."""
    number = int.from_bytes(octets, "big")
    return "".join(DIGITS[number >> shift & 31] for shift in range(125, -1, -5))


def ulid_octets(text: str) -> bytes | None:
    """The octets of an id as `ulid_text` writes it; None for every other text."""
    if len(text) != LENGTH or not set(text) <= _VALUES.keys() or text[0] > "7":  # 130 bits hold 128
        return None
    number = 0
    for digit in text:
        number = number << 5 | _VALUES[digit]
    return number.to_bytes(OCTETS, "big")
