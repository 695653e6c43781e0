"""Services that answer what filters ask (`tamis.contract.questions`), behind interfaces that hide the libraries.

Each call may raise an error of the tree in tamis.base.errors. Nothing here blocks: all calls are made on the worker's
event loop. Services that get many questions are asked with a callback, which costs neither a task nor a turn of the
loop.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from tamis.base.breaker import Breakers
from tamis.base.errors import ServiceError

if TYPE_CHECKING:
    from tamis.message.envelope import Envelope
    from tamis.message.mail import Mail


_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)


class Answer(NamedTuple):
    """What the DNS says of a name and a type (RFC 1035): the records' data in presentation form.

    `exists` is False for NXDOMAIN (RFC 2308); no records with `exists` is NODATA. TXT data are joined character strings
    (RFC 7208 3.3); names are lower case without the trailing dot; `ttl` is in seconds.
    """

    name: str
    rdtype: str
    records: tuple[str, ...] = ()
    exists: bool = True
    ttl: float = 0.0


class DNS(Protocol):
    """The resolver service."""

    async def query(self, name: str, rdtype: str) -> Answer:
        """The answer for a name and a type such as "A" or "TXT". Raises ServiceError if there is none in time."""

    async def queries(self, questions: Sequence[tuple[str, str]]) -> list[Answer | ServiceError]:
        """The answers to many queries sent at once, in order; a query without an answer gives the error."""

    def known(self, name: str, rdtype: str) -> Answer | ServiceError | None:
        """What is remembered of a name and a type; None where it has to be asked. In any thread."""
        return None

    def ask(
        self, name: str, rdtype: str, take: Callable[[Answer | Exception], None]
    ) -> Awaitable[Answer] | None:
        """As `query`: the answer, or the error, is handed to `take`; or it is given to be awaited."""
        return self.query(name, rdtype)

    def close(self) -> None:
        """Close the sockets (on the event loop); the next query reopens them."""


@dataclass(frozen=True, slots=True, order=True)
class KeptValue:
    """A value of the shared state under its key, and the seconds until it expires."""

    key: str
    value: str
    seconds: float


MAX_KEY = 200
"""Characters of a key."""
MAX_MEMBERS = 10_000
"""Members kept in one set; further ones are not counted."""
WINDOW_SLOTS = 10
"""A counter's window slides in this many steps."""


class StateCall(Protocol[_T_co]):
    """One of the calls below as a value (tamis.contract.questions)."""

    @property
    def key(self) -> str:
        """What it is about."""

    def of(self, state: SharedState) -> Awaitable[_T_co]:
        """Make it."""


class SharedState(Protocol):
    """Short-lived state that all workers and hosts share: windows, counters, sets, caches.

    Keys are text of at most MAX_KEY characters; values are text; `seconds` is the time to live. A value, a counter and
    a set may have the same key. Every method raises ServiceError within a bounded time when the
    backend is lost, and works again as soon as it is back.
    """

    async def get(self, key: str) -> str | None:
        """The value, or None if there is none or it has expired."""

    async def put(self, key: str, value: str, seconds: float) -> None:
        """Set a value that expires."""

    async def put_new(self, key: str, value: str, seconds: float) -> bool:
        """Set a value unless there is one; returns whether it was set. Atomic."""

    async def drop(self, key: str) -> None:
        """Forget a key of any kind."""

    async def count(self, key: str, seconds: float, amount: int = 1) -> int:
        """Add to a counter over a sliding window of about `seconds`; returns the count in the window."""

    async def distinct(self, key: str, members: Sequence[str], seconds: float) -> int:
        """Add members to a set over a sliding window of `seconds`; returns how many distinct ones are in it."""
        (number,) = await self.distinct_within(key, members, (seconds,))
        return number

    async def distinct_within(
        self, key: str, members: Sequence[str], windows: Sequence[float]
    ) -> tuple[int, ...]:
        """Add members to a set; returns how many distinct ones were added within each of the windows (seconds)."""

    async def find(self, prefix: str, limit: int = 1000) -> list[KeptValue]:
        """Values whose keys have this prefix, sorted by key: for people, not for the mail path."""

    def ask(self, call: StateCall[_T], take: Callable[[_T | Exception], None]) -> Awaitable[_T] | None:
        """Make a call: its result, or the error, is handed to `take`; or it is given to be awaited."""
        return call.of(self)

    async def close(self) -> None:
        """Close connections; the next call reconnects."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the statistical model says about a message.

    `log_odds` are the model's own, above zero for spam; `number` is what levels are
    compared with, `probability` the probability of spam by the site's recent mail. Both are None while `ham` or `spam`
    (messages learned) is below `needed`, or before calibration.
    """

    log_odds: float
    ham: int
    spam: int
    needed: int
    number: float | None = None
    probability: float | None = None
    corrected: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Recipient's domain -> number and probability there, for domains with a correction of their own."""
    kind: str = ""
    """What it is by its form (`tamis.models.kinds.Kind`), which the number takes into account."""
    steepness: float | None = None
    """Points that the message loses for each number below a recipient's level; None: below it there are none."""
    familiar: float | None = None
    """How much (0 to 1) of its header, links and form the model has met, which the number takes into account."""
    unproven: bool = False
    """Whether so little legitimate mail of its kind was learned that the number must not decide alone."""


