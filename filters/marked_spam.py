"""S8b: the same content from the same origin as spam that was marked by hand, or nearly the same.

marks in the store -> {scope: marks} by client and checksum, the newest sketches by client -> the shared state
a message -> its checksum: the marks of equal ones; else its sketch: those of the client that are alike
          -> of the same domain's mail, or of nobody's -> marks in the recipient's scopes
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping

from pydantic import Field

from tamis.base.errors import ServiceError
from tamis.contract.ask import ask, ask_each
from tamis.contract.filter import Filter, FilterOptions, Message, Opinion, Scopes
from tamis.contract.finding import Finding, Status
from tamis.contract.marked_sketches import read_sketches, sketches_key
from tamis.contract.questions import Asks, Get
from tamis.contract.sentences import ALIKE_MARKED_BY_HAND, MARKED_BY_HAND
from tamis.contract.state_keys import client_key
from tamis.filters.message_checksum import checksum_of, former_checksum_of, sketched
from tamis.filters.signing.responsible import responsible_domain
from tamis.language.translation import marked
from tamis.message.envelope import IPAddress
from tamis.message.mail.likeness import ALIKE, likeness, read

_MARKED = "marked:"


class MarkedSpamOptions(FilterOptions):
    """Adds how many must agree, and how alike messages must be."""

    marks: int = Field(
        1,
        ge=1,
        le=1000,
        description="marks by hand from which it is a hit; a mark is one person's, about one message",
    )
    likeness: float = Field(
        0.85,
        ge=ALIKE,
        le=1,
        description="how alike a message must be to one that was marked: the share of words they have in common",
    )


class MarkedSpam(Filter[MarkedSpamOptions]):
    """Takes a message for spam when one with the same origin and the same content was marked as spam by hand, or nearly
    the same content.

    The origin is the client's address (an IPv6 client's /64); the content is the checksum of `message_checksum`:
    From, Subject, the visible text and the attachments. Nearly the same is meant as in `message_likeness`; as From may
    be another one there, such a mark counts only for mail that the same domain answers for (by SPF or DKIM), or nobody
    as then, so that nobody's copy accuses another's mail. A mark is made when a reader moves a message into Junk, when
    somebody deletes it from the quarantine as spam, and by `tamis fingerprint add message FILE`. A reader's mark counts
    for the domain, an operator's for the platform. "Not spam", in the same ways, removes the marks of that content, and
    of what is nearly the same, there. Marks expire after `learning.mark_days`; of one client's mail the 20 last ones
    are compared. White list entries (S4, S6, S7) come before this filter.
    """

    name = "marked_spam"
    spec_id = "S8b"
    summary = "same origin and content as spam that was marked by hand"
    plain_reason = marked("the same message was reported here as unwanted before")
    asks = ("state", "dns")
    options = MarkedSpamOptions

    def examine(self, message: Message) -> Asks[Finding]:
        """How often this content from this client was marked, by scope; else how often what is alike was."""
        ip = message.envelope.ip
        if ip is None or message.is_own:
            return self.clear("no client on a network, or one of our own")
        digest = yield from checksum_of(message)
        former = yield from former_checksum_of(message)
        told = yield from ask_each([Get(marked_key(fingerprint_of(ip, one))) for one in (digest, former)])
        marks: Counter[str] = Counter()
        for scopes in filter(None, told):
            marks.update(json.loads(scopes))
        try:
            alike = yield from _alike(message, client_key(ip))
        except ServiceError:
            if not marks:
                raise
            alike = []  # what is the same needs no DNS
        if not marks and not alike:
            return self.clear("not marked")
        facts = {"alike": alike} if alike else {}
        return self.hit("marked as spam by hand", marks=dict(marks), checksum=digest, **facts)

    def judge(self, finding: Finding, options: MarkedSpamOptions, scopes: Scopes) -> Opinion:
        """A hit when there are enough marks in the recipient's scopes, on the same content or on what is alike."""
        same = _counted(finding.facts.get("marks", {}), scopes)
        near = [
            _counted(marks, scopes)
            for share, marks in finding.facts.get("alike", ())
            if share >= options.likeness
        ]
        hit = finding.status is Status.HIT and max(same, sum(near)) >= options.marks
        sentence = (
            MARKED_BY_HAND(marks=same) if same >= options.marks else ALIKE_MARKED_BY_HAND(marks=sum(near))
        )
        return self.opinion(finding, options, hit=hit, text=sentence if hit else "")


def _counted(marks: Mapping[str, int], scopes: Scopes) -> int:
    return sum(number for scope, number in marks.items() if scope in scopes)


def _alike(message: Message, client: str) -> Asks[list[tuple[float, Mapping[str, int]]]]:
    """How alike, and the marks of, each of the client's marked messages that this one is a copy of."""
    told = read_sketches((yield from ask(Get(sketches_key(client)))))
    if not told:
        return []
    sketch, now = (yield from sketched(message)), message.envelope.received_at.timestamp()
    compared = [(likeness(sketch, read(one.sketch)), one) for one in told if one.until > now]
    copies = [(share, one) for share, one in compared if share >= ALIKE]
    answering = (yield from responsible_domain(message)) if copies else ""
    return [(round(share, 3), one.marks) for share, one in copies if one.answering == answering]


def fingerprint_of(ip: IPAddress, digest: str) -> str:
    """What a mark is about: origin and content."""
    return f"{client_key(ip)} {digest}"


def marked_key(fingerprint: str) -> str:
    """Where the shared state has the marks of a fingerprint: {scope: number} as JSON."""
    return _MARKED + fingerprint
