"""What senders, recipients and administrators meet: pages, notices, headers, reports of abuse."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationInfo, field_validator

from tamis.message.public_places import is_public_host
from tamis.settings.values import AddressKey, DomainName, Network, Section, Socket, WebUrl


class WebSettings(Section):
    """The pages: for senders of held mail, and for recipients and their administrators."""

    listen: Socket = Field(
        "inet:127.0.0.1:8898", description="where the pages are served, over HTTP; nginx adds HTTPS"
    )
    socket_group: str = Field("", description="group of a unix socket; nginx's user must be in it")
    url: WebUrl = Field(
        "http://127.0.0.1:8898",
        max_length=200,
        description="what links in mails begin with: the public address of the pages. While it is none (this "
        "machine, a private network, a name that public DNS has not), no sender is asked",
    )
    trial: bool = Field(
        False, description="ask senders although `url` is no public address: to try Tamis out on one machine"
    )
    trusted_proxies: tuple[Network, ...] = Field(
        ("127.0.0.0/8", "::1/128"),
        description="proxies whose X-Forwarded-For is trusted: limits apply to the client it names",
    )
    requests: int = Field(
        600, ge=10, le=1_000_000, description="requests a minute from one network (/24, /56); more get 429"
    )
    session_hours: float = Field(12.0, gt=0, le=24 * 90, description="hours until people must sign in again")
    imap: str = Field(
        "",
        pattern=r"^(imaps?://(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?)?$",
        description="IMAP server for signing in with address and password: imaps://HOST (TLS) or imap://HOST "
        "(STARTTLS); empty: only by mailed link. Dovecot must trust this host (docs/pages.md)",
    )
    imap_ca: str = Field("", description="CA file for its certificate; empty: the system's CAs")
    administrators: dict[AddressKey, tuple[DomainName, ...]] = Field(
        {},
        description="addresses that see the quarantine of whole domains, except locked mailboxes (Q9), or of all of "
        'them ("platform"): { "admin@example.com" = ["example.com"] }',
    )

    @property
    def is_public(self) -> bool:
        """Whether `url` can be reached from anywhere, by how it is written."""
        return is_public_host(urlsplit(self.url).hostname or "")

    @property
    def is_for_strangers(self) -> bool:
        """Whether links to the pages may go to people outside."""
        return self.is_public or self.trial


class NoticeSettings(Section):
    """Notices to the senders of held mail. Budgets count mails, a sliding window each; 0 means none."""

    evidence: Literal["authenticated", "unless-failed"] = Field(
        "authenticated",
        description="who may get a mail: only senders whose domain authenticates the message (SPF, or DKIM where "
        "From is the envelope sender), or everybody for whom SPF and DMARC did not fail. The latter also "
        "writes to people whose address a spammer forged",
    )
    sender: str = Field(
        "postmaster",
        pattern=r"^[A-Za-z0-9_+-]{1,64}(\.[A-Za-z0-9_+-]{1,64})*$",
        description="the part before the @ in From of notices; the recipient's domain follows",
    )
    wait: float = Field(
        30.0,
        ge=0,
        le=3600,
        description="seconds from holding to asking, so that one notice covers all copies of a message",
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
        description="prefix of the names of our headers; Junk filing uses <prefix>Flag",
    )
    authserv_id: str = Field(
        "",
        pattern=r"^[A-Za-z0-9._-]{0,253}$",
        description="authserv-id of our Authentication-Results (RFC 8601 2.5); incoming ones with this id are "
        "removed; empty: this machine's name. Hosts of one site should use the same",
    )


class AbuseMailboxSettings(Section):
    """A mailbox with abuse reports (ARF), which is read over IMAP and counted (S15)."""

    host: str = Field(
        "",
        max_length=253,
        description="the IMAP server; empty: no such mailbox",
    )
    port: int = Field(993, ge=1, le=65535, description="its port")
    security: Literal["tls", "starttls", "none"] = Field(
        "tls", description="none only to this machine, because the password is sent in the clear"
    )
    ca_file: Literal[""] | Path = Field(
        "", description="CA file for the server's certificate; empty: the system's CAs"
    )
    user: str = Field("", max_length=320, validate_default=True, description="the login name")
    password_file: Literal[""] | Path = Field(
        "",
        validate_default=True,
        description="a file whose first line is the password; readable only by the daemon's user",
    )
    folder: str = Field("INBOX", min_length=1, max_length=200, description="where reports arrive")
    handled: str = Field(
        "Handled",
        min_length=1,
        max_length=200,
        description="the folder that they are moved to; created if missing",
    )
    every: float = Field(300.0, ge=1, le=86400, description="seconds between two reads")
    seconds: float = Field(30.0, gt=0, le=300, description="seconds that the server may take for one answer")

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
