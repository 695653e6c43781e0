"""The background process: maintenance that no message depends on."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tamis import __version__
from tamis.background.abuse_mailbox import AbuseMailbox
from tamis.background.asking import Asking
from tamis.background.feeds import Feeds
from tamis.background.host_state import state_of
from tamis.background.hourly_checks import Examining
from tamis.background.mailing import Digesting
from tamis.background.working import Working
from tamis.base.breaker import Breakers
from tamis.base.errors import TamisError
from tamis.base.shared_files import read_json
from tamis.base.tokens import Tokens
from tamis.database.earned_senders import Sender
from tamis.database.history import EXPIRE_BATCH
from tamis.desk.redirection_notes import Notes
from tamis.desk.reinjection import Reinjector
from tamis.desk.release import delivery
from tamis.handover.junk_moves import take_in_words, waiting_words
from tamis.handover.marking import take_in as take_in_marks
from tamis.handover.marking import waiting
from tamis.handover.own_rules import write_own_rules
from tamis.handover.part_states import PartsFile
from tamis.handover.sender_events import fill, publish, take_in
from tamis.handover.stories import finished, read_stories
from tamis.installation.paths import Paths, host_name
from tamis.installation.publishing import Publisher
from tamis.installation.signing_key import signing_key
from tamis.judging.site import Site
from tamis.language.time_zone import zone_of
from tamis.services.state.opening import open_state
from tamis.settings import SettingsFile
from tamis.store import Store

if TYPE_CHECKING:
    from tamis.background.exporter import Exporter

log = logging.getLogger(__name__)

_TICK = 1.0  # seconds: how soon a change of policy or lists is in force
_SLOW_TICK = 60.0
_BATCH = 500
_DIGEST_TICK = 10.0
_HEALTH_TICK = 10.0
_TURN = 1.0  # seconds that a long task may keep the others waiting


class Background:
    """Its tasks in turn, in one thread; one that fails is logged and tried again at its next turn."""

    def __init__(
        self,
        site: Callable[[], Site],
        store: Store,
        stopping: threading.Event,
        file: Callable[[], SettingsFile],
    ) -> None:
        self._site = site
        self._file = file
        self._noted: SettingsFile | None = None
        self._rules = 0
        self._stopping = stopping
        self._store = store
        settings = site().settings
        self._publisher = Publisher(settings.snapshot_file, store)
        self._paths = Paths(settings)
        self._notes = Notes(self._paths.notes, self._paths.former_notes)
        breakers = Breakers(settings.breakers.limits)
        self._parts = PartsFile(self._paths.parts, breakers)
        self._state = open_state(settings, breakers)
        self._loop = asyncio.Runner()
        tokens = Tokens(signing_key(settings.key_file))
        self._asking = Asking(site, store, tokens)
        self._feeds = Feeds(self._paths.feeds, breakers)
        self._abuse_mailbox = AbuseMailbox()
        self._digesting = Digesting(
            site, store, tokens, lambda: Reinjector(site().settings.desk.reinject).send
        )
        self._examining = Examining(lambda: file().path)
        self._working = Working(store.jobs, host_name(settings), lambda: file().path)
        self._unpublished: list[Sender] = []
        self._exporter: Exporter | None = None
        self._tasks: list[tuple[Callable[[], float], list[float]]] = [
            (self._tell, [0.0]),
            (self._tell_health, [0.0]),
            (self._publish, [0.0]),
            (self._publish_rules, [0.0]),
            (self._note_file, [0.0]),
            (self._count_hits, [0.0]),
            (self._remember, [0.0]),
            (self._learn_senders, [0.0]),
            (self._take_marks, [0.0]),
            (self._take_words, [0.0]),
            (self._read_feeds, [0.0]),
            (self._read_abuse_mailbox, [0.0]),
            (self._export, [0.0]),
            (self._decide, [0.0]),
            (self._ask, [0.0]),
            (self._finish, [0.0]),
            (self._resume, [0.0]),
            (self._expire, [0.0]),
            (self._digest, [0.0]),
            (self._work, [0.0]),
            (self._forget, [0.0]),
        ]

    def run(self) -> None:
        """Run the tasks in turn until `stopping` is set."""
        failing: set[str] = set()
        while not self._stopping.is_set():
            for task, due in self._tasks:
                name = task.__name__.strip("_")
                if time.monotonic() < due[0]:
                    continue
                try:
                    due[0] = time.monotonic() + task()
                    if name in failing:
                        failing.discard(name)
                        log.info("%s works again", name)
                except Exception as error:  # a mistake of ours in one task must not end the others
                    due[0] = time.monotonic() + _TICK
                    if name not in failing:  # said once, not every second of an outage
                        failing.add(name)
                        foreseen = isinstance(error, TamisError | OSError)
                        log.error("%s failed and is tried again: %s", name, error, exc_info=not foreseen)
            self._parts.write()
            self._stopping.wait(_TICK)
        self._working.close()
        self._examining.close()

    def _work(self) -> float:
        """What people asked for on the pages."""
        self._working.step()
        return _TICK

    def _tell(self) -> float:
        """Say to the other hosts of the store that this one is there."""
        settings = self._site().settings
        self._store.hosts.tell(host_name(settings), __version__, settings.web.url)
        return _SLOW_TICK

    def _tell_health(self) -> float:
        """Say to the pages how this host is."""
        settings = self._site().settings
        self._examining.step(self._store.healths.asked_for_checks())
        checked = self._examining.at.timestamp() if self._examining.at else 0.0
        state = replace(state_of(settings), checks=self._examining.checks, checked=checked)
        self._store.healths.tell(host_name(settings), state)
        return _TICK if self._examining.process else _HEALTH_TICK

    def _publish(self) -> float:
        """Bring the snapshot up to date when the store's revision moved, or somebody touched it."""
        self._publisher.publish()
        self._site().settings.former_snapshot.unlink(
            missing_ok=True
        )  # an older version must not start with it
        return _TICK

    def _publish_rules(self) -> float:
        """Bring the rules that are kept in the store to this host when there is a newer version."""
        newest = self._store.rules.newest()
        if newest != self._rules:
            write_own_rules(self._site().settings, self._store.rules.current().text)
            self._rules = newest
        return _TICK

    def _note_file(self) -> float:
        """Policy that was changed in the settings file is a version as well."""
        file = self._file()
        if file is not self._noted:
            self._store.overrides.versions.note_file(file.layers)
            self._noted = file
        return _TICK

    def _count_hits(self) -> float:
        """Add up what the workers left, then forget it."""
        files = sorted(self._paths.hits.glob("[0-9]*.json")) if self._paths.hits.is_dir() else []
        counts: Counter[int] = Counter()
        for path in files:
            counts.update({int(entry): int(hits) for entry, hits in (read_json(path) or {}).items()})
        if counts:
            self._store.lists.count_hits(counts)
        for path in files:
            path.unlink(missing_ok=True)
        return 5 * _TICK

    def _read_abuse_mailbox(self) -> float:
        """Count the abuse reports that came."""
        self._abuse_mailbox.step(self._site().settings, self._store.complaints)
        return _TICK

    def _export(self) -> float:
        """Serve metrics, if they are wanted; the library is loaded only then."""
        listen = self._site().settings.metrics.listen
        if listen and self._exporter is None:
            from tamis.background.exporter import Exporter  # noqa: PLC0415

            self._exporter = Exporter(self._paths)
        if self._exporter is not None:
            self._exporter.serve(listen)
            self._exporter.gather()
            self._exporter.challenges = self._asking.counts.copy()
        return _TICK

    def _remember(self) -> float:
        """Bring the workers' journal into the store. A file is removed when all of it is there."""
        book, platform = self._site().book, self._site().settings.platform
        for path in finished(self._paths.journal):
            stories = list(read_stories(path))
            everybody = (who for _, story in stories for who, _ in story.recipients)
            mailboxes = book.mailboxes([who for who in everybody if platform.is_here(who)])
            self._store.history.add(stories, mailboxes, zone_of(book.policy("").terms.time_zone))
            path.unlink(missing_ok=True)
            if self._stopping.is_set():
                break
        return 2 * _TICK

    def _forget(self) -> float:
        """Drop what the history keeps no longer."""
        settings = self._site().settings.history
        while not self._stopping.is_set():
            gone = self._store.history.expire(datetime.now(UTC), days=settings.days, most=settings.most)
            if gone < EXPIRE_BATCH:
                break
        self._store.statistics_upkeep.expire(datetime.now(UTC), days=self._site().settings.statistics.days)
        return self._site().settings.store.expire_every

    def _learn_senders(self) -> float:
        """Take in what the workers learnt of senders, and keep the shared state filled with what the store knows."""
        changed = take_in(self._paths.senders, self._store.senders)
        self._unpublished += changed
        self._loop.run(fill(self._state, self._store))
        if self._unpublished:
            self._loop.run(publish(self._state, self._unpublished))
            self._unpublished = []
        return _TICK

    def _take_marks(self) -> float:
        """Bring what was marked by hand into the store, and let the workers know."""
        files = waiting(self._paths.marks)[:_BATCH]
        self._loop.run(take_in_marks(files, self._store, self._state, self._site().settings))
        for path in files:
            path.unlink(missing_ok=True)
        return _TICK

    def _take_words(self) -> float:
        """Bring what readers said by moving messages into the store."""
        take_in_words(waiting_words(self._paths)[:_BATCH], self._store.labels)
        return _TICK

    def _read_feeds(self) -> float:
        """Read the lists of complaints when it is time, and keep the shared state filled with them."""
        platform = self._site().settings.platform
        every, own = platform.complaint_refresh, platform.domains
        self._loop.run(self._feeds.step(platform.complaint_feeds, every, self._state, own))
        return _TICK

    def _decide(self) -> float:
        """Which senders of held mail may be asked."""
        self._asking.decide(time.monotonic() + _TURN)
        return _TICK

    def _ask(self) -> float:
        """Mail the notices."""
        self._asking.mail()
        return _TICK

    def _finish(self) -> float:
        """What senders' right answers left to do."""
        self._asking.finish(self._loop, self._state)
        return _TICK

    def _resume(self) -> float:
        """Take up releases that a crash interrupted."""
        self._store.quarantine.resume_releases(delivery(self._site().settings))
        return _SLOW_TICK

    def _digest(self) -> float:
        """Send the digests that are due."""
        until = time.monotonic() + _TURN
        return _DIGEST_TICK if self._digesting.step(until) else _TICK

    def _expire(self) -> float:
        """Remove what is past its retention, in small batches so that no mail waits for it."""
        until = time.monotonic() + _TURN

        def stop() -> bool:
            return self._stopping.is_set() or time.monotonic() > until

        count = self._store.expiry.run(stop=stop)
        early = self._store.quotas.relieve(self._site().settings.quarantine, datetime.now(UTC), stop)
        if early:
            log.warning("%d held messages were dropped before their time: a quota was full", early)
        for full in self._store.quotas.full(self._site().settings.quarantine):
            log.error(
                "%s holds %d octets, more than its quota of %d, and all of it is guaranteed",
                full.usage.scope,
                full.usage.octets,
                full.quota,
            )
        self._notes.expire()
        self._store.senders.expire()
        self._store.marks.expire()
        self._store.blocked.expire()
        self._store.lists.expire_hits()
        self._store.invitations.expire()
        self._store.jobs.expire()
        self._store.complaints.expire()
        if count:
            log.info("%d messages expired", count)
        unfinished = time.monotonic() > until
        return _TICK if unfinished else self._site().settings.store.expire_every
