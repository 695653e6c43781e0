"""The route to the desk: without it, 451 and a clear message, never a bounce; mended, it recovers by itself."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.real import Client, Envelope, PrivatePostfix, Session, free_port, wait_until
from tests.real.support import private_directory
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
        timeout=60,
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


def test_unsigned_redirection_addresses_stay_in_the_queue(installation: Installation) -> None:
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


def test_the_proof_belongs_to_the_postfix_that_it_went_through(installation: Installation) -> None:
    """A second instance without the transport line would bounce the held copy to its sender."""
    with PrivatePostfix(
        milter=installation.daemon.milter, main={"myhostname": "mx2.example.com", "transport_maps": ""}
    ) as second:
        assert installation.postfix.send(spam(1), to=[QUARANTINE], client=STRANGER).accepted
        reply = second.send(spam(2), to=[QUARANTINE], client=STRANGER).reply
        assert (reply.code, "mx2.example.com" in reply.text) == (451, True)
        assert second.send(ham(3), to=[INBOX], client=STRANGER).accepted
        wait_until(lambda: bool(second.maildir(INBOX)), timeout=30, what="what needs no desk to arrive")
        assert second.outside() == []
    wait_until(lambda: len(installation.held()) == 1, timeout=30, what="the first message to be held")


def test_a_full_run_directory_is_named_and_no_probe_piles_up() -> None:
    disk = private_directory("run")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tamis-test", disk], check=True)
    try:
        with Installation(settings={**FAST, "run_directory": str(disk)}) as running:
            assert running.postfix.send(spam(1), to=[QUARANTINE], client=STRANGER).accepted
            filler = disk / "filler"
            with suppress(OSError), filler.open("wb", buffering=0) as file:
                while file.write(b"x" * 4096):
                    pass
            running.postfix.postconf(mail_name="Postfix")  # touched: what was proven is to be proven anew
            wait_until(
                lambda: (
                    "can't be noted: [Errno 28]"
                    in running.postfix.send(spam(2), to=[QUARANTINE], client=STRANGER).reply.text
                ),
                timeout=30,
                what="the cause to be named",
            )
            assert "Traceback" not in running.daemon.log()
            running.postfix.wait_idle()
            filler.unlink()
            wait_until(
                lambda: running.postfix.send(spam(3), to=[QUARANTINE], client=STRANGER).accepted,
                timeout=60,
                what="the route to be proven again",
            )
            wait_until(lambda: len(running.held()) == 2, timeout=30, what="both messages to be held")
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def test_a_copy_that_comes_by_the_milter_again_passes_untouched() -> None:
    """As with a content_filter whose way back runs the milter: what was judged is not judged again."""
    port = free_port()
    way_back = (
        f"127.0.0.1:{port} inet n - n - - smtpd -o content_filter= -o mynetworks=127.0.0.0/8\n"
        "    -o smtpd_recipient_restrictions=permit_mynetworks,reject\n"
        "    -o smtpd_authorized_xforward_hosts=127.0.0.0/8\n"
        "scan unix - - n - - smtp\n"
    )
    with Installation(main={"content_filter": f"scan:[127.0.0.1]:{port}"}, master=way_back) as running:
        both = ["tag@example.com", QUARANTINE]
        assert running.postfix.send(spam(1), to=both, client=STRANGER).accepted
        wait_until(lambda: len(running.held()) == 1, timeout=30, what="the message to be held")
        wait_until(
            lambda: bool(running.postfix.maildir("tag@example.com")), timeout=30, what="the tagged copy"
        )
        (held,) = running.held()
        assert held["recipient"] == QUARANTINE
        (tagged,) = running.postfix.maildir("tag@example.com")
        assert tagged.count(b"SPAM: ") == 1
        wait_until(lambda: not running.postfix.mailq(), timeout=30, what="the queue to be empty")
        assert len(running.held()) == 1
        assert running.postfix.outside() == []
