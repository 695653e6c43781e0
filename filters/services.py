"""The services of a process, made from its settings."""

from __future__ import annotations

from tamis.filters.clamd import Engines
from tamis.filters.image_reader import ImageReader
from tamis.filters.spamd import Spamd
from tamis.services import Services
from tamis.settings import Settings


def open_services(settings: Settings) -> Services:
    """What filters of this process may wait on. Opens nothing yet: each connects when first used, after a fork."""
    antivirus = settings.antivirus
    return Services(
        first_antivirus=Engines(antivirus, [one for one in antivirus.engines if not one.second_pass]),
        second_antivirus=Engines(antivirus, [one for one in antivirus.engines if one.second_pass]),
        images=ImageReader(settings.images),
        spamassassin=Spamd(settings.spamassassin),
    )
