"""The settings file: every table of it, how it is found and read, and the policy in it."""

from __future__ import annotations

import os
import re
import socket
import tomllib
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationError

from tamis.base.errors import ConfigError, nearest_name
from tamis.base.validation import config_error
from tamis.message.address import PLATFORM, address_key, domain_key
from tamis.settings.daemon import (
    FORMER_SOCKETS,
    BreakerSettings,
    DeskSettings,
    HistorySettings,
    LogSettings,
    MetricsSettings,
    MilterSettings,
    QuarantineSettings,
    StateSettings,
    StatisticsSettings,
    StoreSettings,
)
from tamis.settings.examining import (
    AntivirusSettings,
    DNSSettings,
    ImageSettings,
    KnowledgeSettings,
    LearningSettings,
    RulesSettings,
    SpamAssassinSettings,
)
from tamis.settings.others import DovecotSettings, PostfixSettings
from tamis.settings.people import AbuseMailboxSettings, HeaderSettings, NoticeSettings, WebSettings
from tamis.settings.platform import Platform
from tamis.settings.values import Section

if TYPE_CHECKING:
    from tamis.knowledge import BaseFiles
    from tamis.rules import RuleSource

Layers = Mapping[str, Mapping[str, Any]]
"""Policy by scope: what is set for the platform, a domain or a mailbox, nested as in the settings file."""

DEFAULT_FILE = Path("/etc/tamis/tamis.toml")
TRIAL_FILE = Path(__file__).resolve().parents[2] / "var" / "tamis.toml"
"""What ./run makes in a checkout; the command of that checkout reads it."""
ENVIRONMENT = "TAMIS_CONFIG"
"""The environment variable that names the settings file when --config does not."""


class Settings(Section):
    """The whole file, without policy layers (see `policy_layers`)."""

    state_directory: Path = Field(
        Path("/var/lib/tamis"), description="what must outlive a reboot: store, signing key, model, journal"
    )
    run_directory: Path = Field(
        Path("/run/tamis"),
        description="what a start makes anew: process list, proof of the route, counts on their way",
    )
    platform: Platform = Platform()
    milter: MilterSettings = Field(default_factory=MilterSettings)
    desk: DeskSettings = DeskSettings()
    store: StoreSettings = StoreSettings()
    quarantine: QuarantineSettings = QuarantineSettings()
    web: WebSettings = WebSettings()
    dns: DNSSettings = DNSSettings()
    rules: RulesSettings = RulesSettings()
    knowledge: KnowledgeSettings = KnowledgeSettings()
    history: HistorySettings = HistorySettings()
    statistics: StatisticsSettings = StatisticsSettings()
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
    def updated_knowledge(self) -> Path:
        """Where `tamis knowledge update` puts a base."""
        return self.state_directory / "knowledge" / "current"

    @property
    def rules_directory(self) -> Path:
        """What `tamis rules propose` goes by, and the rules that were made of it."""
        return self.state_directory / "rules"

    @property
    def taken_rules(self) -> Path:
        """The proposed rules that were accepted or taken into shadow."""
        return self.rules_directory / "taken.toml"

    @property
    def own_rules(self) -> Path:
        """The operator's rules that are kept in the store, as this host has them."""
        return self.rules_directory / "own.toml"

    @property
    def key_file(self) -> Path:
        """The key that signs redirection addresses."""
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
        """What changed of policy and lists, as the workers read it; beside it is what it changed from."""
        return self.state_directory / "snapshot" / "changes"

    @property
    def former_snapshot(self) -> Path:
        """The same, as versions before 0.3 read it."""
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
        self.settings = _with_former_sockets(self.settings)
        self.layers = policy_layers(policy, self.source)

    @cached_property
    def rules(self) -> tuple[RuleSource, ...]:
        """The rule files as they stood when they were first asked for, so that a half edited one is no part of a Site;
        and those that Tamis itself keeps, as `read_kept_rules` found them last. Raises ConfigError."""
        return self._all_rules()

    @cached_property
    def knowledge(self) -> BaseFiles:
        """The base of knowledge, likewise."""
        from tamis.knowledge import read_base  # noqa: PLC0415 # most of what a start costs

        return read_base(base_directory(self.settings))

    def read_kept_rules(self) -> None:
        """Read again the rules that Tamis itself keeps: those of the store, and proposals that were taken. Raises
        ConfigError."""
        self.rules = self._all_rules()

    @cached_property
    def _named_rules(self) -> tuple[RuleSource, ...]:
        return _sources(self.settings.rules.files)

    def _all_rules(self) -> tuple[RuleSource, ...]:
        return (*self._named_rules, *_sources(kept_rules(self.settings)))


def kept_rules(settings: Settings) -> list[Path]:
    """The rule files that Tamis itself keeps, as far as they are there. Raises ConfigError."""
    return [path for path in (settings.own_rules, settings.taken_rules) if _exists(path)]


def _sources(files: Sequence[Path]) -> tuple[RuleSource, ...]:
    if not files:
        return ()
    from tamis.rules.rule_file import read_sources  # noqa: PLC0415 # as above

    return read_sources(files)


def _with_former_sockets(settings: Settings) -> Settings:
    """The defaults before 0.3 where nothing else is set and Postfix still names them: an upgrade stops no mail."""
    try:
        main = (settings.postfix.config_directory / "main.cf").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return settings
    lines = "\n".join(line for line in main.splitlines() if not line.startswith("#"))
    changes: dict[str, Section] = {}
    for name, former in FORMER_SOCKETS.items():
        section: MilterSettings | DeskSettings = getattr(settings, name)
        port = former.rpartition(":")[2]
        if "socket" not in section.model_fields_set and re.search(
            rf"(127\.0\.0\.1\]?|localhost):{port}\b", lines
        ):
            changes[name] = section.model_copy(update={"socket": former})
    return settings.model_copy(update=changes) if changes else settings


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise ConfigError(str(path), "", f"can't be read: {error}") from None


def base_directory(settings: Settings) -> Path:
    """The named base, else the updated one, else the shipped one. Raises ConfigError."""
    if settings.knowledge.directory:
        return Path(settings.knowledge.directory)
    from tamis.knowledge import SHIPPED  # noqa: PLC0415 # as above

    updated = settings.updated_knowledge
    return updated if _exists(updated / "base.toml") else SHIPPED


def read_settings(path: Path | None = None) -> SettingsFile:
    """The settings from `path`, else $TAMIS_CONFIG, else what ./run made in this checkout, else /etc/tamis; without a
    file: defaults.

    Raises ConfigError when a named file can't be read or holds anything wrong.
    """
    named = path or (Path(os.environ[ENVIRONMENT]) if os.environ.get(ENVIRONMENT) else None)
    chosen = named or (TRIAL_FILE if TRIAL_FILE.is_file() else DEFAULT_FILE)
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
