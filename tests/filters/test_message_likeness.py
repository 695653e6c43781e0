"""S23b at work: kinds of messages, and what counts for them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tamis.chain.road import Road
from tamis.contract.finding import Finding, Status
from tamis.contract.service_protocols import Services
from tamis.message.mail import Mail
from tamis.message.test_strings import TEST_STRINGS
from tamis.services.runner import Runner
from tests.builders import MARIE, book, envelope, site, verdict_of
from tests.memory_state import MemoryState
from tests.message.mail.test_likeness import prose, varied

SITE = site('[policy.filters.message_likeness]\nstate = "on"\nrecipients = 5\n')


class Platform:
    """Messages that come one after the other; each to another recipient."""

    def __init__(self) -> None:
        self.state = MemoryState()
        self.number = 0

    def look(self, words: list[str], *, more: str = "", **envelope_: str) -> Finding:
        self.number += 1
        raw = f"From: A <a{self.number}@example.net>\r\nSubject: Offer {self.number}\r\n\r\n{' '.join(words)}\r\n{more}"
        told = envelope(f"r{self.number}@example.com", **envelope_)
        services = replace(Services(), state=self.state)
        found = Road(SITE, Runner(), services).end_of_message(told, Mail(raw.encode()))
        return found.findings["message_likeness"]


def test_a_campaign_that_varies_words_and_sender_is_one_kind() -> None:
    platform, words = Platform(), prose(120, 1)
    found = [platform.look(varied(words, number // 2, number)) for number in range(6)]
    assert [one.status for one in found] == [Status.CLEAR] * 4 + [Status.HIT] * 2
    assert len({one.facts["kind"] for one in found}) == 1
    verdict = verdict_of(
        book('[filters.message_likeness]\nstate="on"\nrecipients=5').policy(MARIE), found[-1]
    )
    assert verdict.because == "nearly the same message came for 6 recipients in 3600 seconds"


def test_other_messages_are_of_other_kinds() -> None:
    platform = Platform()
    found = [platform.look(prose(120, seed)) for seed in range(8)]
    assert len({one.facts["kind"] for one in found}) == 8
    assert {one.facts["most"] for one in found} == {1}


def test_a_kind_does_not_drift() -> None:
    """Each copy is alike to the one before; what is no longer alike to the first is another kind."""
    platform, words = Platform(), prose(120, 1)
    kinds = []
    for seed in range(40):
        kinds.append(platform.look(words).facts["kind"])
        words = varied(words, 4, seed)
    assert len(set(kinds)) > 1
    assert kinds[0] != kinds[-1]


def test_a_policy_may_want_them_more_alike() -> None:
    platform, words = Platform(), prose(120, 1)
    for _ in range(5):
        platform.look(words)
    loose = platform.look(varied(words, 5, 99))
    assert 0.7 <= loose.facts["likeness"] < 0.95
    for wanted, spam in ((0.7, True), (0.95, False)):
        policy = book(f'[filters.message_likeness]\nstate="on"\nrecipients=5\nlikeness={wanted}').policy(
            MARIE
        )
        assert (verdict_of(policy, loose).decided_by == "message_likeness") is spam


def test_tests_own_mail_and_notes_are_not_counted() -> None:
    platform, words = Platform(), prose(120, 1)
    for seed in range(6):
        platform.look(varied(words, 3, seed), more=TEST_STRINGS["tag"] + "\r\n")
        assert platform.look(varied(words, 3, seed), client_ip="127.0.0.1").facts == {}
    assert platform.look(words).facts["most"] == 1
    assert platform.look(["Thank", "you"]).because == "too little text to compare"


@pytest.mark.parametrize("kept", ["nonsense", "", "AAAA"])
def test_what_the_state_lost_or_spoiled_makes_a_new_kind(kept: str) -> None:
    platform, words = Platform(), prose(120, 1)
    first = platform.look(words)
    for key in [key for key in platform.state._kept if key.startswith("like-first:")]:
        platform.state._kept[key] = (kept, 1e12)
    assert platform.look(words).facts["kind"] == first.facts["kind"]
    assert platform.look(words).facts["most"] == 3
