"""Marks by hand on their way: reports of readers and operators -> files -> the store -> the shared state and the lists.

The report's file is removed only when the mark's file is there, and that one only when the store has it and it is
published. Taking a word in twice changes nothing.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tamis.base.errors import ServiceError
from tamis.base.shared_files import read_json, write_json
from tamis.contract.lists import Colour, Subject
from tamis.contract.marked_sketches import (
    client_in,
    marked_sketch,
    sketch_fingerprint,
    sketches_key,
    written_sketches,
)
from tamis.contract.service_protocols import FileFacts, SharedState
from tamis.database.list_entries import NewEntry
from tamis.database.marks import Fingerprint, Mark, Marked, MarkKind, by_scope
from tamis.filters.image_text import documents_of, images_of, seen_in
from tamis.filters.marked_spam import fingerprint_of, marked_key
from tamis.filters.shared.attached import files_of
from tamis.handover.junk_moves import leave_word
from tamis.handover.origin import answered_for, origin_of
from tamis.installation.paths import Paths
from tamis.message.address import PLATFORM, domain_of
from tamis.message.mail import Mail
from tamis.message.mail.checksums import checksum, former_checksum
from tamis.message.mail.likeness import sketch_of
from tamis.models.reports import Report, message_id
from tamis.services.files.attachments import inspect
from tamis.services.files.reader import FileReader
from tamis.services.state.opening import observe_state
from tamis.settings import Settings

if TYPE_CHECKING:
    from tamis.database.marks import Marks
    from tamis.store import Store

log = logging.getLogger(__name__)

HANDS = frozenset({"dovecot", "web", "quarantine"})
"""The sources of reports behind which a person looked at that one message; `tamis learn` is for folders of mail."""

JUNK_MOVES = "dovecot"
"""The source of reports behind which a reader moved that message to Junk, or out of it."""

LEARNED = "learned"
"""The origin of list entries that come from marks."""

_TAG = "SPAM: "
_MAX_FILES = 20
_MAX_WAITING = 10_000
_LABELS = {"spam": True, "ham": False, "forget": None}
_SUBJECTS = {MarkKind.ATTACHMENT: Subject.ATTACHMENT, MarkKind.IMAGE: Subject.IMAGE}


class Marking:
    """Sees each report before it is learned (models.queue.Attend): leaves the marks that it makes in a file, and
    gives the message back with what S22 has read in it before."""

    def __init__(self, settings: Settings, tag_of: Callable[[str], str] = lambda _: _TAG) -> None:
        self._settings = settings
        self._tag_of = tag_of
        self._directory = Paths(settings).marks

    def __call__(self, report: Report, mail: Mail) -> Mail:
        """See models.queue.Attend."""
        if report.source == JUNK_MOVES and "@" in report.reporter:
            leave_word(Paths(self._settings), report, mail, self._settings.headers.prefix)
        read = read_before(mail, self._settings)
        scope = scope_of(report, self._settings.platform.domains)
        if report.source in HANDS and scope:
            tag = self._tag_of(report.reporter)
            self._leave(
                marks_of(
                    mail,
                    read,
                    self._settings,
                    scope=scope,
                    reporter=report.reporter,
                    spam=_LABELS[report.label],
                    tag=tag,
                )
            )
        return mail.with_seen(seen_in(read, mail))

    def _leave(self, marks: Iterable[Mark]) -> None:
        made = [asdict(mark) for mark in marks]
        number = len(waiting(self._directory))
        if number >= _MAX_WAITING:
            log.warning("a mark by hand is lost: %d wait for the store already", number)
        elif made:
            write_json(self._directory / f"{time.time_ns():020d}-{os.getpid()}.json", made)


def scope_of(report: Report, domains: Iterable[str]) -> str:
    """Where a report counts: the reader's domain; an operator's everywhere; "" where nobody knows."""
    if domain := domain_of(report.reporter):
        return domain
    if report.source == "quarantine":
        return PLATFORM
    only = tuple(domains)
    return only[0] if len(only) == 1 else ""


def marks_of(
    mail: Mail,
    read: Iterable[FileFacts],
    settings: Settings,
    *,
    scope: str,
    reporter: str,
    spam: bool | None,
    tag: str = _TAG,
    origin: str = "",
) -> Iterator[Mark]:
    """The words on a message: on its content with its origin, and on each file in it."""
    message = message_id(mail)

    def mark(kind: MarkKind, fingerprint: str) -> Mark:
        return Mark(kind, fingerprint, scope, message, reporter, spam)

    if (ip := origin_of(mail, settings, told=origin)) is not None:
        yield mark(MarkKind.MESSAGE, fingerprint_of(ip, checksum(mail, tag=tag)))
        if sketch := sketch_of(mail):
            told = sketch_fingerprint(ip, answered_for(mail, settings), sketch)
            yield mark(MarkKind.LIKENESS, told)
        if not spam:  # what was marked with the former sum is taken back as well
            yield mark(MarkKind.MESSAGE, fingerprint_of(ip, former_checksum(mail, tag=tag)))
    for value, kind in _files(mail, read).items():
        yield mark(kind, value)


def _files(mail: Mail, read: Iterable[FileFacts]) -> dict[str, MarkKind]:
    """The fingerprints of images, and of attachments and what is in archives."""
    found: dict[str, MarkKind] = {}
    for one in read:
        if one.perceptual:
            found[one.perceptual] = MarkKind.IMAGE
            found[one.sha256] = MarkKind.IMAGE
    try:
        files = inspect(files_of(mail))
    except ServiceError as error:
        log.warning("files of a marked message were not looked at: %s", error)
        files = ()
    for file in files:
        if file["sha256"] and not file["kind"].startswith("image/"):
            found.setdefault(file["sha256"], MarkKind.ATTACHMENT)
    return dict(list(found.items())[:_MAX_FILES])


def read_before(mail: Mail, settings: Settings) -> list[FileFacts]:
    """What S22 read in a message when it came, as far as the shared state remembers: nothing is read anew."""
    files = [*images_of(mail), *documents_of(mail)]
    if not files:
        return []

    async def ask() -> list[FileFacts]:
        state = observe_state(settings)
        try:
            return await FileReader(settings.images).remembered(files, state)
        finally:
            await state.close()

    return asyncio.run(ask())


def waiting(directory: Path) -> list[Path]:
    """The files of marks that wait, oldest first."""
    return sorted(directory.glob("[0-9]*.json")) if directory.is_dir() else []


async def take_in(files: Iterable[Path], store: Store, state: SharedState, settings: Settings) -> None:
    """Bring marks into the store and publish what they change. Raises StoreError and ServiceError, and then the files
    are to be taken in again."""
    marks = [_mark(told) for path in files for told in read_json(path) or ()]
    if marks:
        expires = datetime.now(UTC) + timedelta(days=settings.learning.mark_days)
        await publish(store.marks.note(marks, expires=expires), store, state, settings.learning.learned_from)


async def publish(about: Iterable[Fingerprint], store: Store, state: SharedState, learned_from: int) -> None:
    """Let workers have what stands for some fingerprints now. Raises StoreError, ServiceError."""
    about = list(about)
    marked = store.marks.of(about)
    await publish_marked(state, about, marked)
    learn_files(about, marked, store, learned_from)


async def publish_marked(state: SharedState, about: Iterable[Fingerprint], marked: Iterable[Marked]) -> None:
    """Let workers have what stands for contents (`Marks.of`) now. Raises ServiceError."""
    marked = list(marked)
    contents = by_scope(one for one in marked if one.kind is MarkKind.MESSAGE)
    for kind, fingerprint in about:
        if kind is MarkKind.MESSAGE and fingerprint not in contents:
            await state.drop(marked_key(fingerprint))
    await publish_contents(state, marked)
    for client in dict.fromkeys(client_in(one) for kind, one in about if kind is MarkKind.LIKENESS):
        await publish_sketches(state, client, [one for one in marked if client_in(one.fingerprint) == client])


async def publish_contents(state: SharedState, marked: Iterable[Marked]) -> None:
    """Put marked contents into the shared state until their marks end. Raises ServiceError."""
    now = datetime.now(UTC)
    marked = [one for one in marked if one.kind is MarkKind.MESSAGE]
    until = {one.fingerprint: one.expires for one in sorted(marked, key=lambda one: one.expires)}
    for fingerprint, scopes in by_scope(marked).items():
        seconds = (until[fingerprint] - now).total_seconds()
        if seconds > 0:
            await state.put(marked_key(fingerprint), json.dumps(scopes), seconds)


async def publish_sketches(state: SharedState, client: str, marked: Iterable[Marked]) -> None:
    """Let workers have all that others of a client's messages may be alike to. Raises ServiceError."""
    marked = [one for one in marked if one.kind is MarkKind.LIKENESS]
    until: dict[str, float] = {}
    for one in marked:
        until[one.fingerprint] = max(until.get(one.fingerprint, 0.0), one.expires.timestamp())
    seconds = max(until.values(), default=0.0) - datetime.now(UTC).timestamp()
    if seconds <= 0:
        await state.drop(sketches_key(client))
        return
    kept = [marked_sketch(told, scopes, until[told]) for told, scopes in by_scope(marked).items()]
    await state.put(sketches_key(client), written_sketches(kept), seconds)