class StatisticsService(Protocol):
    """The site's statistical model, as it stands."""

    def read(self, envelope: Envelope, mail: Mail) -> Reading | None:
        """What it says about an arriving message; None while there is no model. CPU only, about 1 ms.

        Raises ServiceError if there is a model that can't be used.
        """

    def reasons(self, envelope: Envelope, mail: Mail, limit: int) -> tuple[tuple[str, str, float], ...]:
        """What weighed most: where, what, its share in the log-odds. Expensive: only for people who ask."""


class _NoModel:
    def read(self, envelope: Envelope, mail: Mail) -> Reading | None:
        return None

    def reasons(self, envelope: Envelope, mail: Mail, limit: int) -> tuple[tuple[str, str, float], ...]:
        return ()


@dataclass(frozen=True, slots=True)
class Virus:
    """What an engine found; `where` is "message" or the attachment's name."""

    engine: str
    signature: str
    where: str = "message"


class Antivirus(Protocol):
    """The engines of one pass, in order."""

    engines: Sequence[str]
    """Their names; empty if none is configured."""

    async def scan(self, message: bytes, attachments: Sequence[tuple[str, bytes]]) -> Virus | None:
        """The first finding in the message or its decoded attachments, or None if every engine found nothing.

        Raises ServiceError if an engine gave no answer and no other found anything.
        """


NOT_READ = "not read"
"""How a problem starts that is not the image's fault: OCR failed, or had no time."""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What is in an image or document: fingerprints in hexadecimal digits ('' without one), text, QR codes, links as
    (target, text); and the problem, if not all of it could be read. `lost`: the reader failed; the
    file itself may be good. `cuts`: the kinds of defects of what a bound left out."""

    sha256: str
    perceptual: str = ""
    text: str = ""
    codes: Sequence[str] = ()
    links: Sequence[Sequence[str]] = ()
    problem: str = ""
    lost: bool = False
    cuts: Sequence[str] = ()

    def to_dict(self) -> dict[str, Any]:
        """A form that JSON can hold."""
        return {
            "sha256": self.sha256,
            "perceptual": self.perceptual,
            "text": self.text,
            "codes": list(self.codes),
            "links": [list(link) for link in self.links],
            "problem": self.problem,
            "cuts": list(self.cuts),
        }


class Reader(Protocol):
    """The reader of images and documents."""

    async def read(self, files: Sequence[bytes], state: SharedState) -> list[FileFacts]:
        """The facts of each file, from `state` where it remembers them. Raises ServiceError."""

    async def remembered(self, files: Sequence[bytes], state: SharedState) -> list[FileFacts]:
        """Only what `state` remembers; reads no file."""


class Attachments(Protocol):
    """What looks into attachments and archives."""

    def ask(
        self,
        files: Sequence[tuple[str, bool, bytes]],
        take: Callable[[Sequence[Mapping[str, Any]] | Exception], None],
    ) -> Awaitable[Sequence[Mapping[str, Any]]] | None:
        """Hand to `take` what every file (name, whether it is whole, octets) is and, within bounds, every member of an
        archive: `path` (names from the attachment down), `kind` (MIME type by content), `size`, `sha256` ('' when it
        was not read to its end), `risks`."""


@dataclass(frozen=True, slots=True)
class SpamScore:
    """SpamAssassin's score, its limit, and the rules that hit."""

    score: float
    required: float
    rules: tuple[str, ...] = ()


