"""A message's DKIM signatures, verified once for every filter that asks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from tamis.base.errors import SignatureError
from tamis.contract.ask import compute
from tamis.contract.filter import Message
from tamis.contract.questions import Asks
from tamis.filters.signing.keys import REASON, is_long, keys_of
from tamis.filters.signing.signature_fields import Signature, SigningKey, dkim_signature
from tamis.filters.signing.signatures import SignedMessage, verify_message
from tamis.message.address import domain_of
from tamis.message.domains import registered_domain
from tamis.message.mail import Mail

MAX_SIGNATURES = 5
"""Signatures of a message that are verified; those of the author's domain first. Beyond: they do not count."""

_MAX_READ = 50  # signatures that are looked at to choose from; beyond: they do not count


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of one signature: `result` and `reason` as RFC 8601 2.7.1 has them, `bits` of the key (0: none).

    `of_author` and `of_sender` say whether its domain was registered together with that of the header From and of
    MAIL FROM; `headers` are the names of the signed fields.
    """

    result: str
    reason: str
    domain: str = ""
    selector: str = ""
    algorithm: str = ""
    bits: int = 0
    of_author: bool = False
    of_sender: bool = False
    headers: tuple[str, ...] = ()

    def to_fact(self) -> dict[str, Any]:
        """The form that a finding's facts hold."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "headers"}


def has_signature(mail: Mail) -> bool:
    """Whether there is anything to verify."""
    return "dkim-signature" in mail.headers


def signatures(message: Message) -> Asks[Sequence[Checked]]:
    """What came of the message's signatures, those of the author's domain first; none where nothing is signed."""
    if not has_signature(message.mail):
        return ()
    return (yield from message.once("signatures", partial(_check_all, message)))


def _check_all(message: Message) -> Asks[Sequence[Checked]]:
    mail, now = message.mail, message.envelope.received_at.timestamp()
    try:
        signed = yield from compute("dkim", partial(SignedMessage, mail.raw), long=is_long(mail))
    except SignatureError as error:
        return [Checked(error.result, str(error))]
    authors = {registered_domain(one.domain) for one in mail.from_addresses}
    unusable: list[Checked] = []
    usable: list[Signature] = []
    for field in signed.named("dkim-signature")[:_MAX_READ]:
        try:
            usable.append(dkim_signature(field, now))
        except SignatureError as error:
            unusable.append(Checked(error.result, str(error)[:REASON]))
    usable.sort(key=lambda one: registered_domain(one.domain) not in authors)
    chosen = usable[:MAX_SIGNATURES]
    if mail.complete:
        keys = yield from keys_of(chosen)
        results: Sequence[SignatureError | None] = yield from compute(
            "dkim", partial(_results, chosen, keys, signed), long=is_long(mail)
        )
    else:
        cut = SignatureError("neutral", f"only {len(mail.raw)} of {mail.size} octets were examined")
        keys, results = [cut] * len(chosen), [cut] * len(chosen)
    sender = registered_domain(domain_of(message.envelope.sender))
    checked = [
        _checked(*one, authors=authors, sender=sender) for one in zip(chosen, keys, results, strict=True)
    ]
    return [*checked, *unusable[: max(0, MAX_SIGNATURES - len(usable))]]


def _results(
    chosen: Sequence[Signature], keys: Sequence[SigningKey | SignatureError], signed: SignedMessage
) -> list[SignatureError | None]:
    """Why each signature does not hold; None for one that does."""
    results: list[SignatureError | None] = []
    for one, key in zip(chosen, keys, strict=True):
        try:
            if isinstance(key, SignatureError):
                raise key
            verify_message(one, key, signed)
        except SignatureError as error:
            results.append(error)
        else:
            results.append(None)
    return results


def _checked(
    one: Signature,
    key: SigningKey | SignatureError,
    problem: SignatureError | None,
    *,
    authors: Collection[str],
    sender: str,
) -> Checked:
    registered = registered_domain(one.domain)
    return Checked(
        "pass" if problem is None else problem.result,
        "" if problem is None else str(problem)[:REASON],
        one.domain,
        one.selector,
        one.algorithm,
        0 if isinstance(key, SignatureError) else key.bits,
        of_author=authors == {registered} != {""},
        of_sender=registered == sender != "",
        headers=one.headers,
    )
