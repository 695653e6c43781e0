"""Signatures and keys as they are written: DKIM (RFC 6376 3.2, 3.5, 3.6.1) and ARC (RFC 8617 4.1). Pure.

What is wrong is a SignatureError, whose result says how much it is worth.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, NoReturn

from tamis.base.errors import SignatureError
from tamis.message.address import domain_key, domain_of
from tamis.message.names import is_host_name

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

MAX_FIELD = 16_384
"""Octets of a signature's field that are read. Beyond: the signature does not count."""
MAX_NAMES = 500
"""Names of signed fields. Beyond: the signature does not count."""
MAX_RECORD = 8192
"""Characters of a key's record: a key of 8192 bits has 1,400. Beyond: permerror."""
LEAST_BITS, MOST_BITS = 1024, 8192
"""RSA keys that are used: RFC 8301 3.2 refuses shorter ones, and nobody needs longer ones."""
CLOCK_SKEW = 3600
"""Seconds by which a signer's clock may be wrong."""

Tags = dict[str, bytes]

_BLANKS = b" \t\r\n"
_FOLDING = re.compile(rb"[ \t\r\n]+")
_TAG = re.compile(rb"[A-Za-z][A-Za-z0-9_]{0,60}")
_NUMBER = re.compile(rb"[0-9]{1,12}")
_FIELD_NAME = re.compile(rb"[!-9;-~]+")
_SELECTOR = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,200}[a-z0-9_])?")
_MAX_NAME = 255  # octets of d= and s=; beyond: the signature does not count
_KINDS = {"rsa-sha256": "rsa", "ed25519-sha256": "ed25519"}
_MAX_EXPONENT = 1 << 33
"""A key's exponent: a larger one takes long, and everybody has 65537. Beyond: permerror."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature. `field` is the whole field it stands in; a seal (ARC-Seal) has no `headers` and no body's hash.

    `length` is the number of the canonical body's octets that are signed, None for all; `identity_domain` that of i=.
    """

    field: bytes
    algorithm: str
    domain: str
    selector: str
    octets: bytes
    headers: tuple[str, ...] = ()
    relaxed_header: bool = True
    relaxed_body: bool = True
    body_hash: bytes = b""
    length: int | None = None
    identity_domain: str = ""

    @property
    def kind(self) -> str:
        """The kind of its key: rsa or ed25519."""
        return _KINDS[self.algorithm]

    @property
    def key_name(self) -> str:
        """Where its key is in the DNS (RFC 6376 3.6.2.1)."""
        return f"{self.selector}._domainkey.{self.domain}"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A signer's public key. While `testing`, failures shall mean nothing; `exact` forbids i= a sub-domain."""

    kind: str
    public: RSAPublicKey | Ed25519PublicKey
    bits: int
    testing: bool
    exact: bool


def read_tags(value: bytes, *, exact: bool = False) -> Tags:
    """A tag list (RFC 6376 3.2): values without the white space around them.

    Two semicolons in a row are an error in an `exact` one (ARC) only: DKIM keys are found that have them.
    """
    tags: Tags = {}
    specs = value.split(b";")
    for number, spec in enumerate(specs, 1):
        name, equals, text = (part.strip(_BLANKS) for part in spec.partition(b"="))
        if not name and not equals:
            if exact and number < len(specs):
                raise SignatureError("neutral", "an empty tag")
            continue
        if not equals or not _TAG.fullmatch(name):
            raise SignatureError("neutral", "no tag list")
        if name.decode("ascii") in tags:
            raise SignatureError("neutral", f"{name.decode('ascii')}= stands there twice")
        tags[name.decode("ascii")] = text
    return tags


def dkim_signature(field: bytes, now: float) -> Signature:
    """What a DKIM-Signature field says; `now` is in seconds since 1970."""
    tags = _tags_of(field)
    if tags.get("v") != b"1":
        raise SignatureError("neutral", "v= is not 1")
    signed = _message_signature(field, tags, now)
    if "from" not in signed.headers:
        raise SignatureError("permerror", "From is not signed")
    identity = domain_of(_text(tags.get("i", b""))) or signed.domain
    if identity != signed.domain and not identity.endswith("." + signed.domain):
        raise SignatureError("permerror", "i= is outside d=")
    length = _number(tags, "l")
    return replace(signed, identity_domain=identity, length=length)


def arc_message_signature(field: bytes, now: float) -> Signature:
    """What an ARC-Message-Signature field says (RFC 8617 4.1.2)."""
    signed = _message_signature(field, _tags_of(field, exact=True), now)
    if "arc-seal" in signed.headers:
        raise SignatureError("permerror", "it signs a seal")
    return signed


def arc_seal(field: bytes) -> tuple[Signature, str]:
    """What an ARC-Seal field says, and its chain validation status cv= (RFC 8617 4.1.3)."""
    tags = _tags_of(field, exact=True)
    if "h" in tags:
        raise SignatureError("permerror", "a seal has no h=")
    return _basic(field, tags), _text(tags.get("cv", b"")).lower()


