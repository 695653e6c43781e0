"""Who is signed in, and whose quarantine that person may open."""

from __future__ import annotations

from dataclasses import dataclass

from tamis.judging.site import Site
from tamis.message.address import PLATFORM, domain_of
from tamis.people.rights import BUNDLES, Grant, Holder


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who proved to own the mailbox `address` (its key). `domains` are those whose mailboxes are delegated
    to that person; PLATFORM in it means all of them."""

    address: str
    domains: frozenset[str] = frozenset()

    @classmethod
    def of(cls, address: str, site: Site) -> Person:
        """The person behind an address, as the settings have it now."""
        mailbox = site.book.policy(address).mailbox
        delegated = site.settings.web.administrators.items()
        return cls(
            mailbox,
            frozenset(
                domain
                for one, domains in delegated
                if mailbox in (one, site.book.policy(one).mailbox)
                for domain in domains
            ),
        )

    @property
    def holder(self) -> Holder:
        """The rights of this person: whoever the settings name owns those domains."""
        grants = (Grant(scope, BUNDLES["owner"]) for scope in sorted(self.domains))
        return Holder(self.address, tuple(grants))

    @property
    def is_administrator(self) -> bool:
        """Whether any domain is delegated to this person."""
        return bool(self.domains)

    def administers(self, domain: str) -> bool:
        """Whether a domain is delegated to this person."""
        return domain in self.domains or PLATFORM in self.domains

    def may_open(self, mailbox: str, site: Site) -> bool:
        """The own mailbox always; others' as an administrator of their domain, unless they are locked (Q9)."""
        if mailbox == self.address:
            return True
        return self.administers(domain_of(mailbox)) and not site.book.policy(mailbox).terms.locked


def is_served(address: str, site: Site) -> bool:
    """Whether an address may belong to a mailbox of this platform: one of `platform.domains`, when those are named."""
    domains = site.settings.platform.domains
    domain = domain_of(address)
    return bool(domain) and "." in domain and (not domains or domain in domains)
