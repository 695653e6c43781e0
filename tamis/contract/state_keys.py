"""Keys of the shared state: hostile or long text is hashed; related keys share a prefix."""

from __future__ import annotations

import hashlib
import ipaddress

from tamis.base.errors import ConfigError
from tamis.message.envelope import IPAddress

BLOCKED = "blocked:"
"""Prefix for temporarily blocked clients (S2); the client's key follows."""


def hashed(prefix: str, *parts: str) -> str:
    """A key of bounded length for any text."""
    joined = "\0".join(parts).encode("utf-8", "surrogateescape")
    return f"{prefix}{hashlib.blake2b(joined, digest_size=20).hexdigest()}"


def client_key(ip: IPAddress) -> str:
    """One client: an IPv4 address, or the /64 that an IPv6 client can choose its addresses from."""
    return str(ip) if ip.version == 4 else client_network(ip)


def client_network(ip: IPAddress) -> str:
    """The network that a sender's servers share: /24 or /64."""
    prefix = 24 if ip.version == 4 else 64
    return str(ipaddress.ip_network((ip, prefix), strict=False))


def parse_client(text: str) -> str:
    """A client's key from what somebody wrote; a network only where it is the /64 of IPv6 clients.

    Raises ConfigError."""
    try:
        network = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise ConfigError("client", "client", "is not an IP address", value=text) from None
    address: IPAddress = network.network_address
    address = getattr(address, "ipv4_mapped", None) or address
    if network.num_addresses > 1 and str(network) != client_key(address):
        raise ConfigError("client", "client", "networks stand on the black list (subject ip)", value=text)
    return client_key(address)
