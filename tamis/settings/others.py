"""The mail servers around: Postfix and Dovecot."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from tamis.settings.values import Section


class PostfixSettings(Section):
    """Where Postfix's own settings are, for `tamis doctor` and for noticing a lost route."""

    config_directory: Path = Field(
        Path("/etc/postfix"), description="Postfix's configuration directory (postconf -c)"
    )


class DovecotSettings(Section):
    """How mailboxes are reached for cleaning Junk (O5)."""

    doveadm: tuple[str, ...] = Field(
        ("doveadm",),
        min_length=1,
        max_length=20,
        description='the command doveadm and its first arguments: ["ssh", "mailstore", "doveadm"]',
    )
    junk: str = Field("Junk", min_length=1, max_length=100, description="name of the folder")
    seconds: float = Field(300.0, gt=0, le=86400, description="seconds that one mailbox may take")
