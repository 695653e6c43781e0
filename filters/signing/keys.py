"""The keys of DKIM and ARC signatures in the DNS (RFC 6376 3.6.2)."""

from __future__ import annotations

from collections.abc import Sequence

from tamis.base.errors import ServiceError, SignatureError
from tamis.contract.ask import ask_all
from tamis.contract.questions import Asks, Lookup
from tamis.contract.service_protocols import Answer
from tamis.filters.shared.clients import confirm_denial
from tamis.filters.signing.signature_fields import Signature, SigningKey, read_key
from tamis.message.mail import Mail

REASON = 120
"""Characters of a reason."""

_MAX_RECORDS = 4  # records of one key's name; beyond: they do not count
_LONG = 256 * 1024


def is_long(mail: Mail) -> bool:
    """Whether a message has so many octets that others must not wait while they are hashed."""
    return len(mail.raw) > _LONG


def keys_of(signatures: Sequence[Signature]) -> Asks[list[SigningKey | SignatureError]]:
    """The key of each signature, or why there is none: temperror where the DNS gives no answer."""
    answers = yield from ask_all([Lookup(one.key_name, "TXT") for one in signatures])
    denial: ServiceError | None = None
    if any(isinstance(answer, Answer) and not answer.records for answer in answers):
        try:
            yield from confirm_denial()
        except ServiceError as error:
            denial = error
    return [_key(*pair, denial) for pair in zip(signatures, answers, strict=True)]


def key_of(signature: Signature) -> Asks[SigningKey]:
    """One signature's key. Raises SignatureError."""
    (found,) = yield from keys_of((signature,))
    if isinstance(found, SignatureError):
        raise found
    return found


def _key(
    signature: Signature, answer: Answer | ServiceError, denial: ServiceError | None
) -> SigningKey | SignatureError:
    problem = answer if isinstance(answer, ServiceError) else None if answer.records else denial
    if problem is not None or isinstance(answer, ServiceError):
        return SignatureError("temperror", str(problem)[:REASON], signature.domain)
    reason = SignatureError("permerror", "no key in the DNS")
    for record in answer.records[:_MAX_RECORDS]:  # RFC 6376 3.6.2.2 leaves the choice among several
        try:
            return read_key(record)
        except SignatureError as error:
            reason = SignatureError(error.result if error.result != "neutral" else "permerror", str(error))
    return reason
