"""Replay over the store: where past mail would go under another policy, beside where it would under the one in force.

Wanted -> parts of the history, the newest first -> Replay of the policy in force, Replay of the other
       -> ReplayResult: what moves between the two, what nobody can know, which known mistakes that mends or makes
"""

from __future__ import annotations

import gc
import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Any

from tamis.database.connection import Database
from tamis.database.history import History, Packed
from tamis.database.history_search import Wanted
from tamis.judging.policy import Outcome, PolicyBook
from tamis.judging.replay import Replay, ReplayMemory
from tamis.judging.story import Told

_BATCH = 2000
PART = 10_000
"""Messages that one process judges at a time, at most."""
_FIRST = 250
"""Messages of the first part, the newest: each next one has twice as many, so that something is known at once."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A copy that would go elsewhere; `wanted` is what people said of it, None when nobody did."""

    copy: Packed
    in_force: Told
    would_be: Told
    wanted: bool | None = None


@dataclass
class ReplayResult:
    """What a replay found: `read` copies (a message for a recipient each), of which `same` have the verdict that was
    recorded, with the same score for the same reason, and `earlier` would go elsewhere under the policy in force than
    they went on their day; `moves` counts (went, would go under the policy in force, would go under the other one).
    Of the copies that people spoke about, `mistakes` are wrong under the policy in force."""

    read: int = 0
    same: int = 0
    earlier: int = 0
    moves: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    changed: list[Moved] = field(default_factory=list)
    changes: int = 0
    known: int = 0
    mistakes: int = 0
    mended: int = 0
    new_mistakes: int = 0

    def add(self, part: ReplayResult, limit: int) -> None:
        """Take in the result of earlier messages; of what changed at most `limit` are kept."""
        for name in ("read", "same", "earlier", "changes", "known", "mistakes", "mended", "new_mistakes"):
            setattr(self, name, getattr(self, name) + getattr(part, name))
        self.moves.update(part.moves)
        self.unknown.update(part.unknown)
        self.changed += part.changed[: limit - len(self.changed)]

    def take(
        self, copy: Packed, told: tuple[Told, Told], unknown: Sequence[str], wanted: bool | None, limit: int
    ) -> None:
        """Count one copy, with what becomes of it in force and under the other policy; `wanted` as in Moved."""
        was, (now, then) = copy.told, told
        self.read += 1
        self.same += then.says_as_much_as(was)
        self.earlier += now.outcome != was.outcome
        self.moves[was.outcome, now.outcome, then.outcome] += 1
        for name in unknown:
            self.unknown[name] += 1
        if now.outcome != then.outcome:
            self.changes += 1
            if len(self.changed) < limit:
                self.changed.append(Moved(copy, now, then, wanted))
        if wanted is not None:
            before, after = (is_mistake(one.outcome, wanted=wanted) for one in told)
            self.known += 1
            self.mistakes += before
            self.mended += before and not after
            self.new_mistakes += after and not before

    def plain(self) -> dict[str, Any]:
        """A form that JSON can hold: what the command prints, a job keeps, and the API answers."""
        return {
            "copies": self.read,
            "same": self.same,
            "earlier": self.earlier,
            "moved": self.changes,
            "outcomes": [
                {"was": was, "in_force": now, "would_be": then, "copies": count}
                for (was, now, then), count in sorted(self.moves.items())
            ],
            "unknown": dict(sorted(self.unknown.items())),
            "labels": {
                "known": self.known,
                "mistakes": self.mistakes,
                "mended": self.mended,
                "new": self.new_mistakes,
            },
            "changed": [
                {
                    "message": one.copy.message,
                    "recipient": one.copy.recipient,
                    "was": asdict(one.copy.told),
                    "in_force": asdict(one.in_force),
                    "would_be": asdict(one.would_be),
                    "wanted": one.wanted,
                }
                for one in self.changed
            ],
        }


