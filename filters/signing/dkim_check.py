"""A message's DKIM signatures, verified once for every filter that asks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from tamis.base.errors import ServiceError, SignatureError
from tamis.contract.filter import Message
from tamis.contract.service_protocols import DNS
from tamis.filters.shared.clients import confirm_denial
from tamis.filters.signing.signature_fields import Signature, SigningKey, dkim_signature, read_key
from tamis.filters.signing.signatures import SignedMessage, verify_message
from tamis.message.address import domain_of
from tamis.message.domains import registered_domain
from tamis.message.mail import Mail
from tamis.services.runner import on_loop

MAX_SIGNATURES = 5
"""Signatures of a message that are verified; those of the author's domain first. Beyond: they do not count."""

_LONG = 256 * 1024
_MAX_READ = 50  # signatures that are looked at to choose from; beyond: they do not count
_MAX_RECORDS = 4  # records of one key's name; beyond: they do not count
_REASON = 120

T = TypeVar("T")


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


async def signatures(message: Message) -> Sequence[Checked]:
    """What came of the message's signatures, those of the author's domain first; none where nothing is signed."""
    if not has_signature(message.mail):
        return ()
    return await once(_CHECKS, message.mail, lambda: _check_all(message))


async def once(
    tasks: WeakKeyDictionary[Mail, asyncio.Task[T]], mail: Mail, start: Callable[[], Coroutine[Any, Any, T]]
) -> T:
    """What is done once for a message, whoever asks; who stops waiting does not stop it for the others."""
    await on_loop()
    task = tasks.get(mail)
    if task is None:
        task = tasks[mail] = asyncio.get_running_loop().create_task(start())
    return await asyncio.shield(task)


async def aside(mail: Mail, work: Callable[..., T], *given: Any) -> T:
    """Work on a message's octets, in a thread if they are many: others wait on the event loop."""
    return await asyncio.to_thread(work, *given) if len(mail.raw) > _LONG else work(*given)


_CHECKS: WeakKeyDictionary[Mail, asyncio.Task[Sequence[Checked]]] = WeakKeyDictionary()


async def key_of(signature: Signature, dns: DNS) -> SigningKey:
    """A signature's key. Raises SignatureError: temperror where the DNS gives no answer."""
    try:
        answer = await dns.query(signature.key_name, "TXT")
        if not answer.records:
            await confirm_denial(dns)
    except ServiceError as error:
        raise SignatureError("temperror", str(error)[:_REASON], signature.domain) from error
    problem = SignatureError("permerror", "no key in the DNS")
    for record in answer.records[:_MAX_RECORDS]:  # RFC 6376 3.6.2.2 leaves the choice among several
        try:
            return read_key(record)
        except SignatureError as error:
            problem = SignatureError(error.result if error.result != "neutral" else "permerror", str(error))
    raise problem


async def _check_all(message: Message) -> Sequence[Checked]:
    mail, now = message.mail, message.envelope.received_at.timestamp()
    try:
        signed = await aside(mail, SignedMessage, mail.raw)
    except SignatureError as error:
        return [Checked(error.result, str(error))]
    authors = {registered_domain(one.domain) for one in mail.from_addresses}
    sender = registered_domain(domain_of(message.envelope.sender))

    def about(one: Signature, result: str, reason: str, bits: int = 0) -> Checked:
        registered = registered_domain(one.domain)
        return Checked(
            result,
            reason[:_REASON],
            one.domain,
            one.selector,
            one.algorithm,
            bits,
            of_author=authors == {registered} != {""},
            of_sender=registered == sender != "",
            headers=one.headers,
        )

    async def checked(one: Signature) -> Checked:
        if not mail.complete:
            return about(one, "neutral", f"only {len(mail.raw)} of {mail.size} octets were examined")
        key: SigningKey | None = None
        try:
            key = await key_of(one, message.services.dns)
            await aside(mail, verify_message, one, key, signed)
        except SignatureError as error:
            return about(one, error.result, str(error), key.bits if key else 0)
        return about(one, "pass", "", key.bits)

    unusable: list[Checked] = []
    usable: list[Signature] = []
    for field in signed.named("dkim-signature")[:_MAX_READ]:
        try:
            usable.append(dkim_signature(field, now))
        except SignatureError as error:
            unusable.append(Checked(error.result, str(error)[:_REASON]))
    usable.sort(key=lambda one: registered_domain(one.domain) not in authors)
    return [
        *await asyncio.gather(*map(checked, usable[:MAX_SIGNATURES])),
        *unusable[: max(0, MAX_SIGNATURES - len(usable))],
    ]
