"""The contract of a filter: `examine` states a fact, `judge` says what a policy makes of it.

A plain filter is one small file: a subclass of Filter with its names, its options and `examine`, which is

- a plain function that returns its Finding, where all that it needs is in the message; or
- a generator function that yields questions (`tamis.contract.ask`), is sent the answers, and returns its Finding.

Either is a pure function of message and answers. How the chain runs them stands in docs/chain.md.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeAlias
from typing import TypeVar as PlainTypeVar

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypeVar

from tamis.base.derived import derived
from tamis.contract.finding import Finding, Revealed, Status
from tamis.contract.memos import Memos, once
from tamis.contract.questions import Asks
from tamis.contract.service_protocols import Services
from tamis.knowledge import NO_BASE, KnowledgeBase
from tamis.message.envelope import Envelope
from tamis.message.test_strings import asked_of
from tamis.rules.book import EMPTY, Matched, RuleBook

if TYPE_CHECKING:
    from tamis.contract.list_index import ListIndex
    from tamis.contract.lists import Match
    from tamis.message.mail import Mail
    from tamis.settings import Platform


class Effect(StrEnum):
    """What a hit does to a recipient's verdict."""

    ACCEPT = "accept"  # ends the chain as ham
    SPAM = "spam"  # ends the chain as spam
    SCORE = "score"  # adds points to the total that is compared with `required`
    DEFER = "defer"  # answers 4xx
    TAG = "tag"  # only annotates


class Stage(IntEnum):
    """The earliest point of the SMTP dialogue at which a filter's input is known."""

    CONNECT = 1
    MAIL = 2
    RCPT = 3
    MESSAGE = 4


class State(StrEnum):
    """Whether a filter takes part; in shadow it is counted and shown but decides nothing."""

    OFF = "off"
    SHADOW = "shadow"
    ON = "on"


class NoChallenge(StrEnum):
    """Why nobody may be asked to confirm a message that a filter hit; the first of these that applies is told."""

    VIRUS = "virus"
    ATTACHMENT = "attachment"
    LINKS = "links"
    NAME = "name"
    HONEYPOT = "honeypot"
    BLACKLIST = "blacklist"
    COMPLAINTS = "complaints"
    SPF = "spf"
    DMARC = "dmarc"
    TEST = "test"
    FILTER = "filter"  # any other; what a filter of another package says
    UNREACHABLE = "unreachable"  # by mail; who is connected can still be answered in the SMTP reply


EVIDENCE = frozenset(
    {
        *(NoChallenge.VIRUS, NoChallenge.ATTACHMENT, NoChallenge.LINKS, NoChallenge.NAME),
        *(NoChallenge.BLACKLIST, NoChallenge.SPF, NoChallenge.DMARC, NoChallenge.FILTER),
    }
)
"""What is seen in a message or written down by people, in contrast to what is suspected: a sender who earned a favour
(`Filter.earned`) is excused from suspicion, and not from these. Complaints count against what was earned anyway."""


class FilterOptions(BaseModel):
    """What policy can set for every filter; a filter's own model derives from it and adds its options."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: State = Field(State.ON, description="off, shadow (counted, without effect) or on")
    effect: Effect = Field(Effect.SPAM, description="what a hit does: accept, spam, score, defer or tag")
    score: float = Field(
        2.5, ge=-100, le=100, description="points that a hit adds to the total when effect is score"
    )


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one recipient's policy makes of one finding.

    `points` counts only with Effect.SCORE. `effect` is None when the finding has no effect. An opinion in
    `shadow` is shown and counted but decides nothing. `asked` is where a test message asks to go (a key of
    TEST_STRINGS), "" in all other opinions; it is looked at when the verdict on the message without it stands.
    """

    filter: str
    spec_id: str
    status: Status
    effect: Effect | None = None
    points: float = 0.0
    text: str = ""
    shadow: bool = False
    asked: str = ""


_T = PlainTypeVar("_T")


