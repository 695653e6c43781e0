"""Name and address of a decoded address field, for showing it and for acting on who it names."""

from __future__ import annotations

from email.utils import parseaddr

_MARKS = "(:"
_NESTED = 20
"""Comments, or groups, that one field may begin. Beyond: their signs count as blanks: the standard library's parser
goes one call deeper for each, and nobody writes so many."""


def shown_mailbox(value: str) -> tuple[str, str]:
    """The first mailbox of an address field: its name and its address, '' for what is not there. Never raises."""
    for mark in _MARKS:
        if value.count(mark) > _NESTED:
            value = value.replace(mark, " ")
    return parseaddr(value)
