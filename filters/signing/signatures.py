"""Whether a signature holds: RFC 6376 6.1 and RFC 8617 5.2 on the octets of a message. Pure, and bounded.

dkimpy, which signs the messages of our tests, is not used to verify: white space in a field or a body makes it
take quadratic time, and the length of a key's numbers is the sender's choice there. `cryptography` does the arithmetic.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence

from tamis.base.errors import SignatureError
from tamis.filters.signing.canonical import relaxed_body, relaxed_field, simple_body
from tamis.filters.signing.signature_fields import Signature, SigningKey, without_value
from tamis.message.header_editing import fields_of, split_header
from tamis.message.mail.limits import LIMITS, Limits

MAX_LINES = 20_000
"""Lines of a header that is read. Beyond: no signature counts."""

_BARE = re.compile(rb"(?<!\r)\n")


class SignedMessage:
    """A message as signatures see it: whole fields by name, and the hashes of its body.

    Line ends are CRLF (RFC 6376 5.3), as they were on the wire; a file that is scanned may have lost them. Raises
    SignatureError when the header is longer than is examined.
    """

    def __init__(self, raw: bytes, limits: Limits = LIMITS) -> None:
        header, rest = split_header(raw)
        if len(header) > limits.header_block_octets or header.count(b"\n") > MAX_LINES:
            raise SignatureError("neutral", "too long a header")
        self._body = _on_the_wire(rest)[2:]
        self._named: dict[str, list[bytes]] = {}
        self._canonical: dict[bool, bytes] = {}
        for name, field in fields_of(_on_the_wire(header)):
            self._named.setdefault(name, []).append(field)

    def named(self, name: str) -> Sequence[bytes]:
        """The fields of a name, from top to bottom."""
        return self._named.get(name, ())

    def selected(self, names: Iterable[str]) -> list[bytes]:
        """The fields that h= names: each name once more is the field of that name above (RFC 6376 5.4.2)."""
        left = {name: list(self.named(name)) for name in set(names)}
        return [left[name].pop() for name in names if left[name]]

    def body_hash(self, *, relaxed: bool, length: int | None) -> tuple[bytes, int]:
        """SHA-256 of the canonical body's first `length` octets, and how many octets it has."""
        if relaxed not in self._canonical:
            self._canonical[relaxed] = relaxed_body(self._body) if relaxed else simple_body(self._body)
        body = self._canonical[relaxed]
        return hashlib.sha256(memoryview(body)[:length]).digest(), len(body)


def verify_message(signature: Signature, key: SigningKey, message: SignedMessage) -> None:
    """Whether a DKIM-Signature or an ARC-Message-Signature holds. Raises SignatureError where it does not."""
    try:
        _verify_message(signature, key, message)
    except SignatureError as error:
        if key.testing and error.result == "fail":  # RFC 6376 3.6.1 t=y
            raise SignatureError("neutral", f"{error} (its key is being tested)") from error
        raise


def _verify_message(signature: Signature, key: SigningKey, message: SignedMessage) -> None:
    if key.exact and signature.identity_domain not in ("", signature.domain):
        raise SignatureError("permerror", "i= is not d= exactly, as its key wants")
    # who reads the message is shown the first From, who signed it signed the last (RFC 6376 8.15)
    if len(message.named("from")) > signature.headers.count("from") and len(message.named("from")) > 1:
        raise SignatureError("policy", "another From is not signed")
    digest, octets = message.body_hash(relaxed=signature.relaxed_body, length=signature.length)
    if signature.length is not None and signature.length > octets:
        raise SignatureError("fail", "the body is shorter than l=")
    if digest != signature.body_hash:
        raise SignatureError("fail", "the body was changed")
    signed = [*message.selected(signature.headers), without_value(signature.field)]
    verify_octets(
        signature, key, b"".join(map(relaxed_field, signed) if signature.relaxed_header else signed)
    )
    if signature.length is not None and signature.length < octets:  # RFC 6376 8.2: anybody can add the rest
        raise SignatureError("policy", f"only {signature.length} of {octets} octets of the body are signed")


def verify_octets(signature: Signature, key: SigningKey, header: bytes) -> None:
    """Whether a signature is that of these canonical fields, the last of which is its own without a value."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - costs memory
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415

    if key.kind != signature.kind:
        raise SignatureError("permerror", f"the key is not for {signature.algorithm}")
    data = header.removesuffix(b"\r\n")  # RFC 6376 3.7: its own field has no line end
    try:
        if isinstance(key.public, RSAPublicKey):
            key.public.verify(signature.octets, data, PKCS1v15(), SHA256())
        else:
            key.public.verify(signature.octets, hashlib.sha256(data).digest())  # RFC 8463 3
    except InvalidSignature as error:
        raise SignatureError("fail", "the header was changed") from error


def _on_the_wire(octets: bytes) -> bytes:
    return octets if octets.count(b"\n") == octets.count(b"\r\n") else _BARE.sub(b"\r\n", octets)
