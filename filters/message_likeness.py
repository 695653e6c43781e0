"""S23b: nearly the same message for dozens of the platform's recipients."""

from __future__ import annotations

from functools import partial

from pydantic import Field

from tamis.contract.ask import ask_each, compute
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
)
from tamis.language.translation import marked
from tamis.message.mail.likeness import Sketch, likeness, read, sketch_of, written

ALIKE = 0.7
"""The share of their runs of three words from which on two messages are alike: six words in a hundred may differ."""
ENTRANCES = 4
"""Hashes under which a mailing is found; one that is shared is enough, and alike texts share each with 70 % or more."""
_LARGE = 512 * 1024  # octets from which on the sketch takes long enough to hold up other messages on the loop
_KEPT = float(WINDOWS[-1])


class MessageLikenessOptions(MessageChecksumOptions):
    """Adds how alike messages must be."""

    likeness: float = Field(
        ALIKE,
        ge=ALIKE,
        le=1,
        description="share of its runs of three words that a message must have in common with the first of its kind",
    )


class MessageLikeness(Filter[MessageLikenessOptions]):
    """Takes a message for spam when ones that are nearly the same arrived for many recipients of the platform within a
    time window: what S23 does for equal ones, for spam varies a word, a name or a number with every copy.

    Compared are the words of the visible text, up to 1,000, in runs of three; numbers and quoted lines are left out,
    and so are From and Subject. Where there are fewer than 40 runs the structure of the HTML is compared in their
    place, and where that is small, too, nothing: greetings and signatures are alike by themselves. Each message is held
    against the first of its kind within a day, so a kind can't drift. Mail of own clients is not counted, nor are the
    lists in `except_lists`, believed as in S23; test messages are counted apart.

    Off by default, for it costs 0.2 ms a message and more, and newsletters are alike: switch it to shadow first. Of
    4,804 honest messages that could be compared 70 were alike to one from another domain, nearly all of them answers in
    one thread; of 3,922 spam and phishing messages 1,724 were alike, 284 equal ([Likeness](benchmarks.md#likeness)).
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
        mail = message.mail
        sketch = yield from compute("likeness", partial(sketch_of, mail), long=mail.size > _LARGE)
        if not sketch:
            return self.clear("too little text to compare")
        kind, alike = yield from _kind_of(sketch, "test-like" if message.asked else "like")
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
    entrances = [f"{prefix}:{value:08x}" for value in sketch[:ENTRANCES]]
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
