"""Settings: one TOML file, every key with its default, range and help in this one place."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import tomllib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from tamis.address import PLATFORM, address_key, domain_key
from tamis.breaker import Limits
from tamis.dnslists import DNSBL, RHSBL, URIBL, DNSList
from tamis.envelope import IPAddress
from tamis.errors import ConfigError, nearest_name
from tamis.rules import RuleSource
from tamis.rules.file import read_sources
from tamis.validation import config_error

Layers = Mapping[str, Mapping[str, Any]]
"""Policy by scope: what is set for the platform, a domain or a mailbox, nested as in the settings file."""

DEFAULT_FILE = Path("/etc/tamis/tamis.toml")
ENVIRONMENT = "TAMIS_CONFIG"
"""The environment variable that names the settings file when --config does not."""


class Section(BaseModel):
    """A table of the settings file: immutable, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _network(text: str) -> str:
    return str(ipaddress.ip_network(text))


def _socket(text: str) -> str:
    SocketAddress.parse(text)
    return text


def _dns_list(text: str) -> str:
    DNSList.parse(text)
    return text


class SocketAddress(BaseModel):
    """`inet:HOST:PORT`, `inet6:[HOST]:PORT` or `unix:/PATH`, as Postfix writes them."""

    model_config = ConfigDict(frozen=True)

    path: str = ""
    host: str = ""
    port: int = 0

    @classmethod
    def parse(cls, text: str) -> SocketAddress:
        """Read one. Raises ValueError, with the forms that are allowed, on anything else."""
        kind, _, rest = text.partition(":")
        if kind in ("unix", "local") and rest.startswith("/"):
            return cls(path=rest)
        host, _, port = rest.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if kind in ("inet", "inet6") and port.isdecimal() and 0 < int(port) < 65536:
            return cls(host=str(ipaddress.ip_address(host or "127.0.0.1")), port=int(port))
        raise ValueError("must be unix:/PATH, inet:IP:PORT or inet6:[IP]:PORT")

    def __str__(self) -> str:
        return f"unix:{self.path}" if self.path else f"inet:{self.bracketed}:{self.port}"

    @property
    def bracketed(self) -> str:
        """The host as it stands before a port."""
        return f"[{self.host}]" if ":" in self.host else self.host


Socket = Annotated[str, AfterValidator(_socket)]
Network = Annotated[str, AfterValidator(_network)]
DomainName = Annotated[str, AfterValidator(domain_key)]
ListText = Annotated[str, AfterValidator(_dns_list)]


