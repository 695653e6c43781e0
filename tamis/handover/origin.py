"""Where a stored message came from: the client that handed it to the platform, and which domain answered for it."""

from __future__ import annotations

import re

from tamis.judging.authentication import FIELD, Reported, read_results
from tamis.message.address import domain_of
from tamis.message.domains import registered_domain
from tamis.message.envelope import IPAddress, parse_ip
from tamis.message.mail import Mail
from tamis.settings import Settings

_MOST_FIELDS = 10
_MOST_CHARACTERS = 600
_CLIENT = re.compile(r"\[(?:IPv6:)?([0-9A-Fa-f.:]{3,45})\]")


def origin_of(mail: Mail, settings: Settings, *, told: str = "") -> IPAddress | None:
    """The client's address: as told, else by our own header, which is removed when it comes from outside, else by
    the topmost Received (RFC 5321 4.4) of a hand-over from outside our networks. None when nothing tells."""
    told = told or mail.headers.first(f"{settings.headers.prefix}Client-IP") or ""
    if told:
        return parse_ip(told.strip())
    for value in mail.headers.all("received")[:_MOST_FIELDS]:
        source = re.split(r"(?:^|\s)by\s", value[:_MOST_CHARACTERS], maxsplit=1)[0]
        found = _CLIENT.findall(source)
        ip = parse_ip(found[-1]) if found else None  # what HELO said stands before it
        if ip is not None and not settings.platform.is_own_network(ip):
            return ip
    return None


def answered_for(mail: Mail, settings: Settings) -> str:
    """The domain that answered for a message when it came (as `filters.signing.responsible` has it), by our own
    Authentication-Results, which are removed when they come from outside; "" where nobody did, or nothing tells."""
    for value in mail.headers.all(FIELD.lower())[:_MOST_FIELDS]:
        name, results = read_results(value)
        if name == settings.authserv_id.lower():
            return _answering(results, mail)
    return ""


def _answering(results: list[Reported], mail: Mail) -> str:
    authors = {registered_domain(domain_of(one.address)) for one in mail.from_addresses}
    passed = [one for one in results if one.result == "pass"]
    for one in passed:
        signer = registered_domain(one.properties.get("header.d", "")) if one.method == "dkim" else ""
        if signer and authors == {signer}:
            return signer
    by_spf = [one.properties.get("smtp.mailfrom", "") for one in passed if one.method == "spf"]
    return registered_domain(by_spf[0].rpartition("@")[2]) if by_spf else ""
