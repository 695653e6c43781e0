"""The checks of `tamis doctor`, made by a process of their own every hour and when somebody asks: for the pages."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import tamis
from tamis.database.host_health import HostCheck

log = logging.getLogger(__name__)

EVERY = 3600.0
"""Seconds between two examinations."""
LONGEST = 300.0
"""Seconds that one may take (beyond: it is ended, and the ones before stay)."""
_FIRST = 30.0  # seconds after the start: the other processes come first
_HOME = Path(tamis.__file__).parent.parent  # where `-m` finds the same code as this process runs


class Examining:
    """Begins an examination when it is due, and has what the last one found; `file` is the settings file in force, None
    for defaults."""

    def __init__(self, file: Callable[[], Path | None]) -> None:
        self._file = file
        self._due = time.monotonic() + _FIRST
        self._began = 0.0
        self._output: IO[bytes] | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self.checks: Sequence[HostCheck] = ()
        self.at: datetime | None = None

    def step(self, asked: datetime | None) -> None:
        """Look after the examination under way, or begin the next; `asked` is when somebody wanted one last."""
        if self.process is not None:
            if self.process.poll() is not None:
                self._take()
            elif time.monotonic() > self._began + LONGEST:
                log.warning("tamis doctor takes more than %g s and is ended", LONGEST)
                self.close()
            return
        wanted = asked is not None and (self.at is None or asked > self.at)
        if wanted or time.monotonic() >= self._due:
            self._begin()

    def close(self) -> None:
        """End the one under way."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self._end()

    def _begin(self) -> None:
        file = self._file()
        named = ["--config", str(file.absolute())] if file else []
        self._began = time.monotonic()
        self._due = self._began + EVERY
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        self.process = subprocess.Popen(  # noqa: S603 - our own module, no shell
            [sys.executable, "-P", "-m", "tamis.cli", *named, "doctor", "--json"],
            env=os.environ | {"PYTHONPATH": str(_HOME)},
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.DEVNULL,
        )

    def _take(self) -> None:
        assert self._output is not None
        self._output.seek(0)
        try:
            self.checks = [HostCheck(**one) for one in json.loads(self._output.read())]
        except (ValueError, TypeError) as error:
            log.warning("tamis doctor could not say how things are: %s", error)
        self.at = datetime.now(UTC)
        self._end()

    def _end(self) -> None:
        if self._output is not None:
            self._output.close()
        self.process = self._output = None
