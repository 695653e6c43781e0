"""Circuit breakers: an external part that keeps failing is left out for a while, and tried again by one call.

    closed --failures in a row--> left out --pause--> one call is the trial --> closed, or left out for longer

A part is whatever answers from outside: a clamd, a spamd, a DNS server or list, the shared state, a pool of helpers.
Each process has its own breaker for each, and no call waits for one.

Where a sender's message could make calls fail (a file that a scanner takes minutes for), the part is `checked`:
failures only make the next call a trial, and a trial begins with a question that every healthy part answers. So nobody
can switch a scanner off by mail.

A part whose answers can't be believed, though it gives some, is held out by whoever finds that out (`hold`).
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from tamis.base.breaker_limits import DEFAULT_LIMITS, BreakerLimits
from tamis.base.errors import LeftOutError, ServiceError, times

log = logging.getLogger(__name__)

Clock = Callable[[], float]
"""Seconds that only grow."""

FAILURES = (ServiceError, OSError, EOFError)
"""What counts as a failure of the part when a call raises it; time-outs are OSErrors."""

PATIENCE = 0.05
"""Seconds that a message waits for the trial of a part that is left out."""

_REASON = 200  # characters


@dataclass(frozen=True, slots=True)
class PartState:
    """One part as one process sees it: `left_out_until` in Unix seconds, 0 while it is asked; the rest are sums."""

    part: str
    left_out_until: float
    failures_in_a_row: int
    failures: int
    openings: int
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """A form that JSON can hold."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what `to_dict` wrote. Raises KeyError, TypeError or ValueError on anything else."""
        return cls(
            str(data["part"]),
            float(data["left_out_until"]),
            int(data["failures_in_a_row"]),
            int(data["failures"]),
            int(data["openings"]),
            str(data["reason"]),
        )


