"""The route to the desk: without it, 451 and a clear message, never a bounce; mended, it recovers by itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.real import Client, Envelope, Session, free_port, wait_until
from tests.road.installation import Installation, ham, spam

pytestmark = pytest.mark.real

STRANGER = Client("192.0.2.7")
QUARANTINE, INBOX = "quarantine@example.org", "inbox@example.com"
FAST = {"desk": {"proof_wait": 1.0}}


@pytest.fixture
def installation() -> Iterator[Installation]:
    """An installation whose Postfix lines a test breaks."""
    with Installation(settings=FAST) as running:
        yield running


def refused(installation: Installation, number: int) -> str:
    """Send spam that needs the desk; the text of the 451 that it gets."""
    reply = installation.postfix.send(spam(number), to=[QUARANTINE], client=STRANGER).reply
    assert reply.code == 451, reply
    return reply.text


def strays(installation: Installation) -> list[bytes]:
    """What went where it should not: bounces, and copies for the desk that left for the outside world.

    Probes are no mail: they may go astray, that is what they are for. What becomes of copies that are queued
    when the line gets lost is in tests/real/test_postfix_lines.py.
    """
    return [m for m in installation.postfix.outside() if b"Subject: Tamis route probe" not in m]


def recovered(installation: Installation, number: int) -> None:
    """Wait until the same spam is taken, and is in quarantine once."""
    wait_until(
        lambda: installation.postfix.send(spam(number), to=[QUARANTINE], client=STRANGER).accepted,
        timeout=60,
        what="the route to be proven again",
    )
    wait_until(lambda: len(installation.held()) == 1, timeout=30, what="the message to be held")
    assert strays(installation) == []


@pytest.mark.parametrize(
    "transport",
    [None, "inline:{ {.tamis.invalid = tamis:[127.0.0.1]:9} }", "inline:{ {tamis.invalid = error:gone} }"],
    ids=["missing", "wrong port", "wrong key"],
)
def test_a_line_that_is_missing_or_wrong_from_the_start(
    installation: Installation, transport: str | None
) -> None:
    good = installation.postfix.parameter("transport_maps")
    installation.postfix.postconf(transport_maps=transport)
    installation.postfix.reload()
    text = refused(installation, 1)
    assert "not ready" in text
    assert "transport_maps" in installation.daemon.log()
    assert installation.postfix.send(ham(2), to=[INBOX], client=STRANGER).accepted
    report = installation.tamis("doctor", "--json", status=69)
    wrong = {r["check"] for r in report if r["health"] == "error"}
    assert "route to the desk" in wrong
    installation.postfix.postconf(transport_maps=good)
    installation.postfix.reload()
    recovered(installation, 1)
    assert installation.tamis("doctor", "--json")


def test_a_line_that_gets_lost_while_running(installation: Installation) -> None:
    assert installation.postfix.send(spam(1), to=[QUARANTINE], client=STRANGER).accepted
    wait_until(lambda: len(installation.held()) == 1, timeout=30, what="the message to be held")
    good = installation.postfix.parameter("transport_maps")
    installation.postfix.postconf(transport_maps=None)
    installation.postfix.reload()
    refused(installation, 2)
    assert strays(installation) == []
    installation.postfix.postconf(transport_maps=good)
    installation.postfix.reload()
    wait_until(
        lambda: installation.postfix.send(spam(2), to=[QUARANTINE], client=STRANGER).accepted,
        timeout=60,
        what="the route to be proven again",
    )
    wait_until(lambda: len(installation.held()) == 2, timeout=30, what="the second message to be held")
    assert strays(installation) == []


def test_without_the_listener_for_reinjection(installation: Installation) -> None:
    """And settings that are mended count from the reload on."""
    good = installation.daemon.settings["desk"]
    installation.daemon.write_settings(desk={**good, "reinject": f"127.0.0.1:{free_port()}"})
    installation.daemon.hup()
    wait_until(
        lambda: not installation.postfix.send(spam(1), to=[QUARANTINE], client=STRANGER).accepted,
        timeout=20,
        what="the mistake to count",
    )
    refused(installation, 2)
    assert "listener without milter" in installation.daemon.log()
    held = len(installation.held())
    installation.daemon.write_settings(desk=good)
    installation.daemon.hup()
    wait_until(
        lambda: installation.postfix.send(spam(3), to=[QUARANTINE], client=STRANGER).accepted,
        timeout=60,
        what="the route to be proven again",
    )
    wait_until(lambda: len(installation.held()) == held + 1, timeout=30, what="the message to be held")
    assert strays(installation) == []


def test_unsigned_detour_addresses_stay_in_the_queue(installation: Installation) -> None:
    """Somebody on a trusted machine makes an address up: the desk refuses it with 4xx and an alarm."""
    forged = f"quarantine@example.org.{'a' * 20}.{'b' * 20}.quarantine.tamis.invalid"
    reply = installation.postfix.send(ham(1), to=[forged], client=STRANGER).reply
    assert reply.code == 554, "Postfix does not relay for strangers"
    trusted = Session(installation.postfix.reinjection_port)
    with trusted:
        replies = trusted.transact(Envelope("sender@example.net", (forged,), ham(1)))
    assert replies[forged].accepted
    installation.postfix.wait_log(r"status=deferred .*not signed by this installation")
    assert installation.held() == []
    assert "not signed by this installation" in installation.daemon.log()
