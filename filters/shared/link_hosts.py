"""Whom the links of a message lead to: registered domains and addresses, the likeliest first, in bounds."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from tamis.message import domains
from tamis.message.envelope import IPAddress, parse_ip
from tamis.message.mail import Mail
from tamis.message.mail.limits import LIMITS
from tamis.message.mail.redirects import led_to
from tamis.message.mail.sampling import sampled
from tamis.message.mail.urls import host_of, text_urls
from tamis.message.names import is_host_name

MOST = LIMITS.hosts
"""Domains and addresses of one message that are asked about. Beyond: by lot; `too_many_hosts`, and `left_out` in the
finding of `uribl`."""

_ORDER = {"code": 0, "link": 1, "form": 1, "page": 1, "file": 2, "text": 2, "script": 3, "image": 4}
_HEADER = "header"
_NUMERIC = re.compile(r"(?:0x[0-9a-f]+|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+)){0,3}\.?")
_AUTHORS = ("from", "reply-to", "sender")
_FIELDS = (
    *("list-unsubscribe", "list-subscribe", "list-help", "list-owner", "list-archive", "list-post"),
    *("content-location", "content-base", "link", "x-url"),
)
"""Fields of the header with addresses that programs offer or follow: RFC 2369, 2557, 8288."""
_LETTERS_TO = re.compile(r"\s*mailto:([^?]{3,1000})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Subjects:
    """What to ask lists about, each once: registered domains, and addresses in the form of `ipaddress`.

    ``left_out`` counts those that there is no room for; who writes a message can't know which ones.
    """

    names: tuple[str, ...]
    left_out: int = 0


def subjects_of(mail: Mail) -> Subjects:
    """Whom a message leads to, the likeliest first: QR codes, links, text, images, the header last.

    Of more than `MOST`, those of QR codes and of the header and the first and the last of the others are always among
    them. Three quarters of the rest are links before text, in a mixed order; one quarter is drawn from all.
    """
    found: dict[str, str] = {}
    for host, source in _hosts(mail):
        ip = address_in(host)
        subject = str(ip) if ip is not None else _registered(host)
        if subject:
            found.setdefault(subject, source)
    if len(found) <= MOST:
        return Subjects(tuple(found))
    lots = mail.chance("hosts")
    sure = [one for one, source in found.items() if source in ("code", _HEADER)][: MOST // 2]
    others = [one for one in found if one not in set(sure)]
    sure += [others.pop(), others.pop(0)]
    mixed = sorted(lots.sample(others, len(others)), key=lambda one: _ORDER.get(found[one], 0))
    likely = (MOST - len(sure)) * 3 // 4
    kept = {*sure, *mixed[:likely], *lots.sample(mixed[likely:], MOST - len(sure) - likely)}
    return Subjects(tuple(one for one in found if one in kept), len(found) - len(kept))


def _registered(host: str) -> str:
    """What was registered of a host; browsers follow names as well that have labels of no host before it."""
    found = domains.registered_domain(host)
    return found if is_host_name(found) else ""


def _hosts(mail: Mail) -> Iterator[tuple[str, str]]:
    """(host, where it is); what a link leads on to stands right behind it."""
    urls = sorted(mail.urls, key=lambda url: _ORDER[url.source])
    numbers = range(len(urls))
    most = mail.limits.opened
    opened = set(sampled(numbers, most, mail.chance("inside links"), sure=most // 2))
    for number, url in enumerate(urls):
        yield url.host, url.source
        if number in opened:
            for address in led_to(url.raw):
                yield host_of(address.partition("://")[2]), url.source
    for link in (link for html in mail.html for link in html.links):
        if link.tag in {"a", "form"} and (letter := _LETTERS_TO.match(link.href)):
            yield host_of(unquote(letter[1]).rpartition("@")[2]), "link"
    yield from ((host, _HEADER) for host in _header_hosts(mail))


def _header_hosts(mail: Mail) -> Iterator[str]:
    """Whom the header names: its authors, and the addresses in the subject, in their names and in some fields."""
    texts = [mail.subject or "", *(mail.headers.first(name) or "" for name in _FIELDS)]
    for one in (one for name in _AUTHORS for one in mail.addresses(name)):
        yield one.domain
        texts.append(one.display)
    for text in filter(None, texts):
        for url in text_urls(text, LIMITS):
            yield url.host


def address_in(host: str) -> IPAddress | None:
    """The address that a URL's host is, also as browsers read it: one number, hexadecimal, octal, short."""
    ip = parse_ip(host)
    if ip is not None:
        return ip
    return _numeric(host.rstrip(".")) if _NUMERIC.fullmatch(host) else None


def _numeric(host: str) -> IPAddress | None:
    """One to four numbers as inet_aton(3) has them: the last one fills what the others leave of the 32 bits."""
    try:
        *octets, rest = [int(part, _base(part)) for part in host.split(".")]
    except ValueError:  # 08, 0x, or more digits than an address has
        return None
    bits = 32 - 8 * len(octets)
    if any(octet > 255 for octet in octets) or rest >= 1 << bits:
        return None
    for octet in reversed(octets):
        rest |= octet << bits
        bits += 8
    return ipaddress.IPv4Address(rest)


def _base(number: str) -> int:
    if number.startswith("0x"):
        return 16
    return 8 if number.startswith("0") else 10
