"""What is known of senders (S7) and clients (S2, S15), on its way to the store and from there to the shared state.

A worker leaves events in files, the background process takes them into the store and publishes what changed; a state
that was lost is filled again from the store.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tamis.base.shared_files import read_json, write_json
from tamis.chain.road import Examined
from tamis.contract.service_protocols import SharedState
from tamis.contract.state_keys import BLOCKED
from tamis.filters.automatic_whitelist import (
    AutomaticWhitelist,
    AutomaticWhitelistOptions,
    sender_key,
    sender_value,
)
from tamis.filters.ip_complaints import CONDEMNED
from tamis.judging.site import Site

if TYPE_CHECKING:  # database drivers stay out of the workers
    from tamis.database.blocked_clients import BlockedClient
    from tamis.database.complaints import Complaint
    from tamis.database.earned_senders import Sender, Senders
    from tamis.store import Store

log = logging.getLogger(__name__)

_FILLED = "senders:filled"
_REFILL_SECONDS = 86400.0
"""How often everything is published again; so what was removed from the store by hand goes, too."""
_KEEP_SECONDS = 3 * _REFILL_SECONDS
_MAX_EVENTS = 10_000
"""Events that a worker holds between two writes, one second; more are dropped."""


class SenderEvents:
    """A worker's events until they are written."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._events: list[tuple[str, list[str]]] = []

    def take(self, site: Site, examined: Examined) -> None:
        """Remember what a finding of S7 says, if the policy of the mailbox that wrote wants it."""
        finding = examined.findings.get(AutomaticWhitelist.name)
        if finding is None:
            return
        for kind in ("sent", "bounced"):
            for triple in finding.facts.get(kind, ()):
                if kind == "bounced" or _wanted(site, triple[2]):
                    with self._lock:
                        if len(self._events) < _MAX_EVENTS:
                            self._events.append((kind, list(triple)))

    def write(self) -> None:
        """Leave them for the background process; a kill costs those of the last second."""
        with self._lock:
            events, self._events = self._events, []
        if events:
            try:
                write_json(self._directory / f"{os.getpid()}-{time.time_ns()}.json", events)
            except OSError as error:
                log.warning("events about senders lost: %s", error)


def _wanted(site: Site, author: str) -> bool:
    for rule in site.book.policy(author).rules:
        if isinstance(rule.options, AutomaticWhitelistOptions):
            return rule.options.outgoing
    return False


def take_in(directory: Path, senders: Senders) -> list[Sender]:
    """Bring the workers' events into the store; the entries that changed. A crash between takes them in twice, which
    changes nothing more."""
    files = sorted(directory.glob("[0-9]*.json")) if directory.is_dir() else []
    events: list[tuple[str, Any]] = [tuple(event) for path in files for event in read_json(path) or ()]
    changed: list[Sender] = []
    if events:
        changed = senders.note(
            [triple for kind, triple in events if kind == "sent"],
            [triple for kind, triple in events if kind == "bounced"],
        )
    for path in files:
        path.unlink(missing_ok=True)
    return changed


async def publish(state: SharedState, senders: Iterable[Sender]) -> None:
    """Put entries into the shared state. Raises ServiceError."""
    await asyncio.gather(
        *(
            state.put(
                sender_key(one.domain, one.address),
                sender_value(one.validations, one.complaints, written_to=bool(one.author), works=one.works),
                _KEEP_SECONDS,
            )
            for one in senders
        )
    )


async def publish_condemned(state: SharedState, clients: Iterable[Complaint]) -> None:
    """Put condemned clients (S15) into the shared state. Raises ServiceError."""
    for one in clients:
        if one.condemned:
            await state.put(CONDEMNED + one.client, one.why, _KEEP_SECONDS)


async def publish_blocks(state: SharedState, blocks: Iterable[BlockedClient], now: datetime) -> None:
    """Put blocked clients (S2) into the shared state. Raises ServiceError."""
    for one in blocks:
        await state.put(BLOCKED + one.client, one.entry, (one.expires - now).total_seconds())


async def lift_blocks(state: SharedState, clients: Iterable[str]) -> list[bool]:
    """Block clients no more, and forget their messages to honeypots; whether each was blocked. Raises ServiceError."""
    there = []
    for client in clients:
        there.append(await state.get(BLOCKED + client) is not None)
        await state.drop(BLOCKED + client)
        await state.drop(f"honeypot:{client}")
    return there


async def fill(state: SharedState, store: Store) -> bool:
    """Publish everything when the state does not have them (any more); whether it was done. Raises ServiceError."""
    if await state.get(_FILLED) is not None:
        return False
    from tamis.handover.marking import publish_all  # noqa: PLC0415 - database drivers stay out of the workers

    for part in store.senders.all():
        await publish(state, part)
    await publish_condemned(state, store.complaints.find(condemned=True))
    await publish_all(state, store.marks)
    now = datetime.now(UTC)
    await publish_blocks(state, store.blocked.all(now=now), now)
    await state.put(_FILLED, "yes", _REFILL_SECONDS)
    return True


async def forget(state: SharedState, domain: str, address: str) -> None:
    """Take an entry out of the shared state. Raises ServiceError."""
    await state.drop(sender_key(domain, address))
