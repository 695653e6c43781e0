"""Who wrote a message: every mailbox that a reader's program could show as its author."""

from __future__ import annotations

from collections.abc import Sequence

from tamis.message.mail.defects import DefectKind, DefectReport
from tamis.message.mail.headers import HeaderField
from tamis.message.mail.mailboxes import ANY_AT, Address
from tamis.message.mail.sampling import Chance, sampled

MOST_AUTHORS = 10
"""Authors of a message that others are asked about. Beyond: `too_many_authors`, and a choice that nobody foresees."""


def some_of(authors: Sequence[Address], random: Chance) -> tuple[Address, ...]:
    """All authors with an address or, of more than MOST_AUTHORS, the first, the last and others by lot."""
    return tuple(sampled([one for one in authors if one.address], MOST_AUTHORS, random, sure=1))


def check_authors(fields: Sequence[HeaderField], found: Sequence[Address], report: DefectReport) -> None:
    """Report From fields that name somebody whom nobody can check, or more authors than are checked."""
    named = [one for one in found if one.address]
    if len(named) > MOST_AUTHORS:
        report.add(DefectKind.TOO_MANY_AUTHORS, len(named), "from")
    shown = {one.display for one in named if one.is_usable and one.display}
    unusable = (one for one in named if not one.is_usable)
    bad = next((one.address for one in unusable if one.display not in shown or not _is_word(one.domain)), "")
    if not named:
        bad = next((field.value for field in fields if not ANY_AT.isdisjoint(field.value)), "")
    if bad:
        report.add(DefectKind.UNUSABLE_AUTHOR, bad, "from")


def _is_word(domain: str) -> bool:
    """Whether it is a name without a dot, nobody's domain: beside an address ("Anna @ Work") it is prose."""
    return domain.isascii() and domain.replace("-", "").isalnum()
