"""Redirection notes: what the desk should know of a copy beyond its addresses. Helpful, never needed."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tamis.base.shared_files import read_json, write_json
from tamis.contract.finding import Finding
from tamis.judging.verdict import Verdict
from tamis.message.envelope import Envelope
from tamis.message.header_editing import NewFields

log = logging.getLogger(__name__)

KEEP_SECONDS = 6 * 86400
"""How long a note can be wanted: Postfix's queue gives up after 5 days (maximal_queue_lifetime)."""


@dataclass(frozen=True, slots=True)
class Note:
    """One copy's details. `tag` is put before the subject ("" leaves it); `verdict` is plain data; `asks` says that the
    sender is being asked in the SMTP dialogue, as soon as the copy is held; `mailbox` is whose copy it is, "" if not
    told."""

    headers: NewFields
    tag: str
    retention_days: int
    verdict: Mapping[str, Any]
    findings: tuple[Finding, ...]
    envelope: Envelope
    asks: bool = False
    mailbox: str = ""


class Notes:
    """A folder of notes: a file for each redirected copy, with a name (a hard link) for each of its addresses."""

    def __init__(self, folder: Path, former: Path | None = None) -> None:
        """`former`: where an earlier version left notes that queued copies may still want; nothing is written there."""
        self._folder = folder
        self._folders = (folder,) if former is None else (folder, former)

    def write(self, addresses: Sequence[str], note: Note) -> None:
        """Leave a note for the desk; a full disk costs the details, not the mail."""
        first, *others = (self._folder / _file_name(address) for address in addresses)
        data = {
            "headers": note.headers,
            "tag": note.tag,
            "retention_days": note.retention_days,
            "verdict": note.verdict,
            "findings": [finding.to_dict() for finding in note.findings],
            "envelope": note.envelope.to_dict(),
            "asks": note.asks,
            "mailbox": note.mailbox,
        }
        try:
            write_json(first, data)
            for other in others:
                other.unlink(missing_ok=True)  # of the same message, sent again
                other.hardlink_to(first)
        except OSError as error:
            log.warning("no note for %s: %s", addresses[0], error)

    def read(self, address: str) -> Note | None:
        """The note for a redirection address, or None when it is gone or can't be read."""
        found = (read_json(folder / _file_name(address)) for folder in self._folders)
        data = next((one for one in found if one is not None), None)
        if data is None:
            return None
        try:
            return Note(
                tuple((name, value) for name, value in data["headers"]),
                data["tag"],
                data["retention_days"],
                data["verdict"],
                tuple(Finding.from_dict(finding) for finding in data["findings"]),
                Envelope.from_dict(data["envelope"]),
                bool(data.get("asks", False)),
                str(data.get("mailbox", "")),
            )
        except (KeyError, TypeError, ValueError) as error:
            log.warning("unreadable note for %s: %s", address, error)
            return None

    def drop(self, address: str) -> None:
        """Forget a note whose copy is dealt with; one that can't be removed is left to `expire`."""
        for folder in self._folders:
            with contextlib.suppress(OSError):
                (folder / _file_name(address)).unlink(missing_ok=True)

    def expire(self) -> int:
        """Forget notes that no queued copy can still want; the number of them."""
        before, count = time.time() - KEEP_SECONDS, 0
        for path in (path for folder in self._folders if folder.is_dir() for path in folder.iterdir()):
            with contextlib.suppress(FileNotFoundError):  # the desk drops notes meanwhile
                if path.stat().st_mtime < before:
                    path.unlink()
                    count += 1
        return count


def _file_name(address: str) -> str:
    """Transaction and signature name a redirection, and both are checked labels before they get here."""
    transaction, signature = address.rpartition("@")[2].split(".")[-5:-3]
    return f"{transaction}-{signature}.json"


def verdict_data(verdict: Verdict) -> dict[str, Any]:
    """A verdict in a form that JSON can hold."""
    return asdict(verdict)
