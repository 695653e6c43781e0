"""What senders earn (S7) and complaints (S15), on both databases."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tamis.base.errors import ConfigError
from tamis.base.shared_files import write_json
from tamis.database import complaints as complaints_module
from tamis.filters.automatic_whitelist import sender_key, sender_value
from tamis.filters.ip_complaints import CONDEMNED
from tamis.handover.sender_events import fill, take_in
from tamis.store import Store
from tests.memory_state import MemoryState

OURS, FRIEND, MARIE = "example.com", "friend@example.net", "marie@example.com"


def test_weights_add_up(store: Store) -> None:
    store.senders.validate("Example.COM", "Friend@Example.net", by="me")
    store.senders.validate(OURS, FRIEND, by="me")
    store.senders.complain(OURS, FRIEND, by="me")
    (one,) = store.senders.find(domain=OURS, address=FRIEND)
    assert (one.validations, one.complaints, one.author) == (2, 1, "")
    assert store.senders.remove(OURS, FRIEND, by="me")
    assert not store.senders.remove(OURS, FRIEND, by="me")


@pytest.mark.parametrize("address", ["own@example.com", "nobody", "", "x" * 400 + "@example.net"])
def test_only_addresses_elsewhere_earn(store: Store, address: str) -> None:
    with pytest.raises(ConfigError):
        store.senders.validate(OURS, address, by="me")
    assert store.senders.note([(OURS, address, MARIE)], []) == []


def test_a_bounce_cancels_what_its_reader_wrote(store: Store) -> None:
    (noted,) = store.senders.note([(OURS, FRIEND, MARIE), (OURS, FRIEND, MARIE)], [])
    assert noted.author == MARIE
    assert store.senders.note([(OURS, FRIEND, MARIE)], []) == []  # nothing new on the same day
    assert store.senders.note([], [(OURS, FRIEND, "paul@example.com"), (OURS, "x@example.net", MARIE)]) == []
    (cancelled,) = store.senders.note([], [(OURS, FRIEND, MARIE)])
    assert cancelled.author == ""


def test_addresses_that_nobody_writes_to_are_forgotten(store: Store) -> None:
    store.senders.note([(OURS, FRIEND, MARIE)], [])
    store.senders.validate(OURS, "other@example.net", by="me")
    store.senders.expire()
    assert len(store.senders.find()) == 2
    store.senders.expire(now=datetime.now(UTC) + timedelta(days=400))
    assert [one.address for one in store.senders.find()] == ["other@example.net"]


def test_reports_of_the_abuse_mailbox_count_once(store: Store) -> None:
    complaints = store.complaints
    assert complaints.report_once({"m1": "203.0.113.7", "m2": "203.0.113.7", "m3": ""}) == ["m1", "m2", "m3"]
    assert complaints.report_once({"m2": "203.0.113.7", "m4": "203.0.113.8"}) == ["m4"]
    assert {one.client: one.reports for one in complaints.find()} == {"203.0.113.7": 2, "203.0.113.8": 1}


def test_clients_that_are_not_condemned_are_forgotten_and_bounded(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody can write reports about anybody."""
    store.complaints.report([f"203.0.113.{number}" for number in range(5)])
    store.complaints.condemn("203.0.113.0", "many", by="me")
    store.complaints.report(["203.0.113.4"])
    monkeypatch.setattr(complaints_module, "MOST", 3)
    store.complaints.expire()
    left = {one.client for one in store.complaints.find()}
    assert len(left) == 4
    assert {"203.0.113.0", "203.0.113.4"} <= left
    store.complaints.expire(now=datetime.now(UTC) + timedelta(days=100))
    assert [one.client for one in store.complaints.find()] == ["203.0.113.0"]


def test_everything_is_published_once(store: Store, tmp_path: Path) -> None:
    write_json(tmp_path / "1-2.json", [["sent", [OURS, f"f{n}@example.net", MARIE]] for n in range(1200)])
    assert len(take_in(tmp_path, store.senders)) == 1200
    assert list(tmp_path.glob("*.json")) == []
    store.complaints.condemn("203.0.113.7", "many", by="me")
    store.complaints.report(["203.0.113.8"])
    state = MemoryState()
    known = sender_value(0, 0, written_to=True)

    async def look() -> tuple[bool, bool, list[str | None]]:
        first = await fill(state, store)
        second = await fill(state, store)
        keys = (
            sender_key(OURS, "f0@example.net"),
            sender_key(OURS, "f1199@example.net"),
            f"{CONDEMNED}203.0.113.7",
            f"{CONDEMNED}203.0.113.8",
        )
        return first, second, [await state.get(key) for key in keys]

    assert asyncio.run(look()) == (True, False, [known, known, "many", None])
