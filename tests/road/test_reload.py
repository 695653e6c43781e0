"""Reload and replacement under load: no session lost."""

from __future__ import annotations

import signal
import threading

import pytest

from tamis.cli.doctor import answers
from tamis.settings import SocketAddress
from tests.real import Client, Envelope, Sent, free_port, wait_until
from tests.real.support import private_directory
from tests.road.installation import Installation, ham

pytestmark = pytest.mark.real

MESSAGES = 2000


@pytest.mark.parametrize("socket", ["inet", "unix"])
def test_reload_every_second_and_one_replacement(socket: str) -> None:
    """2,000 messages or more: every one delivered once, none refused other than by a 4xx that was retried."""
    settings = {}
    if socket == "unix":
        folder = private_directory("socket")  # not pytest's: another run of it would close that to Postfix
        folder.chmod(0o755)
        settings = {"milter": {"socket": f"unix:{folder}/milter", "socket_mode": "0666"}}
    with Installation(settings=settings) as installation:
        first = installation.daemon.pids("supervisor")
        done = threading.Event()
        hups = replacements = 0

        def disturb() -> None:
            nonlocal hups, replacements
            while not done.wait(1.0):
                installation.daemon.signal("supervisor", signal.SIGHUP)
                hups += 1
                if hups == 2:
                    installation.daemon.signal("supervisor", signal.SIGUSR2)
                    replacements += 1

        thread = threading.Thread(target=disturb)
        thread.start()
        try:
            sent: list[Sent] = []
            while len(sent) < MESSAGES or hups < 3:
                envelopes = [
                    Envelope(
                        "sender@example.net", ("inbox@example.com",), ham(n), Client(f"192.0.2.{n % 250}")
                    )
                    for n in range(len(sent), len(sent) + MESSAGES)
                ]
                sent += installation.postfix.send_many(envelopes, sessions=8, attempts=20, retry_delay=0.2)
        finally:
            done.set()
            thread.join()
        assert all(s.accepted for s in sent), [s.reply for s in sent if not s.accepted][:5]
        installation.postfix.wait_idle(60)
        numbers = [
            m.partition(b"Message-ID: <")[2].partition(b"@")[0]
            for m in installation.postfix.maildir("inbox@example.com")
        ]
        assert sorted(map(int, numbers)) == list(range(len(sent)))
        assert replacements == 1
        wait_until(
            lambda: installation.daemon.pids("supervisor") != first,
            timeout=30,
            what="the successor to take over",
        )


def test_a_successor_listens_where_the_settings_say_now() -> None:
    """The sockets that it inherits are no longer the ones, and the old address is given up."""
    with Installation() as installation:
        daemon = installation.daemon
        old, new = daemon.milter, f"inet:127.0.0.1:{free_port()}"
        desk = installation.daemon.settings["desk"]["socket"]
        daemon.write_settings(milter={**daemon.settings["milter"], "socket": new})
        (first,) = daemon.signal("supervisor", signal.SIGUSR2)
        wait_until(
            lambda: daemon.pids("supervisor") != [first] and not daemon.running(),
            timeout=60,
            what="the successor to take over",
            detail=daemon.failure_report,
        )
        assert answers(SocketAddress.parse(new))
        assert not answers(SocketAddress.parse(old))
        assert answers(SocketAddress.parse(desk))


def test_a_wrong_setting_changes_nothing() -> None:
    """A reload with a mistake keeps what is in force, and says what is wrong."""
    with Installation() as installation:
        installation.daemon.write_settings(policy={"outcome": "quarantin"})
        installation.daemon.hup()
        assert "did you mean 'quarantine'" in installation.daemon.log()
        assert installation.postfix.send(ham(1), to=["inbox@example.com"]).accepted
