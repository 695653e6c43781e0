"""The desk and one copy that Postfix delivers to it more than once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tamis.desk import desk as module
from tamis.desk.desk import Desk
from tamis.desk.lmtp import Transaction
from tamis.desk.redirection import Redirection, RedirectionSigner
from tamis.desk.redirection_notes import Note, Notes
from tamis.desk.route import Proof
from tamis.message.envelope import Envelope
from tamis.store import Store
from tests.builders import site

SIGNER = RedirectionSigner(b"k" * 32)
ADDRESS = SIGNER.address(Redirection("Marie@example.com", "t" * 20, "tag"))
CONTENT = b"From: a@example.net\r\nSubject: hello\r\n\r\nHello\r\n"


class SlowPostfix:
    """Takes a copy only when it is let go; a real one can't be held between two lines of ours."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.go_on = threading.Event()
        self.taken = 0

    def __call__(self, place: str) -> SlowPostfix:
        return self

    def send(self, *_: object) -> None:
        self.began.set()
        assert self.go_on.wait(30)
        self.taken += 1


@pytest.fixture
def make(store: Store, tmp_path: Path) -> Callable[[], Desk]:
    """Makes a desk on the same store, as a restart does."""
    return lambda: Desk(site, SIGNER, Notes(tmp_path / "notes"), Proof(tmp_path / "route.json"), store)


def test_two_deliveries_at_once_give_one_copy(
    make: Callable[[], Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    postfix, transaction, desk = SlowPostfix(), Transaction("<a@example.net>"), make()
    monkeypatch.setattr(module, "Reinjector", postfix)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(desk.take, [(ADDRESS, ())], transaction, CONTENT)
        assert postfix.began.wait(30)
        second = desk.take([(ADDRESS, ())], transaction, CONTENT)
        assert not second.ok
        assert "another delivery" in second.text
        postfix.go_on.set()
        assert first.result(30).ok
    assert make().take([(ADDRESS, ())], transaction, CONTENT).ok
    assert postfix.taken == 1


def test_a_copy_that_comes_through_postfix_prolongs_the_proof(
    make: Callable[[], Desk], tmp_path: Path
) -> None:
    """One that the milter handed over by itself, to give its link in the reply, does not."""
    proof, notes = Proof(tmp_path / "route.json"), Notes(tmp_path / "notes")
    proof.record(1.0, "mx.example.com")
    content = (
        b"Received: from a\r\n\tby mx.example.com (Postfix); Sun, 29 Nov 2026 11:00:00 +0000\r\n" + CONTENT
    )
    for letter, asks in (("a", True), ("b", False)):
        address = SIGNER.address(Redirection("Marie@example.com", letter * 20, "quarantine"))
        notes.write([address], Note((), "", 30, {}, (), Envelope(), asks=asks))
        assert make().take([(address, ())], Transaction("<a@example.net>"), content).ok
        assert (proof.read().seen_at > 0) is not asks


def test_a_delivery_that_failed_is_tried_again(
    make: Callable[[], Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    postfix, transaction, desk = SlowPostfix(), Transaction("<a@example.net>"), make()
    postfix.go_on.set()
    with monkeypatch.context() as broken:
        broken.setattr(module, "Reinjector", lambda place: 1 / 0)
        assert not desk.take([(ADDRESS, ())], transaction, CONTENT).ok
    monkeypatch.setattr(module, "Reinjector", postfix)
    assert desk.take([(ADDRESS, ())], transaction, CONTENT).ok
    assert postfix.taken == 1
