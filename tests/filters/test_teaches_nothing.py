"""What is remembered of mail is not told of test messages."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from tamis.chain.road import Examined, Road
from tamis.contract.service_protocols import Services
from tamis.contract.state_keys import BLOCKED
from tamis.message.mail import Mail
from tamis.message.test_strings import TEST_STRINGS
from tamis.services.runner import Runner
from tests.builders import LETTER, STRANGER, STRANGER_IP, envelope, site
from tests.memory_state import MemoryState

TRAP = "trap@example.com"
SITE = site(
    f'[platform]\nhoneypots = ["{TRAP}"]\nhoneypot_block_from = 2\nhoneypot_strict = true\n'
    '[policy]\noutcome = "quarantine"\n[policy.filters.message_checksum]\nstate = "on"\nrecipients = 5\n'
)
TEST = LETTER + TEST_STRINGS["tag"].encode() + b"\r\n"


class Watched(MemoryState):
    """Names the keys that are written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: set[str] = set()

    async def put(self, key: str, value: str, seconds: float) -> None:
        self.written.add(key)
        await super().put(key, value, seconds)

    async def count(self, key: str, seconds: float, amount: int = 1) -> int:
        if amount:
            self.written.add(key)
        return await super().count(key, seconds, amount)

    async def distinct_within(
        self, key: str, members: Sequence[str], windows: Sequence[float]
    ) -> tuple[int, ...]:
        if members:
            self.written.add(key)
        return tuple(await super().distinct_within(key, members, windows))


def sent(state: Watched, raw: bytes, *recipients: str, sender: str = STRANGER) -> Examined:
    services = replace(Services(), state=state)
    return Road(SITE, Runner(), services).end_of_message(envelope(*recipients, sender=sender), Mail(raw))


@pytest.mark.parametrize("asked", [one for one in TEST_STRINGS if one != "defer"])
def test_a_honeypot_remembers_no_test(asked: str) -> None:
    state = Watched()
    for domain in ("example.net", "example.org", "example.com"):
        raw = LETTER + TEST_STRINGS[asked].encode() + b"\r\n"
        examined = sent(state, raw, TRAP, sender=f"stranger@{domain}")
        assert examined.findings["honeypot"].facts["traps"], "what goes to a trap is spam all the same"
    assert not [key for key in state.written if key.startswith(("honeypot:", BLOCKED))]
    assert str(sent(state, LETTER).judged[0].outcome) == "inbox"


def test_the_same_letter_without_the_string_is_remembered() -> None:
    state = Watched()
    for domain in ("example.net", "example.org"):
        sent(state, LETTER, TRAP, sender=f"stranger@{domain}")
    assert asyncio.run(state.get(BLOCKED + STRANGER_IP)) is not None


def test_copies_of_tests_count_among_tests_alone() -> None:
    """So a mailing with the string is held like one without, and lifts no count of other mail."""
    state = Watched()
    outcomes = [str(sent(state, TEST, f"r{n}@example.com").judged[0].outcome) for n in range(6)]
    assert outcomes == ["tag"] * 4 + ["quarantine"] * 2
    assert not [key for key in state.written if key.startswith("sum:")]