class Platform(Section):
    """Whom this installation serves."""

    domains: tuple[DomainName, ...] = Field(
        (), description="domains whose mailboxes are here; empty means every recipient is taken as local"
    )
    networks: tuple[Network, ...] = Field(
        ("127.0.0.0/8", "::1/128"), description="own networks: their mail is treated as outgoing (O8)"
    )
    alias_maps: tuple[Path, ...] = Field(
        (),
        description="virtual(5) alias files in text form; recipients whose alias leads outside "
        "platform.domains are forwards (O4)",
    )
    protected_domains: tuple[DomainName, ...] = Field(
        (), description="domains that others may not imitate, beside `domains`: a bank, a partner"
    )
    protected_names: dict[str, tuple[DomainName, ...]] = Field(
        {},
        description="names that others may not show in From, each with the domains that may; none means "
        '`domains`: { "Marie Martin" = ["example.com"] }',
    )
    recipient_delimiter: str = Field(
        "+", max_length=4, description="Postfix's recipient_delimiter: user+tag obeys the policy of user"
    )

    host_names: tuple[DomainName, ...] = Field(
        (), description="own host names, which no stranger may give in HELO; platform.domains are added"
    )
    dnsbl: tuple[ListText, ...] = Field(
        DNSBL, description="DNS lists of addresses, asked for the client (S17)"
    )
    rhsbl: tuple[ListText, ...] = Field(
        RHSBL, description="DNS lists of domains, asked for MAIL FROM's (S17)"
    )
    uribl: tuple[ListText, ...] = Field(
        URIBL, description="DNS lists of domains, asked for those of links (S24)"
    )

    honeypots: tuple[str, ...] = Field(
        (), description="addresses that no person uses: who writes to them sends spam (S14)"
    )
    honeypot_window: float = Field(
        3600.0, gt=0, le=30 * 86400, description="seconds that a visit to a honeypot is remembered"
    )
    honeypot_block_from: int = Field(
        3,
        ge=1,
        le=10_000,
        description="messages to honeypots in the window that put a client on the blacklist S2",
    )
    honeypot_block: float = Field(
        3600.0, gt=0, le=30 * 86400, description="seconds that such a client is refused"
    )

    complaint_feeds: tuple[str, ...] = Field(
        (), description="files and http(s) URLs with senders complained about, one a line (S10)"
    )
    complaint_refresh: float = Field(
        6 * 3600.0, ge=60, le=7 * 86400, description="seconds between two readings of them"
    )

    @cached_property
    def honeypot_keys(self) -> frozenset[str]:
        """`honeypots` in their comparing form."""
        return frozenset(map(address_key, self.honeypots))

    @cached_property
    def _own(self) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
        return tuple(ipaddress.ip_network(n) for n in self.networks)

    def is_own_network(self, ip: IPAddress | None) -> bool:
        """Whether a client address lies in `networks`."""
        return ip is not None and any(ip.version == net.version and ip in net for net in self._own)


class MilterSettings(Section):
    """The daemon that Postfix talks to."""

    socket: Socket = Field("inet:127.0.0.1:8895", description="where Postfix's smtpd_milters points")
    socket_mode: str = Field(
        "0660", pattern=r"^0[0-7]{3}$", description="permissions of a unix socket (octal)"
    )
    socket_group: str = Field("", description="group of a unix socket; Postfix's user must be in it")
    workers: int = Field(
        default_factory=lambda: max(2, os.cpu_count() or 1), ge=1, le=256, description="worker processes"
    )
    message_deadline: float = Field(
        30.0,
        gt=0,
        le=250,
        description="seconds for examining one message; below Postfix's milter_content_timeout (300)",
    )
    drain: float = Field(30.0, ge=0, le=600, description="seconds that open sessions get to finish at a stop")
    max_examined: int = Field(
        10 * 1024 * 1024,
        ge=64 * 1024,
        le=1024**3,
        description="octets of a message that are examined; the rest is delivered unread",
    )


class DeskSettings(Section):
    """The LMTP desk: it stores into quarantine and sends changed copies back to Postfix."""

    socket: Socket = Field("inet:127.0.0.1:8896", description="where Postfix's transport tamis points")
    reinject: str = Field(
        "127.0.0.1:8897",
        pattern=r"^(\[[0-9A-Fa-f:]+\]|[0-9.]+):[0-9]{1,5}$",
        description="Postfix's listener without milter, IP:PORT",
    )
    concurrency: int = Field(8, ge=1, le=256, description="copies handled at once")
    proof_seconds: float = Field(
        5.0,
        gt=0,
        le=300,
        description="how long a proof of the route Postfix -> desk holds; then a probe renews it before use",
    )
    proof_wait: float = Field(
        5.0, gt=0, le=60, description="seconds that a message waits for the proof before it gets 451"
    )


AddressKey = Annotated[str, AfterValidator(address_key)]


def _web_url(text: str) -> str:
    parts = urlsplit(text)
    plain = parts.query == parts.fragment == "" and "@" not in parts.netloc
    # it goes into SMTP replies too, which are ASCII: RFC 3986 2, and its host in A-labels
    plain = plain and re.fullmatch(r"[A-Za-z0-9._~:/\[\]%!$&'()*+,;=@-]+", text) is not None
    if parts.scheme not in ("http", "https") or not parts.hostname or not plain:
        raise ValueError("must be http://HOST[:PORT][/PATH] or https://..., in ASCII")
    return text.rstrip("/")


