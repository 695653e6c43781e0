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
    if not reach.own or _is_granted(reach):
        return granted
    return or_(granted, mailbox == reach.own)


def _is_granted(reach: Reach) -> bool:
    """Whether the own mailbox is seen anyway: an "or" less, for which no index is in order."""
    return Reach(reach.scopes, "", reach.closed).covers(reach.own)


def seen_scopes(reach: Reach, scope: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """The rows that somebody may see of what stands in scopes itself: entries, settings. What stands in a mailbox
    belongs to its domain as well, what stands above the granted scopes is not seen."""

    def below(domain: str) -> ColumnElement[bool]:
        return scope.endswith(f"@{domain}", autoescape=True)

    named: list[ColumnElement[bool]] = [true()] if PLATFORM in reach.scopes else []
    if not named and reach.scopes:
        domains = sorted(one for one in reach.scopes if "@" not in one)
        named = [scope.in_(sorted(reach.scopes)), *map(below, domains)]
    said = reach.closed.said
    closed = sorted(one for one in said if "@" in one and said[one])
    silent = not_(scope.in_(sorted(one for one in said if "@" in one)))
    of_domain = [below(one) for one in sorted(said) if "@" not in one and one != PLATFORM and said[one]]
    if said.get(PLATFORM, False):
        opened = [below(one) for one in sorted(said) if "@" not in one and one != PLATFORM and not said[one]]
        of_domain = [and_(scope.contains("@"), not_(or_(false(), *opened)))]
    locked = or_(scope.in_(closed), and_(silent, or_(false(), *of_domain)))
    granted = and_(or_(false(), *named), not_(locked))
    return or_(granted, scope == reach.own) if reach.own else granted


def seen_domains(reach: Reach, domain: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """The rows that somebody may see of what belongs to whole domains."""
    return true() if PLATFORM in reach.scopes else domain.in_(sorted(reach.scopes))


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
