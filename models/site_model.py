"""The site's model for those who only read it: the workers and `tamis scan`.

numpy and all that computes (`site_reader`) is imported with the first model, so that a site that never taught one pays
a stat for each message and no memory.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tamis.contract.service_protocols import Reading
from tamis.message.envelope import Envelope
from tamis.message.mail import Mail
from tamis.settings import Settings

if TYPE_CHECKING:
    from tamis.models.header_tokens import Home
    from tamis.models.site_reader import SiteReader

MODEL = "current.model"
LEVELS = "levels.json"


def home_of(settings: Settings) -> Home:
    """The site as the learner knows it: whose traces say nothing about a sender."""
    from tamis.models.header_tokens import Home  # noqa: PLC0415 - see the module

    return Home(settings.platform.domains, settings.headers.prefix)


class SiteModel:
    """The Statistics service on the files that the one writer publishes. For use by many threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._path = settings.model_directory / MODEL
        self._found: SiteReader | None = None
        self._lock = threading.Lock()

    def read(self, envelope: Envelope, mail: Mail) -> Reading | None:
        """What the model says of a message at the door; None while there is none. Raises ServiceError when there is
        one that can't be used, and none before it could."""
        reader = self._reader()
        return reader.read(envelope, mail) if reader else None

    def reasons(self, envelope: Envelope, mail: Mail, limit: int) -> tuple[tuple[str, str, float], ...]:
        """What weighed most."""
        reader = self._reader()
        return reader.reasons(envelope, mail, limit) if reader else ()

    def _reader(self) -> SiteReader | None:
        with self._lock:
            if self._found is None and self._path.exists():
                from tamis.models.site_reader import SiteReader  # noqa: PLC0415 - see the module

                settings = self._settings
                levels = settings.model_directory / LEVELS
                self._found = SiteReader(self._path, levels, home_of(settings), settings.learning.minimum)
            return self._found