def is_mistake(outcome: str, *, wanted: bool) -> bool:
    """Whether a copy went where it should not: what was wanted anywhere but into the inbox, or the contrary. What is
    put off comes again."""
    if outcome == Outcome.DEFER:
        return False
    return wanted is not (outcome == Outcome.INBOX)


Progress = Callable[[ReplayResult, int, int], None]
"""Told of what is known after each part: the result so far, parts done, all parts. What it raises ends the replay."""


def run(
    url: str,
    in_force: PolicyBook,
    other: PolicyBook | None,
    wanted: Wanted,
    limit: int,
    *,
    progress: Progress = lambda *_: None,
    processes: int | None = None,
    part: int = PART,
) -> ReplayResult:
    """Judge all that is wanted in the store at `url` under the policy in force and under another (None: only under the
    one in force); of what moves the newest `limit` are kept.

    In parts, by as many `processes` (default: as there are processors), which are forked: with more than one, only a
    process without threads may call it.
    """
    database = Database(url)
    first, end = History(database).span(wanted)
    database.close()  # before the fork: no two processes may share connections
    parts = [replace(wanted, numbers=numbers) for numbers in _parts(first, end, part)]
    result, share = ReplayResult(), partial(_judge_part, limit=limit)
    workers = min(len(parts), processes or os.cpu_count() or 1)
    with ExitStack() as stack:
        if workers > 1:
            pool = multiprocessing.get_context("fork").Pool(workers, _begin, (url, in_force, other))
            found: Iterator[ReplayResult] = stack.enter_context(pool).imap(share, parts)
        else:
            _begin(url, in_force, other)
            stack.callback(_own.database.close)
            found = map(share, parts)
        for number, one in enumerate(found, 1):
            result.add(one, limit)
            progress(result, number, len(parts))
    return result


def _parts(first: int, end: int, most: int) -> Iterator[tuple[int, int]]:
    """The numbers from `first` to before `end` in parts, the newest first, small ones before large ones."""
    size = min(_FIRST, most)
    while end > first:
        yield max(first, end - size), end
        end, size = end - size, min(2 * size, most)


class _Judges:
    """What a process judges with; what it remembers serves all of its parts."""

    def __init__(self, url: str, in_force: PolicyBook, other: PolicyBook | None) -> None:
        self.database = Database(url)
        self.history = History(self.database)
        self.memory = ReplayMemory(in_force.filters)
        self.in_force = Replay(in_force, self.memory)
        self.other = Replay(other, self.memory) if other is not None else None


_own: _Judges


def _begin(url: str, in_force: PolicyBook, other: PolicyBook | None) -> None:
    global _own  # noqa: PLW0603 # how a pool's processes keep what is theirs
    _own = _Judges(url, in_force, other)


def _judge_part(wanted: Wanted, limit: int) -> ReplayResult:
    judges, result = _own, ReplayResult()
    gc.disable()  # it would look through all that is remembered again and again, and find no cycle
    try:
        said = judges.history.words(wanted)
        copies = judges.history.packed(wanted)
        while batch := list(islice(copies, _BATCH)):
            _judge(judges, batch, said, result, limit)
    finally:
        gc.enable()
        judges.database.close()
    return result


def _judge(
    judges: _Judges,
    batch: Sequence[Packed],
    said: Mapping[tuple[int, str], bool],
    result: ReplayResult,
    limit: int,
) -> None:
    if missing := judges.memory.missing(one.findings for one in batch):
        judges.memory.learn(judges.history.contents(missing))
    for judge in filter(None, (judges.in_force, judges.other)):
        judge.prepare(one.recipient for one in batch)
    for one in batch:
        try:
            now, unknown = judges.in_force.tell(one.recipient, one.findings, author=one.author)
            then = now
            if judges.other is not None:
                then, unknown = judges.other.tell(one.recipient, one.findings, author=one.author)
        except KeyError:  # the clean-up took it while we were reading
            continue
        wanted = said.get((one.message, one.recipient)) if said else None
        result.take(one, (now, then), unknown, wanted, limit)
