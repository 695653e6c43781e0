"""A clock that a test sets: programs that run by it take it for the time of day."""

from __future__ import annotations

import math
import struct
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from tests.real.support import find_program, run

_SOURCE = Path(__file__).with_name("clock.c")
_FORMAT = struct.Struct("=q")


class Clock:
    """The time of day of all programs that are started with `environment`; it goes on from where it is set."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "clock"
        self._file.write_bytes(_FORMAT.pack(0))
        self._ahead = 0  # seconds that it is ahead of the machine's
        self._library = directory / "clock.so"
        run(
            [find_program("gcc"), "-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o", self._library, _SOURCE]
        )

    @property
    def environment(self) -> Mapping[str, str]:
        """What makes a program run by this clock."""
        return {"LD_PRELOAD": str(self._library), "TAMIS_CLOCK": str(self._file)}

    def set(self, moment: datetime) -> None:
        """Make it this moment, or less than a second later."""
        self._ahead = math.ceil(moment.timestamp() - time.time())
        with self._file.open("r+b") as file:
            file.write(_FORMAT.pack(self._ahead))

    def set_about(self, moment: datetime, tolerance: timedelta) -> None:
        """Make it this moment unless it is that or at most the tolerance later: so that it seldom goes back."""
        if not 0 <= time.time() + self._ahead - moment.timestamp() <= tolerance.total_seconds():
            self.set(moment)
