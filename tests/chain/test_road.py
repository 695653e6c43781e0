"""The road: from envelope and message to findings, verdicts, headers and plan."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from typing import ClassVar

import pytest

from tamis.chain.registry import BUILT_IN, in_order
from tamis.chain.road import Examined, Road
from tamis.contract.filter import Filter, Message, Stage
from tamis.contract.finding import Finding
from tamis.contract.service_protocols import Services
from tamis.judging.policy import Outcome
from tamis.judging.site import Site
from tamis.message.mail import Mail
from tamis.services.files.attachments import AttachmentLooker
from tamis.services.runner import Runner
from tests.builders import FILTERS, LETTER, MARIE, NOW, PAUL, STRANGER, entry, envelope, site
from tests.memory_state import MemoryState

EMPTY = b"From: a@example.net\r\nDate: Sun, 1 Mar 2026 12:00:00 +0000\r\n\r\n"


@pytest.fixture(scope="module")
def running() -> Runner:
    return Runner()


def walk(running: Runner, made: Site, *recipients: str, raw: bytes = EMPTY, **told: str) -> Examined:
    services = Services(attachments=AttachmentLooker(), state=MemoryState())
    return Road(made, running, services).end_of_message(envelope(*recipients, **told), Mail(raw))


def test_each_recipient_has_the_own_outcome_and_headers(running: Runner) -> None:
    made = site(f'[headers]\nprefix = "X-Ours-"\n[policy.mailboxes."{PAUL}".filters.empty]\nstate = "off"')
    examined = walk(running, made, MARIE, PAUL)
    assert [one.outcome for one in examined.judged] == [Outcome.QUARANTINE, Outcome.INBOX]
    assert examined.plan.in_place is not None
    assert examined.plan.in_place.recipients == (PAUL,)
    assert [copy.recipients for copy in examined.plan.redirected] == [(MARIE,)]
    shown = dict(examined.plan.in_place.headers)
    assert shown["X-Ours-Rcpt"] == f"<{PAUL}>"
    assert shown["X-Ours-Status"].startswith("No, ")


def test_the_shared_copy_names_no_recipient(running: Runner) -> None:
    examined = walk(running, site(), MARIE, PAUL, raw=LETTER)
    assert examined.plan.in_place is not None
    assert {name for name, _ in examined.plan.in_place.headers} == {
        *("X-Spam-Status", "X-Spam-Score", "X-Spam-Return-Path", "X-Spam-Client-IP"),
        "X-Spam-Unavailable",  # no DNS here
        "Authentication-Results",
    }


def test_what_our_users_send_is_neither_examined_nor_marked(running: Runner) -> None:
    blacklisted = site(entries=[entry("192.0.2.7", "black")])
    examined = walk(running, blacklisted, MARIE, login="marie")
    assert set(examined.findings) <= {one.name for one in FILTERS if one.outgoing}
    assert examined.judged[0].headers == ()
    assert examined.plan.in_place is not None
    assert examined.plan.in_place.headers == ()


def test_an_own_network_is_examined_all_the_same(running: Runner) -> None:
    made = site('[platform]\nnetworks = ["192.0.2.0/24"]')
    assert walk(running, made).judged[0].verdict.decided_by == "empty"


def test_a_white_entry_counts_for_a_recipient_with_a_subaddress(running: Runner) -> None:
    made = site(entries=[entry("192.0.2.7", scope=MARIE)])
    examined = walk(running, made, "marie+news@example.com", PAUL)
    assert [one.verdict.decided_by for one in examined.judged] == ["ip_whitelist", "empty"]


class Early(Filter):
    """Needs only the sender, and waits."""

    name = "early"
    spec_id = "S5"
    summary = "needs the sender"
    stage = Stage.MAIL
    senders: ClassVar[list[str]] = []
    begun: ClassVar[threading.Event] = threading.Event()

    def examine(self, message: Message) -> Finding:
        self.senders.append(message.envelope.sender)
        self.begun.set()
        return self.clear()


def test_what_needs_only_the_sender_begins_with_it(running: Runner) -> None:
    made = site(filters=in_order((*BUILT_IN, Early)))
    road = Road(made, running)
    road.mail_from(replace(envelope(), recipients=()))
    assert Early.begun.wait(60)
    examined = road.end_of_message(envelope(), Mail(LETTER))
    assert Early.senders == [STRANGER]  # once, not again at the end
    assert "early" in examined.findings


def test_a_road_can_be_left_at_any_time(running: Runner) -> None:
    road = Road(site(), running)
    road.abandon()
    road.mail_from(envelope())
    road.abandon()


def test_each_recipient_is_greylisted_by_itself(running: Runner) -> None:
    """Also those that are named after one who was put off, and at the end all that are left."""
    made = site('[policy.filters.greylisting]\nstate = "on"\n')
    state = MemoryState(NOW.timestamp())

    def attempt(seconds: float) -> tuple[list[str], Road]:
        told = replace(envelope(MARIE, PAUL), received_at=NOW + timedelta(seconds=seconds))
        state.now = told.received_at.timestamp()
        road = Road(made, running, Services(state=state))
        road.mail_from(replace(told, recipients=()))
        answers = [
            road.recipient(replace(told, recipients=told.recipients[:n]), one)
            for n, one in enumerate(told.recipients)
        ]
        return answers, road

    first, _ = attempt(0)
    assert all("greylisted" in answer for answer in first)
    early, road = attempt(100)
    assert all("greylisted" in answer for answer in early)
    road.abandon()
    later, road = attempt(400)
    assert later == ["", ""]
    told = replace(envelope(MARIE, PAUL), received_at=NOW + timedelta(seconds=400))
    assert road.end_of_message(told, Mail(LETTER)).plan.defer == ""


def test_a_message_for_nobody(running: Runner) -> None:
    examined = Road(site(), running).end_of_message(replace(envelope(), recipients=()), Mail(LETTER))
    assert (examined.judged, examined.plan.in_place, examined.plan.redirected) == ((), None, ())
