"""The model to teach: this host's own, or, on a store that hosts share, the one of all of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from tamis.installation.signing_key import agreed_key, signing_key
from tamis.models.ledger import Taught
from tamis.models.model_file import ModelBusyError
from tamis.models.shared_teaching import SharedTeacher
from tamis.models.teaching import Teacher
from tamis.models.writer import LeftOff
from tamis.settings import Settings
from tamis.store import Store


def open_teacher(settings: Settings, store: Store, left_off: LeftOff | None = None) -> Teacher:
    """Raises ModelBusyError while another process of this host teaches, StoreError where hosts share a store that
    can't answer, and ConfigError without the installation's key. `left_off` is what this process's last teacher
    gave."""
    if store.is_shared:
        return open_shared(settings, store, left_off=left_off)
    return Teacher(
        settings.model_directory,
        minimum=settings.learning.minimum,
        left_off=left_off,
        key=signing_key(settings.key_file),
    )


def shared_counts(store: Store) -> Taught | None:
    """What all hosts of a store count the day's lessons in; None where there is but this one."""
    return store.taught if store.is_shared else None


def open_shared(
    settings: Settings, store: Store, *, joins: bool = True, left_off: LeftOff | None = None
) -> SharedTeacher:
    """As `open_teacher`, of a store that hosts share; `joins` as for SharedTeacher."""
    return SharedTeacher(
        settings.model_directory,
        store.model_steps,
        minimum=settings.learning.minimum,
        joins=joins,
        left_off=left_off,
        key=agreed_key(settings.key_file, store.hosts, shared=True),
    )


@contextmanager
def opened_teacher(settings: Settings, store: Store, *, wait: float) -> Iterator[Teacher]:
    """As `open_teacher`; waits so many seconds for the daemon to let go."""
    until = time.monotonic() + wait
    while True:
        try:
            teacher = open_teacher(settings, store)
            break
        except ModelBusyError:
            if time.monotonic() >= until:
                raise
            time.sleep(0.2)
    with teacher:
        yield teacher
