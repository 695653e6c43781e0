"""S23: the same message for dozens of the platform's recipients."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

from pydantic import Field

from tamis.base.errors import ServiceError
from tamis.contract.ask import ask, compute
from tamis.contract.filter import Filter, FilterOptions, Message, Opinion, Scopes, State
from tamis.contract.finding import Finding, Status
from tamis.contract.questions import Asks, DistinctWithin
from tamis.contract.sentences import SAME_FOR_MANY
from tamis.contract.state_keys import hashed
from tamis.filters.signing.list_headers import list_id, vouched
from tamis.filters.signing.responsible import responsible_domain
from tamis.language.translation import marked
from tamis.message.mail import Mail
from tamis.message.mail.checksums import checksum, former_checksum
from tamis.message.mail.likeness import Sketch, sketch_of

WINDOWS = (600, 3600, 86400)
"""Seconds; the policies' choice."""
_MAX_RECIPIENTS = 1000  # recipients that are counted; beyond: not counted: the message is bulk by then
FEW = 5
"""Recipients from which on a policy may call a message bulk; fewer are a letter to a family."""


class MessageChecksumOptions(FilterOptions):
    """Adds how many recipients are too many, and in what time."""

    recipients: int = Field(
        50,
        ge=FEW,
        le=10_000,
        description="distinct recipients of the platform from which a message is bulk",
    )
    window: Literal[600, 3600, 86400] = Field(3600, description="seconds in which they are counted")
    except_lists: tuple[str, ...] = Field(
        (), description="List-Ids of own mailing lists, without angle brackets, that are not counted as bulk"
    )


class MessageChecksum(Filter[MessageChecksumOptions]):
    """Takes a message for spam when the same one arrived for many recipients of the platform within a time window.

    The 160-bit checksum covers From, Subject, the visible text and each attachment. What a reader doesn't see makes no
    difference: Date, Message-ID, Received, encodings, the alternative that is not shown, hidden words, white space,
    invisible characters, letters that look like others; nor do the targets of links below a text of 40 letters or more.
    Recipients are counted over all workers and hosts that share their state, a mailbox with its sub-addresses as one,
    and copies that a domain answers for (by SPF or DKIM) apart from all others, so that nobody can make another's
    message bulk by sending copies of it; test messages count apart. Mail of own clients is not counted, nor are the
    lists in `except_lists`, if a DKIM signature of the list's domain covers the List-Id or SPF passes for a MAIL FROM
    of that domain (or the DNS gives no answer); white list entries (S4, S6, S7) come before this filter.

    In shadow by default: a newsletter that fifty people subscribed to looks the same. Switch it on when the
    newsletters of your platform are on the white list, or let it add points (`effect = "score"`).
    """

    name = "message_checksum"
    spec_id = "S23"
    summary = "same message for many recipients"
    plain_reason = marked("the same message arrived for many people at once")
    asks = ("state", "dns")
    state = State.SHADOW
    options = MessageChecksumOptions

    def examine(self, message: Message) -> Asks[Finding]:
        """How many distinct recipients the message had in each of the windows, these ones included."""
        if message.is_own:
            return self.clear("one of our own clients")
        digest = yield from checksum_of(message)
        facts = (yield from counted(message, f"sum:{digest}")) | {"checksum": digest}
        if facts["most"] < FEW:
            return self.clear("sent to few recipients", **facts)
        facts["list"] = yield from believed_list(message)
        return self.hit("the same message came for {most} recipients", **facts)

    def judge(self, finding: Finding, options: MessageChecksumOptions, scopes: Scopes) -> Opinion:
        """A hit from the policy's number of recipients in the policy's window on."""
        seen = counts_against(finding, options)
        text = SAME_FOR_MANY(seen=seen, window=options.window) if seen else ""
        return self.opinion(finding, options, hit=seen > 0, text=text)


def counted(message: Message, key: str) -> Asks[dict[str, Any]]:
    """How many distinct recipients had what the key stands for in each of the windows, those of this message included:
    facts of a finding. What a domain answers for is counted apart from others' copies, and so are test messages."""
    mailbox_of, recipients = message.platform.mailbox_of, message.envelope.recipients[:_MAX_RECIPIENTS]
    members = tuple(hashed("", mailbox_of(one.address))[:16] for one in recipients)
    key = hashed(f"{'test-' if message.asked else ''}{key}:", (yield from answering_domain(message)))
    counts = yield from ask(DistinctWithin(key, members, WINDOWS))
    by_window = {str(window): count for window, count in zip(WINDOWS, counts, strict=True)}
    return {"counts": by_window, "most": max(counts)}


def counts_against(finding: Finding, options: MessageChecksumOptions) -> int:
    """The number of recipients in the policy's window where it makes a message bulk; else 0."""
    seen: int = finding.facts.get("counts", {}).get(str(options.window), 0)
    excepted = finding.facts.get("list", "") in {one.lower() for one in options.except_lists}
    return seen if finding.status is Status.HIT and seen >= options.recipients and not excepted else 0


_LARGE = 512 * 1024
"""Octets from which on a checksum or a sketch takes long enough to hold up other messages on the loop."""


def checksum_of(message: Message) -> Asks[str]:
    """The checksum of a message, made once."""
    return message.once("checksum", partial(_computed, checksum, message.mail))


def sketched(message: Message) -> Asks[Sketch | None]:
    """What is compared of a message with others that may be nearly the same, made once."""
    mail = message.mail
    return message.once(
        "sketch", lambda: compute("likeness", partial(sketch_of, mail), long=mail.size > _LARGE)
    )


def former_checksum_of(message: Message) -> Asks[str]:
    """The checksum of a message as earlier versions made it."""
    return _computed(former_checksum, message.mail)


def _computed(make: Callable[[Mail], str], mail: Mail) -> Asks[str]:
    return compute("checksum", partial(make, mail), long=mail.size > _LARGE)


def answering_domain(message: Message) -> Asks[str]:
    """Whose copies this one is counted with; "" for those that nobody answers for, as far as can be known now."""
    try:
        return (yield from responsible_domain(message))
    except ServiceError:
        return ""


def believed_list(message: Message) -> Asks[str]:
    """The List-Id, if its domain's owner answers for it, or a failing DNS leaves that open; else ""."""
    claimed = list_id(message.mail.headers)
    try:
        believed = claimed and (yield from vouched(message, ("list-id",), by_author=False))
    except ServiceError:
        return claimed
    return claimed if believed else ""
