"""Taking in what waits in the spool: bounds, the alarm, and the model, each report once.

A report's file is removed after its message is in the journal, and a message in the journal is not learned again,
so a kill at any moment loses none and doubles none.

What one reporter, one domain and one source can teach in a day, on all hosts of a store together, is bounded, because
a stolen mailbox or a script gone wild must not own the model; what is beyond is dropped and counted. What nobody looked
at has bounds of its own, so that no stranger can use up the readers'. A source that contradicts the model again and
again where the model is sure raises an alarm: the source or the model is wrong, and a person should look.
Where no person looked at the message (a honeypot, a challenge, outgoing mail) such a report is counted and teaches
nothing, since whoever writes to a honeypot chooses what it would teach.

The domain of a reporter that is one of the platform's gets a correction of its own (`correction`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tamis.message.address import domain_of
from tamis.message.mail import Mail
from tamis.message.test_strings import asked_of
from tamis.models.beside import points_beside
from tamis.models.features import extract
from tamis.models.folds import sent_by
from tamis.models.header_tokens import Home
from tamis.models.ledger import LEDGER, Ledger, Taught
from tamis.models.levels import Levels
from tamis.models.model_file import ModelError
from tamis.models.reports import SOURCES, Report, Spool, message_id
from tamis.models.site_model import LEVELS, home_of
from tamis.models.strangers import stranger_of
from tamis.models.teaching import Teacher
from tamis.settings import Settings

log = logging.getLogger(__name__)

BATCH = 200
"""Reports between two publications."""
SURE = 0.02
"""A label that the model gives a smaller probability contradicts it."""

Attend = Callable[[Report, Mail], Mail]
"""Told of each report that is taken; gives the message back with what was read in its images and documents."""


def attended(note: Callable[[Report, Mail], None], attend: Attend) -> Attend:
    """`attend`, and before it `note` is told as well."""

    def both(report: Report, mail: Mail) -> Mail:
        note(report, mail)
        return attend(report, mail)

    return both


class Queue:
    """Takes reports from the spool into the model."""

    def __init__(
        self,
        settings: Settings,
        teacher: Teacher,
        *,
        attend: Attend = lambda _, mail: mail,
        taught: Taught | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._attend = attend
        self._taught = taught
        self._bounds = settings.learning
        self._domains = frozenset(settings.platform.domains)
        self._mailbox_of = settings.platform.mailbox_of
        self._home: Home = home_of(settings)
        self._teacher = teacher
        self._spool = Spool(settings.spool_directory)
        self._clock = clock
        self._path = settings.model_directory / LEDGER
        self._ledger = Ledger.load(self._path)
        self._levels: Levels | None = None

    def take_in(self) -> int:
        """One batch, published; how many files there were."""
        count = 0
        self._levels = self._present_levels()
        alarmed = {source for source in SOURCES if self._ledger.alarm(source)}
        for found in self._spool.reports(BATCH):
            count += 1
            if isinstance(found, Path):
                log.warning("%s is no report and is dropped", found.name)
                self._spool.done(found)
                continue
            self._take(found)
            self._spool.done(found.path)
        if count:
            self._teacher.publish()
            self._ledger.save(self._path)
        for source in SOURCES:
            if source not in alarmed and self._ledger.alarm(source):
                log.warning("reports from %s contradict the model too often: see tamis model status", source)
        return count

    def _take(self, report: Report) -> None:
        if "@" in report.reporter:  # a mailbox is one reporter, whichever of its addresses is given
            report = replace(report, reporter=self._mailbox_of(report.reporter))
        mail = Mail(report.raw)
        message = message_id(mail)
        if asked_of(mail):  # a test message: it teaches nothing and marks nothing
            return
        if report.label == "forget":
            self._attend(report, mail)
            self._teacher.forget(message)
            return
        spam = report.label == "spam"
        if self._teacher.known(message, spam=spam):
            self._attend(report, mail)  # another reader's word on what is learned already
            return
        if not self._ledger.admits(report, self._bounds, int(self._clock() // 86400), self._taught):
            return
        mail = self._attend(report, mail)
        features = extract(mail, home=self._home, seen_text=mail.seen.text)
        source = SOURCES[report.source]
        domain = domain_of(report.reporter)
        domain = domain if domain in self._domains else ""
        if self._levels is not None:
            # By the platform's view: a domain's own is soon what its readers report.
            probability = self._levels.calibrator.probability(self._teacher.score(features))
            contradicts = (probability if spam else 1 - probability) < SURE
            self._ledger.watch(report.source, contradicts=contradicts)
            if contradicts and not source.attended:
                self._ledger.drop(report.source)
                return
        self._teacher.teach(
            message,
            features,
            spam=spam,
            weight=source.say,
            domain=domain,
            beside=points_beside(mail, self._home.header_prefix),
            stranger="" if spam or source.attended else stranger_of(report.reporter, self._domains),
            sender=sent_by(mail, self._home),
        )
        self._ledger.learned[report.source] = self._ledger.learned.get(report.source, 0) + 1

    def _present_levels(self) -> Levels | None:
        try:
            return Levels.load(self._path.with_name(LEVELS))
        except (FileNotFoundError, ModelError):
            return None
