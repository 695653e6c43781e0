"""What readers say by moving a message to Junk or out of it, on its way from the learning thread to the labels.

    report -> a file each in `Paths.words` -> SaidLabels of the store

The message is named by the id that we wrote into it (X-Spam-Id), else by its Message-ID. Either is only believed as far
as the reader's own mailbox got a copy of it: no other copy is spoken of.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tamis.base.shared_files import read_json, write_json
from tamis.database.effective_labels import LabelSource
from tamis.database.labels import SaidLabels
from tamis.installation.paths import Paths
from tamis.message.mail import Mail
from tamis.models.reports import Report

log = logging.getLogger(__name__)

_MAX_WAITING = 10_000
_MAX_NAME = 998
"""Characters of a Message-ID (beyond: it names nothing)."""
_WANTED = {"spam": False, "ham": True, "forget": None}


def leave_word(paths: Paths, report: Report, mail: Mail, prefix: str) -> None:
    """Leave what a report says of the reader's copy for the store."""
    if len(waiting_words(paths)) >= _MAX_WAITING:
        log.warning("a move to or from Junk is not counted: %d wait for the store already", _MAX_WAITING)
        return
    told: dict[str, Any] = {
        "message": _text(mail, f"{prefix}Id"),
        "message_id": _text(mail, "Message-ID"),
        "mailbox": report.reporter,
        "wanted": _WANTED[report.label],
        "at": datetime.now(UTC).isoformat(),
    }
    write_json(paths.words / f"{time.time_ns():020d}-{os.getpid()}.json", told)


def _text(mail: Mail, name: str) -> str:
    value = (mail.headers.first(name) or "").strip()
    return value if len(value) <= _MAX_NAME else ""


def waiting_words(paths: Paths) -> Sequence[Path]:
    """The files that wait, the oldest first."""
    return sorted(paths.words.glob("[0-9]*.json")) if paths.words.is_dir() else []


def take_in_words(files: Sequence[Path], labels: SaidLabels) -> None:
    """Bring words into the store, and remove their files. Raises StoreError; taking a word in twice changes nothing."""
    for path in files:
        told = read_json(path)
        if isinstance(told, dict):
            _note(told, labels)
        path.unlink(missing_ok=True)


def _note(told: dict[str, Any], labels: SaidLabels) -> None:
    mailbox, wanted, at = told["mailbox"], told["wanted"], datetime.fromisoformat(told["at"])
    message = labels.named(mailbox, message=told["message"], message_id=told["message_id"])
    if not message:
        return
    if wanted is None:
        labels.take_back(message, mailbox, LabelSource.JUNK_MOVE, mailbox, now=at)
    else:
        labels.say(message, mailbox, wanted, LabelSource.JUNK_MOVE, mailbox, now=at)
