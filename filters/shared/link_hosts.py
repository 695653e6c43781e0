"""Whom the links of a message lead to: registered domains and addresses, the likeliest first, in bounds."""

from __future__ import annotations

import base64
import binascii
import re
import socket
from collections.abc import Iterator
from urllib.parse import unquote

from tamis.filters.shared.clients import registered_domain
from tamis.message.address import domain_of
from tamis.message.envelope import IPAddress, parse_ip
from tamis.message.mail import Mail
from tamis.message.mail.limits import LIMITS
from tamis.message.mail.urls import Url, text_urls

MOST = 20
"""Domains and addresses of one message that are asked about."""

_MOST_DECODED = 300  # URLs whose inside is looked at
_MOST_INNER = 5  # URLs taken from within one
_ORDER = {"code": 0, "link": 1, "form": 1, "text": 2, "image": 3}
_NUMERIC = re.compile(r"(?:0x[0-9a-f]+|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+)){0,3}\.?")
_BASE64_HTTP = re.compile(
    r"(?:aHR0c|AAHR0c)[A-Za-z0-9_+/-]{6,1024}"
)  # "http" where a redirect hides its target
_HEADERS = ("from", "reply-to", "sender")


def subjects_of(mail: Mail) -> list[str]:
    """What to ask lists about, each once: registered domains, and addresses in the form of `ipaddress`."""
    found: dict[str, None] = {}
    for host in _hosts(mail):
        ip = address_in(host)
        subject = str(ip) if ip is not None else registered_domain(host)
        if subject:
            found[subject] = None
        if len(found) >= MOST:
            break
    return list(found)


def _hosts(mail: Mail) -> Iterator[str]:
    """QR codes and links before text, text before images; what a redirect leads to right behind it; the header last."""
    urls = sorted(mail.urls, key=lambda url: _ORDER[url.source])
    for number, url in enumerate(urls):
        yield url.host
        if number < _MOST_DECODED:
            yield from inner_hosts(url)
    for url in text_urls((mail.subject or "")[:1000], LIMITS):
        yield url.host
    for name in _HEADERS:
        for one in mail.addresses(name)[:5]:
            yield domain_of(one.address or "")


def inner_hosts(url: Url) -> Iterator[str]:
    """The hosts of URLs within a URL's path and query, percent-coded up to twice or in base64."""
    rest = re.split(r"[/?#]", url.raw.partition("://")[2] or url.raw, maxsplit=1)[1:]
    if not rest:
        return
    text = unquote(unquote(rest[0], errors="replace"), errors="replace")
    hidden = [_decoded(found[0]) for _, found in zip(range(2), _BASE64_HTTP.finditer(text), strict=False)]
    # separators of a query, not part of the URL that stands in it
    text = " ".join([text.replace("&", " ").replace("=", " "), *hidden])
    for _, inner in zip(range(_MOST_INNER), text_urls(text, LIMITS), strict=False):
        yield inner.host


def _decoded(text: str) -> str:
    text = text.replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(text[: len(text) // 4 * 4]).decode("latin-1")
    except binascii.Error:
        return ""


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
