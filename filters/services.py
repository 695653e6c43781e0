"""The services of a process, made from its settings."""

from __future__ import annotations

from tamis.models.site_model import SiteModel
from tamis.services import Services
from tamis.settings import Settings


def open_services(settings: Settings) -> Services:
    """What filters of this process may wait on. Opens nothing yet: each connects when first used, after a fork."""
    return Services(statistics=SiteModel(settings))
