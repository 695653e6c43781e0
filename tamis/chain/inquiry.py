"""What asks on its way: a filter's look at a message, or work that several filters want (docs/chain.md).

A run is advanced by one thread at a time: by the session's until it lacks an answer that is not known, from then on by
the event loop, which has called `ask_rest`.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import time
from collections.abc import Awaitable, Callable, Generator, Hashable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cache, partial
from types import GeneratorType
from typing import Any

from tamis.base.errors import ServiceError
from tamis.contract.ask import ask
from tamis.contract.filter import Filter, Message
from tamis.contract.finding import Finding, Revealed, Status
from tamis.contract.memos import Once
from tamis.contract.questions import PENDING, Asks, Compute, Question, Take
from tamis.contract.recording import Recording, owner_of
from tamis.contract.service_protocols import Services
from tamis.language.translation import marked
from tamis.message.mail.seen import NOTHING_SEEN, Seen
from tamis.services.runner import elsewhere

log = logging.getLogger(__name__)

_RAISED = (Exception, SystemExit, asyncio.CancelledError)
"""Whatever a filter raises ends its run, and nothing else; SystemExit would end the loop of all."""


class Inquiry:
    """Work that asks, on its way to its `value`, or to the `error` that it raised."""

    # what classes have until it is needed: most inquiries end in their first step
    is_over = False
    value: Any = None
    error: BaseException | None = None
    _steps: Asks[Any] | None = None
    _questions: Sequence[Question[Any]] = ()
    _answers: list[Any]
    _missing = 0
    _loop: asyncio.AbstractEventLoop | None = None
    _tasks: Sequence[asyncio.Task[Any]] = ()

    def __init__(self, services: Services, owner: Hashable, recording: Recording | None = None) -> None:
        self._services = services
        self._owner = owner
        self._recording = recording

    def begin(self, steps: Asks[Any]) -> None:
        """Take the first steps, as far as what is known reaches."""
        self._steps = steps
        self._advance(None)

    def _advance(self, answers: list[Any] | None) -> None:
        steps = self._steps
        assert steps is not None
        try:
            while True:
                questions = next(steps) if answers is None else steps.send(answers)
                answers = []
                lacking = False
                for one in questions:
                    known = self._known(one) if type(one) is Once else one.known(self._services)
                    lacking = lacking or known is PENDING
                    answers.append(known)
                if lacking:
                    self._questions, self._answers = questions, answers
                    return
                if self._recording is not None:
                    self._recording.note(self._owner, questions, answers)
        except StopIteration as ended:
            self._end(ended.value, None)
        except _RAISED as error:
            self._end(None, error)

    def _known(self, one: Once) -> Any:
        """What work for several has come to; it is begun by the first who asks."""
        work = one.work
        if work.run is None:
            work.run = _Shared(self._services, work.owner, self._recording)
            work.run.work = work
            work.run.begin(work.steps)
        return work.outcome

    def ask_rest(self, loop: asyncio.AbstractEventLoop) -> None:
        """On the loop: ask what is not known; once all of that is answered, go on in the next turn."""
        self._loop = loop
        answers = self._answers
        lacking = [place for place, answer in enumerate(answers) if answer is PENDING]
        self._missing = len(lacking)
        for place in lacking:
            one = self._questions[place]
            take = partial(self._take, place)
            try:
                awaited = self._ask(one, take, loop)
            except Exception as error:  # noqa: BLE001 - the answer, whatever it is
                take(error)
            else:
                if awaited is not None:
                    self._tasks = [*self._tasks, _awaiting(loop, awaited, take)]

    def _ask(
        self, one: Question[Any], take: Take[Any], loop: asyncio.AbstractEventLoop
    ) -> Awaitable[Any] | None:
        if isinstance(one, Once):
            one.work.waiting.append(take)
            one.work.run.join(loop)
            return None
        if isinstance(one, Compute):
            elsewhere(one.name, one.call, take)
            return None
        return one.ask(self._services, take)

    def _take(self, place: int, answer: Any) -> None:
        if self.is_over:
            return
        self._answers[place] = answer
        self._missing -= 1
        if not self._missing:
            assert self._loop is not None
            _go_on_soon(self, self._loop)

    def go_on(self) -> None:
        """On the loop: take the next step, with the answers."""
        if self.is_over:
            return
        self._tasks = ()
        if self._recording is not None:
            self._recording.note(self._owner, self._questions, self._answers)
        self._advance(self._answers)
        if not self.is_over:
            assert self._loop is not None
            self.ask_rest(self._loop)

    def _end(self, value: Any, error: BaseException | None) -> None:
        """It is over: of itself, with a value or an error."""
        self.is_over, self.value, self.error = True, value, error
        self._steps, self._questions = None, ()

    def close(self) -> None:
        """It is over: nobody waits for it any more."""
        steps = self._steps
        self._end(None, None)
        for task in self._tasks:
            task.cancel()
        self._tasks = ()
        if steps is not None:
            try:
                steps.close()
            except _RAISED as error:  # it goes on where it should stop, or its `finally` fails
                log.error("%s failed when it was stopped", self._owner, exc_info=error)


_ready: dict[asyncio.AbstractEventLoop, list[Inquiry]] = {}
"""What became complete in this turn of a loop."""


def _go_on_soon(one: Inquiry, loop: asyncio.AbstractEventLoop) -> None:
    """In the loop's next turn, with all that becomes complete in this one: one callback for all."""
    ready = _ready.get(loop)
    if ready is None:
        ready = _ready[loop] = []
        loop.call_soon(_go_on_with_all, loop)
    ready.append(one)


