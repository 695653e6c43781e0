"""Tokens of the API: what one may do, by three things of which the smallest counts. Pure.

    maker's Holder of this moment, the token's scopes, its domains -> narrowed: the Holder that a request has

A maker who lost a right, or is suspended, takes it from the tokens as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from tamis.people.rights import Grant, Holder, Right, upwards, without_repeats

LONGEST = timedelta(days=365)
"""How long a token lasts at most."""
LONGEST_PEOPLE = timedelta(hours=24)
"""How long one lasts that changes who may do what."""
PREFIX = "tms"
"""What a token begins with, so that it is recognised where it should not stand: in a file, in a mail."""


class TokenScope(StrEnum):
    """What a token is for: a kind of objects, and whether it reads or changes them."""

    STATISTICS_READ = "statistics:read"
    HISTORY_READ = "history:read"
    HELD_READ = "held:read"
    CONTENT_READ = "content:read"
    HELD_ACT = "held:act"
    LISTS_READ = "lists:read"
    LISTS_WRITE = "lists:write"
    POLICY_READ = "policy:read"
    POLICY_WRITE = "policy:write"
    LEARN_WRITE = "learn:write"
    PLATFORM_READ = "platform:read"
    PLATFORM_WRITE = "platform:write"
    PEOPLE_ADMIN = "people:admin"


RIGHT_OF: Mapping[TokenScope, Right] = MappingProxyType(
    {
        TokenScope.STATISTICS_READ: Right.STATISTICS,
        TokenScope.HISTORY_READ: Right.HISTORY,
        TokenScope.HELD_READ: Right.HELD,
        TokenScope.CONTENT_READ: Right.CONTENT,
        TokenScope.HELD_ACT: Right.RELEASE,
        TokenScope.LISTS_READ: Right.LISTS_READ,
        TokenScope.LISTS_WRITE: Right.LISTS,
        TokenScope.POLICY_READ: Right.POLICY_READ,
        TokenScope.POLICY_WRITE: Right.POLICY,
        TokenScope.LEARN_WRITE: Right.LEARN,
        TokenScope.PLATFORM_READ: Right.PLATFORM,
        TokenScope.PLATFORM_WRITE: Right.PLATFORM,
        TokenScope.PEOPLE_ADMIN: Right.PEOPLE,
    }
)
"""The right that a scope lets a token use, where its maker has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token as the store knows it, without its secret. `maker` is a mailbox (its key), `domains` are where it counts:
    "platform", domains or mailboxes; `used_at` is exact to the minute."""

    id: str
    maker: str
    name: str
    scopes: frozenset[TokenScope]
    domains: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None


def narrowed(maker: Holder, scopes: Iterable[TokenScope], domains: Iterable[str]) -> Holder:
    """What a token may do: what its maker may, by its scopes, within its domains."""
    rights = frozenset(RIGHT_OF[scope] for scope in scopes)
    limits = tuple(domains)
    inside = maker.mailbox and any(one in upwards(maker.mailbox) for one in limits)
    return Holder(
        maker.mailbox if inside else "",
        without_repeats(
            Grant(scope, grant.rights & rights)
            for grant in maker.grants
            for limit in limits
            for scope in _both(grant.scope, limit)
            if grant.rights & rights
        ),
        maker.own & rights,
    )


def longest(scopes: Iterable[TokenScope]) -> timedelta:
    """How long a token with these scopes lasts at most."""
    return LONGEST_PEOPLE if TokenScope.PEOPLE_ADMIN in scopes else LONGEST


def _both(one: str, other: str) -> tuple[str, ...]:
    """The scope that is all that two scopes have in common; none when they have nothing."""
    if one in upwards(other):
        return (other,)
    return (one,) if other in upwards(one) else ()
