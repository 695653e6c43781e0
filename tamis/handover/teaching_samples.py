"""Messages that teach without anybody's report: what honeypots receive is spam, what our users send is ham, and what
is sure by other evidence (`evidence`) is either.

A worker holds a few and leaves them in the spool of reports once a second, off the mail's way. What is lost in a crash
or beyond the bounds is missed by nobody; what one client or one user can teach is bounded where reports are taken in.
"""

from __future__ import annotations

import ipaddress
import logging
import threading

from tamis.chain.road import Examined
from tamis.filters.honeypot import Honeypot, is_evidence
from tamis.handover.evidence import evident
from tamis.message.envelope import Envelope
from tamis.message.mail import Mail
from tamis.models.reports import Label, ReportError, Spool
from tamis.settings import Settings

log = logging.getLogger(__name__)

_HELD = 10
"""Messages of each source between two writes. Beyond: they teach nothing."""
_MAX_OCTETS = 256 * 1024
_MAX_WAITING = 1000
"""Reports in the spool from which on samples are left out: people's go first."""
_NETWORK = {4: 24, 6: 48}
"""Bits of a network that somebody has to himself: a site gets a /48 of IPv6 (RFC 6177)."""


class Samples:
    """A worker's samples until they are written."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, list[tuple[Label, str, str, bytes]]] = {}

    def take(self, settings: Settings, examined: Examined, mail: Mail) -> None:
        """Hold a message that teaches, unless enough are held."""
        envelope, learning = examined.envelope, settings.learning
        if envelope.login:
            if learning.outgoing:
                self._hold("ham", "outgoing", author_of(envelope), mail.raw)
            return
        finding = examined.findings.get(Honeypot.name)
        if learning.honeypot and finding is not None and is_evidence(finding):
            self._hold("spam", "honeypot", network_of(envelope), as_stored(envelope, mail.raw))
            return
        label = evident(examined.judged, examined.findings) if learning.evident else None
        if label is not None:
            # A listed network answers for spam, a sender who earned his place for himself.
            reporter = network_of(envelope) if label == "spam" else envelope.sender
            self._hold(label, "evident", reporter, as_stored(envelope, mail.raw))

    def _hold(self, label: Label, source: str, reporter: str, raw: bytes) -> None:
        with self._lock:
            held = self._held.setdefault(source, [])
            if len(held) < _HELD:
                held.append((label, source, reporter, raw[:_MAX_OCTETS]))

    def write(self, settings: Settings) -> None:
        """Leave what is held in the spool."""
        with self._lock:
            held = [sample for samples in self._held.values() for sample in samples]
            self._held = {}
        if not held:
            return
        spool = Spool(settings.spool_directory)
        try:
            if spool.waiting() < _MAX_WAITING:
                for sample in held:
                    spool.put(*sample)
        except (ReportError, OSError) as error:
            log.warning("samples lost: %s", error)


def author_of(envelope: Envelope) -> str:
    """Who answers for a sample of our own: the login, which proves more than MAIL FROM, where it is an address."""
    return envelope.login if "@" in envelope.login else envelope.sender or envelope.login


def network_of(envelope: Envelope) -> str:
    """Who answers for a sample from a stranger: the client's network, since the sender's name is free to choose."""
    if envelope.ip is None:
        return "-"
    return str(ipaddress.ip_network(f"{envelope.ip}/{_NETWORK[envelope.ip.version]}", strict=False))


def as_stored(envelope: Envelope, raw: bytes) -> bytes:
    """The message with the trace that our own server would have left in a stored copy (RFC 5321 4.4)."""
    name = envelope.client_name or "unknown"
    trace = (
        f"Return-Path: <{envelope.sender}>\r\n"
        f"Received: from {envelope.helo[:200]} ({name[:200]} [{envelope.client_ip}])\r\n"
    )
    clean = "".join(c if " " <= c <= "~" or c in "\r\n" else "?" for c in trace)
    return clean.encode("ascii") + raw
