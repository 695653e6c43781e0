"""The processes: where they listen, what they keep, what they say of themselves."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from pydantic import Field

from tamis.base.breaker_limits import BreakerLimits
from tamis.settings.values import Section, Socket

_MIB = 1024 * 1024


class MilterSettings(Section):
    """The daemon that Postfix talks to."""

    socket: Socket = Field(
        "unix:/var/spool/postfix/tamis/milter",
        description="where Postfix's smtpd finds the milter, below its queue directory for one in a chroot; who can "
        "connect is believed, so a TCP port is for hosts without other users",
    )
    socket_mode: str = Field(
        "0660", pattern=r"^0[0-7]{3}$", description="permissions of a unix socket (octal)"
    )
    socket_group: str = Field(
        "postfix",
        description="group of the unix sockets of milter and desk: Postfix's own; empty: the daemon's",
    )
    workers: int = Field(
        default_factory=lambda: max(2, os.cpu_count() or 1), ge=1, le=256, description="worker processes"
    )
    message_deadline: float = Field(
        30.0,
        gt=0,
        le=250,
        description="seconds for examining one message; less than Postfix's milter_content_timeout (300)",
    )
    drain: float = Field(
        30.0, ge=0, le=600, description="seconds that open sessions get to finish at shutdown"
    )
    max_examined: int = Field(
        10 * 1024 * 1024,
        ge=64 * 1024,
        le=1024**3,
        description="octets of a message that are examined; the rest is delivered unread",
    )


class DeskSettings(Section):
    """The LMTP desk: it stores into quarantine and sends changed copies back to Postfix."""

    socket: Socket = Field(
        "unix:/var/spool/postfix/tamis/desk",
        description="where Postfix's transport tamis finds the desk, which speaks with root, Postfix and Tamis; at "
        "a TCP port with everybody on this machine",
    )
    reinject: str = Field(
        "127.0.0.1:8897",
        pattern=r"^(\[[0-9A-Fa-f:]+\]|[0-9.]+):[0-9]{1,5}$",
        description="Postfix's listener without a milter, IP:PORT",
    )
    concurrency: int = Field(8, ge=1, le=256, description="copies handled at once")
    store_seconds: float = Field(
        60.0,
        gt=0,
        le=540,
        description="seconds that a copy may take; then it stays in Postfix's queue, and while the store hangs one "
        "copy at a time tries it",
    )
    connections: int = Field(
        200, ge=4, le=4096, description="connections at once; more are asked to come back"
    )
    max_memory: int = Field(
        256 * 1024 * 1024,
        ge=16 * 1024 * 1024,
        le=64 * 1024**3,
        description="octets of messages that the desk is sent at once; further ones wait, a larger one comes alone",
    )
    proof_seconds: float = Field(
        5.0,
        gt=0,
        le=300,
        description="how long a proof of the route from Postfix to the desk is valid; then a probe renews "
        "it before use",
    )
    proof_wait: float = Field(
        5.0, gt=0, le=60, description="seconds that a message waits for the proof before it gets 451"
    )


FORMER_SOCKETS: Mapping[str, str] = MappingProxyType(
    {"milter": "inet:127.0.0.1:8895", "desk": "inet:127.0.0.1:8896"}
)
"""The defaults before 0.3, which a Postfix may still name."""


class StoreSettings(Section):
    """The durable store: quarantine, policy, lists."""

    url: str = Field(
        "",
        description="SQLAlchemy URL (sqlite or postgresql+psycopg); empty: SQLite in state_directory",
    )
    expire_every: float = Field(
        3600.0, ge=1, le=86400, description="seconds between two clean-ups of expired quarantine"
    )


class QuarantineSettings(Section):
    """How much held mail is kept. Sizes count each copy's message as it came; 0 means no quota."""

    guaranteed_days: float = Field(
        7.0, ge=1, le=3650, description="days that a held copy is kept whatever the quotas say"
    )
    mailbox_quota: int = Field(
        256 * _MIB, ge=0, le=2**50, description="octets held for one mailbox; beyond it the oldest go first"
    )
    domain_quota: int = Field(
        16 * 1024 * _MIB,
        ge=0,
        le=2**50,
        description="octets held for one domain; beyond it the oldest of its largest mailbox go first",
    )
    quota: int = Field(
        64 * 1024 * _MIB,
        ge=0,
        le=2**50,
        description="octets held in all; beyond it the oldest of the largest mailbox go first",
    )


class StateSettings(Section):
    """The state that workers share: greylisting, counts, blocked clients. It expires by itself."""

    url: str = Field(
        "",
        pattern=r"^$|^(redis|rediss|unix|sentinel)://",
        description="a Redis that several hosts share: redis://HOST:PORT/DB, or, for the master that Sentinels name, "
        "sentinel://HOST:PORT,HOST:PORT/SERVICE; empty: a file in state_directory",
    )
    wait: float = Field(
        1.0,
        gt=0,
        le=30,
        description="seconds after which the state counts as lost; filters that need it are then unavailable",
    )
    max_megabytes: int = Field(
        256, ge=1, le=65536, description="size of the file; what expires soonest is dropped first"
    )


OtherFilter = Literal["", "spamassassin", "rspamd", "pmg"]
"""Whose header fields can be read beside our verdict."""


class HistorySettings(Section):
    """What is remembered of every message: its findings and verdicts, never its content."""

    enabled: bool = Field(True, description="false records nothing")
    subjects: bool = Field(True, description="false keeps subject and header From out of the history")
    days: int = Field(30, ge=1, le=3650, description="days that a message's history is kept")
    most: int = Field(
        1_000_000,
        ge=1000,
        le=1_000_000_000,
        description="messages that are kept; the oldest are dropped first",
    )
    journal: int = Field(
        256 * 1024 * 1024,
        ge=1024 * 1024,
        le=1024**4,
        description="octets that may wait for the store while it is down; beyond that, messages are not recorded",
    )
    other_filter: OtherFilter = Field(
        "",
        description="another filter before Tamis, whose verdict is recorded from its header fields for "
        "`tamis compare` (docs/observe.md); it must remove forged ones. Empty: none",
    )


class StatisticsSettings(Section):
    """The sums of what came and where it went, without senders' addresses, subjects or contents."""

    days: int = Field(
        400, ge=31, le=3660, description="days that sums are kept, and people's words on messages"
    )


class BreakerSettings(Section):
    """When an external part that keeps failing is left out for a while; a change wants a restart."""

    failures: int = Field(
        5,
        ge=1,
        le=1000,
        description="failures in a row, in one process, after which a scanner, a DNS list, the shared state, helpers "
        "or a list of complaints is left out",
    )
    pause: float = Field(
        10.0,
        ge=0.1,
        le=3600,
        description="seconds that it is left out before one call tries it again; doubled by each failed trial",
    )
    longest: float = Field(60.0, ge=0.1, le=86400, description="longest pause in seconds")

    @property
    def limits(self) -> BreakerLimits:
        """As the breakers take them."""
        return BreakerLimits(self.failures, min(self.pause, self.longest), self.longest)


class MetricsSettings(Section):
    """Numbers for Prometheus."""

    listen: str = Field(
        "",
        pattern=r"^((\[[0-9A-Fa-f:]+\]|[0-9.]+):[0-9]{1,5})?$",
        description="IP:PORT where the background process serves metrics; empty: nowhere, and nothing is counted",
    )


class LogSettings(Section):
    """What is logged; it goes to standard error, where systemd or a supervisor collects it."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="lowest level that is logged"
    )
