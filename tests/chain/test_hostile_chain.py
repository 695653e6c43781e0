"""Hostile messages through the whole chain: no filter fails, none takes time out of proportion to the message."""

from __future__ import annotations

import time

import pytest

from tamis.chain.road import Road
from tamis.contract.finding import Finding
from tamis.contract.service_protocols import Services
from tamis.message.mail import Mail
from tamis.services.files.attachments import AttachmentLooker
from tamis.services.runner import Runner
from tests.builders import FILTERS, STRANGER_IP, envelope, site
from tests.hostile import ATTACKS, RULES, shapes
from tests.memory_state import MemoryState
from tests.services.dns.resolving import WrittenDNS

SIZE = 500_000
"""Octets: what is quadratic in them takes minutes."""
CPU_SECONDS = 5.0
"""To detect what hangs or is quadratic, on slow machines too; it is no benchmark: each takes less than 0.5 s."""

SITE = site(
    "[policy]\nexamine_everything = true\n"
    + "".join(f'[policy.filters.{one.name}]\nstate = "on"\n' for one in FILTERS if one.switchable),
    rules=RULES,
)


@pytest.fixture(scope="module")
def runner() -> Runner:
    return Runner()


def examined(raw: bytes, runner: Runner) -> dict[str, Finding]:
    """What all filters say, within the bound."""
    services = Services(
        attachments=AttachmentLooker(), dns=WrittenDNS(client=STRANGER_IP), state=MemoryState()
    )
    road = Road(SITE, runner, services)
    told = envelope(helo="mail.example.net")
    begun = time.process_time()
    road.mail_from(told)
    found = dict(road.end_of_message(told, Mail(raw)).findings)
    spent = time.process_time() - begun
    assert spent < CPU_SECONDS, sorted(((one.seconds, name) for name, one in found.items()), reverse=True)[:3]
    failed = [one.text() for one in found.values() if "failed: " in one.text()]
    assert not failed
    return found


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks(name: str, runner: Runner) -> None:
    assert set(examined(ATTACKS[name](), runner)) == {one.name for one in FILTERS}


GROUPS = [*dict.fromkeys(name.split()[0] for name, _ in shapes(1000))]
"""The words that the shapes' names begin with."""


@pytest.mark.parametrize("group", GROUPS)
def test_shapes(group: str, runner: Runner) -> None:
    for name, raw in shapes(SIZE):
        if name.split()[0] == group:
            assert examined(raw, runner), name


@pytest.mark.parametrize(
    ("helo", "sender", "name"),
    [
        ("a." * 1000, "a" * 60_000 + "@example.net", "x"),
        ("[" * 2000, "a@" * 30_000 + "example.net", "a." * 500),
        ("x" * 2000, '"' + "\\a" * 30_000 + '"@example.net', "-" * 500),
        ("[" + "1." * 1000 + "]", "a@" + "b." * 30_000 + "net", ""),
        ("xn--" * 500, "+" * 60_000 + "@example.net", "xn--" * 100),
    ],
)
def test_envelopes(helo: str, sender: str, name: str, runner: Runner) -> None:
    records = {"example.net TXT": ["v=spf1 exists:%{l1r-}.%{h}.%{s}.example -all"]}
    services = Services(
        attachments=AttachmentLooker(), dns=WrittenDNS(records, client=STRANGER_IP), state=MemoryState()
    )
    told = envelope(*(f"u{n}@example.com" for n in range(1000)), helo=helo, sender=sender, client_name=name)
    begun = time.process_time()
    road = Road(SITE, runner, services)
    road.mail_from(told)
    found = road.end_of_message(told, Mail(b"Subject: x\r\n\r\nx\r\n")).findings
    assert time.process_time() - begun < 2 * CPU_SECONDS
    assert not [one.text() for one in found.values() if "failed: " in one.text()]
