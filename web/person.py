"""Who is signed in, and what that person may do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tamis.judging.site import Site
from tamis.message.address import domain_of
from tamis.people.rights import (
    BUNDLES,
    Grant,
    Holder,
    Reach,
    Right,
    gives_too_much,
    may,
    visible,
    without_repeats,
)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who proved to own the mailbox `address` (its key); `grants` count in a strong session alone."""

    address: str
    grants: tuple[Grant, ...] = ()

    @classmethod
    def of(cls, address: str, site: Site, granted: Iterable[Grant] = ()) -> Person:
        """The person behind an address: whom the settings file names owns those domains, whatever was `granted` in the
        store (`store.people.grants_of`)."""
        mailbox = site.book.policy(address).mailbox
        named = (
            Grant(domain, BUNDLES["owner"])
            for one, domains in site.settings.web.administrators.items()
            if mailbox in (one, site.book.policy(one).mailbox)
            for domain in domains
        )
        return cls(mailbox, without_repeats([*named, *granted]))

    @classmethod
    def at_home(cls, address: str, site: Site) -> Person:
        """The same, in a session that opens the own mailbox alone."""
        return cls(site.book.policy(address).mailbox)

    @property
    def holder(self) -> Holder:
        """The rights of this person."""
        return Holder(self.address, self.grants)

    @property
    def is_administrator(self) -> bool:
        """Whether anything but the own mailbox is open to this person."""
        return bool(self.grants)

    def may(self, right: Right, scope: str, site: Site) -> bool:
        """Whether this person may do that in a scope: the own mailbox, what was granted, no locked mailbox (Q9)."""
        return may(self.holder, right, scope, site.book.locks())

    def visible(self, right: Right, site: Site) -> Reach:
        """Where this person may do that."""
        return visible(self.holder, right, site.book.locks())


def covers_all(holder: Holder, address: str, granted: Iterable[Grant], site: Site) -> bool:
    """Whether all that a person may do could be given by somebody, who then may act on that person as a whole."""
    return not any(gives_too_much(holder, grant) for grant in Person.of(address, site, granted).grants)


def is_served(address: str, site: Site) -> bool:
    """Whether an address may belong to a mailbox of this platform: one of `platform.domains`, when those are named."""
    domains = site.settings.platform.domains
    domain = domain_of(address)
    return bool(domain) and "." in domain and (not domains or domain in domains)
