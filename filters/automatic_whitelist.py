"""S7: senders that earned their way in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import ClassVar

from pydantic import Field

from tamis.contract.ask import ask_each
from tamis.contract.filter import Effect, Filter, FilterOptions, Message, Opinion, Scopes, Stage, State
from tamis.contract.finding import Finding, Status
from tamis.contract.questions import Asks, Get
from tamis.contract.state_keys import hashed
from tamis.message.address import address_key, domain_of
from tamis.message.delivery_report import failed_recipients

_MAX_DOMAINS = 50  # recipients' domains that are looked up; beyond: nothing is known of the sender there
_MAX_RECIPIENTS = 200  # recipients of own mail that are learned; beyond: not learned
MAX_ADDRESS = 320  # characters of an address; beyond: not looked up and not learned


class AutomaticWhitelistOptions(FilterOptions):
    """Adds what counts how much."""

    accept_from: float = Field(2.0, gt=0, le=1000, description="weight from which a sender is let through")
    work_weight: float = Field(
        1.0,
        ge=0,
        le=1000,
        description="weight of challenges answered by a proof of work, however many: programs can do that, so it "
        "counts only beside something else",
    )
    validation_weight: float = Field(
        2.0,
        ge=0,
        le=1000,
        description="weight of each validation (a code that was typed, or by an operator)",
    )
    outgoing_weight: float = Field(
        3.0, ge=0, le=1000, description="weight of a message from an authenticated user to the sender"
    )
    complaint_weight: float = Field(4.0, ge=0, le=1000, description="weight that each complaint subtracts")
    outgoing: bool = Field(
        False,
        description="recipients of this domain's outgoing mail become entries, until a bounce comes back",
    )


class AutomaticWhitelist(Filter[AutomaticWhitelistOptions]):
    """Lets a message through when its envelope sender has earned enough weight with the recipient's domain.

    The weight is kept for each recipient domain: every validation (`tamis senders validate`, a challenge answered by
    a code) adds to it, every complaint (`tamis senders complain`) subtracts, and from `accept_from` the sender is let
    through. A challenge answered by a proof of work delivers one message; it adds `work_weight` once, and alone never
    lets a sender through, whatever the weights.

    With `outgoing`, an address that an authenticated user of the domain writes to gets `outgoing_weight`, until a
    delivery status notification (RFC 3464) to that user says that the address failed. Addresses in the domain itself
    are never added. The header From is not used here.

    What was earned excuses suspicion, not evidence: where a virus scanner, a dangerous attachment, a listed link, a
    protected name, a black list, SPF or DMARC speaks against a message, it is judged as a stranger's.

    By default this filter is in shadow, for it believes any MAIL FROM: S7b asks for the same weight, and that SPF or
    DKIM authenticates the sender.

    Entries are kept in the store; `tamis senders show` lists them.
    """

    name = "automatic_whitelist"
    spec_id = "S7"
    summary = "sender on the automatic white list"
    asks: ClassVar[tuple[str, ...]] = ("state",)
    stage = Stage.RCPT
    effect = Effect.ACCEPT
    state = State.SHADOW
    earned = True
    outgoing = True
    options = AutomaticWhitelistOptions

    def examine(self, message: Message) -> Asks[Finding]:
        """What the sender has earned with each recipient's domain; for outgoing mail and bounces, what follows."""
        envelope = message.envelope
        if envelope.login:
            sent = list(_written_to(message))
            return self.clear("outgoing mail", sent=sent)
        if not envelope.sender:
            return self.clear("no sender", bounced=list(_bounced(message)))
        sender = address_key(envelope.sender)
        if len(sender) > MAX_ADDRESS:
            return self.clear("sender address too long")
        domains = sorted({domain_of(r.address) for r in envelope.recipients})[:_MAX_DOMAINS]
        found = yield from ask_each([Get(sender_key(domain, sender)) for domain in domains])
        earned = {domain: json.loads(told) for domain, told in zip(domains, found, strict=True) if told}
        if not earned:
            return self.clear("has earned nothing yet")
        return self.hit("{sender} is known", sender=sender, earned=earned)

    def judge(self, finding: Finding, options: AutomaticWhitelistOptions, scopes: Scopes) -> Opinion:
        """A hit when what the recipient's domain knows of the sender weighs enough."""
        earned = finding.facts.get("earned", {}).get(domain_of(scopes[0]))
        if finding.status is not Status.HIT or earned is None:
            return self.opinion(finding, options, hit=False, text="has earned nothing yet")
        weight = _weight(options, *earned)
        text = f"Automatically Whitelisted ({finding.facts['sender']}, weight {weight:g})"
        return self.opinion(finding, options, hit=weight >= options.accept_from, text=text)


def sender_key(domain: str, address: str) -> str:
    """Where the shared state has what an address earned with a domain."""
    return hashed("sender:", domain, address)


def sender_value(validations: int, complaints: int, *, written_to: bool, works: int = 0) -> str:
    """What the shared state has there."""
    return json.dumps([validations, complaints, int(written_to), works])


def _weight(
    options: AutomaticWhitelistOptions, validations: int, complaints: int, written_to: int, works: int = 0
) -> float:
    """Findings and states of earlier versions know no `works`."""
    weight = (
        validations * options.validation_weight
        + written_to * options.outgoing_weight
        - complaints * options.complaint_weight
    )
    return weight + options.work_weight if works and weight > 0 else weight


def _written_to(message: Message) -> Iterator[Sequence[str]]:
    """[domain, address, author] for each recipient outside the author's domain, if the author is one of ours."""
    author = message.platform.mailbox_of(message.envelope.sender)
    domain = domain_of(author)
    own = message.platform.domains
    if not domain or (own and domain not in own) or len(author) > MAX_ADDRESS:
        return
    for recipient in message.envelope.recipients[:_MAX_RECIPIENTS]:
        address = address_key(recipient.address)
        if domain_of(address) not in ("", domain) and len(address) <= MAX_ADDRESS:
            yield [domain, address, author]


def _bounced(message: Message) -> Iterator[Sequence[str]]:
    """[domain, address, author] for each address that a notification to the author says has failed."""
    for address in failed_recipients(message.mail):
        for recipient in message.envelope.recipients[:1]:  # a notification has one (RFC 3464 2)
            author = message.platform.mailbox_of(recipient.address)
            yield [domain_of(author), address, author]
