"""The chain at work: each filter's finding about one message, within the filter's and the message's time."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any

from tamis.errors import ServiceError
from tamis.filter import Filter, Message, Stage
from tamis.filters.runner import Runner
from tamis.finding import ALREADY_DECIDED, Finding, Status
from tamis.policy import Policy
from tamis.verdict import is_decided

log = logging.getLogger(__name__)

Pulse = Callable[[], None]
"""Called about once a second while an examination waits (the milter tells Postfix that it is alive)."""

PULSE_SECONDS = 1.0


def needed(filters: Sequence[Filter[Any]], policies: Iterable[Policy]) -> list[Filter[Any]]:
    """The filters that at least one policy has on or in shadow, in chain order."""
    wanted = {rule.filter.name for policy in policies for rule in policy.rules}
    return [one for one in filters if one.name in wanted]


class Examination:
    """One message's way through the chain.

    `begin(stage)` starts waiting filters as soon as their input is known; `finish` runs the rest and returns the
    findings by filter name, in chain order. No exception of a filter gets out: it becomes `unavailable`.
    `seconds` bounds the whole examination from `finish` on.
    """

    def __init__(self, filters: Sequence[Filter[Any]], runner: Runner, *, seconds: float) -> None:
        self._filters = filters
        self._runner = runner
        self._seconds = seconds
        self._started: dict[str, Future[Finding]] = {}

    def begin(self, stage: Stage, message: Message) -> None:
        """Start the waiting filters whose input is known at `stage`; those started before go on."""
        for one in self._filters:
            if one.stage <= stage and not one.inline and not one.dear and one.name not in self._started:
                self._started[one.name] = self._start(one, message)

    def now(self, filters: Iterable[Filter[Any]], message: Message, *, seconds: float) -> dict[str, Finding]:
        """What some filters say of what is known so far. Those that were begun are waited for and not asked anew."""
        until = time.monotonic() + seconds
        inline, waiting = [], {}
        for one in filters:
            if one.inline:
                inline.append(one)
            else:
                waiting[one.name] = (one, self._started.get(one.name) or self._start(one, message))
        findings = {one.name: examine_inline(one, message) for one in inline}
        for name, (one, future) in waiting.items():
            findings[name] = self._await(one, future, until, lambda: None)
        return findings

    def finish(
        self, message: Message, policies: Sequence[Policy], pulse: Pulse = lambda: None
    ) -> dict[str, Finding]:
        """Every needed filter's finding. Dear filters run only while one who wants them is undecided before them."""
        until = time.monotonic() + self._seconds
        wanted = needed(self._filters, policies)
        names = {one.name for one in wanted}
        for name in [name for name in self._started if name not in names]:
            self._started.pop(name).cancel()
        self.begin(Stage.MESSAGE, message)
        findings: dict[str, Finding] = {}
        for one in wanted:
            if one.inline and not one.dear and not one.late:
                findings[one.name] = examine_inline(one, message)
        for one in wanted:
            if not one.inline and not one.dear:
                findings[one.name] = self._await(one, self._started[one.name], until, pulse)
        for one in wanted:
            if one.late:
                findings[one.name] = examine_inline(one, message)
            elif one.dear:
                findings[one.name] = self._dear(one, message, findings, policies, until, pulse)
        return {one.name: findings[one.name] for one in wanted}

    def abandon(self) -> None:
        """Cancel what is still under way: the client went away."""
        for future in self._started.values():
            future.cancel()

    def _dear(
        self,
        one: Filter[Any],
        message: Message,
        findings: dict[str, Finding],
        policies: Sequence[Policy],
        until: float,
        pulse: Pulse,
    ) -> Finding:
        asking = [p for p in policies if any(rule.filter.name == one.name for rule in p.rules)]
        if not any(p.examine_everything for p in asking) and all(
            is_decided(findings, p, before=one.name) for p in asking
        ):
            return Finding(one.name, Status.SKIPPED, ALREADY_DECIDED)
        if one.inline:
            return examine_inline(one, message)
        return self._await(one, self._start(one, message), until, pulse)

    def _start(self, one: Filter[Any], message: Message) -> Future[Finding]:
        return self._runner.submit(_bounded(one, message, self._runner))

    @staticmethod
    def _await(one: Filter[Any], future: Future[Finding], until: float, pulse: Pulse) -> Finding:
        while True:
            left = until - time.monotonic()
            if left <= 0 and not future.done():
                future.cancel()
                return Finding(one.name, Status.UNAVAILABLE, "no answer within the message's time")
            try:
                return future.result(timeout=max(0.0, min(left, PULSE_SECONDS)))
            except FutureTimeoutError:
                pulse()
            except CancelledError:  # a filter that let its own work be cancelled
                return Finding(one.name, Status.UNAVAILABLE, "cancelled")


def examine_inline(one: Filter[Any], message: Message) -> Finding:
    """One filter's finding from this thread."""
    begun = time.perf_counter()
    try:
        found = one.examine(message)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a filter raises, the message goes on
        return _failed(one, error, begun)
    return _checked(one, found, begun)


async def _bounded(one: Filter[Any], message: Message, runner: Runner) -> Finding:
    begun = time.perf_counter()
    try:
        async with asyncio.timeout(one.deadline):
            if inspect.iscoroutinefunction(one.examine):
                found = await one.examine(message)
            else:
                found = await runner.in_thread(one.name, lambda: one.examine(message))
    except TimeoutError:
        return Finding(
            one.name,
            Status.UNAVAILABLE,
            "no answer within {seconds} s",
            {"seconds": one.deadline},
            time.perf_counter() - begun,
        )
    except ServiceError as error:  # nothing is wrong with the filter
        facts = {"error": str(error)[:200]}
        return Finding(one.name, Status.UNAVAILABLE, "{error}", facts, time.perf_counter() - begun)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - SystemExit would end the loop of all filters
        return _failed(one, error, begun)
    return _checked(one, found, begun)


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
