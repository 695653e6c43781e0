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
from pathlib import Path
from typing import Any

from tamis.base.errors import TamisError
from tamis.chain.registry import load_filters
from tamis.contract.filter import Filter
from tamis.database.jobs import Job
from tamis.database.replay_jobs import REPLAY, changes_of, wanted_by
from tamis.database.replaying import ReplayResult, run
from tamis.judging.alias_targets import NO_ALIASES, Directory
from tamis.judging.policy import PolicyBook
from tamis.judging.site import Override, policy_book, with_changes
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


KINDS = {REPLAY: replay}


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
