"""Settings: one TOML file, every key with its default, range and help in this one place."""

from tamis.settings.daemon import QuarantineSettings
from tamis.settings.examining import (
    AntivirusEngine,
    AntivirusSettings,
    DNSSettings,
    ImageSettings,
    LearningSettings,
    SpamAssassinSettings,
)
from tamis.settings.others import DovecotSettings
from tamis.settings.people import AbuseMailboxSettings, NoticeSettings, WebSettings
from tamis.settings.platform import Platform
from tamis.settings.settings_file import (
    DEFAULT_FILE,
    ENVIRONMENT,
    Layers,
    Settings,
    SettingsFile,
    policy_layers,
    read_settings,
)
from tamis.settings.values import DomainName, LookupTable, Network, Socket, SocketAddress

__all__ = [
    "DEFAULT_FILE",
    "ENVIRONMENT",
    "AbuseMailboxSettings",
    "AntivirusEngine",
    "AntivirusSettings",
    "DNSSettings",
    "DomainName",
    "DovecotSettings",
    "ImageSettings",
    "Layers",
    "LearningSettings",
    "LookupTable",
    "Network",
    "NoticeSettings",
    "Platform",
    "QuarantineSettings",
    "Settings",
    "SettingsFile",
    "Socket",
    "SocketAddress",
    "SpamAssassinSettings",
    "WebSettings",
    "policy_layers",
    "read_settings",
]
