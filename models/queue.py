"""Taking in what waits in the spool: bounds, the alarm, and the model, each report once.

A report's file is removed after its message is in the journal, and a message in the journal is not learned again,
so a kill at any moment loses none and doubles none.

What one reporter, one domain and one source can teach in a day is bounded, because a stolen mailbox or a script
gone wild must not own the model; what is beyond is dropped and counted. A source that contradicts the model
again and again where the model is sure raises an alarm: the source or the model is wrong, and a person should look.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tamis.mail import Mail
from tamis.models.features import extract
from tamis.models.headers import Home
from tamis.models.levels import Levels
from tamis.models.model_file import ModelError, replace_file
from tamis.models.reports import SOURCES, Report, Spool, message_id
from tamis.models.site_model import LEVELS, home_of
from tamis.models.teaching import Teacher
from tamis.settings import LearningSettings, Settings

log = logging.getLogger(__name__)

BATCH = 200
"""Reports between two publications."""
SURE = 0.02
"""A label that the model gives a smaller probability contradicts it."""
WATCHED = 100
"""Reports of a source that the alarm looks back on."""
ALARM = 0.3
"""The share of contradictions from which on it is raised."""
_LEAST_WATCHED = 20
_MOST_REPORTERS = 10_000


@dataclass(slots=True)
class Ledger:
    """Who taught how much today, and how often each source contradicted the model lately (1: it did)."""

    day: int = 0
    taught: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    contradictions: dict[str, list[int]] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> Ledger:
        """What `save` wrote; an empty one where there is none, or none whole."""
        try:
            data = json.loads(path.read_bytes())
            return cls(data["day"], data["taught"], data["dropped"], data["contradictions"])
        except (OSError, ValueError, KeyError, TypeError):
            return cls()

    def save(self, path: Path) -> None:
        """Write it in the place of the one at `path`."""
        replace_file(path, [json.dumps(asdict(self)).encode()])

    def admits(self, report: Report, bounds: LearningSettings, day: int) -> bool:
        """Count a report against its bounds; False for one that is beyond them."""
        if day != self.day:
            self.day = day
            self.taught.clear()
        if report.source == "learn":  # the operator's own; he can as well edit the model's file
            return True
        reporter = report.reporter.lower()
        limits = {f"source {report.source}": bounds.per_source}
        if reporter != "-":
            limits[f"domain {reporter.rpartition('@')[2]}"] = bounds.per_domain
            limits[f"reporter {reporter}"] = bounds.per_reporter
        beyond = any(self.taught.get(key, 0) >= limit for key, limit in limits.items())
        if beyond or len(self.taught) > _MOST_REPORTERS:
            self.dropped[report.source] = self.dropped.get(report.source, 0) + 1
            return False
        for key in limits:
            self.taught[key] = self.taught.get(key, 0) + 1
        return True

    def watch(self, source: str, *, contradicts: bool) -> None:
        """Note whether a report contradicted the model."""
        self.contradictions[source] = [*self.contradictions.get(source, [])[1 - WATCHED :], int(contradicts)]

    def alarm(self, source: str) -> bool:
        """Whether a source contradicts the model too often."""
        seen = self.contradictions.get(source, [])
        return len(seen) >= _LEAST_WATCHED and sum(seen) >= ALARM * len(seen)


LEDGER = "ledger.json"

Attend = Callable[[Report, Mail], Mail]
"""Told of each report that is taken; gives the message back with what was read in its images and documents."""


class Queue:
    """Takes reports from the spool into the model."""

    def __init__(
        self,
        settings: Settings,
        teacher: Teacher,
        *,
        attend: Attend = lambda _, mail: mail,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._attend = attend
        self._bounds = settings.learning
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
        mail = Mail(report.raw)
        message = message_id(mail)
        if report.label == "forget":
            self._attend(report, mail)
            self._teacher.forget(message)
            return
        spam = report.label == "spam"
        if self._teacher.known(message, spam=spam):
            self._attend(report, mail)  # another reader's word on what is learned already
            return
        if not self._ledger.admits(report, self._bounds, int(self._clock() // 86400)):
            return
        mail = self._attend(report, mail)
        features = extract(mail, home=self._home, seen_text=mail.seen.text)
        if self._levels is not None:
            probability = self._levels.calibrator.probability(self._teacher.score(features))
            self._ledger.watch(report.source, contradicts=(probability if spam else 1 - probability) < SURE)
        self._teacher.teach(message, features, spam=spam, weight=SOURCES[report.source])

    def _present_levels(self) -> Levels | None:
        try:
            return Levels.load(self._path.with_name(LEVELS))
        except (FileNotFoundError, ModelError):
            return None