@dataclass(kw_only=True)
class Message:
    """What `examine` may look at. `mail` is complete from Stage.MESSAGE on."""

    envelope: Envelope
    mail: Mail
    platform: Platform
    lists: ListIndex
    scopes: frozenset[str]
    services: Services = field(default_factory=Services)
    rules: RuleBook = EMPTY
    knowledge: KnowledgeBase = NO_BASE
    memos: Memos = field(default_factory=dict, repr=False)
    """What was worked out for several filters; a second look at the same message has the same."""

    def once(self, key: Hashable, start: Callable[[], Asks[_T]]) -> Asks[_T]:
        """What `start()` works out, once for this message, whoever asks for it under this key."""
        return once(self.memos, key, start)

    @derived
    def mailboxes(self) -> frozenset[str]:
        """The recipients' mailboxes, in their comparing form: without extensions, and those that aliases lead to."""
        named = {self.platform.mailbox_of(one.address) for one in self.envelope.recipients}
        return frozenset(named | {scope for scope in self.scopes if "@" in scope})

    @derived
    def matched_rules(self) -> Matched:
        """The operator's rules that match this message."""
        return self.rules.match(self.mail)

    @derived
    def known_signs(self) -> Matched:
        """The rules of the shipped base that this message matches."""
        return self.knowledge.book.match(self.mail, self.knowledge.spoken)

    @derived
    def list_matches(self) -> tuple[Match, ...]:
        """Every list entry, of any recipient's scope and either colour, that matches this message."""
        return self.lists.matches(self.envelope, self.mail, self.scopes)

    @derived
    def asked(self) -> str:
        """Where a test message asks to go, a key of TEST_STRINGS; "" for all other mail. What is remembered of mail is
        not told of test messages, or apart."""
        return asked_of(self.mail)

    @derived
    def is_own(self) -> bool:
        """From an authenticated user or from the platform's own networks (spec O8)."""
        return bool(self.envelope.login) or self.platform.is_own_network(self.envelope.ip)


Scopes = Sequence[str]
"""A recipient's scopes, nearest first (address.scopes_of)."""


Examined: TypeAlias = Finding | Revealed | Asks[Finding] | Asks[Finding | Revealed] | Awaitable[Finding]
"""What `examine` gives: a finding, the generator that asks for what it lacks, or, in other packages, a coroutine."""

OptionsT = TypeVar("OptionsT", bound=FilterOptions, default=FilterOptions)


