"""The services of a process, made from its settings."""

from __future__ import annotations

from tamis.filters.state import observe_state, open_state
from tamis.services import Services
from tamis.settings import Settings


def open_services(settings: Settings) -> Services:
    """What filters of this process may wait on. Opens nothing yet: each connects when first used, after a fork."""
    return Services(state=open_state(settings))


def observe_services(settings: Settings) -> Services:
    """The same for a look from outside: whatever is examined with it, the daemon's state stays as it is."""
    return Services(state=observe_state(settings))
