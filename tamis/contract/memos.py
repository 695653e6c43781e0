"""What several filters want to know of one message, worked out once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from tamis.base.errors import anew
from tamis.contract.questions import PENDING, Asks, Pending, Question, Take

T = TypeVar("T")


class SharedWork(Generic[T]):
    """One piece of work: `steps` to begin with, those who wait for it, and in the end its outcome."""

    __slots__ = ("key", "outcome", "run", "steps", "waiting")

    def __init__(self, key: Hashable, steps: Asks[T]) -> None:
        self.key = key
        self.steps = steps
        self.outcome: T | Exception | Pending = PENDING
        """The result, or what the work raised."""
        self.run: Any = None
        """Whatever the chain keeps of it from its beginning on."""
        self.waiting: list[Take[T]] = []

    @property
    def owner(self) -> Hashable:
        """Under which name its questions are recorded."""
        return ("once", self.key)

    def settle(self, outcome: T | Exception) -> None:
        """It has ended: hand the outcome to those who wait."""
        self.outcome = outcome
        waiting, self.waiting = self.waiting, []
        for take in waiting:
            take(outcome)

    def result(self) -> T:
        """Of work that has ended. Raises what it raised."""
        outcome = self.outcome
        assert not isinstance(outcome, Pending)
        if isinstance(outcome, Exception):
            raise anew(outcome)
        return outcome


@dataclass(frozen=True, slots=True)
class Once(Question[Any]):
    """A question that the chain answers by doing the work, if nobody has asked for it yet."""

    work: SharedWork[Any]


Memos = dict[Hashable, SharedWork[Any]]
SPF = "spf"
"""The key of the SPF check."""
OF_ENVELOPE = frozenset({SPF})
"""Keys of work that the client, HELO and MAIL FROM decide: what was begun at MAIL FROM counts at the message's end."""


def once(memos: Memos, key: Hashable, start: Callable[[], Asks[T]]) -> Asks[T]:
    """What `start()` works out, begun for the first who asks under this key; whoever asks gets the same."""
    work: SharedWork[T] | None = memos.get(key)
    if work is None:
        work = memos[key] = SharedWork(key, start())
    yield (Once(work),)  # answered at once where it is known
    return work.result()