class Filter(ABC, Generic[OptionsT]):
    """One filter of the chain. The class docstring is its manual page."""

    name: ClassVar[str]
    spec_id: ClassVar[str]
    """S1…S35: the place in the chain's order of judgement."""
    summary: ClassVar[str]
    """One line for lists of filters."""
    plain_reason: ClassVar[str] = ""
    """Why a message was held, for people who don't run mail servers, where this filter decided. It follows "Why: ",
    has no full stop, and tells the sender of spam, who reads it too, nothing that would help. "" says just that a
    filter took it for unwanted mail. English; `marked` where a catalogue translates it."""
    forbids_challenge: ClassVar[NoChallenge | None] = None
    """Why the sender of a message that this filter hit is never asked to confirm it, under no policy; None where a hit
    does not forbid that."""
    stage: ClassVar[Stage] = Stage.MESSAGE
    effect: ClassVar[Effect] = Effect.SPAM
    """The default effect, and the filter's kind in lists."""
    state: ClassVar[State] = State.ON
    switchable: ClassVar[bool] = True
    expensive: ClassVar[bool] = False
    """Costs enough (OCR, antivirus) to be skipped once the verdict of every recipient is decided."""
    blocks: ClassVar[bool | None] = None
    """Whether a plain `examine` may wait for something by itself, and so has to run in a thread of its own. Where a
    class of another package does not say (None) it is taken to; the filters of Tamis never do."""
    deadline: ClassVar[float] = 10.0
    """Seconds after which the filter's answer is `unavailable`."""
    outgoing: ClassVar[bool] = False
    """Also examines mail of authenticated users, under the sender's policy; other filters do not (O8)."""
    asks: ClassVar[tuple[str, ...]] = ()
    """The services that `examine` uses, by their names in Services; they may be unavailable."""
    looks_again: ClassVar[bool] = False
    """Also judges by what S22 reads in images and documents (`mail.seen`): examined a second time when there is any,
    and the second finding counts."""
    earned: ClassVar[bool] = False
    """Accepts senders by what they earned, which anybody can: where a filter that has an effect shows EVIDENCE, the
    acceptance decides nothing."""
    yields_to: ClassVar[frozenset[str]] = frozenset()
    """Filters later in the chain whose acceptance overrules this one's hit."""

    options: ClassVar[type[FilterOptions]] = FilterOptions
    """What policy can set for this filter: each field with default, range and description."""

    @classmethod
    def acts_early(cls, platform: Platform) -> bool:
        """Whether a filter that defers, of a stage up to RCPT, is asked at each RCPT on this platform, and not only at
        the end of the message."""
        return True

    @abstractmethod
    def examine(self, message: Message) -> Examined:
        """State the fact. Errors need no handling here: the chain turns them into `unavailable`."""

    def judge(self, finding: Finding, options: OptionsT, scopes: Scopes) -> Opinion:
        """What the policy of a recipient (its `scopes`, nearest first) makes of the finding. Pure."""
        return self.opinion(finding, options, hit=finding.status is Status.HIT)

    def is_open(self, finding: Finding) -> bool:
        """Whether this finding can only be judged together with the opinions of other filters (`judge_among`). Pure."""
        return False

    def judge_among(
        self, finding: Finding, options: OptionsT, scopes: Scopes, others: Mapping[str, Opinion]
    ) -> Opinion:
        """As `judge`, for an open finding: `others` are the opinions on all findings that are not open. Pure."""
        return self.judge(finding, options, scopes)

    def challenge_barred_by(self, finding: Finding) -> NoChallenge | None:
        """Why nobody may be asked to confirm the message that the finding is of; None when they may. Pure."""
        return self.forbids_challenge if finding.status is Status.HIT else None

    def with_entries(self, finding: Finding, entries: Sequence[Match]) -> Finding:
        """The finding as it would be if the message had met these entries of the lists as well. Pure; a filter that
        looks at no list gives it back as it is."""
        return finding

    def opinion(
        self,
        finding: Finding,
        options: FilterOptions,
        *,
        hit: bool,
        points: float | None = None,
        text: str = "",
    ) -> Opinion:
        """An Opinion of this filter with the effect that `options` gives to a hit."""
        effect = options.effect if hit else None
        if effect is None and not text and not finding.facts:  # most are so, and nearly all of them alike
            return _silent(
                self.name, self.spec_id, finding.status, finding.because, options.state is State.SHADOW
            )
        scored = (options.score if points is None else points) if effect is Effect.SCORE else 0.0
        return Opinion(
            self.name,
            self.spec_id,
            finding.status,
            effect,
            scored,
            text or finding.text(),
            options.state is State.SHADOW,
        )

    def hit(self, because: str, **facts: Any) -> Finding:
        """A finding that the filter saw what it looks for."""
        return Finding(self.name, Status.HIT, because, facts)

    def clear(self, because: str = "", **facts: Any) -> Finding:
        """A finding that it looked and saw nothing."""
        return Finding(self.name, Status.CLEAR, because, facts)

    def unavailable(self, because: str, **facts: Any) -> Finding:
        """A finding that it could not look."""
        return Finding(self.name, Status.UNAVAILABLE, because, facts)

    def skipped(self, because: str, **facts: Any) -> Finding:
        """A finding that it did not look, and why."""
        return Finding(self.name, Status.SKIPPED, because, facts)


@lru_cache(maxsize=2048)
def _silent(name: str, spec_id: str, status: Status, because: str, shadow: bool) -> Opinion:
    """The opinion without effect on findings without facts, one for all recipients and messages."""
    text = Finding(name, status, because).text()
    return Opinion(name, spec_id, status, None, 0.0, text, shadow)


ALLOWED_EFFECTS: dict[Effect, frozenset[Effect]] = {
    Effect.ACCEPT: frozenset({Effect.ACCEPT, Effect.SCORE, Effect.TAG}),
    Effect.SPAM: frozenset({Effect.SPAM, Effect.SCORE, Effect.TAG}),
    Effect.SCORE: frozenset({Effect.SPAM, Effect.SCORE, Effect.TAG}),
    Effect.DEFER: frozenset({Effect.DEFER, Effect.SPAM, Effect.SCORE, Effect.TAG}),
    Effect.TAG: frozenset({Effect.TAG}),
}
"""Which effects policy may choose for a filter of each kind: a white list can't be turned into a spam filter."""
