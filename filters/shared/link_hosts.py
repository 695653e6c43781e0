"""Whom the links of a message lead to: registered domains and addresses, the likeliest first, in bounds."""

from __future__ import annotations

import re
import secrets
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from tamis.filters.shared.clients import registered_domain
from tamis.message.address import domain_of
from tamis.message.envelope import IPAddress, parse_ip
from tamis.message.mail import Mail
from tamis.message.mail.limits import LIMITS
from tamis.message.mail.redirects import led_to
from tamis.message.mail.urls import host_of, text_urls

MOST = 20
"""Domains and addresses of one message that are asked about."""

_MOST_DECODED = 300  # URLs whose inside is looked at
_ORDER = {"code": 0, "link": 1, "form": 1, "page": 1, "file": 2, "text": 2, "script": 3, "image": 4}
_OF_HEADER = 5
_NUMERIC = re.compile(r"(?:0x[0-9a-f]+|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+)){0,3}\.?")
_HEADERS = ("from", "reply-to", "sender")


_LOTS = 5  # of MOST, drawn among all that found no place
_CONSIDERED = 2000


@dataclass(frozen=True, slots=True)
class Subjects:
    """What to ask lists about, each once: registered domains, and addresses in the form of `ipaddress`.

    ``left_out`` counts those that there is no room for; who writes a message can't know which ones.
    """

    names: tuple[str, ...]
    left_out: int = 0


def subjects_of(mail: Mail) -> Subjects:
    """Whom a message leads to, the likeliest first; where there are more than `MOST`, a choice that nobody foresees."""
    found: dict[str, int] = {}
    for host, rank in _hosts(mail):
        ip = address_in(host)
        subject = str(ip) if ip is not None else registered_domain(host)
        if subject:
            found.setdefault(subject, rank)
        if len(found) >= _CONSIDERED:
            break
    if len(found) <= MOST:
        return Subjects(tuple(found))
    lots = secrets.SystemRandom()
    mixed = sorted(lots.sample(list(found), len(found)), key=found.__getitem__)
    chosen, others = mixed[: MOST - _LOTS], mixed[MOST - _LOTS :]
    return Subjects((*chosen, *lots.sample(others, _LOTS)), len(found) - MOST)


def _hosts(mail: Mail) -> Iterator[tuple[str, int]]:
    """QR codes and links before text, text before images; what a link leads on to right behind it; the header last."""
    urls = sorted(mail.urls, key=lambda url: _ORDER[url.source])
    for number, url in enumerate(urls):
        rank = _ORDER[url.source]
        yield url.host, rank
        if number < _MOST_DECODED:
            for address in led_to(url.raw):
                yield host_of(address.partition("://")[2]), rank
    for url in text_urls((mail.subject or "")[:1000], LIMITS):
        yield url.host, _ORDER["text"]
    for name in _HEADERS:
        for one in mail.addresses(name)[:5]:
            yield domain_of(one.address or ""), _OF_HEADER


def address_in(host: str) -> IPAddress | None:
    """The address that a URL's host is, also as browsers read it: one number, hexadecimal, octal, short."""
    ip = parse_ip(host)
    if ip is not None:
        return ip
    if not _NUMERIC.fullmatch(host):
        return None
    try:
        return parse_ip(socket.inet_ntoa(socket.inet_aton(host.rstrip("."))))
    except (OSError, ValueError):
        return None
