"""A session whose callbacks fail, in process: no mail passes unseen, none is lost, the next one is served."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import Milter
import pytest

from tamis.base.errors import ServiceError
from tamis.chain.road import Examined
from tamis.handover.listener_counts import ListenerCount
from tamis.message.envelope import Envelope
from tamis.message.mail import Mail
from tamis.milter.session import Session
from tests.builders import MARIE, PAUL
from tests.milter.dialogue import Dialogue, OwnRoad, OwnWorker

NO_REPLY = (Milter.P_NOEOH, Milter.P_NOUNKNOWN)
"""Steps that the session does not ask for: libmilter never calls them, so nothing of ours can fail there."""


class Faulty(Session):
    """Fails where it touches one of its own attributes, as long as `fault` names it."""

    fault = ""

    def __getattribute__(self, name: str) -> Any:
        if name == type(self).fault:
            raise ZeroDivisionError(name)
        return super().__getattribute__(name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == type(self).fault:
            raise ZeroDivisionError(name)
        super().__setattr__(name, value)


TOUCHED = {
    "connect": "_connection",
    "helo": "_helo",
    "envfrom": "_sender_args",
    "envrcpt": "_recipients",
    "data": "_in_data",
    "header": "_fields",
    "body": "_chunks",
}
"""What the callback of each step touches."""


def with_fault(dialogue: Dialogue, monkeypatch: pytest.MonkeyPatch, step: str) -> int:
    """A message during which a callback fails once; what its end is answered."""
    answer = 0
    for name, args in (*dialogue.STEPS, ("eom", ())):
        with monkeypatch.context() as patch:
            if name == step:
                patch.setattr(Faulty, "fault", TOUCHED[step])
            answer = dialogue.call(name, *args)
            if name != "eom":  # a step without reply can't say anything else
                assert answer in (Milter.CONTINUE, Milter.NOREPLY), name
    return answer


def test_a_message_goes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tamis.milter.session.new_transaction", lambda: "k3jx2")
    worker = OwnWorker()
    dialogue = Dialogue(monkeypatch, worker, Faulty)
    assert dialogue.message() == Milter.CONTINUE
    assert worker.roads[0].examined == [b"Subject: Hello\r\nX-Spam-Flag: NO\r\n\r\nGood day.\r\n"]
    assert dialogue.context.changes == [
        ("chgheader", "x-spam-flag", 1, ""),
        ("addheader", "X-Spam-Id", " k3jx2", 0),
        ("addheader", "X-Spam-Status", " No", 0),
    ]
    assert worker.recorded == 1
    assert all(dialogue.options[1] & step for step in NO_REPLY)


@pytest.mark.parametrize("step", TOUCHED)
def test_a_callback_that_raises_defers_its_message(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, step: str
) -> None:
    """Also with on_error = deliver, for Tamis does not know what it would deliver. The next message is served, unless
    it is the client that was lost: that is the connection's."""
    worker = OwnWorker('[policy]\non_error = "deliver"\n')
    dialogue = Dialogue(monkeypatch, worker, Faulty)
    assert with_fault(dialogue, monkeypatch, step) == Milter.TEMPFAIL
    assert dialogue.context.reply[:2] == ("451", "4.3.0")
    assert "lost track of the dialogue" in dialogue.context.reply[2]
    assert (dialogue.context.changes, worker.recorded) == ([], 0)
    assert not any(road.examined for road in worker.roads)
    assert "failed" in caplog.text
    lost = step in ("connect", "helo")
    assert dialogue.message(begin="envfrom") == (Milter.TEMPFAIL if lost else Milter.CONTINUE)
    assert worker.recorded == (0 if lost else 1)


OBSERVE = '[policy]\nmode = "observe"\non_error = "defer"\n'


