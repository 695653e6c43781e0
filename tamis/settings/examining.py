"""What filters look at a message with: services, scanners, rules, what they learn."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from tamis.settings.values import Section, Socket


def _server(text: str) -> str:
    DNSSettings.address_of(text)
    return text


ServerAddress = Annotated[str, AfterValidator(_server)]


class DNSSettings(Section):
    """The resolver that the filters share."""

    servers: tuple[ServerAddress, ...] = Field(
        (),
        description="recursive DNS servers; empty: those of /etc/resolv.conf. Some DNS lists refuse public resolvers",
    )
    retransmit: float = Field(
        0.4, ge=0.05, le=5, description="seconds before a query is sent again, to the next server"
    )
    deadline: float = Field(5.0, gt=0, le=30, description="seconds for one query, all attempts together")
    cache_entries: int = Field(
        10_000, ge=100, le=1_000_000, description="answers that each process caches for their TTL"
    )

    list_test_every: float = Field(
        300.0,
        ge=0,
        le=86400,
        description="seconds between two tests of the DNS lists (RFC 5782 5); one that lists everything or nothing is "
        "left out; 0: they are not tested",
    )

    @staticmethod
    def address_of(text: str) -> tuple[str, int]:
        """Host and port of IP, IP:PORT or [IPv6]:PORT. Raises ValueError on anything else."""
        host, colon, port = text, "", ""
        if text.startswith("[") or text.count(":") == 1:
            host, colon, port = text.rpartition(":")
            host = host.removeprefix("[").removesuffix("]")
        if colon and not (port.isascii() and port.isdecimal() and 0 < int(port) < 65536):
            raise ValueError("must be IP, IP:PORT or [IPv6]:PORT")
        return str(ipaddress.ip_address(host)), int(port or 53)


class RulesSettings(Section):
    """The operator's own rules (S19-S21)."""

    files: tuple[Path, ...] = Field(
        (), max_length=50, description="rule files (docs/rules.md); read again on SIGHUP"
    )
    propose: Literal["off", "ask", "shadow"] = Field(
        "ask",
        description="whether phrases, link domains and header forms of reported spam are kept for `tamis rules "
        "propose`; with shadow what it proposes is also taken into shadow, once a day",
    )


class KnowledgeSettings(Section):
    """The base of knowledge (S21b)."""

    directory: str = Field(
        "",
        max_length=1000,
        description="folder of a base to use instead of the shipped one; empty: `knowledge/current` in "
        "state_directory, where `tamis knowledge update` puts it, else the shipped base. Read again on SIGHUP",
    )


class LearningSettings(Section):
    """What the statistical filter (S27) learns, and how much of it from whom."""

    minimum: int = Field(
        200,
        ge=50,
        le=100_000,
        description="messages, ham and spam each, that must be learned before the filter decides anything",
    )
    spool: str = Field(
        "",
        max_length=1000,
        description="folder in which reports wait to be learned; empty: `reports` in state_directory. Dovecot's "
        "scripts must be able to write there",
    )
    per_reporter: int = Field(
        50,
        ge=1,
        le=1_000_000,
        description="messages a day that one reporter can teach; `tamis learn` has no limit",
    )
    per_domain: int = Field(
        500, ge=1, le=1_000_000, description="messages a day that the reporters of one domain can teach"
    )
    per_source: int = Field(
        5000, ge=1, le=10_000_000, description="messages a day that one source (dovecot, web, ...) can teach"
    )
    mark_days: int = Field(
        30, ge=1, le=365, description="days that a mark by hand as spam counts (S8b, learned entries)"
    )
    learned_from: int = Field(
        5,
        ge=0,
        le=1000,
        description="messages marked as spam, with none marked as ham, that must contain an image or file "
        "before it is listed (S22, S26) automatically; 0: never",
    )
    honeypot: bool = Field(
        True,
        description="mail to `platform.honeypots` is learned as spam, unless the model firmly disagrees",
    )
    evident: bool = Field(
        True,
        description="mail that is spam for sure by outside lists and other filters together, or ham for sure "
        "because its sender earned his place (S7) and SPF passes, is learned, unless the model firmly disagrees",
    )
    outgoing: bool = Field(
        False,
        description="mail of authenticated users is learned as ham, at most a fifth of `per_reporter` a day from "
        "each, unless the model firmly disagrees",
    )


class AntivirusEngine(Section):
    """One clamd: its own process with its own signature base."""

    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,40}$", description="what reports call it")
    socket: Socket = Field(description="clamd's LocalSocket or TCPSocket")
    second_pass: bool = Field(
        False, description="ask it after the cheap filters (S25) and not before everything else (S1)"
    )


class AntivirusSettings(Section):
    """The virus scanners of S1 and S25, in the order in which they are asked."""

    engines: tuple[AntivirusEngine, ...] = Field(
        (), description='e.g. [{ name = "clamav", socket = "unix:/run/clamav/clamd.ctl" }]'
    )
    seconds: float = Field(
        8.0, gt=0, le=240, description="seconds that all engines of a pass may take together"
    )
    max_size: int = Field(
        25 * 1024 * 1024,
        ge=1024,
        le=2**31,
        description="octets; larger content is not scanned; at most clamd's StreamMaxLength",
    )


class ImageSettings(Section):
    """How images and PDF documents are read (S22)."""

    ocr: bool = Field(
        True, description="read text in images and scanned documents with tesseract, if it is installed"
    )
    languages: tuple[Annotated[str, Field(pattern=r"^[A-Za-z_]{2,30}$")], ...] = Field(
        ("fra", "eng", "rus", "chi_sim"),
        description="tesseract's languages; those that are not installed are left out",
    )
    pages: int = Field(3, ge=0, le=20, description="number of pages of a PDF document that are read; 0: none")
    seconds: float = Field(
        10.0, gt=0, le=25, description="seconds for reading all images and documents of a message"
    )


class SpamAssassinSettings(Section):
    """The spamd of S28."""

    socket: Socket | Literal[""] = Field("", description="where spamd listens; empty: none")
    seconds: float = Field(15.0, gt=0, le=55, description="how long it may take")
    max_size: int = Field(
        512 * 1024, ge=1024, le=2**28, description="octets; larger messages are not sent to it"
    )
