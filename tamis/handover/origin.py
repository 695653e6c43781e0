"""Where a stored message came from: the client that handed it to the platform."""

from __future__ import annotations

import re

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
