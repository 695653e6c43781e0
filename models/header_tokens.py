"""The header as the learner sees it: what says something about the sender, nothing that names the site.

A model must not learn who delivered the message, when, or what another filter thought of it: those are the
labels in disguise, they differ between the mail a model learns from (stored, with everything the site added)
and the mail it judges (at the door), and they don't carry over to another site.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from tamis.message.mail import Mail

MAX_FIELDS = 80
"""Fields that are looked at; most mail has 15 to 40."""
MAX_VALUE = 600
"""Characters of one value that are looked at."""

_DROPPED_NAMES = """
    authentication-results arc-authentication-results arc-message-signature arc-seal received-spf
    delivered-to envelope-to x-original-to x-envelope-to x-envelope-from x-rcpt-to x-delivered-to
    delivery-date x-delivery-time status x-status x-keywords x-uid x-uidl x-imap x-imapbase lines
    content-length x-length xref path nntp-posting-host nntp-posting-date archived-at x-archived-at
    x-bogosity x-pyzor x-sieve x-folder x-label x-gmail-labels x-gm-thrid x-gm-message-state
    x-google-smtp-source x-received x-filter x-filtered-by x-junkmail x-junkmail-status bcc return-path
    x-error-return-path x-ico-bay
"""
_DROPPED = frozenset(_DROPPED_NAMES.split())
_PREFIXES = """
    x-spam x-virus x-amavis x-rspam x-dspam x-crm114 x-razor x-mailscanner x-barracuda x-proofpoint x-ironport
    x-forefront x-microsoft-antispam x-ms-exchange x-exchange-antispam x-eopattributed x-brightmail x-sophos
    x-kaspersky x-cloudmark x-mimedefang x-greylist x-policyd x-tamis x-evolution x-mozilla x-gmane x-scanned
    x-antivirus x-av- x-clam x-pmx x-assp x-mdaemon x-ovh- x-vade x-vr- x-spf x-dkim old-
"""
_DROPPED_PREFIXES = tuple(_PREFIXES.split())
_RECIPIENTS = frozenset({"to", "cc", "resent-to", "apparently-to", "x-apparently-to"})
_TAGS = re.compile(
    r"^\s*(?:\*{2,}\s*spam\s*\*{2,}|\[\s*spam\s*\]|\{\s*spam\?*\s*\}|spam:)[\s:]*", re.IGNORECASE
)

_CLOCK = re.compile(r"\d")
_CALENDAR = re.compile(
    r"\b(?:mon|tue|wed|thu|fri|sat|sun|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*", re.IGNORECASE
)
_DATE_TIME = re.compile(r"^(.*:\d\d)(.*)$", re.DOTALL)
_ADDRESS = re.compile(r"[^\s<>\"',;:()]+@([^\s<>\"',;:()]+)")
_FROM_CLAUSE = re.compile(
    r"^\s*from\s+(.{0,300}?)(?:\s+by\s+(\S+)\s*(.{0,120})|$)", re.IGNORECASE | re.DOTALL
)
_LOCAL = re.compile(r"\b127\.\d+\.\d+\.\d+|\[::1\]|\blocalhost\b|\buserid\b|fetchmail", re.IGNORECASE)
_LOCAL_HINTS = ("127.", "[::1]", "localhost", "userid", "fetchmail")
"""What must be there for _LOCAL to be worth its time."""
_PROTOCOL = re.compile(r"\bwith\s+(\S+)", re.IGNORECASE)
_PROGRAM = re.compile(r"\(([^()]{1,40})\)")
_SIGNATURE_KEPT = re.compile(r"\b([adcshq])\s*=\s*([^;\s]{1,80})")


@dataclass(frozen=True, slots=True)
class Arrival:
    """What the SMTP dialogue said, for a message that has no Received of ours yet.

    `client_name` is the verified name, "" when there is none; `sender` is MAIL FROM, "" for the null path.
    """

    client_ip: str
    client_name: str
    helo: str
    sender: str


@dataclass(frozen=True, slots=True)
class Home:
    """The site that the mail is for, whose traces say nothing about a sender.

    `hosts` are its host names and domains: a Received from one to another is left out, and so is its name
    elsewhere. `header_prefix` is what the names of the headers begin with that Tamis itself adds.
    """

    hosts: tuple[str, ...] = ()
    header_prefix: str = ""
    _endings: tuple[str, ...] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_endings", tuple(f".{name}" for name in self.hosts))

    def has(self, host: str) -> bool:
        """Whether a host, as a Received field writes it, is the site's own."""
        return f".{host.lower().strip('[]().;')}".endswith(self._endings)


