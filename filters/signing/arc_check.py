"""A message's ARC chain (RFC 8617 5.2), validated once for every filter that asks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from tamis.base.errors import SignatureError
from tamis.contract.ask import compute
from tamis.contract.filter import Message
from tamis.contract.questions import Asks
from tamis.filters.signing.canonical import relaxed_field
from tamis.filters.signing.keys import is_long, key_of, keys_of
from tamis.filters.signing.signature_fields import (
    MAX_FIELD,
    Signature,
    arc_message_signature,
    arc_seal,
    read_tags,
    without_value,
)
from tamis.filters.signing.signatures import SignedMessage, verify_message, verify_octets
from tamis.judging.authentication import Reported, read_results
from tamis.message.address import domain_key
from tamis.message.domains import registered_domain
from tamis.message.mail import Mail

MOST_SETS = 50
"""Sets of a chain: RFC 8617 4.2.1 allows no more. Beyond: the chain fails."""

_NAMES = ("arc-authentication-results", "arc-message-signature", "arc-seal")
_INSTANCE = re.compile(r"i=([1-9][0-9]?)")


@dataclass(frozen=True, slots=True)
class ChainLink:
    """One server of the chain: the domain of its seal, and the results that it reports of the message it got."""

    sealer: str
    results: Sequence[Reported] = ()

    def vouches_for(self, author: str) -> bool:
        """Whether DMARC passed there for a From of this domain, or what DMARC goes by did."""
        return any(one.result == "pass" and _speaks_for(one, author) for one in self.results)


@dataclass(frozen=True, slots=True)
class Chain:
    """`result` is none, pass, fail, or temperror, where the key of `unanswered` could not be had; `links` are those
    of a chain that was validated, newest first."""

    result: str
    reason: str = ""
    links: Sequence[ChainLink] = ()
    unanswered: str = ""


@dataclass(frozen=True, slots=True)
class _Set:
    """The three fields that one server added (RFC 8617 4.2), and what its two signatures say."""

    results: bytes
    signed: bytes
    sealed: bytes
    signature: Signature
    seal: Signature
    status: str


def has_chain(mail: Mail) -> bool:
    """Whether there is anything to validate."""
    return any(name in mail.headers for name in _NAMES)


def chain(message: Message) -> Asks[Chain]:
    """What came of the message's chain."""
    if not has_chain(message.mail):
        return Chain("none")
    return (yield from message.once("chain", partial(_validate, message)))


def _validate(message: Message) -> Asks[Chain]:
    mail = message.mail
    if not mail.complete:
        return Chain("temperror", f"only {len(mail.raw)} of {mail.size} octets were examined")
    try:
        signed = yield from compute("arc", partial(SignedMessage, mail.raw), long=is_long(mail))
        sets = _sets(signed, message.envelope.received_at.timestamp())
        newest = sets[-1]
        key = yield from key_of(newest.signature)
        verify = partial(verify_message, newest.signature, key, signed)
        yield from compute("arc", verify, long=is_long(mail))
        before = [b""]  # canonical fields of the sets before each
        for one in sets:
            before.append(before[-1] + b"".join(map(relaxed_field, (one.results, one.signed, one.sealed))))
        yield from _verify_seals(before[-2:-1], sets[-1:])  # a false one is not followed to the others' keys
        yield from _verify_seals(before[:-2], sets[:-1])
    except SignatureError as error:
        known = error.result != "temperror"
        return Chain("fail" if known else "temperror", str(error), unanswered=error.domain)
    return Chain("pass", "", [ChainLink(one.seal.domain, _reported(one.results)) for one in reversed(sets)])


def _sets(signed: SignedMessage, now: float) -> list[_Set]:
    """The sets, oldest first, complete and without a gap (RFC 8617 5.2 steps 2 and 3)."""
    found: dict[int, dict[str, bytes]] = {}
    for name in _NAMES:
        for field in signed.named(name)[: MOST_SETS + 1]:
            number = _instance(name, field)
            if name in found.setdefault(number, {}):
                raise SignatureError("fail", f"two fields {name} of instance {number}")
            found[number][name] = field
    if (
        max(found, default=0) != len(found)
        or not found
        or len(found) > MOST_SETS
        or any(len(one) != len(_NAMES) for one in found.values())
    ):
        raise SignatureError("fail", "an incomplete chain")
    sets = [_read(found[number], now) for number in sorted(found)]
    for number, one in enumerate(sets, 1):
        if one.status != ("none" if number == 1 else "pass"):
            raise SignatureError("fail", f"instance {number} says that the chain was broken before it")
    return sets


def _instance(name: str, field: bytes) -> int:
    if len(field) > MAX_FIELD:
        raise SignatureError("fail", "too long a field")
    value = field.partition(b":")[2]
    if name == _NAMES[0]:  # i= comes first, and what follows is no tag list
        text = "".join(value.partition(b";")[0].decode("latin-1").split())
    else:
        text = "i=" + read_tags(value).get("i", b"").decode("latin-1")
    read = _INSTANCE.fullmatch(text)
    if read is None:
        raise SignatureError("fail", "a field without an instance")
    return int(read[1])


def _read(fields: dict[str, bytes], now: float) -> _Set:
    results, signed, sealed = (fields[name] for name in _NAMES)
    seal, status = arc_seal(sealed)
    return _Set(results, signed, sealed, arc_message_signature(signed, now), seal, status)


def _verify_seals(before: Sequence[bytes], sets: Sequence[_Set]) -> Asks[None]:
    """Each set's seal signs the sets before it and its own (RFC 8617 5.1.1)."""
    keys = yield from keys_of([one.seal for one in sets])
    for sealed, one, key in zip(before, sets, keys, strict=True):
        own = b"".join(map(relaxed_field, (one.results, one.signed, without_value(one.sealed))))
        try:
            if isinstance(key, SignatureError):
                raise key
            verify_octets(one.seal, key, sealed + own)
        except SignatureError as error:
            raise SignatureError(error.result, f"seal of {one.seal.domain}: {error}", error.domain) from error


def _reported(field: bytes) -> Sequence[Reported]:
    value = field.partition(b":")[2].decode("latin-1").partition(";")[2]  # behind the instance
    return read_results(value)[1]


def _speaks_for(one: Reported, author: str) -> bool:
    if one.method == "dmarc":
        return domain_key(one.properties.get("header.from", author)) == author
    name = {"dkim": "header.d", "spf": "smtp.mailfrom"}.get(one.method)
    if name is None:
        return False
    domain = one.properties.get(name, "") or one.properties.get("header.i", "")
    registered = registered_domain(domain_key(domain.rpartition("@")[2]))
    return registered != "" and registered == registered_domain(author)
