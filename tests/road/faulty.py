"""The daemon with traps: `python -m tests.road.faulty serve …` is `tamis serve …` that can be made to die.

A trap is a file `<stage>.<n>` in $TAMIS_TRAPS. A process that comes to the stage takes one away and kills itself
with SIGKILL, which no code can soften.
"""

from __future__ import annotations

import functools
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tamis.challenge.answers import Answers
from tamis.challenge.challenges import Challenges
from tamis.cli import main
from tamis.database.desk_notes import DeskNotes
from tamis.desk.desk import Desk
from tamis.desk.redirection_notes import Notes
from tamis.desk.reinjection import Reinjector
from tamis.milter.application import Application
from tamis.milter.reply import Replies
from tamis.milter.session import Session
from tamis.milter.worker import Worker
from tamis.quarantine.held_mail import Quarantine

BEFORE, AFTER = "before", "after"

WORKER_STAGES: dict[str, tuple[type[Any], str, str]] = {
    "connect": (Session, "connect", AFTER),
    "helo": (Session, "hello", AFTER),
    "mail": (Session, "envfrom", AFTER),
    "rcpt": (Session, "envrcpt", AFTER),
    "header": (Session, "header", AFTER),
    "body": (Session, "body", AFTER),
    "end-of-message": (Session, "eom", BEFORE),
    "examined": (Application, "apply", BEFORE),
    "note-written": (Notes, "write", AFTER),
    "recipient-added": (Session, "addrcpt", AFTER),
    "recipient-removed": (Session, "delrcpt", AFTER),
    "applied": (Application, "apply", AFTER),
    "counted": (Worker, "count", AFTER),
}
DESK_STAGES: dict[str, tuple[type[Any], str, str]] = {
    "arrived": (Desk, "take", BEFORE),
    "before-hold": (Quarantine, "hold", BEFORE),
    "held": (Quarantine, "hold", AFTER),
    "before-reinjection": (Reinjector, "send", BEFORE),
    "reinjected": (Reinjector, "send", AFTER),
    "before-mark": (DeskNotes, "done", BEFORE),
    "marked": (DeskNotes, "done", AFTER),
    "note-dropped": (Notes, "drop", AFTER),
}
BACKGROUND_STAGES: dict[str, tuple[type[Any], str, str]] = {
    "before-deciding": (Challenges, "decide", BEFORE),
    "decided": (Challenges, "decide", AFTER),
    "claimed": (Challenges, "claim", AFTER),
    "mailed": (Challenges, "sent", BEFORE),
    "noted": (Challenges, "sent", AFTER),
    "solved-before-closing": (Answers, "close", BEFORE),
    "solved-closed": (Answers, "close", AFTER),
}
REPLY_STAGES: dict[str, tuple[type[Any], str, str]] = {
    "before-replied": (Replies, "hold", BEFORE),
    "replied": (Replies, "hold", AFTER),
    "before-held-asked": (Challenges, "hold_asked", BEFORE),
    "held-asked": (Challenges, "hold_asked", AFTER),
}


def trap(stage: str, when: str, method: Callable[..., Any], folder: Path) -> Callable[..., Any]:
    """The method, with a trap before or after it."""

    def spring() -> None:
        for path in folder.glob(f"{stage}.*"):
            try:
                path.unlink()
            except FileNotFoundError:
                continue  # another thread took this one
            os.kill(os.getpid(), signal.SIGKILL)

    @functools.wraps(method)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if when == BEFORE:
            spring()
        result = method(*args, **kwargs)
        if when == AFTER:
            spring()
        return result

    return wrapper


def set_traps(folder: Path) -> None:
    """Put a trap at every stage; none springs while `folder` has no file for it."""
    stages = {**WORKER_STAGES, **DESK_STAGES, **BACKGROUND_STAGES, **REPLY_STAGES}
    for stage, (owner, name, when) in stages.items():
        setattr(owner, name, trap(stage, when, getattr(owner, name), folder))


if __name__ == "__main__":
    set_traps(Path(os.environ["TAMIS_TRAPS"]))
    main()