class Breaker:
    """One part's breaker. May be used from any thread; costs an answered call next to nothing."""

    def __init__(
        self,
        part: str,
        limits: BreakerLimits = DEFAULT_LIMITS,
        *,
        checked: bool = False,
        clock: Clock = time.monotonic,
    ) -> None:
        self.part = part
        self._limits = limits
        self._checked = checked
        self._clock = clock
        self._lock = threading.Lock()
        self._in_a_row = 0
        self._until: float | None = None
        self._shown_until = 0.0  # the same in Unix seconds
        self._trial = False
        self._held = False
        self._pause = limits.pause
        self._failures = self._openings = 0
        self._reason = ""
        self._trials: set[asyncio.Future[None]] = set()

    @property
    def is_doubtful(self) -> bool:
        """Whether its last call failed."""
        return self._in_a_row > 0

    @property
    def is_left_out(self) -> bool:
        """Whether calls are refused, or would be but for a trial that is due."""
        return self._until is not None

    @property
    def is_trial_due(self) -> bool:
        """Whether the next call would be a trial."""
        if self._trial:
            return False
        if self._until is None:
            return self._checked and self._in_a_row >= self._limits.failures
        return self._clock() >= self._until

    def call(self) -> Call:
        """One call, as a context: what it raises of FAILURES counts, what it does not raise means an answer."""
        return Call(self)

    async def try_again(self, check: Callable[[], Awaitable[object]]) -> None:
        """Before a call to a checked part that is left out: make its trial by `check` if that is due.

        A part that is well answers before PATIENCE is over, and the call goes on as any other; where it is not, the
        check goes on by itself and no message waits for it.
        """
        if self._until is None or not self.is_trial_due or not self.admit():
            return
        trial = asyncio.ensure_future(self._tried(check))
        self._trials.add(trial)
        trial.add_done_callback(self._trials.discard)
        await asyncio.wait({trial}, timeout=PATIENCE)

    async def _tried(self, check: Callable[[], Awaitable[object]]) -> None:
        try:
            await check()
        except FAILURES as error:
            self.failed(error, trial=True)
        except BaseException:
            self.let_go(trial=True)
            raise
        else:
            self.answered()

    def admit(self) -> bool:
        """Let a call begin; whether it is the part's trial. Raises LeftOutError."""
        if self._until is None and self._in_a_row < self._limits.failures:
            return False
        with self._lock:
            if self.is_trial_due:
                self._trial = True
                return True
            if self._until is None:
                return False
            raise LeftOutError(self.part, self._shown_until, self._in_a_row, self._reason)

    def answered(self) -> None:
        """The part answered somebody: it is well."""
        if not self._in_a_row:
            return
        with self._lock:
            if self._held:  # an answer is not what it lacks
                return
            was_left_out = self._until is not None
            self._in_a_row, self._until, self._trial = 0, None, False
            self._pause = self._limits.pause
        if was_left_out:
            log.warning("%s answers again", self.part)

    def failed(self, error: BaseException | str, *, trial: bool = False, certain: bool = False) -> None:
        """A call failed; `trial` is what `admit` said of it. `certain` leaves the part out without further evidence."""
        with self._lock:
            self._failures += 1
            trial = trial and self._trial  # another call's answer may have ended it
            if self._until is not None and not trial:  # it began before the part was left out
                return
            self._in_a_row += 1
            self._reason = " ".join(str(error).split())[:_REASON] or type(error).__name__
            enough = self._in_a_row >= self._limits.failures and not self._checked
            if not (trial or certain or enough):
                return
            opened = self._leave_out()
            failures = self._in_a_row
        if opened:
            log.error(
                "%s is left out for %g s after %s: %s",
                self.part,
                self._limits.pause,
                times(failures),
                self._reason,
            )

    def hold(self, reason: str, seconds: float) -> None:
        """Leave the part out until `release`, because its answers can't be believed; that is looked at again in about
        so many seconds."""
        with self._lock:
            fresh = not self._held
            self._held, self._until, self._trial = True, math.inf, False
            self._shown_until = round(time.time() + seconds, 1)
            self._reason = reason[:_REASON]
            self._in_a_row += 1
            self._failures += 1
            self._openings += int(fresh)
        if fresh:
            log.error("%s is left out: %s", self.part, reason)

    def release(self) -> None:
        """What `hold` was said for is over."""
        with self._lock:
            if not self._held:
                return
            self._held, self._in_a_row, self._until = False, 0, None
            self._pause = self._limits.pause
        log.warning("%s can be believed again", self.part)

    def let_go(self, *, trial: bool) -> None:
        """A call ended without saying anything about the part: its caller gave up."""
        if trial:
            with self._lock:
                self._trial = False

    def state(self) -> PartState:
        """How it stands, for people and metrics."""
        with self._lock:
            until = 0.0 if self._until is None else self._shown_until
            return PartState(self.part, until, self._in_a_row, self._failures, self._openings, self._reason)

    def _leave_out(self) -> bool:
        """From now on, for a longer while than last time; whether it was not left out already."""
        opened = self._until is None
        if opened:
            self._openings += 1
        else:
            self._pause = min(2 * self._pause, self._limits.longest)
        self._until = self._clock() + self._pause
        self._shown_until = round(time.time() + self._pause, 1)
        self._trial = False
        return opened


class Call:
    """One call to a part. `is_trial` tells a checked part's caller to begin with its check, and then say `passed`."""

    __slots__ = ("_breaker", "is_trial")

    def __init__(self, breaker: Breaker) -> None:
        self._breaker = breaker
        self.is_trial = False

    def __enter__(self) -> Self:
        self.is_trial = self._breaker.admit()
        return self

    def passed(self) -> None:
        """The check went well; what comes now is an ordinary call."""
        self._breaker.answered()
        self.is_trial = False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._breaker.answered()
        elif isinstance(error, FAILURES) and not isinstance(error, LeftOutError):
            self._breaker.failed(error, trial=self.is_trial)
        else:
            self._breaker.let_go(trial=self.is_trial)


class Breakers:
    """All breakers of a process, by the name of the part. Names come from settings, never from messages."""

    def __init__(self, limits: BreakerLimits = DEFAULT_LIMITS, clock: Clock = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, Breaker] = {}

    def part(self, name: str, *, checked: bool = False, limits: BreakerLimits | None = None) -> Breaker:
        """The breaker of a part, made when it is first asked for; `limits` where the site's are not meant for it."""
        found = self._known.get(name)
        if found is None:
            with self._lock:
                made = Breaker(name, limits or self._limits, checked=checked, clock=self._clock)
                found = self._known.setdefault(name, made)
        return found

    def states(self) -> Sequence[PartState]:
        """How every part stands."""
        with self._lock:
            known = list(self._known.values())
        return [one.state() for one in known]
