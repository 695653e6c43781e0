"""What operators decide about clients (S2, S15), for console and API.

client, decision -> the store, with the audit trail's row -> the shared state, which the filters ask
                                                             (lost: in force when it is filled again)
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio.from_thread

from tamis.base.errors import ServiceError
from tamis.contract.service_protocols import SharedState
from tamis.contract.state_keys import BLOCKED
from tamis.database.blocked_clients import BlockedClient
from tamis.database.complaints import Complaint
from tamis.filters.ip_complaints import CONDEMNED
from tamis.filters.temporary_blacklist import entry, reason
from tamis.handover.sender_events import lift_blocks, publish_blocks, publish_condemned
from tamis.web.typed_numbers import typed_number
from tamis.web.visit import House

log = logging.getLogger(__name__)

LONGEST_BLOCK = 365 * 86400
"""Seconds that a client may be blocked for."""
MOST_BLOCKED = 1000
"""Blocked clients that are named; beyond: by how their address begins."""
_MOST_REPORTS = 2**31 - 1  # as the store has them


@dataclass(frozen=True, slots=True)
class ShutOut:
    """A client that is refused now: why, by whom (a filter or a person), until when."""

    client: str
    why: str
    by: str
    until: datetime


@dataclass(frozen=True, slots=True)
class ClientDeeds:
    """What one person does; every method raises StoreError when the store can't answer."""

    house: House
    by: str

    def blocked(self, beginning: str = "") -> list[ShutOut]:
        """Who is refused now, by filters and by operators: at most MOST_BLOCKED whose address begins so. Without the
        shared state, those of the operators."""
        now = datetime.now(UTC)
        try:
            found = anyio.from_thread.run(self.house.state.find, BLOCKED + beginning[:60], MOST_BLOCKED)
        except ServiceError as error:
            log.warning("only operators' blocks are known, the shared state is lost: %s", error)
            kept = self.house.store.blocked.all(now=now)
            named = sorted((one for one in kept if one.client.startswith(beginning)), key=_by_client)
            return [_shut_out(one) for one in named[:MOST_BLOCKED]]
        return [
            _shut_out(
                BlockedClient(one.key.removeprefix(BLOCKED), one.value, now + timedelta(seconds=one.seconds))
            )
            for one in found
        ]

    def block(self, client: str, why: str, seconds: float) -> BlockedClient:
        """Refuse its mail for a time; the client sees why."""
        until = datetime.now(UTC) + timedelta(seconds=min(seconds, LONGEST_BLOCK))
        return self.block_again(BlockedClient(client, entry(why, self.by), until))

    def block_again(self, block: BlockedClient) -> BlockedClient:
        """As it was blocked before."""
        self.house.store.blocked.add([block], by=self.by)
        self._publish(publish_blocks, [block], datetime.now(UTC))
        return block

    def unblock(self, client: str) -> None:
        """Let it in again, and forget its messages to honeypots."""
        self.house.store.blocked.remove([client], by=self.by)
        self._publish(lift_blocks, [client])

    def how_blocked(self, client: str) -> BlockedClient | None:
        """How it is refused now, by an operator or a filter; None when it is not."""
        kept = self.house.store.blocked.get(client)
        if kept is not None:
            return kept
        one = next((one for one in self.blocked(client) if one.client == client), None)
        return None if one is None else BlockedClient(client, entry(one.why, one.by), one.until)

    def condemn(self, client: str, why: str) -> Complaint:
        """Take its mail for spam until the matter is settled."""
        done = self.house.store.complaints.condemn(client, why, by=self.by)
        self._publish(publish_condemned, [done])
        return done

    def settle(self, client: str) -> bool:
        """Forget the complaints about it; whether there were any."""
        was_known = self.house.store.complaints.settle(client, by=self.by)
        if was_known:
            self._publish(_forgive, client)
        return was_known

    def complained_again(self, known: Complaint) -> None:
        """As it stood before it was condemned or settled."""
        self.house.store.complaints.bring_back(known, by=self.by)
        if known.condemned:
            self._publish(publish_condemned, [known])
        else:
            self._publish(_forgive, known.client)

    def _publish(self, work: Callable[..., Coroutine[Any, Any, object]], *arguments: Any) -> None:
        """Bring a decision into force at once. Without the shared state it comes into force when that is back."""
        try:
            anyio.from_thread.run(work, self.house.state, *arguments)
        except ServiceError as error:
            log.warning("in force later, the shared state is lost: %s", error)


def _by_client(one: BlockedClient) -> str:
    return one.client


async def _forgive(state: SharedState, client: str) -> None:
    await state.drop(CONDEMNED + client)


def _shut_out(one: BlockedClient) -> ShutOut:
    try:
        by = str(json.loads(one.entry)["by"])
    except (ValueError, KeyError, TypeError):  # another version's
        by = ""
    return ShutOut(one.client, reason(one.entry), by, one.expires)


def place_of_complaint(one: Complaint) -> str:
    """Where a page ends, as it stands in an address: complaints are in the order of reports."""
    return f"{one.reports}/{one.client}"


def last_complaint(place: str) -> tuple[int, str] | None:
    """What `place_of_complaint` said; None for anything else."""
    reports, slash, client = place.partition("/")
    number = typed_number(reports, most=_MOST_REPORTS)
    return (number, client[:60]) if slash and number is not None else None
