"""The jobs that people asked for, done one at a time by a process each: what they cost, no other task waits for."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import tamis
from tamis.database.jobs import Job, Jobs

log = logging.getLogger(__name__)

_HOME = Path(tamis.__file__).parent.parent  # where `-m` finds the same code as this process runs
DIED = "the process that worked on it ended unexpectedly"
STOPPED = "the background process was stopped"


class Working:
    """Begins the next job when the one before is over; `file` is the settings file in force, None for defaults."""

    def __init__(self, jobs: Jobs, host: str, file: Callable[[], Path | None]) -> None:
        self._jobs, self._host, self._file = jobs, host, file
        self._began = False
        self._current: tuple[Job, str] | None = None
        self.process: subprocess.Popen[bytes] | None = None

    def step(self) -> None:
        """Look after the job under way, or begin the next."""
        if not self._began:
            for number, claim in self._jobs.orphans(self._host):  # of a process before this one
                self._jobs.give_back(number, claim, DIED)
            self._began = True
        if self.process is not None and self._current is not None:
            if self.process.poll() is None:
                return
            self._over(*self._current, self.process.returncode)
        self.process = None
        self._current = self._jobs.begin(self._host)
        if self._current is not None:
            self.process = self._spawn(*self._current)

    def close(self) -> None:
        """End the job under way; the next background process begins it again."""
        if self.process is not None and self._current is not None:
            self.process.kill()
            self.process.wait()
            job, claim = self._current
            self._jobs.give_back(job.id, claim, STOPPED, counted=False)
        self.process = self._current = None

    def _over(self, job: Job, claim: str, status: int) -> None:
        if status:
            log.error("the process of job %d ended with status %d", job.id, status)
        self._jobs.give_back(job.id, claim, DIED)  # nothing to give back where it told that it was done

    def _spawn(self, job: Job, claim: str) -> subprocess.Popen[bytes]:
        file = self._file()
        named = str(file.absolute()) if file else ""
        module = "tamis.background.job_process"
        return subprocess.Popen(  # noqa: S603 - our own module, no shell
            [sys.executable, "-P", "-m", module, named, str(job.id), claim, str(os.getpid())],
            env=os.environ | {"PYTHONPATH": str(_HOME)},
            stdin=subprocess.DEVNULL,
        )