ANYWHERE = Home()
"""A site of which nothing is known."""


class SeenField(NamedTuple):
    """One field as the learner sees it: `name` in lower case, `value` decoded, bounded and made general."""

    name: str
    raw_name: str
    value: str


def seen_fields(mail: Mail, arrival: Arrival | None, home: Home) -> list[SeenField]:
    """The fields that say something about the sender, in their order.

    With an `arrival` its data stands first, in the form that the site's own Received and Return-Path would
    have; without one these come from the stored message, so that both look alike.
    """
    fields = list(_first(mail, arrival))
    for one in mail.headers:
        if len(fields) >= MAX_FIELDS:
            break
        general = _general(one.name, home.header_prefix)
        value = general(one.value, home) if general else None
        if value is not None:
            fields.append(SeenField(one.name, one.raw_name[:80].decode("latin-1"), value))
    return fields


@lru_cache(1024)
def _general(name: str, own_prefix: str) -> Callable[[str, Home], str | None] | None:
    """What makes a field's value general; None for a field that is left out. Names are few and come again."""
    own = bool(own_prefix) and name.startswith(own_prefix.lower())
    if own or name in _DROPPED or name.startswith(_DROPPED_PREFIXES):
        return None
    if name == "received":
        return _received
    if name in ("dkim-signature", "domainkey-signature"):
        return _signature
    if name == "subject":
        return _subject
    if name.endswith("date"):
        return _date
    return _recipients if name in _RECIPIENTS else _bounded


def _bounded(value: str, home: Home) -> str:
    return value[:MAX_VALUE]


def _signature(value: str, home: Home) -> str:
    return " ".join([f"{tag}={text}" for tag, text in _SIGNATURE_KEPT.findall(value[:MAX_VALUE])])


def _subject(value: str, home: Home) -> str:
    return _TAGS.sub("", value[:MAX_VALUE])


def _first(mail: Mail, arrival: Arrival | None) -> Iterator[SeenField]:
    if arrival is None:
        sender = mail.headers.first("return-path")
        if sender is not None:
            yield SeenField("return-path", "Return-Path", sender.strip()[:MAX_VALUE])
        return
    yield SeenField("return-path", "Return-Path", f"<{arrival.sender[:MAX_VALUE]}>")
    name = arrival.client_name or "unknown"
    yield SeenField("received", "Received", f"from {arrival.helo[:200]} ({name[:200]} [{arrival.client_ip}])")


def _received(value: str, home: Home) -> str | None:
    """Who handed the message over, and how; None for a hop inside a machine or between our own.

    Ids, dates and the recipient (`for <...>`) are left out.
    """
    found = _FROM_CLAUSE.search(value[:MAX_VALUE])
    if found is None:
        return None
    source, host, rest = found[1], found[2] or "", found[3] or ""
    plain = source.lower()
    for hint in _LOCAL_HINTS:
        if hint in plain and _LOCAL.search(source):
            return None
    ours = home.has(host)
    if ours and home.has(source.partition(" ")[0]):
        return None
    value = f"from {source} by {host}" if host and not ours else f"from {source}"
    program = _PROGRAM.search(rest)
    if program:
        value += f" ({_CLOCK.sub('9', program[1])})"
    protocol = _PROTOCOL.search(rest)
    return f"{value} with {protocol[1].rstrip(';')}" if protocol else value


def _date(value: str, home: Home) -> str:
    """A date's form and zone: its digits and names say when, and time is what separates folders of mail."""
    value = value[:120]
    found = _DATE_TIME.match(value)
    clock, zone = (found[1], found[2]) if found else (value, "")
    return _without_names(_CLOCK.sub("9", clock)) + zone


@lru_cache(512)
def _without_names(clock: str) -> str:
    """A time without the names of day and month. Without digits there are few."""
    return _CALENDAR.sub("Day", clock)


def _recipients(value: str, home: Home) -> str:
    """How many recipients there are, in what form, and which are elsewhere: mailing lists, partners.

    The site's own are left out: a model must not learn whose mailbox it is.
    """
    value = value[:MAX_VALUE]
    shown = _ADDRESS.sub(lambda found: "@" if home.has(found[1]) else found[0], value[:120])
    count = value.count("@")
    return f"{min(count, 9)} {shown}" if count else shown
