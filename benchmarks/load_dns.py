"""A world of names for the load: what senders, clients and DNS lists of a sample might have in the DNS.

The corpus is of 2002 and this machine asks nobody, so the answers are made up, from the message alone: most domains
have mail servers, half of them an SPF record, most clients a name that leads back, every fourth is on three lists.
Everything else does not exist, which is what most questions to lists are answered.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping

from tamis.settings.dns_lists import DNSBL, DNSList
from tests.real import Envelope

_DOMAIN = re.compile(r"(?:[a-z0-9_-]{1,63}\.)+[a-z]{2,18}")
_NAMED, _PROTECTED, _LISTED = 200, 128, 64  # of 256
_LISTS = 3


def zones(envelopes: Iterable[Envelope]) -> Mapping[str, str]:
    """The root zone and com, which Tamis asks for to see whether a server knows the world."""
    found: dict[str, set[str]] = {".": set(), "com": set()}
    for one in envelopes:
        for name, record in (*_of_domain(one), *_of_client(one)):
            found["com" if name.endswith(".com") else "."].add(f"{name}. {record}")
    return {zone: "\n".join(sorted(records)) for zone, records in found.items()}


def _of_domain(one: Envelope) -> Iterator[tuple[str, str]]:
    domain = one.sender.rpartition("@")[2].lower()
    if not _DOMAIN.fullmatch(domain):
        return
    yield domain, f"MX 10 mail.{domain}."
    yield domain, "A 198.51.100.8"
    yield f"mail.{domain}", "A 198.51.100.7"
    if _chance(domain)[0] < _PROTECTED:
        yield domain, 'TXT "v=spf1 mx ip4:192.0.2.0/24 ~all"'


def _of_client(one: Envelope) -> Iterator[tuple[str, str]]:
    assert one.client is not None
    address = one.client.addr
    labels = ".".join(reversed(address.split(".")))
    named, listed = _chance(address)[:2]
    if named < _NAMED:
        name = f"host-{address.replace('.', '-')}.example.net"
        yield f"{labels}.in-addr.arpa", f"PTR {name}."
        yield name, f"A {address}"
    if listed < _LISTED:
        for text in DNSBL[:_LISTS]:
            yield f"{labels}.{DNSList.parse(text).zone}", "A 127.0.0.2"


def _chance(text: str) -> bytes:
    """The same for the same text, on every machine."""
    return hashlib.sha256(text.encode()).digest()
