"""The chain at work: each filter's finding about one message, within the filter's and the message's time.

docs/chain.md says how, and why so.
"""

from __future__ import annotations

import asyncio
import queue
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from tamis.chain.inquiry import Deadline, FilterLook, Kind, Wait, kind_of, look_at
from tamis.contract.filter import Filter, Message, Stage
from tamis.contract.finding import ALREADY_DECIDED, Finding, Status
from tamis.contract.recording import Recording
from tamis.judging.policy import Policy
from tamis.judging.verdict import is_decided
from tamis.language.translation import marked
from tamis.services.runner import Runner

Pulse = Callable[[], None]
"""Called about once a second while an examination waits (the milter tells Postfix that it is alive)."""

PULSE_SECONDS = 1.0


def needed(filters: Sequence[Filter[Any]], policies: Iterable[Policy]) -> list[Filter[Any]]:
    """The filters that at least one policy has on or in shadow, in chain order."""
    wanted = frozenset[str]().union(*_names(policies).values())
    return [one for one in filters if one.name in wanted]


def _names(policies: Iterable[Policy]) -> Mapping[int, frozenset[str]]:
    """The names of the filters of policies, by the identity of their rules: many recipients share theirs."""
    rules = {id(policy.rules): policy.rules for policy in policies}
    return {key: frozenset([rule.filter.name for rule in some]) for key, some in rules.items()}


class Examination:
    """One message's way through the chain, as its session's thread sees it.

    `begin(stage)` starts filters that ask as soon as their input is known; `finish` runs the rest and returns the
    findings by filter name, in chain order. Once images and documents are read, filters that judge by what stands in
    them look again. No exception of a filter gets out: it becomes `unavailable`. `seconds` bounds the whole examination
    from `finish` on.
    """

    def __init__(
        self,
        filters: Sequence[Filter[Any]],
        runner: Runner,
        *,
        seconds: float,
        recording: Recording | None = None,
    ) -> None:
        self._filters = filters
        self._runner = runner
        self._seconds = seconds
        self._recording = recording
        self._begun: dict[str, Finding | FilterLook] = {}
        """What was begun before the end of the message, and counts there."""
        self._under_way: list[FilterLook] = []
        """All that the loop was given."""

    def begin(self, stage: Stage, message: Message) -> None:
        """Start the filters that ask and whose input is known at `stage`; those started before go on."""
        known = [
            one
            for one in self._filters
            if one.stage <= stage and not one.expensive and kind_of(type(one)) is not Kind.PLAIN
        ]
        found, _, fresh = self._looks_of(known, message)
        self._begun |= found
        self._begun.update((one.filter.name, one) for one in fresh)
        lacking = [one for one in fresh if not one.is_over]
        if lacking:
            self._under_way += lacking
            self._runner.call(partial(_take_up, lacking))

    def now(self, filters: Iterable[Filter[Any]], message: Message, *, seconds: float) -> dict[str, Finding]:
        """What some filters say of what is known so far.

        Those that were begun with the envelope's sender are waited for and not asked anew; those of stage RCPT are
        asked for each recipient, and again for all at the end.
        """
        until = time.monotonic() + seconds
        found, looks, fresh = self._looks_of(filters, message)
        self._begun.update((one.filter.name, one) for one in fresh if one.filter.stage < Stage.RCPT)
        return found | self._findings(looks, fresh, until)

    def finish(
        self, message: Message, policies: Sequence[Policy], pulse: Pulse = lambda: None
    ) -> dict[str, Finding]:
        """Every needed filter's finding; expensive ones run only while one who wants them is undecided before them."""
        until = time.monotonic() + self._seconds
        wanted = needed(self._filters, policies)
        names = _names(policies)
        found, looks, fresh = self._looks_of([one for one in wanted if not one.expensive], message)
        self._drop(looks)
        found |= self._findings(looks, fresh, until, pulse)
        for one in wanted:
            if not one.expensive:
                continue
            if not _is_wanted(one, found, policies, names):
                found[one.name] = Finding(one.name, Status.SKIPPED, ALREADY_DECIDED)
                continue
            at_once, looks, fresh = self._looks_of([one], message)
            found |= at_once | self._findings(looks, fresh, until, pulse)
            for look in looks:
                if look.seen and look.seen != message.mail.seen:
                    message = replace(message, mail=message.mail.with_seen(look.seen))
                    found |= self._look_again(found, message, until, pulse)
        return {one.name: found[one.name] for one in wanted}

    def abandon(self) -> None:
        """Stop what is still under way: the client went away."""
        self._stop([one for one in self._under_way if not one.is_over], _ABANDONED)

    def _looks_of(
        self, filters: Iterable[Filter[Any]], message: Message
    ) -> tuple[dict[str, Finding], list[FilterLook], list[FilterLook]]:
        """What filters find at once; the looks of the others; and those of them that were not begun before."""
        found: dict[str, Finding] = {}
        looks: list[FilterLook] = []
        fresh: list[FilterLook] = []
        for one in filters:
            look = self._begun.get(one.name)
            if look is None:
                look = look_at(one, message, self._recording)
                if isinstance(look, FilterLook):
                    fresh.append(look)
            if isinstance(look, FilterLook):
                looks.append(look)
            else:
                found[one.name] = look
        return found, looks, fresh

    def _look_again(
        self, found: Mapping[str, Finding], message: Message, until: float, pulse: Pulse
    ) -> dict[str, Finding]:
        """What the filters that judge by what is read in images and documents say of that, too."""
        again = [one for one in self._filters if one.looks_again and one.name in found]
        looked = [look_at(one, message, self._recording) for one in again]
        looks = [look for look in looked if isinstance(look, FilterLook)]
        second = {look.filter: look for look in looked if isinstance(look, Finding)}
        second |= self._findings(looks, looks, until, pulse)
        # the first look's finding is worth more than none
        return {name: one for name, one in second.items() if one.status is not Status.UNAVAILABLE}

    def _findings(
        self,
        looks: Sequence[FilterLook],
        fresh: Sequence[FilterLook],
        until: float,
        pulse: Pulse = lambda: None,
    ) -> dict[str, Finding]:
        """What looks come to until the time is over. The session's thread waits here, once for all of them."""
        lacking = [one for one in looks if one.finding is None]
        if lacking:
            begun = [one for one in fresh if one.finding is None]
            self._under_way += begun
            done: queue.SimpleQueue[None] = queue.SimpleQueue()
            self._runner.call(partial(go_on_with, begun, partial(done.put, None), lacking))
            self._await(done, until, pulse)
            late = [one for one in lacking if one.finding is None]
            self._stop(late, _LATE)
        return {one.filter.name: one.finding or _because(one, _LATE) for one in looks}

    def _await(self, done: queue.SimpleQueue[None], until: float, pulse: Pulse) -> None:
        """Wait for the loop; one that is stuck holds up nobody for ever."""
        try:
            while (left := until - time.monotonic()) > 0:
                try:
                    done.get(timeout=min(left, PULSE_SECONDS))
                except queue.Empty:
                    pulse()
                else:
                    return
        except BaseException:
            self.abandon()
            raise

    def _drop(self, wanted: Sequence[FilterLook]) -> None:
        """Stop what was begun and nobody wants."""
        begun = (one for one in self._begun.values() if isinstance(one, FilterLook))
        self._stop([one for one in begun if not one.is_over and one not in wanted], _ABANDONED)

    def _stop(self, looks: Sequence[FilterLook], because: str) -> None:
        if looks:
            self._runner.call(partial(_stop, looks, because))


