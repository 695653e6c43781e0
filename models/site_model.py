"""The site's model for those who only read it: the workers and `tamis scan`.

numpy and all that computes is imported with the first model, so that a site that never taught one pays a stat for
each message and no memory.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from tamis.address import domain_of
from tamis.envelope import Envelope
from tamis.errors import ServiceError
from tamis.mail import Mail
from tamis.services import Reading
from tamis.settings import Settings

if TYPE_CHECKING:
    from tamis.models.headers import Arrival, Home
    from tamis.models.levels import Levels
    from tamis.models.model_file import Model, SharedModel

MODEL = "current.model"
LEVELS = "levels.json"
_MOST_DOMAINS = 20
"""Domains of one message's recipients that are looked up; in further ones the platform's number counts."""


def home_of(settings: Settings) -> Home:
    """The site as the learner knows it: whose traces say nothing about a sender."""
    from tamis.models.headers import Home  # noqa: PLC0415 - see the module

    return Home(settings.platform.domains, settings.headers.prefix)


class SiteModel:
    """tamis.services.Statistics on the files that the one writer publishes. For use by many threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._path = settings.model_directory / MODEL
        self._shared: SharedModel | None = None
        self._levels = _SharedLevels(settings.model_directory / LEVELS)
        self._lock = threading.Lock()

    def read(self, envelope: Envelope, mail: Mail) -> Reading | None:
        """What the model says of a message at the door; None while there is none. Raises ServiceError when there is
        one that can't be used, and none before it could."""
        model = self._current()
        if model is None:
            return None
        from tamis.models.features import extract  # noqa: PLC0415 - see the module

        features = extract(
            mail, arrival=_arrival(envelope), home=home_of(self._settings), seen_text=mail.seen.text
        )
        log_odds = model.score(features).log_odds
        ham, spam, needed = model.learned.ham, model.learned.spam, self._settings.learning.minimum
        levels = self._levels.current() if min(ham, spam) >= needed else None
        if levels is None:
            return Reading(log_odds, ham, spam, needed)
        corrected = {}
        for domain in sorted({domain_of(one.address) for one in envelope.recipients})[:_MOST_DOMAINS]:
            correction = model.correction(features, domain)
            if correction is not None:
                corrected[domain] = _shown(levels, log_odds + correction)
        number, probability = _shown(levels, log_odds)
        return Reading(log_odds, ham, spam, needed, number, probability, corrected)

    def reasons(self, envelope: Envelope, mail: Mail, limit: int) -> tuple[tuple[str, str, float], ...]:
        """What weighed most."""
        model = self._current()
        if model is None:
            return ()
        from tamis.models.explanation import explain  # noqa: PLC0415 - see the module

        found = explain(
            model.weights, mail, arrival=_arrival(envelope), home=home_of(self._settings), limit=limit
        )
        return tuple((one.view, one.word, one.share) for one in found)

    def _current(self) -> Model | None:
        with self._lock:
            if self._shared is None:
                if not self._path.exists():
                    return None
                from tamis.models.model_file import SharedModel  # noqa: PLC0415 - see the module

                self._shared = SharedModel(self._path)
            model = self._shared.current()
            if model is None and self._shared.problem:
                raise ServiceError(self._shared.problem)
            return model


class _SharedLevels:
    """The levels at a path, whichever they are now; the last good ones while the file is damaged."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._levels: Levels | None = None

    def current(self) -> Levels | None:
        from tamis.models.levels import Levels  # noqa: PLC0415 - see the module
        from tamis.models.model_file import ModelError  # noqa: PLC0415 - see the module

        try:
            status = self._path.stat()
            if (status.st_mtime_ns, status.st_ino) != self._seen:
                self._levels = Levels.load(self._path)
                self._seen = (status.st_mtime_ns, status.st_ino)
        except (FileNotFoundError, ModelError):
            return self._levels
        return self._levels


def _shown(levels: Levels, log_odds: float) -> tuple[float, float]:
    """Number and probability."""
    return levels.number(log_odds), levels.calibrator.probability(log_odds)


def _arrival(envelope: Envelope) -> Arrival | None:
    """What SMTP said; without a client (`tamis scan` on a stored message) the message's own header tells."""
    from tamis.models.headers import Arrival  # noqa: PLC0415 - see the module

    if not envelope.client_ip:
        return None
    return Arrival(envelope.client_ip, envelope.client_name, envelope.helo, envelope.sender)
