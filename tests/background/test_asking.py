"""What one message can't have, all others have: refusals and damage in the background process's asking."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tamis.background import asking as module
from tamis.background.asking import Asking
from tamis.background.putting_off import PutOff
from tamis.base.errors import ReinjectError
from tamis.base.tokens import Tokens
from tamis.challenge.challenge_records import AnswerProof, ChallengeDecision
from tamis.desk import release
from tamis.judging.policy_terms import Terms
from tamis.judging.site import Site
from tamis.settings import WebSettings
from tamis.store import Store
from tests.background.test_mailing import site as unreachable_site
from tests.fresh_store import new_store
from tests.memory_state import MemoryState
from tests.quarantine.samples import CONTENT, held

MARIE, PAUL = "marie@example.com", "paul@example.com"


class Postfix:
    """Refuses some recipients, for now or for good."""

    def __init__(self) -> None:
        self.refused: set[str] = set()
        self.tried: list[str] = []

    def __call__(self, address: str) -> Postfix:
        return self

    def send(
        self,
        sender: str,
        sender_args: Sequence[str],
        recipients: Sequence[tuple[str, Sequence[str]]],
        content: bytes,
    ) -> None:
        for recipient, _ in recipients:
            self.tried.append(recipient)
            if recipient in self.refused:
                raise ReinjectError(f"450 <{recipient}>: not now")


@pytest.fixture
def postfix(monkeypatch: pytest.MonkeyPatch) -> Postfix:
    made = Postfix()
    for place in (module, release):
        monkeypatch.setattr(place, "Reinjector", made)
    return made


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with new_store(tmp_path / "store") as opened:
        yield opened


def hold(store: Store, transaction: str, sender: str, recipient: str = MARIE, *, minutes: int = 5) -> None:
    now = datetime.now(UTC) - timedelta(minutes=minutes)
    store.quarantine.hold(
        held(transaction, recipient, sender=sender), CONTENT + transaction.encode(), now=now
    )


def site() -> Site:
    made = unreachable_site()
    web = WebSettings(url="https://mail.example.com")
    return replace(made, settings=made.settings.model_copy(update={"web": web}))


def decide(store: Store) -> None:
    found = store.challenges.undecided(held_before=datetime.now(UTC))
    wanted = [ChallengeDecision(copy, None, "en", True) for copy in found]
    store.challenges.decide(wanted, site().settings.notices)


def test_a_notice_that_is_refused_for_now_holds_up_no_other(store: Store, postfix: Postfix) -> None:
    hold(store, "t1", "first@example.net")
    hold(store, "t2", "second@example.org")
    decide(store)
    first, second = (one.sender for one in store.challenges.pending())
    postfix.refused = {first}
    asking = Asking(site, store, Tokens(b"k" * 32))
    with pytest.raises(ReinjectError):
        asking.mail()
    asking.mail()
    assert postfix.tried == [first, second]
    assert [one.sender for one in store.challenges.pending()] == [first], "and it is tried again"


def test_no_notice_goes_out_while_its_link_would_lead_to_this_machine(store: Store, postfix: Postfix) -> None:
    """As after an upgrade: the challenges are from before, and web.url was never set."""
    hold(store, "t1", "first@example.net")
    decide(store)
    Asking(unreachable_site, store, Tokens(b"k" * 32)).mail()
    assert (postfix.tried, len(store.challenges.pending())) == ([], 1)
    Asking(site, store, Tokens(b"k" * 32)).mail()
    assert postfix.tried == ["first@example.net"], "and it goes when it is set"


def test_held_mail_is_not_asked_about_while_the_pages_have_no_address(store: Store, postfix: Postfix) -> None:
    hold(store, "t1", "first@example.net")
    Asking(unreachable_site, store, Tokens(b"k" * 32)).decide(1e12)
    assert [one.reason for one in store.challenges.list()] == ["pages"]


def test_a_copy_that_nobody_takes_is_not_tried_every_second(store: Store, postfix: Postfix) -> None:
    hold(store, "t1", "first@example.net")
    decide(store)
    (challenge,) = store.challenges.pending()
    postfix.refused = {MARIE}

    def refusing(*_: Any) -> str:
        raise ReinjectError("no such user", permanent=True)

    store.answers.solve(challenge.id, lambda _: Terms(), refusing, AnswerProof.CODE)
    asking = Asking(site, store, Tokens(b"k" * 32))
    with asyncio.Runner() as run:
        for _ in range(5):
            asking.finish(run, MemoryState())
    assert postfix.tried == [MARIE]


def test_a_damaged_copy_stops_nobody(store: Store, tmp_path: Path) -> None:
    hold(store, "t1", "first@example.net", minutes=6)
    hold(store, "t2", "second@example.org", PAUL)
    for damage in (
        "INSERT INTO bodies (digest, size, content) VALUES ('bad', 2, x'00');"
        "UPDATE details SET findings_body = 'bad' WHERE id = (SELECT min(id) FROM messages)",
        "UPDATE details SET findings_body = NULL WHERE id = (SELECT min(id) FROM messages)",
        "UPDATE bodies SET content = x'00' WHERE digest = (SELECT body FROM messages ORDER BY id LIMIT 1)",
    ):
        with closing(sqlite3.connect(tmp_path / "store")) as connection, connection:
            connection.executescript(damage)
        found = store.challenges.undecided(held_before=datetime.now(UTC))
        assert [(copy.sender, bool(copy.findings)) for copy in found] == [
            ("first@example.net", False),
            ("second@example.org", True),
        ]


def test_what_failed_waits_longer_each_time() -> None:
    now = [0.0]
    put_off = PutOff(2, 10, clock=lambda: now[0])
    waited = []
    for _ in range(5):
        put_off.failed("x")
        began = now[0]
        while put_off.waits("x"):
            now[0] += 1
        waited.append(now[0] - began)
    assert waited == [2, 4, 8, 10, 10]
    now[0] += 100
    put_off.failed("y")
    put_off.failed("x")
    now[0] += 2
    assert not put_off.waits("x"), "long after the last failure it begins anew"
