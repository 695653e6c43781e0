"""Links that carry a right: signed, each for one purpose, with an end. They hold ids, never words of a message."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from itsdangerous import BadData, URLSafeSerializer

from tamis.base.errors import TokenError

MAX_LENGTH = 500
"""Longer than any token of ours, addresses have 254 octets at most: a longer text is refused, most of it unread."""


class Purpose(StrEnum):
    """What a token is good for; a token of one purpose is refused for every other."""

    CHALLENGE = "challenge"  # words: the challenge's id
    SIGN_IN = "sign-in"  # words: the address that signs in, and something random, since it works once
    ACTION = "action"  # words: mailbox, message id, what is to be confirmed
    ENROL = "enrol"  # words: the address, and the secret that its app was shown
    UNDO = "undo"  # words: who did what to which message, and what else was changed with it


class Tokens:
    """Makes and reads the tokens of one installation (`key`: `tamis.installation.signing_key.signing_key`)."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def make(self, purpose: Purpose, *words: str, expires: datetime) -> str:
        """A token that `read` turns back into `words` until `expires`; fit for a URL's path."""
        return str(self._serializer(purpose).dumps([int(expires.timestamp()), *words]))

    def read(self, purpose: Purpose, token: str, *, now: datetime | None = None) -> tuple[str, ...]:
        """The words of a token. Raises TokenError, with the same text whatever is wrong with it."""
        now = now or datetime.now(UTC)
        try:
            expires, *words = self._serializer(purpose).loads(token[: MAX_LENGTH + 1])
        except (BadData, UnicodeError):
            raise TokenError("this link is not valid, or no longer") from None
        if len(token) > MAX_LENGTH or expires <= now.timestamp():
            raise TokenError("this link is not valid, or no longer")
        return tuple(words)

    def _serializer(self, purpose: Purpose) -> URLSafeSerializer:
        options: dict[str, Any] = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
        return URLSafeSerializer(self._key, salt=f"tamis {purpose}", signer_kwargs=options)