@pytest.mark.parametrize("step", TOUCHED)
def test_a_failure_is_no_reason_to_touch_what_is_observed(monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    dialogue = Dialogue(monkeypatch, OwnWorker(OBSERVE), Faulty)
    assert with_fault(dialogue, monkeypatch, step) == Milter.CONTINUE
    assert (dialogue.context.changes, dialogue.context.reply) == ([], ())


@pytest.mark.parametrize("error", [ZeroDivisionError("examined"), ServiceError("gone")])
def test_what_fails_at_the_end_is_no_reason_either(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    monkeypatch.setattr(FailingRoad, "error", error)
    dialogue = Dialogue(monkeypatch, OwnWorker(OBSERVE, FailingRoad))
    assert dialogue.message() == Milter.CONTINUE
    assert (dialogue.context.changes, dialogue.context.reply) == ([], ())


def test_an_end_without_recipients_is_deferred(monkeypatch: pytest.MonkeyPatch) -> None:
    dialogue = Dialogue(monkeypatch, OwnWorker())
    for step, args in dialogue.STEPS[:3]:
        dialogue.call(step, *args)
    assert dialogue.call("eom") == Milter.TEMPFAIL


class FailingRoad(OwnRoad):
    """Tamis itself fails at the end of the message."""

    error: Exception = ZeroDivisionError("examined")

    def end_of_message(self, envelope: Envelope, mail: Mail, pulse: Callable[[], None]) -> Examined:
        raise self.error

    def abandon(self) -> None:
        raise self.error


DELIVER, DEFER = 'on_error = "deliver"', 'on_error = "defer"'


@pytest.mark.parametrize(
    ("policies", "delivered"),
    [
        (f"[policy]\n{DEFER}\n", False),
        (f"[policy]\n{DELIVER}\n", True),
        (f'[policy]\n{DEFER}\n[policy.mailboxes."{MARIE}"]\n{DELIVER}\n', False),
        (f'[policy]\n{DEFER}\n[policy.mailboxes."{PAUL}"]\n{DELIVER}\n', False),
        (f'[policy]\n{DELIVER}\n[policy.mailboxes."{MARIE}"]\n{DEFER}\n', False),
        (f'[policy]\n{DELIVER}\n[policy.mailboxes."{PAUL}"]\n{DEFER}\n', False),
        (f'[policy]\n{DEFER}\n[policy.domains."example.com"]\n{DELIVER}\n', True),
    ],
)
def test_on_error_delivers_when_every_recipient_wants_it(
    monkeypatch: pytest.MonkeyPatch, policies: str, delivered: bool
) -> None:
    worker = OwnWorker(policies, FailingRoad)
    dialogue = Dialogue(monkeypatch, worker)
    for step, args in dialogue.STEPS[:4]:  # up to the first recipient
        dialogue.call(step, *args)
    dialogue.context.macros["rcpt_addr"] = PAUL
    dialogue.call("envrcpt", f"<{PAUL}>".encode())
    answer = dialogue.message(begin="header")
    if delivered:
        assert answer == Milter.CONTINUE
        (removed, *told) = dialogue.context.changes
        assert removed == ("chgheader", "x-spam-flag", 1, "")  # forged, and not ours
        assert [(change[0], change[1]) for change in told] == [("addheader", "X-Spam-Status")]
        assert "Unknown" in told[0][2]
    else:
        assert (answer, dialogue.context.changes) == (Milter.TEMPFAIL, [])
        assert dialogue.context.reply[:2] == ("451", "4.3.0")
    assert worker.recorded == 0


def test_on_error_is_not_asked_for_what_is_expected_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that is away is no failure of Tamis: Postfix tries again."""
    monkeypatch.setattr(FailingRoad, "error", ServiceError("away"))
    dialogue = Dialogue(monkeypatch, OwnWorker(f"[policy]\n{DELIVER}\n", FailingRoad))
    assert dialogue.message() == Milter.TEMPFAIL
    assert dialogue.context.changes == []


def test_nothing_is_delivered_half_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails amid the changes is deferred: Postfix commits them only with its 250."""
    dialogue = Dialogue(monkeypatch, OwnWorker(f"[policy]\n{DELIVER}\n"))
    dialogue.context.failing = "addheader"
    assert dialogue.message() == Milter.TEMPFAIL
    assert dialogue.context.reply[0] == "451"


def test_an_abort_that_raises_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    worker = OwnWorker(road=FailingRoad)
    dialogue = Dialogue(monkeypatch, worker)
    for step, args in dialogue.STEPS:
        dialogue.call(step, *args)
    assert dialogue.call("abort") == Milter.CONTINUE
    assert "abort failed" in caplog.text
    assert dialogue.session._recipients == []
    monkeypatch.setattr(worker, "_road", OwnRoad)
    assert dialogue.message(begin="envfrom") == Milter.CONTINUE
    assert worker.roads[-1].examined[0].count(b"Subject") == 1


def test_a_close_that_raises_leaves_no_session(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    worker = OwnWorker()
    dialogue = Dialogue(monkeypatch, worker)
    assert (dialogue.message(), worker.live) == (Milter.CONTINUE, 1)

    def fail(_: object) -> None:
        raise ZeroDivisionError("closed")

    monkeypatch.setattr(worker, "session_ends", fail)
    assert dialogue.call("close") == Milter.CONTINUE
    assert "close failed" in caplog.text
    assert dialogue.session._ctx is None  # libmilter's context is let go


@pytest.mark.parametrize("end", ["abort", "close", "envfrom"])
def test_a_message_that_is_announced_and_never_shown_is_counted(
    monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    worker = OwnWorker()
    dialogue = Dialogue(monkeypatch, worker)
    dialogue.context.macros["daemon_port"] = "25"
    assert dialogue.message() == Milter.CONTINUE
    for step, args in dialogue.STEPS[2:5]:
        dialogue.call(step, *args)
    dialogue.call(end, *dict(dialogue.STEPS).get(end, ()))
    dialogue.call("abort")  # what ended ends once
    count = worker.listeners.of("25")
    assert (count.whole, count.lost, count.lost_in_a_row) == (1, 1, 1)


def test_a_transaction_without_data_is_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = OwnWorker()
    dialogue = Dialogue(monkeypatch, worker)
    for step, args in dialogue.STEPS[:4]:
        dialogue.call(step, *args)
    dialogue.call("abort")
    assert worker.listeners.of("unknown") == ListenerCount()


def test_a_connection_is_live_until_it_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = OwnWorker()
    dialogue = Dialogue(monkeypatch, worker)
    assert dialogue.message() == Milter.CONTINUE
    assert dialogue.call("abort") == Milter.CONTINUE
    assert worker.live == 1
    assert dialogue.call("close") == Milter.CONTINUE
    assert worker.live == 0
