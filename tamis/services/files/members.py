"""A file within a file."""

from __future__ import annotations

from typing import NamedTuple


class Member(NamedTuple):
    """A name as it is written there ('' if there is none), and the content.

    `whole` is false when a bound cut it; `is_body` is true for what is read as a message's text, which is no file.
    """

    name: str
    octets: bytes
    whole: bool = True
    is_body: bool = False
