"""The background process's other thread: it takes in reports, measures the model and looks for rules that reports
suggest, off every mail's way."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from tamis.base.errors import TamisError
from tamis.judging.site import Site
from tamis.models.reports import Spool
from tamis.models.shared_place import is_behind
from tamis.settings import Settings
from tamis.store import Store

if TYPE_CHECKING:
    from tamis.models.writer import LeftOff

log = logging.getLogger(__name__)

_TICK = 1.0
_HELD = 3.0
"""Seconds that the model stays open after the last report, before `tamis learn` can have it."""
_KEPT = 300.0
"""Seconds that its tables (23 MB) stay in memory after that: then opening it again means learning its journal again,
some 1 ms of processor time a report."""
_AFTER_TROUBLE = 30.0
_DAY = 86_400.0
_NAMED = 10
"""Reports that one line of the log names; beyond: only counted."""


class Learning:
    """The only writer of the model while the daemon runs; releases its lock when no report is queued."""

    def __init__(self, site: Callable[[], Site], store: Store, stopping: threading.Event) -> None:
        self._site = site
        self._store = store
        self._stopping = stopping
        self._unreadable: frozenset[str] = frozenset()
        self._left_off: LeftOff | None = None
        self._let_go = 0.0

    def start(self) -> None:
        """Run in a thread that the process does not wait for: a stop at any moment loses nothing."""
        threading.Thread(target=self._run, name="learning", daemon=True).start()

    def _run(self) -> None:
        trouble = ""
        proposing = 0.0
        while not self._stopping.is_set():
            pause = _TICK
            settings = self._site().settings
            try:
                if settings.rules.propose == "shadow" and time.monotonic() >= proposing:
                    proposing = time.monotonic() + _DAY
                    self._take_into_shadow()
                spool = Spool(settings.spool_directory)
                if spool.waiting() > self.look_for_unreadable(spool) or self._is_behind(settings):
                    self._learn(settings)
                    trouble = ""
            except (TamisError, OSError) as error:
                if not _is_busy(error):
                    pause = _AFTER_TROUBLE
                    if str(error) != trouble:  # said once
                        log.error("reports wait, learning failed and is tried again: %s", error)
                    trouble = str(error)
            if self._left_off is not None and time.monotonic() >= self._let_go + _KEPT:
                self._left_off = None
            self._stopping.wait(pause)

    def look_for_unreadable(self, spool: Spool) -> int:
        """How many reports we may not read; each is named in the log once."""
        found = spool.unreadable()
        new = [name for name in found if name not in self._unreadable]
        self._unreadable = frozenset(found)
        if new:
            log.warning(
                "%s: %d reports can't be read and stay there, `tamis doctor` says what to do: %s%s",
                spool.folder,
                len(new),
                ", ".join(map(repr, new[:_NAMED])),
                " ..." if len(new) > _NAMED else "",
            )
        return len(found)

    def _tag_of(self, reporter: str) -> str:
        return self._site().book.policy(reporter).terms.tag

    def _take_into_shadow(self) -> None:
        """What reports suggest, where it decides nothing."""
        from tamis.handover.rule_material import MaterialFile  # noqa: PLC0415 - for sites that learn
        from tamis.handover.taken_rules import TakenRules  # noqa: PLC0415

        site = self._site()
        taken = TakenRules(site.settings, frozenset(one.name for one in site.filters))
        found = taken.propose(MaterialFile(site.settings).read())[: taken.room]
        if found:
            taken.take([one.name for one in found], shadow=True)
            log.info("%d proposed rules are in shadow; tamis rules taken lists them", len(found))

    def _is_behind(self, settings: Settings) -> bool:
        """Whether other hosts of the store taught something."""
        if not self._store.is_shared:
            return False
        return is_behind(settings.model_directory, self._store.model_steps)

    def _learn(self, settings: Settings) -> None:
        # numpy and the model's tables are for sites that learn.
        from tamis.handover.marking import Marking  # noqa: PLC0415
        from tamis.handover.rule_material import MaterialFile  # noqa: PLC0415
        from tamis.installation.teacher import open_teacher, shared_counts  # noqa: PLC0415
        from tamis.models.queue import Queue, attended  # noqa: PLC0415

        left_off, self._left_off = self._left_off, None
        with open_teacher(settings, self._store, left_off) as teacher:
            attend = attended(MaterialFile(settings).note, Marking(settings, self._tag_of))
            queue = Queue(settings, teacher, attend=attend, taught=shared_counts(self._store))
            until = time.monotonic() + _HELD
            while not self._stopping.is_set() and time.monotonic() < until:
                taken = queue.take_in()
                if teacher.catch_up() or taken:
                    teacher.publish()
                    until = time.monotonic() + _HELD
                else:
                    self._stopping.wait(0.2)
            if not self._stopping.is_set() and teacher.measuring_due():
                teacher.measure()
            self._left_off, self._let_go = teacher.left_off(), time.monotonic()


def _is_busy(error: Exception) -> bool:
    from tamis.models.model_file import ModelBusyError  # noqa: PLC0415 - see _learn

    return isinstance(error, ModelBusyError)
