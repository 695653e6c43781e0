"""Numbers that rules can hold against bounds: sizes, shares and counts of a message. Each is linear in the message."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

from tamis.message.domains import registered_domain
from tamis.message.envelope import IPAddress, parse_ip
from tamis.message.mail.mail import read_date
from tamis.message.unseen import DIRECTION, IGNORED
from tamis.rules.places import MAX_OCTETS

if TYPE_CHECKING:
    from tamis.message.mail import Mail

CLICKED = frozenset({"link", "form", "code", "text"})
"""Sources of URLs that a reader follows, unlike those of images."""

_INVISIBLE = re.compile(f"(?![{DIRECTION}])[{IGNORED}]")
_QUOTED = re.compile(r"(?m)^[ \t]*>")
_NO_CAPITALS = bytes(set(range(256)) - set(range(65, 91)))
_NO_LETTERS = bytes(set(_NO_CAPITALS) - set(range(97, 123)))
_FEWEST_LETTERS = 8
_SENDERS = ("from", "reply-to", "sender")
_HOST = re.compile(r"(?:https?://|@)([\w.-]{3,253})", re.IGNORECASE)
_PRIVATE = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
_LINKS = 500
_LEAD_CHARACTERS = 600
"""Of the text in which a recipient is looked for. Beyond: not looked at: a letter greets at its top."""
_GREETING_CHARACTERS = 300
"""Of the text in which a recipient's address is looked for. Beyond: not looked at: a letter greets at its
top."""
_RECEIVED = 20
_FILETIME = re.compile(
    r"<[0-9a-fA-F]{4}(01[c-dC-D][0-9a-fA-F]{5})\$([0-9a-fA-F]{8})\$|_(01[C-D][0-9A-F]{5})\.([0-9A-F]{8})\b"
)
_MOZILLA_TIME = re.compile(r"<([3-7][0-9A-F]{7})\.[0-9A-F]{4,8}@")
_FROM_1601 = 11_644_473_600.0
_EXPRESS = re.compile(r"Outlook Express (\d[\d.]+)")
_MIMEOLE = re.compile(r"MimeOLE V(\d[\d.]+)")
_HOUR = 3600.0


def _text(mail: Mail) -> str:
    return mail.text[:MAX_OCTETS]


def _capitals(text: str) -> float:
    """The share of capitals among Latin letters without accents, of which there must be some."""
    octets = text.encode("ascii", "ignore")
    letters = len(octets.translate(None, _NO_LETTERS))
    return len(octets.translate(None, _NO_CAPITALS)) / letters if letters >= _FEWEST_LETTERS else 0.0


def _clicked_hosts(mail: Mail) -> set[str]:
    return {registered_domain(url.host) or url.host for url in mail.urls[:_LINKS] if url.source in CLICKED}


def _foreign_links(mail: Mail) -> int:
    """Domains that a reader is led to and that are neither a sender's nor, by its own header, the list's."""
    own = {registered_domain(one.domain) for name in _SENDERS for one in mail.addresses(name)[:5]}
    hosts: set[str] = set()
    for field in mail.headers:
        if field.name.startswith("list-"):
            hosts.update(found.lower() for found in _HOST.findall(field.unfolded[:2000]))
    own.update(map(registered_domain, hosts))
    return len(_clicked_hosts(mail) - own)


def _own_links(mail: Mail) -> int:
    """Domains of authors that a reader is led to."""
    return len(_clicked_hosts(mail) & {registered_domain(one.domain) for one in mail.from_addresses[:5]})


def _replies_elsewhere(mail: Mail) -> float:
    """Whether answers go to an address that is no author's."""
    authors = {one.address.lower() for one in mail.from_addresses}
    return float(
        any(one.address and one.address.lower() not in authors for one in mail.addresses("reply-to"))
    )


def _html_characters(mail: Mail) -> int:
    return sum(len(html.source) for html in mail.html)


def _tags(mail: Mail, name: str) -> int:
    return sum(html.tags.get(name, 0) for html in mail.html)


def _first_received(mail: Mail) -> datetime | None:
    """The date that the first server wrote."""
    values = (field.unfolded for field in reversed(mail.headers.fields_of("received")[:_RECEIVED]))
    dates = (read_date(value.rpartition(";")[2].strip()[:100]) for value in values)
    return next((date for date in dates if date is not None), None)


def _hours_ahead(mail: Mail) -> float:
    """How much later the Date is than the first server's."""
    first = _first_received(mail)
    return (mail.date - first).total_seconds() / _HOUR if mail.date and first else 0.0


def _numeric_links(mail: Mail) -> int:
    """Links to public addresses instead of names."""
    found = {url.host for url in mail.urls[:_LINKS] if url.source in CLICKED and url.host[:1].isdigit()}
    return sum(ip is not None and not _is_near(ip) for ip in map(parse_ip, found))


def _is_near(ip: IPAddress) -> bool:
    """Whether an address is somebody's own network (RFC 1918) or machine."""
    return ip.is_loopback or ip.is_link_local or any(ip in network for network in _PRIVATE if ip.version == 4)


