"""Rights as a condition of SQL: no page filters rows after it has read them."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, false, not_, or_, true
from sqlalchemy.orm import InstrumentedAttribute

from tamis.message.address import PLATFORM
from tamis.people.rights import Locks, Reach


def seen(
    reach: Reach, mailbox: InstrumentedAttribute[str], domain: InstrumentedAttribute[str]
) -> ColumnElement[bool]:
    """The rows that somebody may see: as `Reach.covers`, for each row's mailbox and its domain."""
    named: list[ColumnElement[bool]] = []
    mailboxes = sorted(one for one in reach.scopes if "@" in one)
    if mailboxes:
        named.append(mailbox.in_(mailboxes))
    domains = sorted(one for one in reach.scopes if "@" not in one and one != PLATFORM)
    if PLATFORM in reach.scopes:
        named = [true()]
    elif domains:
        named.append(domain.in_(domains))
    granted = and_(or_(false(), *named), not_(_closed(reach.closed, mailbox, domain)))
    return or_(granted, mailbox == reach.own) if reach.own else granted


def _closed(
    locks: Locks, mailbox: InstrumentedAttribute[str], domain: InstrumentedAttribute[str]
) -> ColumnElement[bool]:
    """Whether the nearest scope that says something of it says that the row's mailbox is locked."""

    def by(column: InstrumentedAttribute[str], names: list[str]) -> ColumnElement[bool]:
        return column.in_(names) if names else false()

    said = locks.said
    boxes = [one for one in said if "@" in one]
    domains = [one for one in said if "@" not in one and one != PLATFORM]
    at_mailbox = by(mailbox, sorted(one for one in boxes if said[one]))
    at_domain = by(domain, sorted(one for one in domains if said[one]))
    silent_mailbox = not_(by(mailbox, sorted(boxes)))
    if not said.get(PLATFORM, False):
        return or_(at_mailbox, and_(silent_mailbox, at_domain))
    silent_domain = not_(by(domain, sorted(domains)))
    return or_(at_mailbox, and_(silent_mailbox, or_(at_domain, silent_domain)))
