"""Links that carry a right: signed, each for one purpose, with an end. They hold ids, never words of a message.

A link that stands in a mail is read by people, and wraps where it is long. So a token for one id has 40 characters: its
end, the id and a signature of 80 bits. Guessing one takes 2^80 requests, of which a network has 60 an hour. Whatever
else a token says makes it longer, with a signature of 256 bits.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from itsdangerous import BadData, URLSafeSerializer

from tamis.base.errors import TokenError
from tamis.base.ulids import OCTETS, ulid_octets, ulid_text

MAX_LENGTH = 500
"""Longer than any token of ours, addresses have 254 octets at most: a longer text is refused, most of it unread."""
SHORT = 40
"""Characters of a token for one id."""
_END, _SIGNATURE = 4, 10  # octets


class Purpose(StrEnum):
    """What a token is good for; a token of one purpose is refused for every other."""

    CHALLENGE = "challenge"  # words: the challenge's id
    SIGN_IN = "sign-in"  # words: the address that signs in, and something random, since it works once
    ACTION = "action"  # words: a message's id; in links of older versions its mailbox, its id, what is asked
    ENROL = "enrol"  # words: the address, and the secret that its app was shown
    UNDO = "undo"  # words: who did what to which message, and what else was changed with it


class Tokens:
    """Makes and reads the tokens of one installation (`key`: `tamis.installation.signing_key.signing_key`)."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def make(self, purpose: Purpose, *words: str, expires: datetime) -> str:
        """A token that `read` turns back into `words` until `expires`; fit for a URL's path."""
        ends = int(expires.timestamp())
        number = ulid_octets(words[0]) if len(words) == 1 else None
        if number is not None and 0 <= ends < 1 << 8 * _END:
            told = ends.to_bytes(_END, "big") + number
            return base64.urlsafe_b64encode(told + self._signature(purpose, told)).decode("ascii")
        return str(self._serializer(purpose).dumps([ends, *words]))

    def read(self, purpose: Purpose, token: str, *, now: datetime | None = None) -> tuple[str, ...]:
        """The words of a token. Raises TokenError, with the same text whatever is wrong with it."""
        now = now or datetime.now(UTC)
        try:
            if len(token) == SHORT and "." not in token:
                expires, *words = self._short(purpose, token)
            else:
                expires, *words = self._serializer(purpose).loads(token[: MAX_LENGTH + 1])
        except (BadData, ValueError):  # UnicodeError and binascii.Error are ValueErrors
            raise TokenError("this link is not valid, or no longer") from None
        if len(token) > MAX_LENGTH or expires <= now.timestamp():
            raise TokenError("this link is not valid, or no longer")
        return tuple(words)

    def _short(self, purpose: Purpose, token: str) -> tuple[Any, ...]:
        """End and id of a short token. Raises ValueError when it is none of ours."""
        octets = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
        told, signature = octets[: _END + OCTETS], octets[_END + OCTETS :]
        if not hmac.compare_digest(signature, self._signature(purpose, told)):
            raise binascii.Error("signed by somebody else")
        return int.from_bytes(told[:_END], "big"), ulid_text(told[_END:])

    def _signature(self, purpose: Purpose, told: bytes) -> bytes:
        key = hmac.digest(self._key, f"tamis short {purpose}".encode(), hashlib.sha256)
        return hmac.digest(key, told, hashlib.sha256)[:_SIGNATURE]

    def _serializer(self, purpose: Purpose) -> URLSafeSerializer:
        options: dict[str, Any] = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
        return URLSafeSerializer(self._key, salt=f"tamis {purpose}", signer_kwargs=options)
