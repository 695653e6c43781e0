"""What was asked and answered while a message was examined, so that the examination can be played again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any

from tamis.base.errors import TamisError
from tamis.contract.filter import Filter, Message
from tamis.contract.finding import Finding, Revealed
from tamis.contract.memos import Once
from tamis.contract.questions import Asks, Compute, Question
from tamis.message.mail.seen import NOTHING_SEEN, Seen


class PlayedOtherwiseError(TamisError):
    """A filter asks what it did not ask when it was recorded: another message, or a filter that is not pure."""


def owner_of(one: Filter[Any], message: Message) -> Hashable:
    """Under which name a filter's questions about a message are recorded: a second look is another one."""
    return (one.name, message.mail.seen) if message.mail.seen else one.name


class Recording:
    """The questions of one message with their answers, by who asked: a filter's name, or SharedWork.owner of what is
    worked out once.

    Computations are made anew when it is played. Filled by the chain (`Road(..., recording=...)`).
    """

    def __init__(self) -> None:
        self.told: dict[Hashable, list[tuple[Question[Any], Any]]] = defaultdict(list)
        self.seen: dict[str, Seen] = {}
        """What had been read in images and documents when a filter looked last, by its name."""

    def note(self, owner: Hashable, questions: Sequence[Question[Any]], answers: Sequence[Any]) -> None:
        """Remember what was answered to whom."""
        self.told[owner] += zip(questions, answers, strict=True)

    def services(self, owner: Hashable) -> frozenset[str]:
        """Which services a filter, or work for several, turned to."""
        named: set[str] = set()
        again = (owner, self.seen.get(str(owner), NOTHING_SEEN))
        for question, _ in (*self.told.get(owner, ()), *self.told.get(again, ())):
            named |= (
                self.services(question.work.owner)
                if isinstance(question, Once)
                else {question.service} - {""}
            )
        return frozenset(named)

    def play(self, one: Filter[Any], message: Message) -> Finding | Revealed:
        """The last finding of a filter on a message, from what was answered before: without services, loop or clock.

        Raises PlayedOtherwiseError, or what the filter raises.
        """
        if seen := self.seen.get(one.name):
            message = replace(message, mail=message.mail.with_seen(seen))
        return _Player(self).finding(one, message)


class _Player:
    """One playing: how far each who asked has come."""

    def __init__(self, recording: Recording) -> None:
        self._told = recording.told
        self._places: dict[Hashable, int] = defaultdict(int)

    def finding(self, one: Filter[Any], message: Message) -> Finding | Revealed:
        examined: Any = one.examine(message)
        found: Finding | Revealed
        if isinstance(examined, (Finding, Revealed)):
            return examined
        found = self._played(owner_of(one, message), examined)
        return found

    def _played(self, owner: Hashable, steps: Asks[Any]) -> Any:
        told: list[Any] | None = None
        try:
            while True:
                questions = next(steps) if told is None else steps.send(told)
                told = [self._answer(owner, one) for one in questions]
        except StopIteration as ended:
            return ended.value

    def _answer(self, owner: Hashable, question: Question[Any]) -> Any:
        place = self._places[owner]
        self._places[owner] += 1
        if place >= len(self._told[owner]):
            raise PlayedOtherwiseError(f"{owner} asks more than it did: {question}")
        before, answer = self._told[owner][place]
        if isinstance(question, Once) and isinstance(before, Once) and question.work.key == before.work.key:
            return self._once(question)
        if question != before:
            raise PlayedOtherwiseError(f"{owner} asks {question} where it asked {before}")
        if isinstance(question, Compute):
            try:
                return question.call()
            except Exception as error:  # noqa: BLE001 - the answer: who asked raises it
                return error
        return answer

    def _once(self, question: Once) -> Any:
        work = question.work
        if work.run is None:
            work.run = self
            try:
                work.settle(self._played(work.owner, work.steps))
            except PlayedOtherwiseError:
                raise
            except Exception as error:  # noqa: BLE001 - kept for everybody who asks
                work.settle(error)
        return work.outcome
