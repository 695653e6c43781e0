"""What the other filters made of a message when it came, read from the trace header it was delivered with.

Such headers are removed from what arrives, so one in stored mail is our own; other programs' of the same name have
another form. Mail that was not delivered by Tamis has none: nothing is known then.
"""

from __future__ import annotations

import re
from typing import Final

from tamis.message.mail import Mail

MOST: Final = 50.0
"""Points for either side that are taken in. Beyond: as many."""
_MOST_TESTS = 200  # filters that spoke; beyond: nothing is known
_STATUS = re.compile(
    r"(?:Yes|No), score=-?\d{1,6}\.\d required=\d{1,6}\.\d tests=([a-z0-9_=.,()+-]{1,900})(?: decided=\w{1,80})?"
)
_ONE = re.compile(r"([a-z0-9_]{1,80})=(?:(-?\d{1,6}(?:\.\d{1,6})?)|[a-z]{1,20})(\(shadow\))?")
_OURS = "statistics"


def points_beside(mail: Mail, prefix: str) -> float | None:
    """The points of all filters but this one; None where nothing is known.

    `prefix` is what our own headers' names begin with.
    """
    name = f"{prefix}Status".lower()
    values = [one.value for one in mail.headers if one.name == name][:2]
    found = _STATUS.fullmatch(" ".join(values[0].split())) if len(values) == 1 else None
    if found is None:
        return None
    if found[1] == "none":
        return 0.0
    tests = found[1].split(",", _MOST_TESTS)
    told = [_ONE.fullmatch(test) for test in tests]
    if len(tests) > _MOST_TESTS or None in told:
        return None
    points = sum(float(one[2]) for one in told if one and one[2] and not one[3] and one[1] != _OURS)
    return max(-MOST, min(MOST, points))