@lru_cache(maxsize=256)
def read_key(record: str) -> SigningKey:
    """A key's TXT record (RFC 6376 3.6.1, RFC 8463)."""
    if len(record) > MAX_RECORD:
        raise SignatureError("permerror", "too long a key record")
    tags = read_tags(record.encode("latin-1", "replace"))
    if tags.get("v", b"DKIM1") != b"DKIM1" or "p" not in tags:
        raise SignatureError("permerror", "no key record")
    if not tags["p"]:
        raise SignatureError("permerror", "the key is revoked")
    if "h" in tags and b"sha256" not in _list(tags["h"]):
        raise SignatureError("permerror", "the key is not for sha256")
    if "s" in tags and not {b"*", b"email"} & set(_list(tags["s"])):
        raise SignatureError("permerror", "the key is not for mail")
    kind = _text(tags.get("k", b"rsa"))
    public, bits = _public_key(kind, _base64(tags["p"], "permerror"))
    flags = _list(tags.get("t", b""))
    return SigningKey(kind, public, bits, b"y" in flags, b"s" in flags)


def without_value(field: bytes) -> bytes:
    """A signature's field with nothing behind b=, as it was signed (RFC 6376 3.5, 3.7)."""
    name, colon, value = field.partition(b":")
    specs = value.split(b";")
    for number, spec in enumerate(specs):
        tag, equals, _ = spec.partition(b"=")
        if tag.strip(_BLANKS) == b"b":
            specs[number] = tag + equals
    return name + colon + b";".join(specs)


def _tags_of(field: bytes, *, exact: bool = False) -> Tags:
    if len(field) > MAX_FIELD:
        raise SignatureError("neutral", "too long a signature")
    return read_tags(field.partition(b":")[2], exact=exact)


def _message_signature(field: bytes, tags: Tags, now: float) -> Signature:
    signed = _basic(field, tags)
    if b"dns/txt" not in _list(tags.get("q", b"dns/txt")):
        raise SignatureError("neutral", "no known way to its key")
    names = [name.lower() for name in _list(tags.get("h", b""))]
    if not names or len(names) > MAX_NAMES or not all(map(_FIELD_NAME.fullmatch, names)):
        raise SignatureError("neutral", "h= is not usable")
    header, _, body = tags.get("c", b"simple").lower().partition(b"/")
    if not {header, body or b"simple"} <= {b"simple", b"relaxed"}:
        raise SignatureError("neutral", "unknown canonicalization")
    _check_times(tags, now)
    return replace(
        signed,
        headers=tuple(name.decode("ascii") for name in names),
        relaxed_header=header == b"relaxed",
        relaxed_body=body == b"relaxed",
        body_hash=_base64(_wanted(tags, "bh")),
    )


def _basic(field: bytes, tags: Tags) -> Signature:
    algorithm = _text(_wanted(tags, "a")).lower()
    if algorithm == "rsa-sha1":
        raise SignatureError("permerror", "rsa-sha1 is obsolete (RFC 8301)")
    if algorithm not in _KINDS:
        raise SignatureError("neutral", "unknown algorithm")
    domain, selector = (domain_key(_text(_wanted(tags, tag)[:_MAX_NAME])) for tag in ("d", "s"))
    if not is_host_name(domain) or not _SELECTOR.fullmatch(selector):
        raise SignatureError("neutral", "no domain name in d= or s=")
    return Signature(field, algorithm, domain, selector, _base64(_wanted(tags, "b")))


def _check_times(tags: Tags, now: float) -> None:
    signed, expires = _number(tags, "t"), _number(tags, "x")
    if signed is not None and signed > now + CLOCK_SKEW:
        raise SignatureError("neutral", "signed in the future")
    if expires is not None and signed is not None and expires < signed:
        raise SignatureError("neutral", "expired before it was signed")
    if expires is not None and expires < now - CLOCK_SKEW:
        raise SignatureError("fail", "expired")


def _public_key(kind: str, octets: bytes) -> tuple[RSAPublicKey | Ed25519PublicKey, int]:
    # costs memory: only where something is signed
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_der_public_key  # noqa: PLC0415

    if kind not in _KINDS.values():
        raise SignatureError("permerror", "unknown kind of key")
    try:
        if kind == "ed25519":
            return Ed25519PublicKey.from_public_bytes(octets), 256
        public = load_der_public_key(octets)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SignatureError("permerror", "unreadable key") from error
    if not isinstance(public, RSAPublicKey):
        raise SignatureError("permerror", "another kind of key than it says")
    if not LEAST_BITS <= public.key_size <= MOST_BITS:
        raise SignatureError("permerror", f"a key of {public.key_size} bits")
    if public.public_numbers().e > _MAX_EXPONENT:
        raise SignatureError("permerror", "a key with too large an exponent")
    return public, public.key_size


def _wanted(tags: Tags, name: str) -> bytes:
    return tags[name] if tags.get(name) else _lacks(name)


def _lacks(name: str) -> NoReturn:
    raise SignatureError("neutral", f"{name}= is missing")


def _list(value: bytes) -> list[bytes]:
    """A list with colons (RFC 6376 3.5 h=, 3.6.1 h=, s=, t=)."""
    return [one.strip(_BLANKS) for one in value.split(b":")]


def _number(tags: Tags, name: str) -> int | None:
    if name not in tags:
        return None
    if not _NUMBER.fullmatch(tags[name]):
        raise SignatureError("neutral", f"{name}= is no number")
    return int(tags[name])


def _base64(value: bytes, result: str = "neutral") -> bytes:
    try:
        return base64.b64decode(_FOLDING.sub(b"", value), validate=True)
    except binascii.Error as error:
        raise SignatureError(result, "no base64") from error


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
