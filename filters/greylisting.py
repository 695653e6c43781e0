"""S3: strangers are asked to come back."""

from __future__ import annotations

import re
from typing import Any

from pydantic import Field

from tamis.contract.ask import ask, ask_each
from tamis.contract.filter import Effect, Filter, FilterOptions, Message, Opinion, Scopes, Stage, State
from tamis.contract.finding import Finding, Status
from tamis.contract.questions import Asks, Get, Put, PutNew
from tamis.contract.state_keys import client_network, hashed
from tamis.language.translation import marked
from tamis.message.address import address_key

_RETURN_SECONDS = 2 * 86400
"""How long a triplet that waits is remembered: RFC 5321 4.5.4.1 has senders try for days."""
_KEEP_SECONDS = 36 * 86400
"""How long a triplet or network that came back is known: a monthly newsletter is seen again."""
_MAX_RECIPIENTS = 100
"""Recipients of one message that are looked up. Beyond: the others are let through."""
_LONGEST = 3600
"""The longest delay that a policy can ask for."""
_NUMBER = re.compile(r"\d+|(?<=[=+-])[0-9a-f]{8,}")
_MAX_SENDER = 320  # characters of a sender that count; beyond: cut


class GreylistingOptions(FilterOptions):
    """Adds how long a stranger waits."""

    delay: int = Field(
        300, ge=1, le=_LONGEST, description="seconds before a client's second attempt at a recipient is taken"
    )


class Greylisting(Filter[GreylistingOptions]):
    """Answers 451 to the first message of a client's network (/24, /64) and sender to a recipient, until it is
    retried.

    Spam is often sent only once; a mail server retries after some minutes. A network that retried after `delay`
    seconds is known for 36 days, and none of its mail waits any more. White list entries of the recipient (S4, S6),
    the automatic whitelist (S7, S7b) and own clients never wait. Each recipient gets its own reply.

    Off by default, since it delays the first mail of every unknown sender. It hurts mails with a login code or a
    link that is valid for minutes, and senders that retry from another network each time: put those on the white
    list.
    """

    name = "greylisting"
    spec_id = "S3"
    summary = "unknown senders have to retry"
    plain_reason = marked("the sender was not known yet")
    asks = ("state",)
    stage = Stage.RCPT
    effect = Effect.DEFER
    state = State.OFF
    options = GreylistingOptions
    yields_to = frozenset(
        {"ip_whitelist", "sender_whitelist", "automatic_whitelist", "authenticated_automatic_whitelist"}
    )

    def examine(self, message: Message) -> Asks[Finding]:
        """How long ago each triplet was first seen, and the longest time after which the network came back."""
        ip = message.envelope.ip
        if ip is None or message.is_own:
            return self.clear("no client on a network, or one of our own")
        network = client_network(ip)
        now = message.envelope.received_at.timestamp()
        sender = _NUMBER.sub("#", address_key(message.envelope.sender)[:_MAX_SENDER]) or "<>"
        looked_up = message.envelope.recipients[:_MAX_RECIPIENTS]
        mailboxes = list(dict.fromkeys(message.platform.mailbox_of(r.address) for r in looked_up))
        keys = [hashed("grey:", network, sender, mailbox) for mailbox in mailboxes]
        known, *told = yield from ask_each(
            [
                Get(f"grey:network:{network}"),
                *(one for key in keys for one in (PutNew(key, repr(now), _RETURN_SECONDS), Get(key))),
            ]
        )
        ages = [_age(first, now, new=bool(new)) for new, first in zip(told[::2], told[1::2], strict=True)]
        patience, oldest = float(known or 0), max(ages, default=0)
        if oldest > patience:
            yield from ask(Put(f"grey:network:{network}", repr(oldest), _KEEP_SECONDS))
        waited: dict[str, Any] = {mailbox: round(age) for mailbox, age in zip(mailboxes, ages, strict=True)}
        if max(patience, min(ages, default=_LONGEST)) >= _LONGEST:
            return self.clear("has come back before")
        return self.hit(
            "first seen a moment ago; try again later",
            network=network,
            patience=round(patience),
            waited=waited,
        )

    def judge(self, finding: Finding, options: GreylistingOptions, scopes: Scopes) -> Opinion:
        """A hit while neither this triplet nor its network has waited long enough."""
        facts = finding.facts
        times = facts.get("waited", {})
        waited = next((times[scope] for scope in scopes if scope in times), options.delay)
        waited = max(waited, facts.get("patience", 0))
        hit = finding.status is Status.HIT and waited < options.delay
        text = f"greylisted, try again in {options.delay - waited} seconds" if hit else "known"
        return self.opinion(finding, options, hit=hit, text=text)


def _age(first: str | bool | None, now: float, *, new: bool) -> float:
    """Seconds since a triplet was first seen; 0 for one that is new."""
    return max(now - float(first), 0) if first and not new else 0
