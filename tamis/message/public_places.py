"""What anybody on the Internet can reach: addresses and host names, by how they are written alone."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from tamis.message.names import is_host_name

_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: an IPv4 address is in the last 32 bits
_NOWHERE = (
    *(".test", ".example", ".invalid", ".localhost"),  # RFC 6761
    *(".local", ".home.arpa", ".onion", ".alt"),  # RFC 6762, 8375, 7686, 9476
    *(
        ".internal",
        ".intranet",
        ".lan",
        ".home",
        ".corp",
        ".private",
        ".localdomain",
    ),  # kept out of the root zone
    *(".in-addr.arpa", ".ip6.arpa"),  # RFC 1035 3.5, RFC 3596: names of addresses, which have no pages
)
"""Ends of names that public DNS has no hosts for."""


def is_public(text: str) -> bool:
    """Whether an address is one of the public Internet, whatever it is wrapped in. Raises ValueError if it is none."""
    address: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        address = inner or address
    return address.is_global and not address.is_multicast


@lru_cache(maxsize=64)
def is_public_host(host: str) -> bool:
    """Whether a URL's host, an address without brackets or a name, can be one of the public Internet.

    Not what browsers read as a number of another form (127.1, 0x7f.1), nor a name without a dot.
    """
    name = host.lower().removesuffix(".")
    try:
        return is_public(name)
    except ValueError:
        pass
    last = name.rpartition(".")[2]
    return is_host_name(name) and last[:1].isalpha() and not f".{name}".endswith(_NOWHERE)