class SpamAssassinService(Protocol):
    """A spamd."""

    async def score(self, message: bytes) -> SpamScore | None:
        """Its score for a message; None if none is configured. Raises ServiceError."""


class _NoReader:
    async def read(self, files: Sequence[bytes], state: SharedState) -> list[FileFacts]:
        raise ServiceError("no reader of images and documents here")

    async def remembered(self, files: Sequence[bytes], state: SharedState) -> list[FileFacts]:
        return []


class _NoSpamAssassin:
    async def score(self, message: bytes) -> SpamScore | None:
        return None


class _NoAntivirus:
    engines: Sequence[str] = ()

    async def scan(self, message: bytes, attachments: Sequence[tuple[str, bytes]]) -> Virus | None:
        raise ServiceError("no antivirus engine here")


class _NoAttachments:
    def ask(
        self,
        files: Sequence[tuple[str, bool, bytes]],
        take: Callable[[Sequence[Mapping[str, Any]] | Exception], None],
    ) -> Awaitable[Sequence[Mapping[str, Any]]] | None:
        take(ServiceError("nothing here looks into attachments"))
        return None


class _NoDNS(DNS):
    async def query(self, name: str, rdtype: str) -> Answer:
        raise ServiceError(f"no DNS here to ask for {rdtype} of {name}")

    async def queries(self, questions: Sequence[tuple[str, str]]) -> list[Answer | ServiceError]:
        return [ServiceError("no DNS here") for _ in questions]

    def close(self) -> None:
        pass


class _NoState(SharedState):
    async def get(self, key: str) -> str | None:
        raise ServiceError(f"no shared state here for {key}")

    async def put(self, key: str, value: str, seconds: float) -> None:
        raise ServiceError(f"no shared state here for {key}")

    async def put_new(self, key: str, value: str, seconds: float) -> bool:
        raise ServiceError(f"no shared state here for {key}")

    async def drop(self, key: str) -> None:
        raise ServiceError(f"no shared state here for {key}")

    async def count(self, key: str, seconds: float, amount: int = 1) -> int:
        raise ServiceError(f"no shared state here for {key}")

    async def distinct(self, key: str, members: Sequence[str], seconds: float) -> int:
        raise ServiceError(f"no shared state here for {key}")

    async def distinct_within(
        self, key: str, members: Sequence[str], windows: Sequence[float]
    ) -> tuple[int, ...]:
        raise ServiceError(f"no shared state here for {key}")

    async def find(self, prefix: str, limit: int = 1000) -> list[KeptValue]:
        raise ServiceError(f"no shared state here for {prefix}")

    async def close(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Services:
    """The services of one process; a service that is not configured raises ServiceError for every call."""

    dns: DNS = field(default_factory=_NoDNS)
    state: SharedState = field(default_factory=_NoState)
    statistics: StatisticsService = field(default_factory=_NoModel)
    first_antivirus: Antivirus = field(default_factory=_NoAntivirus)
    second_antivirus: Antivirus = field(default_factory=_NoAntivirus)
    reader: Reader = field(default_factory=_NoReader)
    attachments: Attachments = field(default_factory=_NoAttachments)
    spamassassin: SpamAssassinService = field(default_factory=_NoSpamAssassin)
    breakers: Breakers = field(default_factory=Breakers)
    """Leaves out parts that keep failing; a filter with a service of its own gets its breaker here."""


NAMES: Mapping[str, str] = MappingProxyType(
    {
        "dns": "DNS servers",
        "state": "shared state",
        "statistics": "statistical model",
        "first_antivirus": "virus scanner",
        "second_antivirus": "virus scanner",
        "reader": "file reader",
        "spamassassin": "spamd",
    }
)
"""The services' names for people."""
