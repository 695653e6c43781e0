"""What reports leave for `tamis rules propose`: of spam its traits, of honest mail only that they can be recognised.

    report -> traits (tamis/rules/traits.py) -> state_directory/rules/material.sqlite -> tamis rules propose

Traits of spam are kept in words, those of honest mail as hashes, so nobody reads there what a ham said. A file of its
own rather than the store: it belongs to one machine as the model does, and its loss costs no mail and no decision.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tamis.base.shared_files import make_folder, make_private
from tamis.contract.state_keys import client_network
from tamis.handover.origin import origin_of
from tamis.message.mail import Mail
from tamis.models.reports import Report, message_id
from tamis.rules.proposals import Sighting
from tamis.rules.traits import hashed, traits_of
from tamis.settings import Settings

log = logging.getLogger(__name__)

MOST = 2_000  # messages of each label that are kept; beyond: the oldest are forgotten
_MOST_TRAITS = 400  # traits of a spam message that are kept; beyond: left out
_MOST_HASHED = 2_000  # traits of a ham message that are kept; beyond: left out
_BUSY = 5.0  # seconds to wait for another process
_TABLE = """CREATE TABLE IF NOT EXISTS seen (number INTEGER PRIMARY KEY AUTOINCREMENT, message TEXT UNIQUE NOT NULL,
spam INTEGER NOT NULL, voice TEXT NOT NULL, network TEXT NOT NULL, traits TEXT NOT NULL)"""


@dataclass(frozen=True, slots=True)
class Material:
    """What is known now: reported spam, and the hashed traits of honest messages."""

    spam: tuple[Sighting, ...]
    ham: tuple[frozenset[str], ...]


class MaterialFile:
    """The file of an installation."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._path = settings.rules_directory / "material.sqlite"

    def note(self, report: Report, mail: Mail) -> None:
        """Keep what a report says, or forget its message. Trouble costs that, never the report."""
        if self._settings.rules.propose == "off":
            return
        try:
            with self._opened() as database:
                if report.label == "forget":
                    database.execute("DELETE FROM seen WHERE message = ?", [message_id(mail)])
                    return
                spam = report.label == "spam"
                one = sighting_of(mail, self._settings, voice=report.reporter)
                traits = sorted(one.traits, key=hashed)[:_MOST_TRAITS] if spam else _hashed(one.traits)
                row = (
                    one.message,
                    spam,
                    one.voice if spam else "",
                    one.network if spam else "",
                    json.dumps(traits),
                )
                database.execute(
                    "INSERT OR REPLACE INTO seen (message, spam, voice, network, traits) VALUES (?, ?, ?, ?, ?)",
                    row,
                )
                database.execute(
                    "DELETE FROM seen WHERE spam = ? AND number <= (SELECT number FROM seen WHERE spam = ?"
                    " ORDER BY number DESC LIMIT 1 OFFSET ?)",
                    (spam, spam, MOST),
                )
        except (OSError, sqlite3.Error) as error:
            log.warning("a report leaves nothing for proposed rules: %s", error)

    def read(self) -> Material:
        """What stands there; nothing where there is no file. Raises OSError."""
        if not self._path.exists():
            return Material((), ())
        try:
            with self._opened() as database:
                rows = list(
                    database.execute("SELECT message, spam, voice, network, traits FROM seen ORDER BY number")
                )
        except sqlite3.Error as error:
            raise OSError(f"{self._path}: {error}") from error
        spam = (Sighting(m, frozenset(json.loads(t)), v, n) for m, is_spam, v, n, t in rows if is_spam)
        ham = (frozenset(json.loads(traits)) for _, is_spam, _, _, traits in rows if not is_spam)
        return Material(tuple(spam), tuple(ham))

    @contextlib.contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        make_folder(self._path.parent, 0o750)
        fresh = not self._path.exists()
        if fresh:
            with contextlib.suppress(FileExistsError):
                os.close(make_private(self._path))
        with contextlib.closing(sqlite3.connect(self._path, timeout=_BUSY)) as database:
            if fresh:
                database.execute("PRAGMA journal_mode = DELETE")
            database.execute(_TABLE)
            with database:
                yield database


def sighting_of(mail: Mail, settings: Settings, *, voice: str) -> Sighting:
    """What is to be known of a message that `voice` reports."""
    ip = origin_of(mail, settings)
    network = client_network(ip) if ip is not None else ""
    return Sighting(message_id(mail), traits_of(mail), voice, network)


def with_folders(
    material: Material, spam: Iterable[Mail], ham: Iterable[Mail], settings: Settings
) -> Material:
    """Material together with labelled mail; each network that spam came from counts as a voice, for nobody reported."""
    seen = {one.message: one for one in material.spam}
    for mail in spam:
        one = sighting_of(mail, settings, voice="")
        seen.setdefault(one.message, Sighting(one.message, one.traits, one.network, one.network))
    return Material(
        tuple(seen.values()), (*material.ham, *(frozenset(_hashed(traits_of(mail))) for mail in ham))
    )


def _hashed(traits: Iterable[str]) -> list[str]:
    return sorted(map(hashed, traits))[:_MOST_HASHED]
