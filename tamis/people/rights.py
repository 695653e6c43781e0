"""Who may do what, and where: pure. The store keeps grants; pages, API and commands ask `may` and `visible`.

    web.administrators, grants of the store -> Holder (one mailbox, its grants)
    Holder, right, scope                    -> may: yes or no
    Holder, right                           -> visible: Reach, which become the condition of every list

A grant holds in its scope and in all below it: platform > domain > mailbox. Everybody has the rights to the own
mailbox. A locked mailbox (Q9) is closed to everybody else, whatever they were granted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from tamis.message.address import PLATFORM, domain_of


class Right(StrEnum):
    """What somebody may do in a scope."""

    STATISTICS = "statistics"  # numbers
    HISTORY = "history"  # who wrote to whom, and what came of it
    HELD = "held"  # the list of what is held
    CONTENT = "content"  # texts
    RELEASE = "release"  # deliver, delete, restore
    LISTS_READ = "lists.read"
    LISTS = "lists"
    POLICY_READ = "policy.read"
    POLICY = "policy"
    LEARN = "learn"  # teach the statistical filter
    PEOPLE = "people"  # give what one has, and see what was done
    PLATFORM = "platform"  # rules, clients, fingerprints, health: of the platform alone


PERSONAL = frozenset(
    {
        *(Right.HISTORY, Right.HELD, Right.CONTENT, Right.RELEASE),
        *(Right.LISTS_READ, Right.LISTS, Right.LEARN),
    }
)
"""What touches a person's mail: a locked mailbox is closed to these."""

OWN = PERSONAL | {Right.STATISTICS, Right.POLICY_READ}
"""What everybody may do with the own mailbox."""

_OBSERVER = frozenset({Right.STATISTICS, Right.HISTORY})
_HELPER = _OBSERVER | {Right.HELD, Right.RELEASE, Right.LISTS_READ, Right.POLICY_READ}
_MANAGER = _HELPER | {Right.CONTENT, Right.LISTS, Right.POLICY, Right.LEARN}

BUNDLES: Mapping[str, frozenset[Right]] = MappingProxyType(
    {
        "observer": _OBSERVER,
        "helper": _HELPER,
        "manager": _MANAGER,
        "owner": _MANAGER | {Right.PEOPLE, Right.PLATFORM},
    }
)
"""Rights that go together, by name. PLATFORM counts in the scope "platform" alone."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Rights in a scope ("platform", a domain, a mailbox; in its comparing form) and in all below it."""

    scope: str
    rights: frozenset[Right]


@dataclass(frozen=True, slots=True)
class Locks:
    """Which mailboxes are locked: what each scope says of it, the nearest counts."""

    said: Mapping[str, bool] = field(default_factory=lambda: MappingProxyType({}))

    def closes(self, mailbox: str) -> bool:
        """Whether the mailbox is closed to others."""
        return next((self.said[one] for one in upwards(mailbox) if one in self.said), False)


NO_LOCKS = Locks()


@dataclass(frozen=True, slots=True)
class Reach:
    """Where somebody has a right. `closed` are the locks that stand against it, and `own` the mailbox for which they
    don't; a row is seen when its mailbox lies in one of `scopes`, or is `own`."""

    scopes: frozenset[str]
    own: str = ""
    closed: Locks = NO_LOCKS

    def __bool__(self) -> bool:
        return bool(self.scopes or self.own)

    def covers(self, mailbox: str) -> bool:
        """Whether what belongs to a mailbox may be seen."""
        if mailbox == self.own and mailbox:
            return True
        return any(one in self.scopes for one in upwards(mailbox)) and not self.closed.closes(mailbox)

    def within(self, scope: str) -> Reach:
        """What of it lies in a scope that somebody looks at: "platform" leaves it as it is."""
        if scope == PLATFORM:
            return self
        inside = {one for one in self.scopes if scope in upwards(one)}
        if any(one in self.scopes for one in upwards(scope)):
            inside.add(scope)
        return Reach(frozenset(inside), self.own if scope in upwards(self.own) else "", self.closed)


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds rights: `mailbox` is the own one ("" for none), `own` what may be done with it."""

    mailbox: str = ""
    grants: tuple[Grant, ...] = ()
    own: frozenset[Right] = OWN

    @property
    def scopes(self) -> tuple[str, ...]:
        """Where anything was granted, the platform first, then domains and mailboxes."""
        return tuple(sorted({one.scope for one in self.grants}, key=lambda s: (s != PLATFORM, "@" in s, s)))


def may(holder: Holder, right: Right, scope: str, locks: Locks = NO_LOCKS) -> bool:
    """Whether somebody may do that in the whole of a scope."""
    if scope == holder.mailbox and scope and right in holder.own:
        return True
    if right in PERSONAL and "@" in scope and locks.closes(scope):
        return False
    if right is Right.PLATFORM and scope != PLATFORM:
        return False
    return any(right in grant.rights and grant.scope in upwards(scope) for grant in holder.grants)


def visible(holder: Holder, right: Right, locks: Locks = NO_LOCKS) -> Reach:
    """Where somebody may do that. The numbers of a locked mailbox stand in no row of their own either; how they count
    in sums, `tamis.database.sums` says."""
    return Reach(
        frozenset(one.scope for one in holder.grants if right in one.rights),
        holder.mailbox if right in holder.own else "",
        locks if right in PERSONAL or right is Right.STATISTICS else NO_LOCKS,
    )


def gives_too_much(giver: Holder, gift: Grant) -> frozenset[Right]:
    """The rights of a gift that its giver does not have there, and may therefore not give (nor without `people`)."""
    if not may(giver, Right.PEOPLE, gift.scope):
        return gift.rights
    return frozenset(
        right
        for right in gift.rights
        if not may(giver, right, gift.scope) and not (right is Right.PLATFORM and gift.scope != PLATFORM)
    )


def without_repeats(grants: Iterable[Grant]) -> tuple[Grant, ...]:
    """The same grants, one a scope."""
    merged: dict[str, frozenset[Right]] = {}
    for one in grants:
        merged[one.scope] = merged.get(one.scope, frozenset()) | one.rights
    return tuple(Grant(scope, rights) for scope, rights in sorted(merged.items()))


def upwards(scope: str) -> tuple[str, ...]:
    """The scope and all above it, nearest first."""
    if scope in ("", PLATFORM):
        return (PLATFORM,)
    domain = domain_of(scope) if "@" in scope else scope
    return tuple(dict.fromkeys((scope, domain, PLATFORM)))
