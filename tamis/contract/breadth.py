"""How far a list entry reaches: ones that cover strangers by the thousand, or ourselves, are rarely meant."""

from __future__ import annotations

import fnmatch
import ipaddress
import re
from collections.abc import Collection
from enum import StrEnum

from tamis.contract.lists import FINGERPRINTS, Subject
from tamis.knowledge.providers import free_mail
from tamis.language.translation import marked
from tamis.message.address import PLATFORM
from tamis.message.domains import registered_domain

_WIDE = {4: 16, 6: 32}
"""The longest prefix of a wide network: what providers get for all their customers."""


class Breadth(StrEnum):
    """Why an entry is broad."""

    NETWORK = "network"
    SUFFIX = "suffix"
    PROVIDER = "provider"
    OWN = "own"


SENTENCES = {
    Breadth.NETWORK: marked("it covers a whole network of 65,536 addresses or more"),
    Breadth.SUFFIX: marked("it covers everybody under a domain that many owners share"),
    Breadth.PROVIDER: marked("it covers everybody at a mail provider"),
    Breadth.OWN: marked("it covers a whole domain of our own, whose name others can forge"),
}
"""For people: "PATTERN: …"."""


def breadth(subject: Subject, pattern: str, own: Collection[str], scope: str = PLATFORM) -> Breadth | None:
    """Why an entry in its normal form is broad, None where it is not. `own` are the platform's domains, to which that
    of the entry's scope belongs where no domains are named."""
    if subject in FINGERPRINTS:
        return None
    if scope != PLATFORM:
        own = {*own, scope.rpartition("@")[2]}
    if subject is Subject.IP:
        network = ipaddress.ip_network(pattern)
        return Breadth.NETWORK if network.prefixlen <= _WIDE[network.version] else None
    local, _, domain = pattern.rpartition("@")
    is_one_address = bool(local) and not _is_wild(local)
    if not _is_wild(domain):
        return None if is_one_address else _of_domain(domain, own)
    tail = re.split(r"[*?]", domain)[-1].strip(".")
    if not registered_domain(tail):
        return Breadth.SUFFIX
    matches = re.compile(fnmatch.translate(domain.replace("[", "[[]"))).match
    if any(matches(one) for one in own):
        return Breadth.OWN
    return Breadth.PROVIDER if any(matches(one) for one in free_mail()) else None


def breadth_below(domain: str, own: Collection[str]) -> Breadth | None:
    """As `breadth`, of a domain with all its sub-domains."""
    if any(one.endswith("." + domain) for one in own):
        return Breadth.OWN
    return _of_domain(domain, own)


def _of_domain(domain: str, own: Collection[str]) -> Breadth | None:
    if domain in own:
        return Breadth.OWN
    if not registered_domain(domain):
        return Breadth.SUFFIX
    return Breadth.PROVIDER if domain in free_mail() else None


def _is_wild(text: str) -> bool:
    return "*" in text or "?" in text
