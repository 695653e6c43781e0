"""What filters ask: small immutable values, each of which knows the type of its answer and who has it.

A filter yields them (`tamis.contract.ask`) and the chain takes them to the services. A package may bring questions
of its own: a subclass whose `ask` gives a coroutine is all that is needed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, TypeVar

from tamis.base.errors import ServiceError
from tamis.contract.service_protocols import (
    Answer,
    Antivirus,
    FileFacts,
    Reading,
    Services,
    SharedState,
    SpamScore,
    Virus,
)

if TYPE_CHECKING:
    from tamis.message.envelope import Envelope
    from tamis.message.mail import Mail

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Take = Callable[[T | Exception], None]
"""Where an answer is handed to: the answer, or the error (ServiceError) that stands for it. On the event loop."""


class Pending(Enum):
    """Stands for an answer that is not known yet."""

    PENDING = "pending"


PENDING: Final = Pending.PENDING


class Question(Generic[T_co]):
    """Something that a filter has to know, and whose answer is a T_co or a ServiceError."""

    __slots__ = ()
    service: ClassVar[str] = ""
    """Who has the answer, by the names in Services; "" where it is nobody outside the process."""

    def known(self, services: Services) -> T_co | ServiceError | Pending:
        """The answer where it takes no waiting. In any thread."""
        return PENDING

    def ask(self, services: Services, take: Take[T_co]) -> Awaitable[T_co] | None:
        """On the event loop: have the answer handed to `take`, once; or give what is to be awaited for it."""
        raise NotImplementedError


Asks = Generator[Sequence[Question[Any]], Sequence[Any], T]
"""What asks: it yields questions, is sent the answer to each (or the error that stands for it), and returns a T."""


@dataclass(frozen=True, slots=True)
class Lookup(Question[Answer]):
    """What the DNS has for a name and a type such as "A" or "TXT"."""

    service: ClassVar[str] = "dns"
    name: str
    rdtype: str

    def known(self, services: Services) -> Answer | ServiceError | Pending:
        """What the resolver remembers."""
        found = services.dns.known(self.name, self.rdtype)
        return PENDING if found is None else found

    def ask(self, services: Services, take: Take[Answer]) -> Awaitable[Answer] | None:
        """Ask the resolver."""
        return services.dns.ask(self.name, self.rdtype, take)


class StateQuestion(Question[T_co]):
    """An operation on the shared state: a question that may change what it asks about. See SharedState."""

    __slots__ = ()
    service: ClassVar[str] = "state"
    key: str

    def of(self, state: SharedState) -> Awaitable[T_co]:
        """The operation as a call."""
        raise NotImplementedError

    def ask(self, services: Services, take: Take[T_co]) -> Awaitable[T_co] | None:
        """Have it done together with the others of this turn of the loop."""
        return services.state.ask(self, take)


@dataclass(frozen=True, slots=True)
class Get(StateQuestion[str | None]):
    """The value of a key, None without one."""

    key: str

    def of(self, state: SharedState) -> Awaitable[str | None]:
        """See SharedState."""
        return state.get(self.key)


@dataclass(frozen=True, slots=True)
class Put(StateQuestion[None]):
    """Set a value for a time."""

    key: str
    value: str
    seconds: float

    def of(self, state: SharedState) -> Awaitable[None]:
        """See SharedState."""
        return state.put(self.key, self.value, self.seconds)


@dataclass(frozen=True, slots=True)
class PutNew(StateQuestion[bool]):
    """Set a value unless there is one; whether it was set."""

    key: str
    value: str
    seconds: float

    def of(self, state: SharedState) -> Awaitable[bool]:
        """See SharedState."""
        return state.put_new(self.key, self.value, self.seconds)


@dataclass(frozen=True, slots=True)
class Drop(StateQuestion[None]):
    """Forget a key of any kind."""

    key: str

    def of(self, state: SharedState) -> Awaitable[None]:
        """See SharedState."""
        return state.drop(self.key)


@dataclass(frozen=True, slots=True)
class Count(StateQuestion[int]):
    """Add to a counter over a sliding window; the count in it."""

    key: str
    seconds: float
    amount: int = 1

    def of(self, state: SharedState) -> Awaitable[int]:
        """See SharedState."""
        return state.count(self.key, self.seconds, self.amount)


@dataclass(frozen=True, slots=True)
class DistinctWithin(StateQuestion[tuple[int, ...]]):
    """Add members to a set; how many distinct ones came within each of the windows (seconds)."""

    key: str
    members: tuple[str, ...]
    windows: tuple[float, ...]

    def of(self, state: SharedState) -> Awaitable[tuple[int, ...]]:
        """See SharedState."""
        return state.distinct_within(self.key, self.members, self.windows)


def _antivirus(services: Services, name: str) -> Antivirus:
    found: Antivirus = getattr(services, name)
    return found


@dataclass(frozen=True, slots=True)
class EnginesOf(Question[tuple[str, ...]]):
    """The names of a virus scanner's engines; none when nothing is set up. `scanner` is first_antivirus or
    second_antivirus."""

    scanner: str

    def known(self, services: Services) -> tuple[str, ...]:
        """As the settings have it."""
        return tuple(_antivirus(services, self.scanner).engines)


@dataclass(frozen=True, slots=True)
class Scan(Question[Virus | None]):
    """The first virus that a scanner's engines find in the message or in its decoded attachments (name, octets)."""

    scanner: str
    message: bytes = field(repr=False)
    attachments: tuple[tuple[str, bytes], ...] = field(repr=False)

    @property
    def service(self) -> str:  # type: ignore[override] # each scanner is a service of its own
        """The scanner."""
        return self.scanner

    def ask(self, services: Services, take: Take[Virus | None]) -> Awaitable[Virus | None]:
        """Ask the engines one after the other."""
        return _antivirus(services, self.scanner).scan(self.message, self.attachments)


