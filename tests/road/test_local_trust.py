"""Who on this machine may speak with milter and desk: Postfix alone, at the sockets that deploy/postfix names."""

from __future__ import annotations

import os
import pwd
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real import Client, wait_until
from tests.road.installation import Installation, ham, spam

pytestmark = pytest.mark.real

STRANGER = Client("192.0.2.7")
ALL = ["quarantine@example.org", "tag@example.com", "inbox@example.com"]


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    """Debian's way: smtpd in a chroot below the queue directory."""
    with Installation(unix=True, chroot=True) as running:
        yield running


def place(installation: Installation, name: str) -> Path:
    return Path(installation.daemon.settings[name]["socket"].removeprefix("unix:"))


def connects(path: Path, user: str, group: int | None = None) -> str:
    """The first line that a process of another user is told there, or the error that it gets."""
    program = (
        "import socket, sys; s = socket.socket(socket.AF_UNIX); s.settimeout(5)\n"
        f"s.connect({str(path)!r}); print(s.recv(100).decode())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        user=user,
        group=pwd.getpwnam(user).pw_gid if group is None else group,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


def test_mail_goes_its_way_through_the_sockets_in_a_chroot(installation: Installation) -> None:
    assert installation.postfix.send(spam(1), to=ALL, client=STRANGER).accepted
    wait_until(lambda: len(installation.held()) == 1, timeout=30, what="the message to be held")
    installation.postfix.wait_idle()
    assert [len(installation.postfix.maildir(who)) for who in ALL] == [0, 1, 1]
    report = {one["check"]: one for one in installation.tamis("doctor", "--json", status={0, 69})}
    inbound = f"127.0.0.1:{installation.postfix.port}/inet"
    checks = (
        inbound,
        "milter socket",
        "desk socket",
        "access to the milter socket",
        "access to the desk socket",
    )
    assert [report[one]["health"] for one in (*checks, "route to the desk")] == ["ok"] * 6


def test_other_users_are_refused(installation: Installation) -> None:
    for name in ("milter", "desk"):
        assert "PermissionError" in connects(place(installation, name), "nobody")


def test_the_desk_looks_who_is_there(installation: Installation) -> None:
    """Should the permissions be wrong, the second wall holds."""
    path = place(installation, "desk")
    path.chmod(0o666)
    try:
        assert connects(path, "nobody").startswith("421 4.7.0")
        assert connects(path, "postfix").startswith("220 ")
        report = {one["check"]: one for one in installation.tamis("doctor", "--json", status={0, 69})}
        assert report["access to the desk socket"]["health"] == "error"
    finally:
        path.chmod(0o660)
    assert "not with Peer(" in installation.daemon.log()


def test_the_desk_closes_to_who_comes_too_often(installation: Installation) -> None:
    installation.daemon.write_settings(desk={**installation.daemon.settings["desk"], "connections": 4})
    installation.daemon.stop()
    installation.daemon.start()
    path = place(installation, "desk")
    held, told = [], b""
    try:
        for _ in range(5):
            held.append(socket.socket(socket.AF_UNIX))
            held[-1].settimeout(10)
            held[-1].connect(str(path))
            told = held[-1].recv(100)
        assert told.startswith(b"421 ")
    finally:
        for one in held:
            one.close()
    assert installation.postfix.send(ham(2), to=["inbox@example.com"], client=STRANGER).accepted


def test_a_start_that_fails_leaves_nothing_and_says_so_by_its_status(installation: Installation) -> None:
    path = place(installation, "milter")
    left = path.with_name(".milter.999999999")  # of a start that was killed
    left.touch()
    installation.daemon.stop()
    installation.daemon.start()
    assert sorted(one.name for one in path.parent.iterdir()) == ["desk", "milter"]
    installation.daemon.stop()
    good = installation.daemon.settings["milter"]
    installation.daemon.write_settings(milter={**good, "socket_group": "no-such-group"})
    done = subprocess.run(
        [sys.executable, "-m", "tamis.cli", "serve", "--config", str(installation.daemon.config)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == os.EX_CONFIG, done.stderr
    assert "socket_group: there is no such group" in done.stderr
    installation.daemon.write_settings(milter=good)
    installation.daemon.start()
    assert sorted(one.name for one in path.parent.iterdir()) == ["desk", "milter"]
