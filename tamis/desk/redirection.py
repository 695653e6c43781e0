"""Redirection addresses: a recipient whose copy goes by the desk, with transaction, outcome and signature. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

from tamis.base.errors import AddressError
from tamis.message.address import domain_key

SUFFIX = "tamis.invalid"
"""The domain that Postfix's transport map sends to the desk (RFC 2606 2: never a real one)."""

OUTCOMES = frozenset({"inbox", "tag", "junk", "quarantine", "probe"})

_LABEL = 20  # characters: 100 bits in base32
_MAX_DOMAIN = 253 - len(f".{'t' * _LABEL}.{'s' * _LABEL}.quarantine.{SUFFIX}")
# What stands unchanged in a redirection address; % and ! mean routing to some mailers, so they travel encoded.
_PLAIN_LOCAL = re.compile(r"[A-Za-z0-9#$&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9#$&'*+/=?^_`{|}~-]+)*")
_PLAIN_DOMAIN = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_TAIL = re.compile(rf"([a-z2-7]{{{_LABEL}}})\.([a-z2-7]{{{_LABEL}}})\.([a-z]+)\.{re.escape(SUFFIX)}")


@dataclass(frozen=True, slots=True)
class Redirection:
    """What a redirection address says: whose copy, of which transaction, and what becomes of it."""

    recipient: str
    transaction: str
    outcome: str


def new_transaction() -> str:
    """A transaction id: 96 random bits, usable as a DNS label."""
    return base64.b32encode(secrets.token_bytes(12)).decode().rstrip("=").lower()


class RedirectionSigner:
    """Writes and reads redirection addresses with one secret key of at least 32 octets."""

    def __init__(self, key: bytes) -> None:
        if len(key) < 32:
            raise AddressError("the signing key is shorter than 32 octets")
        self._key = key

    def address(self, redirection: Redirection) -> str:
        """The address that stands for a redirection in Postfix's queue. Raises AddressError for an unknown outcome."""
        if redirection.outcome not in OUTCOMES:
            raise AddressError(f"no such outcome: {redirection.outcome!r}")
        local, at, domain = redirection.recipient.rpartition("@")
        tail = f"{redirection.transaction}.{self._signature(redirection)}.{redirection.outcome}.{SUFFIX}"
        plain = (
            at
            and len(domain) <= _MAX_DOMAIN
            and _PLAIN_LOCAL.fullmatch(local)
            and _PLAIN_DOMAIN.fullmatch(domain.lower())
        )
        if plain:
            return f"{local}@{domain.lower()}.{tail}"
        coded = (
            base64.b32encode(redirection.recipient.encode("utf-8", "surrogateescape"))
            .decode()
            .rstrip("=")
            .lower()
        )
        return f"{coded}@{tail}"

    def read(self, address: str) -> Redirection:
        """The redirection that an address stands for. Raises AddressError unless we signed exactly that."""
        local, at, domain = address.rpartition("@")
        head, tail = _split(domain.lower())
        found = _TAIL.fullmatch(tail)
        if not at or not found:
            raise AddressError("not a redirection address")
        transaction, signature, outcome = found.groups()
        redirection = Redirection(f"{local}@{head}" if head else _decoded(local), transaction, outcome)
        if outcome not in OUTCOMES or not self._signed(redirection, signature):
            raise AddressError("a redirection address that is not signed by this installation")
        return redirection

    def is_ours(self, address: str) -> bool:
        """Whether this installation signed the address."""
        if not address.lower().endswith(SUFFIX):
            return False
        try:
            self.read(address)
        except AddressError:
            return False
        return True

    def transaction_of(self, *parts: bytes) -> str:
        """A transaction id that is the same whenever the parts are, and that nobody else can make."""
        digest = hmac.digest(self._key, b"\0".join((b"transaction", *parts)), hashlib.sha256)
        return base64.b32encode(digest).decode().lower()[:_LABEL]

    def _signed(self, redirection: Redirection, signature: str) -> bool:
        """Whether we made this signature: 0.1 compared domains as IDNA 2003 has them, and its copies may be queued."""
        if hmac.compare_digest(self._signature(redirection), signature):
            return True
        former = _former_key(redirection.recipient.rpartition("@")[2])
        return bool(former) and hmac.compare_digest(self._signature(redirection, former), signature)

    def _signature(self, redirection: Redirection, key: str = "") -> str:
        local, _, domain = redirection.recipient.rpartition("@")
        text = "\0".join((redirection.transaction, redirection.outcome, local, key or domain_key(domain)))
        digest = hmac.digest(self._key, text.encode("utf-8", "surrogateescape"), hashlib.sha256)
        return base64.b32encode(digest).decode().lower()[:_LABEL]


def _former_key(domain: str) -> str:
    """The comparing form that 0.1 gave to a domain with other letters than ASCII; "" for any other."""
    if domain.isascii():
        return ""
    try:
        return domain.strip().rstrip(".").lower().encode("idna").decode("ascii")
    except UnicodeError:
        return domain.strip().rstrip(".").lower()


def _split(domain: str) -> tuple[str, str]:
    """The recipient's own domain ("" in the encoded form) and the five labels behind it."""
    labels = domain.rsplit(".", 5)
    return (labels[0], ".".join(labels[1:])) if len(labels) == 6 else ("", domain)


def _decoded(local: str) -> str:
    text = local.upper()
    try:
        octets = base64.b32decode(text + "=" * (-len(text) % 8))
    except (binascii.Error, ValueError):
        raise AddressError("not a redirection address") from None
    return octets.decode("utf-8", "surrogateescape")
