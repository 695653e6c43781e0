"""What senders, recipients and administrators meet: pages, notices, headers, reports of abuse."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from tamis.settings.values import AddressKey, DomainName, Network, Section, Socket, WebUrl


class WebSettings(Section):
    """The pages: for senders of held mail, and for recipients and their administrators."""

    listen: Socket = Field(
        "inet:127.0.0.1:8898", description="where the pages are served; HTTPS is nginx's work"
    )
    socket_group: str = Field("", description="group of a unix socket; nginx's user must be in it")
    url: WebUrl = Field(
        "http://127.0.0.1:8898",
        max_length=200,
        description="what links in mails begin with: how the outside world reaches `listen`",
    )
    trusted_proxies: tuple[Network, ...] = Field(
        ("127.0.0.0/8", "::1/128"),
        description="whose X-Forwarded-For is believed: limits count for the client that it names",
    )
    requests: int = Field(
        600, ge=10, le=1_000_000, description="requests a minute from one network (/24, /56); more get 429"
    )
    session_hours: float = Field(12.0, gt=0, le=24 * 90, description="hours until one must sign in again")
    imap: str = Field(
        "",
        pattern=r"^(imaps?://(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?)?$",
        description="IMAP server that also signs people in, by address and password: imaps://HOST (TLS) or imap://HOST "
        "(STARTTLS); empty: by mailed link alone. Dovecot must trust this host (docs/pages.md)",
    )
    imap_ca: str = Field(
        "", description="file with the authority that signed its certificate; empty: the system's authorities"
    )
    administrators: dict[AddressKey, tuple[DomainName, ...]] = Field(
        {},
        description="addresses that see the quarantine of whole domains, locked mailboxes excepted (Q9), or of all of "
        'them ("platform"): { "admin@example.com" = ["example.com"] }',
    )


class NoticeSettings(Section):
    """Notices to the senders of held mail. Budgets count mails, a sliding window each; 0 means none."""

    evidence: Literal["authenticated", "unless-failed"] = Field(
        "authenticated",
        description="to whom a mail may go: only to a sender whose domain vouches for the message (SPF, or DKIM where "
        "From is the envelope sender), or to everybody for whom SPF and DMARC did not fail. The latter also writes to "
        "people whose address a spammer took",
    )
    sender: str = Field(
        "postmaster",
        pattern=r"^[A-Za-z0-9_+-]{1,64}(\.[A-Za-z0-9_+-]{1,64})*$",
        description="the part before the @ in From of notices; behind it stands the recipient's domain",
    )
    wait: float = Field(
        30.0,
        ge=0,
        le=3600,
        description="seconds from holding to asking, so that all copies of a message are asked about together",
    )
    within_hours: float = Field(
        24.0, gt=0, le=240, description="hours after which it is too late to ask about a message"
    )
    per_sender_day: int = Field(3, ge=0, le=10_000, description="notices to one sender in 24 hours")
    per_sender_domain_day: int = Field(
        50, ge=0, le=1_000_000, description="notices to the senders of one domain in 24 hours"
    )
    per_domain_day: int = Field(
        500, ge=0, le=1_000_000, description="notices for the recipients of one domain in 24 hours"
    )
    per_hour: int = Field(200, ge=0, le=1_000_000, description="notices in an hour, all together")
    per_day: int = Field(2000, ge=0, le=10_000_000, description="notices in 24 hours, all together")


class HeaderSettings(Section):
    """The headers on delivered mail."""

    prefix: str = Field(
        "X-Spam-",
        pattern=r"^X-[A-Za-z0-9-]{1,30}-$",
        description="what the names of our headers begin with; Junk filing looks at <prefix>Flag",
    )
    authserv_id: str = Field(
        "",
        pattern=r"^[A-Za-z0-9._-]{0,253}$",
        description="who writes Authentication-Results (RFC 8601 2.5), and as whom nobody else may; empty: this "
        "machine's name. Hosts of one site should have the same",
    )


class AbuseMailboxSettings(Section):
    """A mailbox with abuse reports (ARF), which is read over IMAP and counted (S15)."""

    host: str = Field(
        "",
        max_length=253,
        description="the IMAP server; empty: there is no such mailbox, or it is read by hand",
    )
    port: int = Field(993, ge=1, le=65535, description="its port")
    security: Literal["tls", "starttls", "none"] = Field(
        "tls", description="none only towards this machine, since the password travels"
    )
    ca_file: Literal[""] | Path = Field(
        "", description="certificates that the server's is held against, instead of the system's"
    )
    user: str = Field("", max_length=320, validate_default=True, description="the login name")
    password_file: Literal[""] | Path = Field(
        "",
        validate_default=True,
        description="a file whose first line is the password; readable for the daemon's user alone",
    )
    folder: str = Field("INBOX", min_length=1, max_length=200, description="where reports arrive")
    handled: str = Field(
        "Handled",
        min_length=1,
        max_length=200,
        description="the folder that they are moved to; made if missing",
    )
    every: float = Field(300.0, ge=1, le=86400, description="seconds between two readings")
    seconds: float = Field(30.0, gt=0, le=300, description="how long the server may take for one answer")

    @field_validator("user", "password_file")
    @classmethod
    def _set(cls, value: str | Path, info: ValidationInfo) -> str | Path:
        if info.data.get("host") and not value:
            raise ValueError("must be set with host")
        return value

    @field_validator("security")
    @classmethod
    def _safe(cls, value: str, info: ValidationInfo) -> str:
        if value == "none" and info.data.get("host") not in ("", "127.0.0.1", "::1", "localhost"):
            raise ValueError("the password would travel open: only when host is this machine")
        return value

    @field_validator("handled")
    @classmethod
    def _another(cls, value: str, info: ValidationInfo) -> str:
        if value == info.data.get("folder"):
            raise ValueError("must be another folder than folder")
        return value
