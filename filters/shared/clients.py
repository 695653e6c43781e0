"""What the DNS filters have in common: which clients are strangers, and which addresses mail can't go to."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Any

from tamis.base.errors import ServiceError
from tamis.contract.ask import ask, ask_all
from tamis.contract.filter import Filter, Message
from tamis.contract.finding import Finding
from tamis.contract.questions import Asks, Lookup
from tamis.contract.service_protocols import Answer
from tamis.message import domains
from tamis.message.envelope import IPAddress, parse_ip
from tamis.message.names import is_host_name

_LOCAL = tuple(
    ipaddress.ip_network(text)
    for text in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("::1/128", "fc00::/7", "fe80::/10"),
    )
)
"""Addresses of a site's own (RFC 1918, 6598, 4193): the public DNS knows nothing about them."""
_NOWHERE = tuple(
    ipaddress.ip_network(text) for text in ("0.0.0.0/8", "224.0.0.0/3", "::/128", "ff00::/8", "100::/64")
)


@lru_cache(maxsize=4096)
def is_local(ip: IPAddress) -> bool:
    """Whether an address is of a site's own."""
    return any(ip.version == net.version and ip in net for net in _LOCAL)


def is_reachable(text: str) -> bool:
    """Whether mail from outside could reach this address."""
    ip = parse_ip(text)
    if ip is None or is_local(ip):
        return False
    return not any(ip.version == net.version and ip in net for net in _NOWHERE)


@lru_cache(maxsize=4096)
def text_of(ip: IPAddress) -> str:
    """The address as text, cached because `ipaddress` formats it again on every call."""
    return str(ip)


@lru_cache(maxsize=4096)
def reverse_name(ip: IPAddress) -> str:
    """Where an address has its names in the DNS (RFC 1035 3.5, RFC 3596 2.5)."""
    return ip.reverse_pointer


def reversed_labels(ip: IPAddress) -> str:
    """The octets, or nibbles, of an address from the last to the first (RFC 5782 2.1 and 2.4)."""
    return reverse_name(ip).removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")


def no_stranger(one: Filter[Any], message: Message) -> Finding | None:
    """The finding where there is no client of the public network to ask about; None for a stranger."""
    ip = message.envelope.ip
    if ip is None:
        return one.skipped("no client address")
    if message.is_own:
        return one.clear("own network or user")
    if is_local(ip):
        return one.clear("{ip} is not a public address", ip=text_of(ip))
    return None


TOP = "com"
"""A name that everybody who is connected to the DNS finds."""


def confirm_denial() -> Asks[None]:
    """Raise ServiceError when the DNS server denies what exists: one that is cut off may deny everything.

    To be asked before anything is held against a sender because the DNS does not have it.
    """
    believe((yield from ask(Lookup(TOP, "NS"))))


def believe(top: Answer) -> None:
    """Raise ServiceError when an answer for the name servers of TOP says that the DNS server is cut off."""
    if not top.records:
        raise ServiceError(f"the DNS server denies even {TOP}")


def confirming_names(message: Message, ip: IPAddress) -> Asks[tuple[list[str], list[str]]]:
    """The client's PTR names, and those of them whose addresses include it (RFC 8601 2.7.3: iprev).

    A name that Postfix verified both ways needs no question. Raises ServiceError when that can't be known.
    """
    if message.envelope.client_name:
        return [message.envelope.client_name], [message.envelope.client_name]
    names = list((yield from ask(Lookup(reverse_name(ip), "PTR"))).records[:_MOST_NAMES])
    rdtype = "A" if ip.version == 4 else "AAAA"
    answers = yield from ask_all([Lookup(name, rdtype) for name in names])
    confirmed = [
        name
        for name, answer in zip(names, answers, strict=True)
        if isinstance(answer, Answer) and text_of(ip) in answer.records
    ]
    failures = [one for one in answers if isinstance(one, ServiceError)]
    if failures and not confirmed:
        raise failures[0]
    return names, confirmed


_MOST_NAMES = 10
"""Names of a client that are looked up (RFC 7208 4.6.4 has the same bound). Beyond: not looked up."""


def registered_domain(host: str) -> str:
    """What was registered of a name, by the public suffix list; "" for a public suffix or no host name."""
    return domains.registered_domain(host) if is_host_name(host) else ""
