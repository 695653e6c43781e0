"""Whom the installation serves, and what is known of it."""

from __future__ import annotations

import ipaddress
from functools import cached_property

from pydantic import Field

from tamis.message.address import domain_of, mailbox_of
from tamis.message.envelope import IPAddress
from tamis.settings.dns_lists import DNSBL, RHSBL, URIBL
from tamis.settings.values import DomainName, ListText, LookupTable, Network, Section


class Platform(Section):
    """Whom this installation serves."""

    domains: tuple[DomainName, ...] = Field(
        (), description="domains whose mailboxes are here; empty means every recipient is taken as local"
    )
    networks: tuple[Network, ...] = Field(
        ("127.0.0.0/8", "::1/128"), description="own networks: their mail is treated as outgoing (O8)"
    )
    alias_maps: tuple[LookupTable, ...] = Field(
        (),
        description="lookup tables in the form of virtual(5), asked in place of Postfix's own virtual_alias_maps, "
        "alias_maps and canonical maps: a text file's path, or TYPE:NAME as in main.cf",
    )
    protected_domains: tuple[DomainName, ...] = Field(
        (), description="domains that others may not imitate, beside `domains`: a bank, a partner"
    )
    protected_names: dict[str, tuple[DomainName, ...]] = Field(
        {},
        description="names that others may not show in From, each with the domains that may; none means "
        '`domains`: { "Marie Martin" = ["example.com"] }',
    )
    recipient_delimiter: str = Field(
        "+", max_length=4, description="Postfix's recipient_delimiter: user+tag is the mailbox of user"
    )

    host_names: tuple[DomainName, ...] = Field(
        (), description="own host names, which no external client may use in HELO; platform.domains are added"
    )
    dnsbl: tuple[ListText, ...] = Field(
        DNSBL, description="DNS lists of addresses, queried for the client (S17)"
    )
    rhsbl: tuple[ListText, ...] = Field(
        RHSBL, description="DNS lists of domains, queried for the domain of MAIL FROM (S17)"
    )
    uribl: tuple[ListText, ...] = Field(
        URIBL, description="DNS lists of domains, queried for the domains in links (S24)"
    )

    honeypots: tuple[str, ...] = Field(
        (),
        description="addresses that nobody uses, their sub-addresses included: who writes to them of his own accord "
        "sends spam (S14)",
    )
    honeypot_window: float = Field(
        3600.0, gt=0, le=30 * 86400, description="seconds that a visit to a honeypot is remembered"
    )
    honeypot_block_from: int = Field(
        3,
        ge=1,
        le=10_000,
        description="sender domains that wrote to honeypots from a client within the window, from which the client "
        "is put on the temporary blacklist (S2)",
    )
    honeypot_strict: bool = Field(
        False,
        description="also count clients with a verified host name and senders that SPF or DKIM verify: this blocks "
        "spammers with servers of their own, and any server that strangers can make write to a honeypot",
    )
    honeypot_block: float = Field(
        3600.0, gt=0, le=30 * 86400, description="seconds that such a client is refused"
    )

    complaint_feeds: tuple[str, ...] = Field(
        (), description="files and http(s) URLs that list senders complained about, one per line (S10)"
    )
    complaint_refresh: float = Field(
        6 * 3600.0, ge=60, le=7 * 86400, description="seconds between two reads of the feeds"
    )

    def mailbox_of(self, address: str) -> str:
        """The key of the mailbox that an address belongs to (tamis.message.address)."""
        return mailbox_of(address, self.recipient_delimiter)

    @cached_property
    def honeypot_keys(self) -> frozenset[str]:
        """The mailboxes of `honeypots`."""
        return frozenset(map(self.mailbox_of, self.honeypots))

    @cached_property
    def _own(self) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
        return tuple(ipaddress.ip_network(n) for n in self.networks)

    def is_here(self, address: str) -> bool:
        """Whether an address is in one of `domains`; without any, every address is."""
        return not self.domains or domain_of(address) in self.domains

    def is_own_network(self, ip: IPAddress | None) -> bool:
        """Whether a client address lies in `networks`."""
        return ip is not None and any(ip.version == net.version and ip in net for net in self._own)
