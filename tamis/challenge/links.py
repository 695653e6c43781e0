"""Where links lead that stand in mails and replies: below `web.url`, each with a token that says what it may do."""

from __future__ import annotations

from datetime import datetime

from tamis.base.tokens import Purpose, Tokens
from tamis.settings import Settings


def challenge_link(settings: Settings, tokens: Tokens, challenge: str, expires: datetime) -> str:
    """The page on which a sender confirms a held message."""
    return f"{settings.web.url}/c/{tokens.make(Purpose.CHALLENGE, challenge, expires=expires)}"


def guide_link(settings: Settings, language: str, *, of_sender: bool = False) -> str:
    """The guide for recipients, or for senders who are asked; "" where the pages are at no address for others."""
    if not settings.web.is_for_strangers:
        return ""
    return f"{settings.web.url}/help{'/confirm' if of_sender else ''}?lang={language}"


def action_link(settings: Settings, tokens: Tokens, message: str, verb: str, expires: datetime) -> str:
    """The page on which a recipient says what becomes of a held message; `verb` is preselected there, "" for what a
    page offers first."""
    token = tokens.make(Purpose.ACTION, message, expires=expires)
    return f"{settings.web.url}/a/{token}" + (f"?do={verb}" if verb else "")
