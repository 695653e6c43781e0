"""What proves who somebody is: a password, and a code of an app (TOTP, RFC 6238) or, once each, a recovery code.

    address, password, code -> prove(StoredFactors) -> FactorProof (what is used up by it) or None

An address that is nobody's costs as much as any other: what it lacks is replaced by stand-ins that nothing matches.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import re
import secrets
from base64 import b32encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from threading import BoundedSemaphore

import pyotp
import segno
from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tamis.base.errors import ServiceError

MIN_PASSWORD, MAX_PASSWORD = 12, 200
"""Characters of a password (beyond the longest: refused, so that hashing stays cheap)."""
HASHINGS = 2
"""Passwords that are hashed at once in a process: each takes 64 MiB (beyond: they wait)."""
HASHING_SECONDS = 10.0
"""How long one waits for its turn (beyond: ServiceError)."""
RECOVERY_CODES = 8
STEP_SECONDS = 30
WINDOW = 1
"""Steps before and after the present one whose code is taken: clocks differ."""

_NONCE_OCTETS = 12
_NO_SECRET = "A" * 32
_turns = BoundedSemaphore(HASHINGS)
_hasher = PasswordHasher()  # argon2id, RFC 9106's second recommendation


@dataclass(frozen=True, slots=True)
class StoredFactors:
    """What is kept of a person: what was never set is "" or None. `step` is the last one whose code was taken,
    `recovery` the digests of codes that are left."""

    password: str = ""
    totp: bytes | None = None
    step: int = 0
    recovery: frozenset[bytes] = frozenset()

    @property
    def is_complete(self) -> bool:
        """Whether a sign-in with password and code is possible."""
        return bool(self.password and (self.totp or self.recovery))


@dataclass(frozen=True, slots=True)
class FactorProof:
    """What a proof uses up: a step of time, or a recovery code (its digest)."""

    step: int = 0
    recovery: bytes = b""


def prove(
    factors: StoredFactors, seal: Seal, address: str, password: str, code: str, now: datetime
) -> FactorProof | None:
    """Whether password and code are a person's. Both are looked at whatever the other is. Raises ServiceError when too
    many wait for their turn."""
    known = matches(factors.password, password)
    used = prove_code(factors, seal, address, code, now)
    return used if known and used is not None else None


def prove_code(
    factors: StoredFactors, seal: Seal, address: str, code: str, now: datetime
) -> FactorProof | None:
    """Whether a code is a person's, of the app or a recovery code."""
    secret = seal.open(address, factors.totp) if factors.totp else ""
    step = step_of(secret or _NO_SECRET, code, now)
    digest = recovery_digest(code)
    if secret and step > factors.step:
        return FactorProof(step=step)
    return FactorProof(recovery=digest) if digest in factors.recovery else None


# --- passwords ------------------------------------------------------------------------------------


def hash_password(password: str) -> str:
    """What is kept of a password. Raises ServiceError when too many wait for their turn."""
    with _turn():
        return _hasher.hash(password.encode("utf-8", "replace"))


def matches(kept: str, password: str) -> bool:
    """Whether a password is the one that was hashed; without a hash the work is the same. Raises ServiceError."""
    stand_in = _stand_in()
    with _turn():
        try:
            _hasher.verify(kept or stand_in, password[:MAX_PASSWORD].encode("utf-8", "replace"))
        except (Argon2Error, InvalidHashError):
            return False
    return bool(kept)


def is_outdated(kept: str) -> bool:
    """Whether a password would be hashed with other parameters today."""
    return _hasher.check_needs_rehash(kept)


def is_good_password(password: str, address: str) -> bool:
    """Whether a password may be chosen: long enough, and not the address."""
    shown = password.strip().casefold()
    return MIN_PASSWORD <= len(password) <= MAX_PASSWORD and shown != address and len(set(shown)) > 4


@contextmanager
def _turn() -> Iterator[None]:
    if not _turns.acquire(timeout=HASHING_SECONDS):
        raise ServiceError("too many passwords are looked at")
    try:
        yield
    finally:
        _turns.release()


@cache
def _stand_in() -> str:
    """A hash that no password has."""
    return hash_password(secrets.token_urlsafe(32))


# --- codes of an app ------------------------------------------------------------------------------


def new_secret() -> str:
    """A secret that an app makes codes of, in base32."""
    return pyotp.random_base32()


def step_of(secret: str, code: str, now: datetime) -> int:
    """The step of time whose code this is, 0 when it is none of those that are taken now."""
    shown, present = re.sub(r"[\s-]", "", code[:20]), int(now.timestamp()) // STEP_SECONDS
    app, found = pyotp.TOTP(secret, interval=STEP_SECONDS), 0
    for step in range(present - WINDOW, present + WINDOW + 1):
        if hmac.compare_digest(app.generate_otp(step).encode(), shown.encode("utf-8", "replace")):
            found = step
    return found


def app_address(secret: str, address: str, issuer: str) -> str:
    """What an app reads from the picture: an otpauth address."""
    return pyotp.TOTP(secret, interval=STEP_SECONDS).provisioning_uri(name=address, issuer_name=issuer)


def picture(text: str) -> str:
    """A QR code as an SVG element without styles, black on white whatever the page's colours."""
    written = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        written, kind="svg", xmldecl=False, svgclass="qr", lineclass=None, omitsize=True, light="#fff"
    )
    return written.getvalue().decode("ascii")


class Seal:
    """Encrypts the secrets of apps by a key that follows from the installation's signing key. What was sealed for one
    address can't be opened for another."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(hmac.digest(key, b"tamis factors", hashlib.sha256))

    def close(self, address: str, secret: str) -> bytes:
        """Seal a secret."""
        nonce = secrets.token_bytes(_NONCE_OCTETS)
        return nonce + self._cipher.encrypt(nonce, secret.encode(), address.encode())

    def open(self, address: str, sealed: bytes) -> str:
        """The secret; "" when it was sealed by another key, or for another address."""
        try:
            return self._cipher.decrypt(
                sealed[:_NONCE_OCTETS], sealed[_NONCE_OCTETS:], address.encode()
            ).decode()
        except (InvalidTag, ValueError):
            return ""


# --- recovery codes -------------------------------------------------------------------------------


def new_recovery_codes() -> tuple[str, ...]:
    """Codes for when the app is lost, to be written down: 80 bits each, so that no slow hash is needed."""
    made = (b32encode(secrets.token_bytes(10)).decode().lower() for _ in range(RECOVERY_CODES))
    return tuple("-".join(code[n : n + 4] for n in range(0, 16, 4)) for code in made)


def recovery_digest(code: str) -> bytes:
    """What is kept of one, however it is typed."""
    shown = re.sub(r"[\s-]", "", code[:50]).lower()
    return hashlib.sha256(b"tamis recovery " + shown.encode("utf-8", "replace")).digest()
