"""S8b: the same content from the same origin as spam that was marked by hand."""

from __future__ import annotations

import json
from collections import Counter

from pydantic import Field

from tamis.contract.ask import ask_each
from tamis.contract.filter import Filter, FilterOptions, Message, Opinion, Scopes
from tamis.contract.finding import Finding, Status
from tamis.contract.questions import Asks, Get
from tamis.contract.sentences import MARKED_BY_HAND
from tamis.contract.state_keys import client_key
from tamis.filters.message_checksum import checksum_of, former_checksum_of
from tamis.language.translation import marked
from tamis.message.envelope import IPAddress

_MARKED = "marked:"


class MarkedSpamOptions(FilterOptions):
    """Adds how many must agree."""

    marks: int = Field(
        1,
        ge=1,
        le=1000,
        description="marks by hand from which it is a hit; a mark is one person's, about one message",
    )


class MarkedSpam(Filter[MarkedSpamOptions]):
    """Takes a message for spam when one with the same origin and the same content was marked as spam by hand.

    The origin is the client's address (an IPv6 client's /64); the content is the checksum of `message_checksum`:
    From, Subject, the visible text and the attachments. A mark is made when a reader moves a message into Junk, when
    somebody deletes it from the quarantine as spam, and by `tamis fingerprint add message FILE`. A reader's mark counts
    for the domain, an operator's for the platform. "Not spam", in the same ways, removes the marks of that content
    there. Marks expire after `learning.mark_days`; those that version 0.2 made, over the octets of each part, are found
    until then. White list entries (S4, S6, S7) come before this filter.
    """

    name = "marked_spam"
    spec_id = "S8b"
    summary = "same origin and content as spam that was marked by hand"
    plain_reason = marked("the same message was reported here as unwanted before")
    asks = ("state",)
    options = MarkedSpamOptions

    def examine(self, message: Message) -> Asks[Finding]:
        """How often this content from this client was marked, by scope."""
        ip = message.envelope.ip
        if ip is None or message.is_own:
            return self.clear("no client on a network, or one of our own")
        digest = yield from checksum_of(message)
        former = yield from former_checksum_of(message)
        told = yield from ask_each([Get(marked_key(fingerprint_of(ip, one))) for one in (digest, former)])
        marks: Counter[str] = Counter()
        for scopes in filter(None, told):
            marks.update(json.loads(scopes))
        if not marks:
            return self.clear("not marked")
        return self.hit("marked as spam by hand", marks=dict(marks), checksum=digest)

    def judge(self, finding: Finding, options: MarkedSpamOptions, scopes: Scopes) -> Opinion:
        """A hit when there are enough marks in the recipient's scopes."""
        marks = sum(number for scope, number in finding.facts.get("marks", {}).items() if scope in scopes)
        hit = finding.status is Status.HIT and marks >= options.marks
        text = MARKED_BY_HAND(marks=marks) if hit else ""
        return self.opinion(finding, options, hit=hit, text=text)


def fingerprint_of(ip: IPAddress, digest: str) -> str:
    """What a mark is about: origin and content."""
    return f"{client_key(ip)} {digest}"


def marked_key(fingerprint: str) -> str:
    """Where the shared state has the marks of a fingerprint: {scope: number} as JSON."""
    return _MARKED + fingerprint