def _recipients(mail: Mail) -> int:
    return len(mail.addresses("to")) + len(mail.addresses("cc"))


def _local_digits(mail: Mail) -> int:
    return max(
        (sum(c.isdigit() for c in (one.address or "").partition("@")[0]) for one in mail.from_addresses[:5]),
        default=0,
    )


def _recipient_in(text: str, mail: Mail) -> float:
    """Whether a recipient's address or domain is named, as one's own provider would be."""
    low = text.lower()
    for one in (*mail.addresses("to"), *mail.addresses("cc"))[:5]:
        domain = one.domain
        if "." in domain and domain in low and len(domain) > _FEWEST_LETTERS:
            return 1.0
    return 0.0


def _address_in(text: str, mail: Mail) -> float:
    """Whether a recipient's whole address is written, as nobody does who knows the name."""
    low = text.lower()
    return float(any(one.address.lower() in low for one in mail.addresses("to")[:5] if one.address))


def _displays(mail: Mail) -> str:
    return " ".join(one.display[:200] for one in mail.from_addresses[:3])


def _stamps(mail: Mail) -> Iterator[float]:
    """The seconds since 1970 that programs write into Message-ID and boundary: Outlook its FILETIME (100 ns since
    1601), Mozilla the seconds themselves."""
    written = " ".join(
        field.unfolded[:300]
        for name in ("message-id", "content-type")
        for field in mail.headers.fields_of(name)[:1]
    )
    for found in _FILETIME.findall(written):
        yield int("".join(found), 16) / 1e7 - _FROM_1601
    for found in _MOZILLA_TIME.findall(written):
        yield float(int(found, 16))


def _stamp_hours_off(mail: Mail) -> float:
    """Hours between Date and the time in Message-ID or boundary that is farthest from it."""
    if mail.date is None:
        return 0.0
    written = mail.date.timestamp()
    return max((abs(stamp - written) / _HOUR for stamp in _stamps(mail)), default=0.0)


def _mimeole_differs(mail: Mail) -> float:
    """Whether X-MimeOLE names another version than Outlook Express in X-Mailer, which both write from one."""
    mailer = _EXPRESS.search((mail.headers.first("x-mailer") or "")[:200])
    mimeole = _MIMEOLE.search((mail.headers.first("x-mimeole") or "")[:200])
    if mailer is None or mimeole is None:
        return 0.0
    return float(mailer.group(1) != mimeole.group(1))


def _invisible(mail: Mail) -> int:
    """Characters that nobody sees; they are looked for among those that the text is made of."""
    text = _text(mail)
    return 0 if text.isascii() else sum(map(text.count, _INVISIBLE.findall("".join(set(text)))))


def _quoted(mail: Mail) -> float:
    text = _text(mail)
    return len(_QUOTED.findall(text)) / (text.count("\n") + 1) if ">" in text else 0.0


MEASURES: Mapping[str, Callable[[Mail], float]] = MappingProxyType(
    {
        "attached_images": lambda mail: len(mail.images),
        "attachments": lambda mail: len(mail.attachments),
        "foreign_links": _foreign_links,
        "hidden_characters": lambda mail: len(mail.hidden),
        "hours_ahead": _hours_ahead,
        "hours_behind": lambda mail: -_hours_ahead(mail),
        "html_characters": _html_characters,
        "html_images": lambda mail: _tags(mail, "img"),
        "html_tags": lambda mail: sum(sum(html.tags.values()) for html in mail.html),
        "invisible_characters": _invisible,
        "link_domains": lambda mail: len(_clicked_hosts(mail)),
        "links": lambda mail: sum(url.source in CLICKED for url in mail.urls[:_LINKS]),
        "mimeole_differs": _mimeole_differs,
        "numeric_links": _numeric_links,
        "own_links": _own_links,
        "parts": lambda mail: len(mail.parts),
        "quoted_share": _quoted,
        "received": lambda mail: len(mail.headers.fields_of("received")),
        "recipient_address_in_lead": lambda mail: _address_in(mail.text[:_GREETING_CHARACTERS], mail),
        "recipient_in_display": lambda mail: _recipient_in(_displays(mail), mail),
        "recipient_in_lead": lambda mail: _recipient_in(mail.text[:_LEAD_CHARACTERS], mail),
        "recipient_in_subject": lambda mail: _recipient_in((mail.subject or "")[:1000], mail),
        "recipients": _recipients,
        "replies_elsewhere": _replies_elsewhere,
        "sender_digits": _local_digits,
        "stamp_hours_off": _stamp_hours_off,
        "subject_capitals": lambda mail: _capitals((mail.subject or "")[:1000]),
        "subject_characters": lambda mail: len(mail.subject or ""),
        "text_capitals": lambda mail: _capitals(_text(mail)[:20_000]),
        "text_characters": lambda mail: len(_text(mail)),
        "text_share": lambda mail: len(_text(mail)) / max(1, _html_characters(mail)),
    }
)
"""What each says stands in docs/rules.md."""
