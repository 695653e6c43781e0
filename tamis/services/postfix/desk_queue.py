"""What waits in Postfix's queue for the desk, as postqueue(1) lists it."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tamis.base.errors import ServiceError
from tamis.services.postfix.lines import REDIRECTED
from tamis.services.postfix.listeners import program

LISTED = 20_000
"""Messages of Postfix's queue that are looked at. Beyond: the rest is not read, and the number is said to be "at
least"."""
_SECONDS = 10.0
"""Seconds that postqueue has. Beyond: it is ended, and the queue is said to be unknown."""


@dataclass(frozen=True, slots=True)
class DeskQueue:
    """How many messages of the queue have copies for the desk; `is_whole` unless the queue is longer than what was
    looked at."""

    messages: int
    is_whole: bool


def desk_queue(config_directory: Path) -> DeskQueue:
    """What Postfix's queue holds for the desk. Raises ServiceError when it can't be listed."""
    command = [program("postqueue"), "-c", str(config_directory), "-j"]
    try:
        process = subprocess.Popen(  # noqa: S603
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, errors="replace"
        )
    except OSError as error:
        raise ServiceError(f"postqueue: {error}") from None
    late = threading.Event()

    def end() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(_SECONDS, end)
    timer.start()
    try:
        with process:
            assert process.stdout is not None
            queue = read_queue(process.stdout)
            if not queue.is_whole:
                process.kill()
    finally:
        timer.cancel()
    if late.is_set():
        raise ServiceError("postqueue: no answer in time")
    if queue.is_whole and process.returncode:
        raise ServiceError(f"postqueue: exit status {process.returncode}")
    return queue


def read_queue(lines: Iterable[str], most: int = LISTED) -> DeskQueue:
    """Count in the lines of `postqueue -j`; a line that is none of Postfix's is left out."""
    rest = iter(lines)
    found = sum(map(is_for_desk, islice(rest, most)))
    return DeskQueue(found, next(rest, None) is None)


def is_for_desk(line: str) -> bool:
    """Whether one line of `postqueue -j` tells of a message with a copy for the desk, and is no probe of the way there,
    which nobody waits for."""
    try:
        recipients = json.loads(line)["recipients"]
        return any(_is_copy(str(one["address"])) for one in recipients)
    except (KeyError, TypeError, ValueError):  # cut off, or of a version that tells otherwise
        return False


def _is_copy(address: str) -> bool:
    return address.endswith(REDIRECTED) and not address.endswith(f".probe{REDIRECTED}")