_LATE = marked("no answer within the message's time")
_ABANDONED = marked("cancelled")


def _because(look: FilterLook, because: str) -> Finding:
    return Finding(look.filter.name, Status.UNAVAILABLE, because)


def _is_wanted(
    one: Filter[Any],
    found: Mapping[str, Finding],
    policies: Sequence[Policy],
    names: Mapping[int, frozenset[str]],
) -> bool:
    """Whether one who has an expensive filter on is undecided before it, or wants everything examined."""
    return any(
        p.terms.examine_everything or not is_decided(found, p, before=one.name)
        for p in policies
        if one.name in names[id(p.rules)]
    )


# --- on the loop ------------------------------------------------------------------------------


def _take_up(looks: Sequence[FilterLook]) -> None:
    """Go on with looks that lack answers. One timer for all that have as much time."""
    loop = asyncio.get_running_loop()
    together: dict[float, list[FilterLook]] = {}
    for one in looks:
        if not one.is_over:
            one.ask_rest(loop)
            together.setdefault(one.filter.deadline, []).append(one)
    for seconds, some in together.items():
        Deadline(some, seconds).begin(loop)


def go_on_with(
    fresh: Sequence[FilterLook], ended: Callable[[], object], looks: Sequence[FilterLook] | None = None
) -> None:
    """Take up fresh looks, and call `ended` when the last of them, or of `looks`, is over."""
    _take_up(fresh)
    Wait(ended).begin(fresh if looks is None else looks)


def _stop(looks: Iterable[FilterLook], because: str) -> None:
    for one in looks:
        one.stop(_because(one, because))
