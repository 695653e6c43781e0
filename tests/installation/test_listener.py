"""Listening sockets: made in one step, handed over to a successor, and the key and the readiness beside them."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tamis.base.errors import ConfigError
from tamis.installation.listener import (
    dead_socket,
    hand_over,
    inherited,
    listen,
    listens_at,
    socket_descriptors,
)
from tamis.installation.service_manager import notify
from tamis.installation.signing_key import signing_key
from tamis.settings import SocketAddress

ANY_PORT = SocketAddress(host="127.0.0.1", port=0)


def test_a_tcp_socket_listens_without_blocking() -> None:
    with listen(ANY_PORT) as listening:
        assert not listening.getblocking()
        with socket.create_connection(listening.getsockname()[:2], timeout=60):
            pass
        assert listening.fileno() in socket_descriptors()


def test_a_taken_port_is_an_error_that_names_it() -> None:
    with listen(ANY_PORT) as listening:
        port = listening.getsockname()[1]
        with pytest.raises(ConfigError, match=f"can't listen.*{port}"):
            listen(SocketAddress(host="127.0.0.1", port=port))


def test_a_unix_socket_has_its_permissions_and_replaces_its_predecessor(tmp_path: Path) -> None:
    path = tmp_path / "new" / "milter"
    first = listen(SocketAddress(path=str(path)), mode=0o600)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    second = listen(SocketAddress(path=str(path)), mode=0o660)
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert [p.name for p in path.parent.iterdir()] == ["milter"]
    with first, second, socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        second.accept()[0].close()


def test_a_start_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "milter"
    (tmp_path / ".milter.999999999").touch()  # of one that was killed
    (tmp_path / f".milter.{os.getppid()}").touch()  # of one that is at it
    monkeypatch.setattr(os, "chown", refuse)
    with pytest.raises(ConfigError, match=r"can't listen.*not yours"):
        listen(SocketAddress(path=str(path)), group="root")
    assert [one.name for one in tmp_path.iterdir()] == [f".milter.{os.getppid()}"]


def refuse(*_: object) -> None:
    raise PermissionError("not yours")


def test_a_group_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"socket_group: there is no such group.*no-such-group"):
        listen(SocketAddress(path=str(tmp_path / "milter")), group="no-such-group")


def test_where_a_socket_listens(tmp_path: Path) -> None:
    unix, elsewhere = (SocketAddress(path=str(tmp_path / name)) for name in ("milter", "desk"))
    with socket.socket(socket.AF_UNIX) as one, listen(ANY_PORT) as two:
        one.bind(unix.path)  # as systemd does; ours is renamed, and its successor is told where it is
        port = SocketAddress(host="127.0.0.1", port=two.getsockname()[1])
        assert [listens_at(one, place) for place in (unix, elsewhere, port)] == [True, False, False]
        assert [listens_at(two, place) for place in (unix, ANY_PORT, port)] == [False, False, True]


def test_nobody_reaches_a_dead_socket() -> None:
    with dead_socket() as dead:
        with pytest.raises(BlockingIOError):
            dead.accept()
        assert str(dead.getsockname()[:1]) != ""


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"LISTEN_PID": "1", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "milter"},  # meant for another process
        {"LISTEN_PID": "self", "LISTEN_FDS": "x", "LISTEN_FDNAMES": "milter"},
        {"LISTEN_PID": "self", "LISTEN_FDS": "", "LISTEN_FDNAMES": ""},
    ],
)
def test_what_is_not_handed_over_is_not_taken(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value.replace("self", str(os.getpid())))
    assert inherited() == {}
    assert not {name for name in os.environ if name.startswith("LISTEN_")}


SUCCESSOR = """
from tamis.installation.listener import inherited
for name, sock in inherited().items():
    print(name, sock.getsockname()[1])
    sock.close()
"""
PREDECESSOR = f"""
import os, socket, sys
from tamis.installation.listener import hand_over, listen
from tamis.settings import SocketAddress
made = {{name: listen(SocketAddress(host="127.0.0.1", port=0)) for name in ("milter", "desk")}}
for name, sock in made.items():
    print(name, sock.getsockname()[1], flush=True)
environment = dict(os.environ)
hand_over(made, environment)
os.execve(sys.executable, [sys.executable, "-c", {SUCCESSOR!r}], environment)
"""


def test_sockets_are_handed_over() -> None:
    ended = subprocess.run([sys.executable, "-c", PREDECESSOR], capture_output=True, text=True, check=True)
    lines = ended.stdout.splitlines()
    assert len(lines) == 4
    assert lines[:2] == lines[2:]


def test_hand_over_says_who_and_how_many() -> None:
    environment: dict[str, str] = {}
    hand_over({}, environment)
    assert environment == {"LISTEN_FDS": "0", "LISTEN_FDNAMES": "", "LISTEN_PID": str(os.getpid())}


def test_the_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "state" / "signing.key"
    key = signing_key(path)
    assert len(key) == 32
    assert signing_key(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("content", [b"", b"short", None])
def test_a_key_that_cannot_be_used_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "signing.key"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match="signing key"):
        signing_key(path)


@pytest.mark.parametrize("abstract", [False, True])
def test_the_service_manager_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abstract: bool) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(5)
        path = f"@{tmp_path}" if abstract else str(tmp_path / "notify")
        manager.bind("\0" + path[1:] if abstract else path)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        notify("READY=1", "STATUS=serving")
        assert manager.recv(100) == b"READY=1\nSTATUS=serving"


@pytest.mark.parametrize("path", ["", "relative", "/nonexistent/notify"])
def test_without_a_service_manager_nothing_happens(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", path)
    notify("READY=1")