def _go_on_with_all(loop: asyncio.AbstractEventLoop) -> None:
    for one in _ready.pop(loop):
        try:
            one.go_on()
        except Exception:
            log.exception("the loop goes on")


class _Shared(Inquiry):
    """Work that several want."""

    work: Any

    def join(self, loop: asyncio.AbstractEventLoop) -> None:
        """On the loop: ask what it lacks, if that is not done yet."""
        if not self.is_over and self._loop is None:
            self.ask_rest(loop)
        elif self.is_over:  # it ended between the look and the asking
            self.work.settle(self.work.outcome)

    def _end(self, value: Any, error: BaseException | None) -> None:
        Inquiry._end(self, value, error)
        if error is not None and not isinstance(error, Exception):
            error = RuntimeError(f"{type(error).__name__}: {error}")
        self.work.settle(value if error is None else error)


def _awaiting(loop: asyncio.AbstractEventLoop, awaited: Awaitable[Any], take: Take[Any]) -> asyncio.Task[Any]:
    """A task for what can only be awaited."""

    async def wait() -> Any:
        try:
            return await awaited
        except SystemExit as error:  # it would end the loop
            raise RuntimeError(f"SystemExit: {error}") from error

    def told(task: asyncio.Task[Any]) -> None:
        if task.cancelled():  # by itself, or because nobody waits any more
            if inspect.iscoroutine(awaited):
                awaited.close()  # it may not have begun
            take(ServiceError("cancelled"))
        elif (error := task.exception()) is not None:
            take(error if isinstance(error, Exception) else RuntimeError(repr(error)))
        else:
            take(task.result())

    task = loop.create_task(wait())
    task.add_done_callback(told)
    return task


class FilterLook(Inquiry):
    """One filter's look at a message, on its way to its finding. `begun` is a time of time.perf_counter."""

    finding: Finding | None = None
    seen: Seen = NOTHING_SEEN
    """What was read for it in images and documents."""
    deadline: Deadline | None = None
    wait: Wait | None = None

    def __init__(
        self, one: Filter[Any], message: Message, begun: float, recording: Recording | None = None
    ) -> None:
        super().__init__(message.services, owner_of(one, message), recording)
        self.filter = one
        self._begun = begun

    def end(self, found: object) -> None:
        """It needed no step."""
        self._end(found, None)

    def stop(self, finding: Finding) -> None:
        """On the loop: its time is over, or nobody wants it any more."""
        if not self.is_over:
            self.finding = finding
            self.close()

    def _end(self, value: Any, error: BaseException | None) -> None:
        Inquiry._end(self, value, error)
        if self.finding is None:
            self.finding = self._found(value, error)
        if self.deadline is not None:
            self.deadline.left_one()
        if self.wait is not None:
            self.wait.left_one()

    def _found(self, value: Any, error: BaseException | None) -> Finding:
        seconds = time.perf_counter() - self._begun
        if error is not None:
            return _unavailable(self.filter, error, seconds)
        if isinstance(value, Revealed):
            self.seen = value.seen
            value = value.finding
        return _checked(self.filter, value, seconds)


def look_at(one: Filter[Any], message: Message, recording: Recording | None = None) -> Finding | FilterLook:
    """A filter's look at a message, as far as what is known reaches: its finding, or what may have to go on."""
    begun = time.perf_counter()
    if recording is not None:
        recording.seen[one.name] = message.mail.seen
    try:
        ours = kind_of(type(one)) in (Kind.PLAIN, Kind.ASKS)
        found: object = one.examine(message) if ours else _foreign(one, message)
    except _RAISED as error:
        return _unavailable(one, error, time.perf_counter() - begun)
    if isinstance(found, Finding):
        return _checked(one, found, time.perf_counter() - begun)
    look = FilterLook(one, message, begun, recording)
    if type(found) is GeneratorType or isinstance(found, Generator):  # the second looks through a registry
        look.begin(found)
    else:
        look.end(found)
    return look


