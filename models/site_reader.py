"""What the site's model says of a message, on the files that the one writer publishes."""

from __future__ import annotations

import threading
from pathlib import Path

from tamis.base.errors import ServiceError
from tamis.contract.service_protocols import Reading
from tamis.message.address import domain_of
from tamis.message.envelope import Envelope
from tamis.message.mail import Mail
from tamis.models.explanation import explain
from tamis.models.familiarity import familiarity
from tamis.models.features import extract
from tamis.models.header_tokens import Arrival, Home
from tamis.models.kinds import MailKind, kind_of
from tamis.models.levels import Levels
from tamis.models.model_file import Model, ModelError, SharedModel

_MOST_DOMAINS = 20
"""Domains of one message's recipients that are looked up; in further ones the platform's number counts."""


class SiteReader:
    """The model and the levels at two paths, whichever they are now. For use by many threads.

    `home` is the site, `needed` the messages of each kind that must be learned before there is a number.
    """

    def __init__(self, model: Path, levels: Path, home: Home, needed: int) -> None:
        self._home = home
        self._needed = needed
        self._shared = SharedModel(model)
        self._levels = _SharedLevels(levels)
        self._lock = threading.Lock()

    def read(self, envelope: Envelope, mail: Mail) -> Reading | None:
        """What `SiteModel.read` says."""
        model = self._current()
        if model is None:
            return None
        features = extract(mail, arrival=_arrival(envelope), home=self._home, seen_text=mail.seen.text)
        log_odds = model.score(features).log_odds
        ham, spam = model.learned.ham, model.learned.spam
        levels = self._levels.current() if min(ham, spam) >= self._needed else None
        if levels is None:
            return Reading(log_odds, ham, spam, self._needed)
        corrected = {}
        kind, familiar = kind_of(features), familiarity(model.weights, features)
        for domain in sorted({domain_of(one.address) for one in envelope.recipients})[:_MOST_DOMAINS]:
            correction = model.correction(features, domain)
            if correction is not None:
                corrected[domain] = _shown(levels, log_odds + correction, kind, familiar)
        number, probability = _shown(levels, log_odds, kind, familiar)
        return Reading(
            log_odds,
            ham,
            spam,
            self._needed,
            number,
            probability,
            corrected,
            kind,
            levels.steepness,
            familiar,
            kind in levels.unproven,
        )

    def reasons(self, envelope: Envelope, mail: Mail, limit: int) -> tuple[tuple[str, str, float], ...]:
        """What weighed most."""
        model = self._current()
        if model is None:
            return ()
        found = explain(model.weights, mail, arrival=_arrival(envelope), home=self._home, limit=limit)
        return tuple((one.view, one.word, one.share) for one in found)

    def _current(self) -> Model | None:
        with self._lock:
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
        try:
            status = self._path.stat()
            if (status.st_mtime_ns, status.st_ino) != self._seen:
                self._levels = Levels.load(self._path)
                self._seen = (status.st_mtime_ns, status.st_ino)
        except (FileNotFoundError, ModelError):
            return self._levels
        return self._levels


def _shown(levels: Levels, log_odds: float, kind: MailKind, familiar: float) -> tuple[float, float]:
    """Number and probability."""
    return levels.number(log_odds, kind, familiar), levels.calibrator.probability(log_odds)


def _arrival(envelope: Envelope) -> Arrival | None:
    """What SMTP said; without a client (`tamis scan` on a stored message) the message's own header tells."""
    if not envelope.client_ip:
        return None
    return Arrival(envelope.client_ip, envelope.client_name, envelope.helo, envelope.sender)