class WebSettings(Section):
    """The pages: for senders of held mail, and for recipients and their administrators."""

    listen: Socket = Field(
        "inet:127.0.0.1:8898", description="where the pages are served; HTTPS is nginx's work"
    )
    socket_group: str = Field("", description="group of a unix socket; nginx's user must be in it")
    url: Annotated[str, AfterValidator(_web_url)] = Field(
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
        "(STARTTLS); empty: by mailed link alone",
    )
    imap_ca: str = Field(
        "", description="file with the authority that signed its certificate; empty: the system's authorities"
    )
    administrators: dict[AddressKey, tuple[DomainName, ...]] = Field(
        {},
        description="addresses that see the quarantine of whole domains, locked mailboxes excepted (Q9), or of all of "
        'them ("platform"): { "admin@example.com" = ["example.com"] }',
    )


class StoreSettings(Section):
    """The durable store: quarantine, policy, lists."""

    url: str = Field(
        "",
        description="SQLAlchemy URL (sqlite or postgresql+psycopg); empty: SQLite in state_directory",
    )
    expire_every: float = Field(
        3600.0, ge=1, le=86400, description="seconds between two clean-ups of expired quarantine"
    )


def _server(text: str) -> str:
    DNSSettings.address_of(text)
    return text


ServerAddress = Annotated[str, AfterValidator(_server)]