@dataclass(slots=True)
class Deadline:
    """The one timer of looks that began together and have as much time: most are over long before."""

    looks: Sequence[FilterLook]
    seconds: float
    left: int = 0
    timer: asyncio.TimerHandle | None = None

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """On the loop: from now on."""
        for one in self.looks:
            if not one.is_over:
                one.deadline = self
                self.left += 1
        if self.left:
            self.timer = loop.call_later(self.seconds, self._over)

    def left_one(self) -> None:
        """One of them has ended."""
        self.left -= 1
        if not self.left and self.timer is not None:
            self.timer.cancel()

    def _over(self) -> None:
        facts = {"seconds": self.seconds}
        for one in self.looks:
            one.stop(
                Finding(
                    one.filter.name,
                    Status.UNAVAILABLE,
                    marked("no answer within {seconds} s"),
                    facts,
                    self.seconds,
                )
            )


@dataclass(slots=True)
class Wait:
    """A session that waits for looks; `ended` is called when the last of them is over."""

    ended: Callable[[], object]
    left: int = 0

    def begin(self, looks: Sequence[FilterLook]) -> None:
        """On the loop: wait for those that are under way."""
        for one in looks:
            if not one.is_over:
                one.wait = self
                self.left += 1
        if not self.left:
            self.ended()

    def left_one(self) -> None:
        """One of them is over."""
        self.left -= 1
        if not self.left:
            self.ended()


# --- filters of other packages ----------------------------------------------------------------


class Kind(Enum):
    """How a filter's `examine` is run; the last two are of other packages only."""

    PLAIN = "plain"
    ASKS = "asks"
    BLOCKS = "blocks"
    AWAITS = "awaits"


@cache
def kind_of(one: type[Filter[Any]]) -> Kind:
    """How the filters of a class are run."""
    if inspect.isgeneratorfunction(one.examine):
        return Kind.ASKS
    if inspect.iscoroutinefunction(one.examine):
        return Kind.AWAITS
    blocks = not is_ours(one) if one.blocks is None else one.blocks
    return Kind.BLOCKS if blocks else Kind.PLAIN


@cache
def is_ours(kind: type[Filter[Any]]) -> bool:
    """Whether a filter is of Tamis itself, and tested with it."""
    return kind.__module__.startswith("tamis.")


@dataclass(frozen=True, slots=True)
class _Awaited(Question[Any]):
    """What comes of a coroutine of another package."""

    call: Callable[[], Awaitable[Any]] = field(compare=False, repr=False)

    def ask(self, services: Services, take: Take[Any]) -> Awaitable[Any]:
        """Call and await it on the loop."""
        return self.call()


def _foreign(one: Filter[Any], message: Message) -> Asks[Any]:
    """The look of a filter that waits by itself, in a thread or on the loop, as one that asks."""
    if kind_of(type(one)) is Kind.AWAITS:
        examine: Callable[[Message], Any] = one.examine
        return (yield from ask(_Awaited(partial(examine, message))))
    found = yield from ask(Compute(one.name, partial(one.examine, message)))
    if isinstance(found, Generator):
        return (yield from found)
    return (yield from ask(_Awaited(lambda: found))) if inspect.isawaitable(found) else found


# --- findings of what goes wrong --------------------------------------------------------------


def _unavailable(one: Filter[Any], error: BaseException, seconds: float) -> Finding:
    if isinstance(error, (ServiceError, TimeoutError)):  # nothing is wrong with the filter
        facts = {"error": str(error)[:200] or marked("no answer in time")}
        return Finding(one.name, Status.UNAVAILABLE, "{error}", facts, seconds)
    log.error("filter %s failed", one.name, exc_info=error)
    facts = {"error": f"{type(error).__name__}: {error}"[:200]}
    return Finding(one.name, Status.UNAVAILABLE, marked("failed: {error}"), facts, seconds)


def _checked(one: Filter[Any], found: object, seconds: float) -> Finding:
    """The finding with its time and its filter's name; a plugin's that can't be shown or stored is a failure."""
    if not isinstance(found, Finding):
        return _unavailable(
            one, TypeError(f"examine returned {type(found).__name__}, not a Finding"), seconds
        )
    if is_ours(type(one)):  # looking costs as much as many of them
        if found.filter != one.name:
            return Finding(one.name, found.status, found.because, found.facts, seconds)
        object.__setattr__(
            found, "seconds", seconds
        )  # made just now, and nobody has it yet: another costs 1 us
        return found
    try:
        checked = Finding(one.name, Status(found.status), str(found.because), dict(found.facts), seconds)
        checked.text()
        json.dumps(checked.to_dict())
    except Exception as error:  # noqa: BLE001 - a sentence without its facts, facts that JSON can't hold
        return _unavailable(one, error, seconds)
    return checked
