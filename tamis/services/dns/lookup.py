"""One question on its way: server after server, while the earlier attempts may still answer, until its deadline."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

from tamis.base.errors import ServiceError
from tamis.contract.questions import Take
from tamis.contract.service_protocols import Answer
from tamis.services.dns.server import Attempt, DNSServer
from tamis.services.dns.wire import DNSReply, WireQuestion, question, read

_GROWTH = 1.5  # each pause before another attempt is longer than the one before
_MAX_CHAIN = 8  # aliases followed for one name; beyond: the filter is unavailable


class LookupUnderWay:
    """Asks one question from `begin` on; `ended` is called once with the reply, or with the error when there is none.

    `usable` names the servers, the best first; `retransmit` is the first pause before another attempt, `until` the
    deadline (time.monotonic). Who holds it calls `paused` from `due` on, and keeps in `waiting` who wants the answer.
    Where a server leaves an alias for us to follow, the reply is that of its target.
    """

    __slots__ = (
        *(
            "_aliases",
            "_asked",
            "_attempts",
            "_candidates",
            "_ended",
            "_last",
            "_number",
            "_pause",
            "_problem",
        ),
        *("_retransmit", "_ttl", "_until", "_usable", "due", "name", "rdtype", "waiting"),
    )

    def __init__(
        self,
        usable: Callable[[], Sequence[DNSServer]],
        asked: WireQuestion,
        ended: Callable[[LookupUnderWay, DNSReply | ServiceError], None],
        *,
        retransmit: float,
        until: float,
    ) -> None:
        self._usable = usable
        self._asked = asked
        self.name, self.rdtype, _ = asked
        self._ended = ended
        self._retransmit = retransmit
        self._until = self.due = until
        self.waiting: list[Take[Answer]] = []
        self._attempts: list[Attempt] = []
        self._aliases = 0
        self._ttl = math.inf

    def begin(self, now: float) -> None:
        """Ask the best server."""
        self._candidates = self._usable()
        self._number = 0
        self._pause = self._retransmit
        self._problem: ServiceError | None = None
        self._ask_next(now)

    def _ask_next(self, now: float) -> None:
        """Another attempt; without servers left, wait for those under way, if there are any."""
        if self._candidates:
            self._last: DNSServer | None = self._candidates[self._number % len(self._candidates)]
            self._number += 1
            self._attempts.append(self._last.ask(self._asked, self._told))
            self.due = min(now + self._pause, self._until)
            return
        self.due, self._last = self._until, None
        if not self._attempts:
            self.end(self._problem or ServiceError("no DNS server answers"))

    def paused(self, now: float) -> None:
        """No answer within the pause."""
        if self._last is not None:
            self._last.missed()
        if now >= self._until:
            self.end(ServiceError(f"no answer for {self.rdtype} of {self.name} in time"))
            return
        self._pause *= _GROWTH
        self._ask_next(now)

    def _told(self, attempt: Attempt, outcome: bytes | ServiceError) -> None:
        self._attempts.remove(attempt)
        try:
            if isinstance(outcome, ServiceError):
                raise outcome
            reply = read(outcome, self._asked)
        except ServiceError as problem:
            self._problem = problem
            self._candidates = [one for one in self._candidates if one is not attempt.server]
            self._ask_next(time.monotonic())
            return
        if reply.ttl is not None and self._ttl < reply.ttl:
            reply = reply._replace(ttl=self._ttl)
        following = question(reply.goes_on, self._asked.rdtype) if reply.goes_on else None
        if following is None:
            self.end(reply)
            return
        self._ttl = self._ttl if reply.ttl is None else reply.ttl
        self._aliases += 1
        if self._aliases == _MAX_CHAIN:
            self.end(ServiceError(f"too long a chain of aliases to {following.name}"))
            return
        self._forget()
        self._asked = following
        self.begin(time.monotonic())

    def end(self, reply: DNSReply | ServiceError) -> None:
        """Have it ended with what is known by now."""
        if self._attempts:
            self._forget()
        self._ended(self, reply)

    def _forget(self) -> None:
        for attempt in self._attempts:
            attempt.cancel()
        self._attempts.clear()