@dataclass(frozen=True, slots=True)
class ReadFiles(Question[Sequence[FileFacts]]):
    """What is in images and documents, in their order. The error may be a QueueFullError."""

    service: ClassVar[str] = "reader"
    files: tuple[bytes, ...] = field(repr=False)

    def ask(self, services: Services, take: Take[Sequence[FileFacts]]) -> Awaitable[Sequence[FileFacts]]:
        """Have them read in a helper process, each distinct one once while the shared state remembers it."""
        return services.reader.read(self.files, services.state)


@dataclass(frozen=True, slots=True)
class LookInto(Question[Sequence[Mapping[str, Any]]]):
    """What attachments are and what is in archives among them. `files` are (name, whether it is whole, octets)."""

    files: tuple[tuple[str, bool, bytes], ...] = field(repr=False)

    def ask(
        self, services: Services, take: Take[Sequence[Mapping[str, Any]]]
    ) -> Awaitable[Sequence[Mapping[str, Any]]] | None:
        """Have them looked into in a helper process."""
        return services.attachments.ask(self.files, take)


@dataclass(frozen=True, slots=True)
class SpamdScore(Question[SpamScore | None]):
    """SpamAssassin's opinion of a message; None when no spamd is set up."""

    service: ClassVar[str] = "spamassassin"
    message: bytes = field(repr=False)

    def ask(self, services: Services, take: Take[SpamScore | None]) -> Awaitable[SpamScore | None]:
        """Ask spamd."""
        return services.spamassassin.score(self.message)


@dataclass(frozen=True, slots=True)
class ModelReading(Question[Reading | None]):
    """What the statistical model says of a message; None while there is no model. CPU only, so it is always known."""

    service: ClassVar[str] = "statistics"
    envelope: Envelope
    mail: Mail = field(compare=False, repr=False)

    def known(self, services: Services) -> Reading | ServiceError | None:
        """Read it now: about 1 ms."""
        try:
            return services.statistics.read(self.envelope, self.mail)
        except ServiceError as error:
            return error


@dataclass(frozen=True, slots=True)
class Compute(Question[T]):
    """The result of a pure function that takes too long for the event loop or a session's thread: it is computed in
    a daemon thread. At most runner.MAX_HANGING of a name at once; what it raises is the answer's error."""

    name: str
    call: Callable[[], T] = field(compare=False, repr=False)