async def publish_all(state: SharedState, marks: Marks) -> None:
    """Put every marked content into the shared state. Raises StoreError, ServiceError."""
    for part in marks.all_messages():
        await publish_contents(state, part)
    for of_client in marks.all_sketches():
        await publish_sketches(state, client_in(of_client[0].fingerprint), of_client)


def learn_files(
    about: Iterable[Fingerprint], marked: Iterable[Marked], store: Store, learned_from: int
) -> None:
    """Put files that were marked often enough onto the lists, and take off those that no longer are."""
    wanted = {
        (one.kind, one.fingerprint, one.scope): one
        for one in marked
        if one.kind in _SUBJECTS and learned_from and one.messages >= learned_from and not one.ham
    }
    there: set[tuple[MarkKind, str, str]] = set()
    gone: list[int] = []
    for kind, fingerprint in about:
        if kind not in _SUBJECTS:
            continue
        for entry in store.lists.find(subject=_SUBJECTS[kind], pattern=fingerprint):
            # on either list: what somebody put on the white one is not ours to take off
            there.add((kind, fingerprint, entry.scope))
            if entry.origin == LEARNED and (kind, fingerprint, entry.scope) not in wanted:
                gone.append(entry.id)
    new = [
        NewEntry(
            colour=Colour.BLACK,
            subject=_SUBJECTS[kind],
            pattern=fingerprint,
            scope=scope,
            origin=LEARNED,
            note=f"in {one.messages} messages marked as spam",
            expires=one.expires,
        )
        for (kind, fingerprint, scope), one in wanted.items()
        if (kind, fingerprint, scope) not in there
    ]
    if new:
        store.lists.add(new)
    if gone:
        store.lists.remove(gone, by=LEARNED)


def _mark(told: dict[str, Any]) -> Mark:
    return Mark(**(told | {"kind": MarkKind(told["kind"])}))
