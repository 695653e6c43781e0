"""A file within a file."""

from __future__ import annotations

from typing import NamedTuple


class Member(NamedTuple):
    """A name as it is written there ('' if there is none), and the content; `whole` is false when a bound cut it."""

    name: str
    octets: bytes
    whole: bool = True