class DNSSettings(Section):
    """The resolver that the filters share."""

    servers: tuple[ServerAddress, ...] = Field(
        (),
        description="recursive DNS servers; empty: those of /etc/resolv.conf. Some lists refuse public ones",
    )
    retransmit: float = Field(
        0.4, ge=0.05, le=5, description="seconds before a question is sent again, to the next server"
    )
    deadline: float = Field(5.0, gt=0, le=30, description="seconds for one question, all attempts together")
    cache_entries: int = Field(
        10_000, ge=100, le=1_000_000, description="answers that each process keeps for their time to live"
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


class HistorySettings(Section):
    """What is remembered of every message: its findings and verdicts, never its content."""

    enabled: bool = Field(True, description="false records nothing")
    days: int = Field(30, ge=1, le=3650, description="days that a message's story is kept")
    most: int = Field(
        1_000_000, ge=1000, le=1_000_000_000, description="messages that are kept; older ones go first"
    )
    journal: int = Field(
        256 * 1024 * 1024,
        ge=1024 * 1024,
        le=1024**4,
        description="octets that may wait for the store while it is down; what comes then is not recorded",
    )


class LearningSettings(Section):
    """What the statistical filter (S27) learns, and how much of it from whom."""

    minimum: int = Field(
        200,
        ge=50,
        le=100_000,
        description="ham and spam, of each, that must be learned before the filter decides anything",
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
        description="messages a day that one reporter can teach; `tamis learn` is free",
    )
    per_domain: int = Field(
        500, ge=1, le=1_000_000, description="messages a day that the reporters of one domain can teach"
    )
    per_source: int = Field(
        5000, ge=1, le=10_000_000, description="messages a day that one source (dovecot, web, ...) can teach"
    )
    mark_days: int = Field(
        30, ge=1, le=365, description="days that what was marked by hand as spam counts (S8b, learned base)"
    )
    learned_from: int = Field(
        5,
        ge=0,
        le=1000,
        description="messages marked as spam, and none as ham, that must have shown an image or file before it is on "
        "the base (S22, S26) by itself; 0: never",
    )
    honeypot: bool = Field(
        True,
        description="mail to `platform.honeypots` is learned as spam, where the model does not firmly disagree",
    )
    outgoing: bool = Field(
        False,
        description="mail that authenticated users send is learned as ham, a fifth of `per_reporter` a day of each, "
        "where the model does not firmly disagree",
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
    seconds: float = Field(8.0, gt=0, le=240, description="how long all engines of a pass may take together")
    max_size: int = Field(
        25 * 1024 * 1024,
        ge=1024,
        le=2**31,
        description="octets from which on nothing is sent; at most clamd's StreamMaxLength",
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
    pages: int = Field(
        3, ge=0, le=20, description="first pages of a PDF document that are read; 0 reads none"
    )
    seconds: float = Field(
        10.0, gt=0, le=25, description="how long reading all images and documents of a message may take"
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


class SpamAssassinSettings(Section):
    """The spamd of S28."""

    socket: Socket | Literal[""] = Field("", description="where spamd listens; empty: there is none")
    seconds: float = Field(15.0, gt=0, le=55, description="how long it may take")
    max_size: int = Field(512 * 1024, ge=1024, le=2**28, description="octets from which on it is not asked")


class StateSettings(Section):
    """The state that workers share: greylisting, counts, blocked clients. It expires by itself."""

    url: str = Field(
        "",
        pattern=r"^$|^(redis|rediss|unix)://",
        description="a Redis that several hosts share (redis://HOST:PORT/DB); empty: a file in state_directory",
    )
    wait: float = Field(
        1.0,
        gt=0,
        le=30,
        description="seconds after which the state counts as lost: its filters are unavailable",
    )
    max_megabytes: int = Field(
        256, ge=1, le=65536, description="size of the file; what expires soonest goes first"
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
        description="seconds that it is left out before one call tries it again; each failed trial doubles them",
    )
    longest: float = Field(60.0, ge=0.1, le=86400, description="seconds that a pause is at most")

    @property
    def limits(self) -> Limits:
        """As the breakers take them."""
        return Limits(self.failures, min(self.pause, self.longest), self.longest)


class MetricsSettings(Section):
    """Numbers for Prometheus."""

    listen: str = Field(
        "",
        pattern=r"^((\[[0-9A-Fa-f:]+\]|[0-9.]+):[0-9]{1,5})?$",
        description="IP:PORT where the background process serves metrics; empty: nowhere, and nothing is counted",
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


class PostfixSettings(Section):
    """Where Postfix's own settings are, for `tamis doctor` and for noticing a lost route."""

    config_directory: Path = Field(Path("/etc/postfix"), description="what postconf -c is given")


class DovecotSettings(Section):
    """How mailboxes are reached for cleaning Junk (O5)."""

    doveadm: tuple[str, ...] = Field(
        ("doveadm",),
        min_length=1,
        max_length=20,
        description='Dovecot\'s own tool, with its first arguments: ["ssh", "mailstore", "doveadm"]',
    )
    junk: str = Field("Junk", min_length=1, max_length=100, description="name of the folder")
    seconds: float = Field(300.0, gt=0, le=86400, description="how long one mailbox may take")


class LogSettings(Section):
    """What is logged; it goes to standard error, where systemd or a supervisor collects it."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="least level that is shown"
    )


class Settings(Section):
    """The whole file, without policy layers (see `policy_layers`)."""

    state_directory: Path = Field(Path("/var/lib/tamis"), description="durable files: store, signing key")
    run_directory: Path = Field(
        Path("/run/tamis"), description="files of the running daemon: snapshot, journal, process list"
    )
    platform: Platform = Platform()
    milter: MilterSettings = Field(default_factory=MilterSettings)
    desk: DeskSettings = DeskSettings()
    store: StoreSettings = StoreSettings()
    web: WebSettings = WebSettings()
    dns: DNSSettings = DNSSettings()
    rules: RulesSettings = RulesSettings()
    history: HistorySettings = HistorySettings()
    learning: LearningSettings = LearningSettings()
    antivirus: AntivirusSettings = AntivirusSettings()
    images: ImageSettings = ImageSettings()
    abuse_mailbox: AbuseMailboxSettings = AbuseMailboxSettings()
    spamassassin: SpamAssassinSettings = SpamAssassinSettings()
    state: StateSettings = StateSettings()
    breakers: BreakerSettings = BreakerSettings()
    metrics: MetricsSettings = MetricsSettings()
    notices: NoticeSettings = NoticeSettings()
    headers: HeaderSettings = HeaderSettings()
    postfix: PostfixSettings = PostfixSettings()
    dovecot: DovecotSettings = DovecotSettings()
    log: LogSettings = LogSettings()

    @property
    def store_url(self) -> str:
        """The store's URL, with the default filled in."""
        return self.store.url or f"sqlite:///{self.state_directory / 'tamis.sqlite'}"

    @cached_property
    def authserv_id(self) -> str:
        """As whom we write Authentication-Results."""
        return self.headers.authserv_id or socket.gethostname()

    @property
    def key_file(self) -> Path:
        """The key that signs detour addresses."""
        return self.state_directory / "signing.key"

    @property
    def model_directory(self) -> Path:
        """The statistical model: what was learned, and what workers read of it."""
        return self.state_directory / "model"

    @property
    def spool_directory(self) -> Path:
        """Where reports wait to be learned."""
        return Path(self.learning.spool) if self.learning.spool else self.state_directory / "reports"

    @property
    def state_file(self) -> Path:
        """The embedded shared state."""
        return self.state_directory / "state.sqlite"

    @property
    def snapshot_file(self) -> Path:
        """What the store says of policy and lists, as the workers read it."""
        return self.state_directory / "snapshot.json"


class SettingsFile:
    """A settings file that was read and found good. Raises ConfigError otherwise."""

    def __init__(self, path: Path | None, text: str) -> None:
        self.path = path
        self.source = str(path) if path else "defaults"
        try:
            data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(self.source, "", f"no valid TOML: {error}") from None
        policy = data.pop("policy", {})
        try:
            self.settings = Settings.model_validate(data)
        except ValidationError as error:
            wrong = config_error(self.source, error, Settings, data)
            if not wrong.nearest and nearest_name(wrong.key, ["policy"]):
                wrong = ConfigError(self.source, wrong.key, wrong.problem, nearest="policy")
            raise wrong from None
        self.layers = policy_layers(policy, self.source)
        self.rules: tuple[RuleSource, ...] = read_sources(self.settings.rules.files)
        """The rule files as they stood when this file was read, so that a half edited one is no part of a Site."""


def read_settings(path: Path | None = None) -> SettingsFile:
    """The settings from `path`, else from $TAMIS_CONFIG, else from /etc/tamis; without a file: defaults.

    Raises ConfigError when a named file can't be read or holds anything wrong.
    """
    named = path or (Path(os.environ[ENVIRONMENT]) if os.environ.get(ENVIRONMENT) else None)
    chosen = named or DEFAULT_FILE
    try:
        return SettingsFile(chosen, chosen.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if named is None:
            return SettingsFile(None, "")
        raise ConfigError(str(chosen), "", "no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(str(chosen), "", f"can't be read: {error}") from None


def policy_layers(policy: Any, source: str) -> Layers:
    """The [policy] table as layers by scope: platform, policy.domains.*, policy.mailboxes.*."""
    if not isinstance(policy, Mapping):
        raise ConfigError(source, "policy", "must be a table", value=policy)
    layers: dict[str, Mapping[str, Any]] = {
        PLATFORM: {k: v for k, v in policy.items() if k not in ("domains", "mailboxes")}
    }
    for group, key in (("domains", domain_key), ("mailboxes", address_key)):
        tables = policy.get(group, {})
        if not isinstance(tables, Mapping):
            raise ConfigError(source, f"policy.{group}", "must be a table", value=tables)
        for name, layer in tables.items():
            where = f'policy.{group}."{name}"'
            if not isinstance(layer, Mapping):
                raise ConfigError(source, where, "must be a table", value=layer)
            if ("@" in name) is not (group == "mailboxes"):
                wanted = "mailboxes" if "@" in name else "domains"
                raise ConfigError(source, where, f"belongs under policy.{wanted}")
            if key(name) in layers:
                raise ConfigError(source, where, "stands there twice, in different spellings")
            layers[key(name)] = layer
    return layers
