"""The chain at work: each filter's finding about one message, within the filter's and the message's time."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any, cast

from tamis.base.errors import ServiceError
from tamis.contract.filter import Filter, Message, Stage
from tamis.contract.finding import ALREADY_DECIDED, Finding, Status
from tamis.judging.policy import Policy
from tamis.judging.verdict import is_decided
from tamis.services.runner import Runner, in_thread

log = logging.getLogger(__name__)

Pulse = Callable[[], None]
"""Called about once a second while an examination waits (the milter tells Postfix that it is alive)."""

PULSE_SECONDS = 1.0
_GRACE = 1.0  # seconds after the message's time in which the loop should have said so by itself


def needed(filters: Sequence[Filter[Any]], policies: Iterable[Policy]) -> list[Filter[Any]]:
    """The filters that at least one policy has on or in shadow, in chain order."""
    wanted = {rule.filter.name for policy in policies for rule in policy.rules}
    return [one for one in filters if one.name in wanted]


class Examination:
    """One message's way through the chain.

    `begin(stage)` starts waiting filters as soon as their input is known; `finish` runs the rest and returns the
    findings by filter name, in chain order. Once images and documents are read, filters that judge by what stands in
    them look again. No exception of a filter gets out: it becomes `unavailable`.
    `seconds` bounds the whole examination from `finish` on.

    The session's thread crosses to the event loop once a step, whatever the number of filters: a crossing costs more
    than most of them. Waiting filters of the last stage start when the inline ones are through, so that a Mail, which
    derives what it is asked for, has one asker at a time.
    """

    def __init__(self, filters: Sequence[Filter[Any]], runner: Runner, *, seconds: float) -> None:
        self._filters = filters
        self._runner = runner
        self._seconds = seconds
        self._waited_for: set[str] = set()
        self._found: dict[str, Finding] = {}
        self._begun: dict[str, Coroutine[Any, Any, Finding]] = {}
        # what follows is changed by the loop only
        self._tasks: dict[str, asyncio.Task[Finding]] = {}
        self._timers: list[asyncio.TimerHandle] = []
        self._expired: set[asyncio.Task[Finding]] = set()

    def begin(self, stage: Stage, message: Message) -> None:
        """Start the waiting filters whose input is known at `stage`; those started before go on."""
        known = [one for one in self._filters if one.stage <= stage and not one.inline and not one.dear]
        _, waiting = self._looked(known, message)
        if waiting:
            self._waited_for.update(one.name for one in waiting)
            self._runner.call(partial(self._start, waiting, message))

    def now(self, filters: Iterable[Filter[Any]], message: Message, *, seconds: float) -> dict[str, Finding]:
        """What some filters say of what is known so far. Those that were begun are waited for and not asked anew."""
        until = time.monotonic() + seconds
        findings, waiting = self._looked(filters, message)
        return findings | self._await(self._together(waiting, message, until), waiting, until, lambda: None)

    def finish(
        self, message: Message, policies: Sequence[Policy], pulse: Pulse = lambda: None
    ) -> dict[str, Finding]:
        """Every needed filter's finding. Dear filters run only while one who wants them is undecided before them."""
        until = time.monotonic() + self._seconds
        wanted = needed(self._filters, policies)
        findings, waiting = self._looked([one for one in wanted if not one.dear], message)
        left = waiting + [one for one in wanted if one.dear]
        if not left:
            self.abandon()
        findings |= self._await(self._finished(left, message, findings, policies, until), left, until, pulse)
        return {one.name: findings[one.name] for one in wanted}

    def _looked(
        self, filters: Iterable[Filter[Any]], message: Message
    ) -> tuple[dict[str, Finding], list[Filter[Any]]]:
        """What can be found in this thread, and the filters that have to wait or do so already."""
        findings: dict[str, Finding] = {}
        waiting: list[Filter[Any]] = []
        for one in filters:
            found = self._known(one)
            if found is None and one.name not in self._waited_for:
                found = examine_inline(one, message) if one.inline else examine_at_once(one, message)
                if found is None and one.begins_at_once:
                    found = self._begin(one, message)
            if found is None:
                waiting.append(one)
            else:
                findings[one.name] = found
        return findings, waiting

    def _known(self, one: Filter[Any]) -> Finding | None:
        """What a filter that was begun earlier has found by now."""
        task = self._tasks.get(one.name)
        return self._outcome(one, task) if task is not None and task.done() else self._found.get(one.name)

    def _begin(self, one: Filter[Any], message: Message) -> Finding | None:
        """Begin to examine in this thread; None where it has to wait and goes on on the loop."""
        begun = examine_waiting(one, message)
        try:
            begun.send(None)
        except StopIteration as ended:
            return self._found.setdefault(one.name, ended.value)
        self._begun[one.name] = begun
        return None

    def abandon(self) -> None:
        """Cancel what is still under way: the client went away."""
        if self._waited_for:
            idle = all(task.done() for task in tuple(self._tasks.values()))
            self._runner.call(self._cancel, soon=not idle)

    def _await(
        self,
        findings: Coroutine[Any, Any, dict[str, Finding]],
        filters: Sequence[Filter[Any]],
        until: float,
        pulse: Pulse,
    ) -> dict[str, Finding]:
        """Wait in the session's thread for what the loop finds; a loop that is stuck holds up nobody for ever."""
        if not filters:
            findings.close()
            return {}
        self._waited_for.update(one.name for one in filters)
        outcome = self._runner.submit(findings)
        ended = False
        try:
            while not ended and (left := until + _GRACE - time.monotonic()) > 0:
                ended = outcome.wait(min(left, PULSE_SECONDS))
                if not ended:
                    pulse()
            return outcome.result() if ended else {one.name: _late(one) for one in filters}
        finally:
            if not ended:
                outcome.cancel()
                self.abandon()

    # --- on the loop ------------------------------------------------------------------------

    def _start(self, filters: Iterable[Filter[Any]], message: Message) -> None:
        loop = asyncio.get_running_loop()
        started: dict[float, list[asyncio.Task[Finding]]] = {}
        for one in filters:
            if one.name not in self._tasks:
                begun = self._begun.pop(one.name, None) or examine_waiting(one, message)
                task = self._tasks[one.name] = loop.create_task(begun)
                started.setdefault(one.deadline, []).append(task)
        for seconds, tasks in started.items():
            self._timers.append(loop.call_later(seconds, self._expire, tasks))

    def _expire(self, tasks: Iterable[asyncio.Task[Finding]]) -> None:
        """Their time is over. One timer for all that began together, for most are done long before."""
        for task in tasks:
            if task.cancel():
                self._expired.add(task)

    def _cancel(self, but: Collection[str] = ()) -> None:
        for name in self._tasks.keys() - set(but):
            self._tasks.pop(name).cancel()
        if not self._tasks:
            self._stop_timers()

    def _stop_timers(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    async def _together(
        self, filters: Sequence[Filter[Any]], message: Message, until: float
    ) -> dict[str, Finding]:
        """The findings of filters that wait at the same time, until the message's time is over."""
        self._start(filters, message)
        tasks = {one.name: self._tasks[one.name] for one in filters}
        if tasks:
            await asyncio.wait(tasks.values(), timeout=until - time.monotonic())
        return {one.name: self._outcome(one, tasks[one.name]) for one in filters}

    def _outcome(self, one: Filter[Any], task: asyncio.Task[Finding]) -> Finding:
        if not task.done():
            task.cancel()
            return _late(one)
        if task in self._expired and task.cancelled():
            facts = {"seconds": one.deadline}
            return Finding(one.name, Status.UNAVAILABLE, "no answer within {seconds} s", facts, one.deadline)
        if task.cancelled():  # a filter that let its own work be cancelled
            return Finding(one.name, Status.UNAVAILABLE, "cancelled")
        return task.result()

    async def _finished(
        self,
        filters: Sequence[Filter[Any]],
        message: Message,
        findings: Mapping[str, Finding],
        policies: Sequence[Policy],
        until: float,
    ) -> dict[str, Finding]:
        """The findings of all filters that wait: first the others, then the dear ones, one after the other."""
        self._cancel(but={one.name for one in filters})
        found = await self._together([one for one in filters if not one.dear], message, until)
        for one in filters:
            if one.dear:
                if _is_wanted(one, {**findings, **found}, policies):
                    at_once = examine_at_once(one, message)
                    found |= (
                        await self._together([one], message, until)
                        if at_once is None
                        else {one.name: at_once}
                    )
                    if message.seen and message.seen != message.mail.seen:
                        message = replace(message, mail=message.mail.with_seen(message.seen))
                        found |= await self._look_again({**findings, **found}, message, until)
                else:
                    found[one.name] = Finding(one.name, Status.SKIPPED, ALREADY_DECIDED)
        self._stop_timers()
        return found

    async def _look_again(
        self, findings: Mapping[str, Finding], message: Message, until: float
    ) -> dict[str, Finding]:
        """What the filters that judge by what is read in images and documents say of that, too."""
        again = [one for one in self._filters if one.looks_again and one.name in findings]
        for one in again:
            self._tasks.pop(one.name, None)
        found = await self._together(again, message, until)
        # the first look's finding is worth more than none
        return {name: one for name, one in found.items() if one.status is not Status.UNAVAILABLE}


def _is_wanted(one: Filter[Any], findings: Mapping[str, Finding], policies: Sequence[Policy]) -> bool:
    """Whether one who has a dear filter on is undecided before it, or wants everything examined."""
    asking = (p for p in policies if any(rule.filter.name == one.name for rule in p.rules))
    return any(p.terms.examine_everything or not is_decided(findings, p, before=one.name) for p in asking)


def _late(one: Filter[Any]) -> Finding:
    return Finding(one.name, Status.UNAVAILABLE, "no answer within the message's time")


def examine_inline(one: Filter[Any], message: Message) -> Finding:
    """One filter's finding from this thread."""
    begun = time.perf_counter()
    try:
        found = one.examine(message)
    except ServiceError as error:
        return _without_service(one, error, begun)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a filter raises, the message goes on
        return _failed(one, error, begun)
    return _checked(one, found, begun)


def examine_at_once(one: Filter[Any], message: Message) -> Finding | None:
    """The finding of one that waits, from this thread, where there is nothing to wait for."""
    begun = time.perf_counter()
    try:
        found = one.at_once(message)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - as above
        return _failed(one, error, begun)
    return None if found is None else _checked(one, found, begun)


async def examine_waiting(one: Filter[Any], message: Message) -> Finding:
    """One filter's finding from the loop, however long it takes."""
    begun = time.perf_counter()
    try:
        if _is_coroutine(type(one)):
            found = await cast(Awaitable[Finding], one.examine(message))
        else:
            found = await in_thread(one.name, lambda: one.examine(message))
    except (ServiceError, TimeoutError) as error:
        return _without_service(one, error, begun)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - SystemExit would end the loop of all filters
        return _failed(one, error, begun)
    return _checked(one, found, begun)


def _without_service(one: Filter[Any], error: ServiceError | TimeoutError, begun: float) -> Finding:
    """Nothing is wrong with the filter."""
    facts = {"error": str(error)[:200] or "no answer in time"}
    return Finding(one.name, Status.UNAVAILABLE, "{error}", facts, time.perf_counter() - begun)


@cache
def _is_coroutine(kind: type[Filter[Any]]) -> bool:
    """Whether a filter's `examine` is an `async def`."""
    return inspect.iscoroutinefunction(kind.examine)


def _failed(one: Filter[Any], error: BaseException, begun: float) -> Finding:
    log.error("filter %s failed", one.name, exc_info=error)
    return Finding(
        one.name,
        Status.UNAVAILABLE,
        "failed: {error}",
        {"error": f"{type(error).__name__}: {error}"[:200]},
        time.perf_counter() - begun,
    )


def _checked(one: Filter[Any], found: object, begun: float) -> Finding:
    """The finding with its time and its filter's name; a plugin's that can't be shown or stored is a failure."""
    seconds = time.perf_counter() - begun
    if not isinstance(found, Finding):
        return _failed(one, TypeError(f"examine returned {type(found).__name__}, not a Finding"), begun)
    if type(one).__module__.startswith(
        "tamis."
    ):  # ours are tested for it; looking costs as much as many of them
        return Finding(one.name, found.status, found.because, found.facts, seconds)
    try:
        checked = Finding(one.name, Status(found.status), str(found.because), dict(found.facts), seconds)
        checked.text()
        json.dumps(checked.to_dict())
    except Exception as error:  # noqa: BLE001 - a sentence without its facts, facts that JSON can't hold
        return _failed(one, error, begun)
    return checked
