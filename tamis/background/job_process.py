"""What does one job, as a process of its own: `python -m tamis.background.job_process FILE JOB CLAIM PARENT`.

    the background process -> spawns this at a low priority -> job's row: progress, part by part -> done | failed

It ends when the job is no longer its own (cancelled, given to another), or when the process that began it is gone.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tamis.base.errors import TamisError
from tamis.chain.registry import load_filters
from tamis.contract.filter import Filter
from tamis.database.jobs import Job
from tamis.database.replay_jobs import FIT, REPLAY, SUGGEST, changes_of, mistakes_of, wanted_by
from tamis.database.replaying import ReplayResult, run
from tamis.judging.alias_targets import NO_ALIASES, Directory
from tamis.judging.policy import PolicyBook
from tamis.judging.site import policy_book
from tamis.judging.stored_policy import Override, with_changes
from tamis.judging.suggestions import Suggestion, candidates, ranked, turned_by
from tamis.services.postfix.aliases import PostfixDirectory
from tamis.settings import SettingsFile, read_settings
from tamis.store import Store

log = logging.getLogger(__name__)

NICENESS = 10
MOST_MOVED = 100
"""Copies that a job's result names; beyond: counted only."""
_PART = 4000  # messages between two words on how far it is
_ALIAS_SECONDS = 60.0  # nobody's mail waits


UNFORESEEN = "something went wrong here; the log says what"


class _OverError(TamisError):
    """The job is no longer ours."""


@dataclass(frozen=True)
class Bench:
    """What jobs are done with."""

    file: SettingsFile
    filters: Sequence[Filter[Any]]
    store: Store
    directory: Directory = NO_ALIASES
    parent: int = 0
    """The process whose end is ours, 0 for none."""

    def stored(self) -> list[Override]:
        """The overrides in force."""
        return [one.override for one in self.store.overrides.list()]

    def book(self, overrides: Sequence[Override]) -> PolicyBook:
        """Policy with these overrides. Raises ConfigError."""
        return policy_book(self.file, self.filters, overrides, self.directory)

    def told(self, job: Job, claim: str, done: int, total: int, result: Any) -> None:
        """Say how far a job is. Raises what ends it when nobody wants it any more."""
        if self.parent and os.getppid() != self.parent:
            raise _OverError("who began it is gone")
        if not self.store.jobs.progress(job.id, claim, done, total, result):
            raise _OverError("it is no longer ours")


def replay(bench: Bench, job: Job, claim: str) -> Mapping[str, Any]:
    """Where past mail would go with the changes that are asked for."""
    stored, changes = bench.stored(), changes_of(job.asked)

    def progress(so_far: ReplayResult, done: int, total: int) -> None:
        bench.told(job, claim, done, total, so_far.plain())

    other = bench.book(with_changes(stored, changes)) if changes else None
    url = bench.file.settings.store_url
    result = run(
        *(url, bench.book(stored), other, wanted_by(job.asked), MOST_MOVED),
        progress=progress,
        processes=1,
        part=_PART,
    )
    return result.plain()


def suggest(bench: Bench, job: Job, claim: str) -> Mapping[str, Any]:
    """The single changes that would mend chosen mistakes, each replayed; the best first."""
    stored, wanted = bench.stored(), wanted_by(job.asked)
    book, url = bench.book(stored), bench.file.settings.store_url
    told = [
        [
            flip
            for kept in bench.store.history.show(str(message), wanted.reach)
            for flip in turned_by(kept.story, recipient, book)
        ]
        for message, recipient in mistakes_of(job.asked)
    ]
    found = candidates(told)
    tried: list[Suggestion] = []
    for one in found:
        # a part is a change; between its messages only whether the job is still wanted is looked at
        tell = partial(bench.told, job, claim, len(tried), len(found), suggested(tried, len(told)))
        tell()
        change = [Override(job.scope, one.key, one.value)]
        result = run(
            *(url, book, bench.book(with_changes(stored, change)), wanted, 0),
            progress=lambda *_, tell=tell: tell(),
            processes=1,
            part=_PART,
        )
        tried.append(Suggestion(one, result.mended, result.new_mistakes, result.changes))
    return suggested(tried, len(told))


def suggested(tried: Sequence[Suggestion], chosen: int) -> Mapping[str, Any]:
    """What is known so far: of so many chosen mistakes, so many changes tried."""
    return {"chosen": chosen, "tried": len(tried), "suggestions": [one.plain() for one in ranked(tried)]}


def fit(bench: Bench, job: Job, claim: str) -> Mapping[str, Any]:
    """Points that would do better on what people said, with their replay."""
    from tamis.database.fitting import changes_in, fit_told, fitted  # noqa: PLC0415 - scikit-learn is 100 MB

    stored, wanted = bench.stored(), wanted_by(job.asked)
    book, url = bench.book(stored), bench.file.settings.store_url
    found = fitted(url, book, job.scope, wanted)
    changes = changes_in(job.scope, found)
    if not changes:
        return fit_told(found, None)

    def progress(so_far: ReplayResult, done: int, total: int) -> None:
        bench.told(job, claim, done, total, fit_told(found, so_far))

    other = bench.book(with_changes(stored, changes))
    return fit_told(found, run(url, book, other, wanted, 0, progress=progress, processes=1, part=_PART))


KINDS = {REPLAY: replay, SUGGEST: suggest, FIT: fit}


def work(bench: Bench, job: Job, claim: str) -> None:
    """Do a job, and write down what came of it."""
    try:
        bench.store.jobs.finish(job.id, claim, KINDS[job.kind](bench, job, claim))
    except _OverError as error:
        log.info("job %d is left: %s", job.id, error)
    except TamisError as error:
        bench.store.jobs.fail(job.id, claim, str(error))
    except Exception:  # a mistake of ours: who asked must not wait for ever
        log.exception("job %d failed", job.id)
        bench.store.jobs.fail(job.id, claim, UNFORESEEN)


def main() -> None:
    """Do the job that the arguments name."""
    file, number, claim, parent = sys.argv[1:]
    os.nice(NICENESS)
    settings = read_settings(Path(file) if file else None)
    with Store(settings.settings.store_url) as store:
        job = store.jobs.get(int(number))
        if job is not None:
            directory = PostfixDirectory(settings.settings, wait=_ALIAS_SECONDS)
            work(Bench(settings, load_filters(), store, directory, int(parent)), job, claim)


if __name__ == "__main__":
    main()
