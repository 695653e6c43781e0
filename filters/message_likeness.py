"""S23b: nearly the same message for dozens of the platform's recipients."""

from __future__ import annotations

from pydantic import Field

from tamis.contract.ask import ask_each
from tamis.contract.filter import Filter, Message, Opinion, Scopes, State
from tamis.contract.finding import Finding
from tamis.contract.questions import Asks, Get, Put, PutNew
from tamis.contract.sentences import ALIKE_FOR_MANY
from tamis.contract.state_keys import hashed
from tamis.filters.message_checksum import (
    FEW,
    WINDOWS,
    MessageChecksumOptions,
    believed_list,
    counted,
    counts_against,
    sketched,
)
from tamis.language.translation import marked
from tamis.message.mail.likeness import ALIKE, Sketch, likeness, read, written

ENTRANCES = 4
"""Runs under which a mailing is found; one that is shared is enough, and copies share most of them."""
_KEPT = float(WINDOWS[-1])


class MessageLikenessOptions(MessageChecksumOptions):
    """Adds how alike messages must be."""

    likeness: float = Field(
        ALIKE,
        ge=ALIKE,
        le=1,
        description="how alike a message must be to the first of its kind: the share of words they have in common",
    )


class MessageLikeness(Filter[MessageLikenessOptions]):
    """Takes a message for spam when ones that are nearly the same arrived for many recipients of the platform within a
    time window: what S23 does for equal ones, for spam varies a word, a name or a number with every copy.

    Two messages are nearly the same where at most eight distinct words stand in only one of them, in whatever order, or
    where the words that differ stand alone, each among equal ones: what differs in whole lines, as receipts,
    newsletters and answers do that one template, quote or signature makes alike, is not. Compared are the first 1,000
    words of the visible text, without numbers, quoted lines and what stands below a signature's line; From and Subject
    are not. Amounts of money and attachments must be the same. Where there are fewer than 40 runs of three words, the
    HTML's form and the names of its images are compared as well; where that is little, too, nothing is. Each message is
    held against the first of its kind within a day, so a kind can't drift. Mail of own clients is not counted, nor are
    the lists in `except_lists`, believed as in S23; test messages are counted apart.

    Off by default, for it costs 0.2 ms a message and more, and newsletters are alike: switch it to shadow first. How
    often honest mail and spam are alike was [measured](benchmarks.md#likeness).
    """

    name = "message_likeness"
    spec_id = "S23b"
    summary = "nearly the same message for many recipients"
    plain_reason = marked("nearly the same message arrived for many people at once")
    asks = ("state", "dns")
    state = State.OFF
    options = MessageLikenessOptions

    def examine(self, message: Message) -> Asks[Finding]:
        """How many distinct recipients messages of its kind had in each of the windows, these ones included."""
        if message.is_own:
            return self.clear("one of our own clients")
        sketch = yield from sketched(message)
        if sketch is None:
            return self.clear("too little text to compare")
        kind, alike = yield from _kind_of(sketch, "test-alike" if message.asked else "alike")
        facts = (yield from counted(message, f"alike:{kind}")) | {"likeness": round(alike, 3), "kind": kind}
        if facts["most"] < FEW:
            return self.clear("sent to few recipients", **facts)
        facts["list"] = yield from believed_list(message)
        return self.hit("nearly the same message came for {most} recipients", **facts)

    def judge(self, finding: Finding, options: MessageLikenessOptions, scopes: Scopes) -> Opinion:
        """A hit from the policy's number of recipients in the policy's window on, if it is alike enough."""
        alike = finding.facts.get("likeness", 0.0) >= options.likeness
        seen = counts_against(finding, options) if alike else 0
        text = ALIKE_FOR_MANY(seen=seen, window=options.window) if seen else ""
        return self.opinion(finding, options, hit=seen > 0, text=text)


def _kind_of(sketch: Sketch, prefix: str) -> Asks[tuple[str, float]]:
    """The kind that a message is of, and how alike it is to its first; a new one where it is like none.

    The state has the kind by each of its first message's smallest hashes, and that message's sketch by the kind.
    """
    entrances = [f"{prefix}:{value:08x}" for value in sketch.runs.smallest[:ENTRANCES]]
    told = yield from ask_each([Get(key) for key in entrances])
    kinds = sorted({kind for kind in told if kind})
    sketches = yield from ask_each([Get(f"{prefix}-first:{kind}") for kind in kinds])
    alike = [(likeness(sketch, read(text or "")), kind) for kind, text in zip(kinds, sketches, strict=True)]
    best, kind = max(alike, default=(0.0, ""))
    if best >= ALIKE:
        return kind, best
    text = written(sketch)
    kind = hashed("", text)[:16]
    first = Put(f"{prefix}-first:{kind}", text, _KEPT)
    yield from ask_each([*(PutNew(key, kind, _KEPT) for key in entrances), first])
    return kind, 1.0
