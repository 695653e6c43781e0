"""Listening sockets that outlive the processes that serve them, in systemd's socket activation protocol."""

from __future__ import annotations

import grp
import os
import socket
import stat
from collections.abc import Mapping
from pathlib import Path

from tamis.base.errors import ConfigError
from tamis.settings import SocketAddress

FIRST_FD = 3
"""The first descriptor that sd_listen_fds(3) hands over."""

_BACKLOG = 512


def inherited() -> dict[str, socket.socket]:
    """Sockets handed over by systemd or by the process that we replace, by name; taken once."""
    names = os.environ.pop("LISTEN_FDNAMES", "").split(":")
    pid, count = os.environ.pop("LISTEN_PID", ""), os.environ.pop("LISTEN_FDS", "")
    if pid != str(os.getpid()) or not count.isdecimal():
        return {}
    handed = zip(names, range(FIRST_FD, FIRST_FD + int(count)), strict=False)
    return {name: socket.socket(fileno=fd) for name, fd in handed}


def hand_over(sockets: Mapping[str, socket.socket], environment: dict[str, str]) -> None:
    """In a child about to exec: put the sockets where `inherited` looks, and say so in the environment."""
    safe = [os.dup(sock.fileno()) for sock in sockets.values()]
    high = [os.dup2(fd, FIRST_FD + len(safe) + 100 + n, inheritable=False) for n, fd in enumerate(safe)]
    for place, fd in enumerate(high, FIRST_FD):
        os.dup2(fd, place, inheritable=True)
    environment["LISTEN_FDS"] = str(len(sockets))
    environment["LISTEN_FDNAMES"] = ":".join(sockets)
    environment["LISTEN_PID"] = str(os.getpid())


def listen(address: SocketAddress, *, mode: int = 0o660, group: str = "") -> socket.socket:
    """A non-blocking listening socket. Raises ConfigError when the address can't be had.

    A unix socket is bound beside its path and renamed into place, so that it replaces a predecessor's in one
    step and is never there without its permissions.
    """
    try:
        if address.path:
            return _listen_unix(Path(address.path), mode, group)
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        listening = socket.create_server((address.host, address.port), family=family, backlog=_BACKLOG)
    except KeyError:
        raise ConfigError("settings", "socket_group", "there is no such group", value=group) from None
    except PermissionError as error:
        problem = (
            f"can't listen: {error}; folder and group {group!r} must be this user's, or the sockets systemd's"
        )
        raise ConfigError("settings", "socket", problem, value=str(address)) from None
    except OSError as error:
        raise ConfigError("settings", "socket", f"can't listen: {error}", value=str(address)) from None
    listening.setblocking(False)
    return listening


def _listen_unix(path: Path, mode: int, group: str) -> socket.socket:
    path.parent.mkdir(parents=True, exist_ok=True)
    owner = grp.getgrnam(group).gr_gid if group else -1
    _remove_left_overs(path)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.bind(str(beside))
        os.chown(beside, -1, owner)
        beside.chmod(mode)
        listening.listen(_BACKLOG)
        beside.rename(path)
    except OSError:
        listening.close()
        beside.unlink(missing_ok=True)
        raise
    listening.setblocking(False)
    return listening


def _remove_left_overs(path: Path) -> None:
    """What starts left beside the path that were killed before the rename, or failed."""
    for beside in path.parent.glob(f".{path.name}.*"):
        pid = beside.name.rpartition(".")[2]
        if pid.isdecimal() and (int(pid) == os.getpid() or not Path(f"/proc/{pid}").exists()):
            beside.unlink(missing_ok=True)


def listens_at(sock: socket.socket, address: SocketAddress) -> bool:
    """Whether a listening socket is at an address."""
    name = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        return bool(address.path) and Path(name).absolute() == Path(address.path)
    return not address.path and name[1] == address.port and name[0] == address.host


def socket_descriptors() -> set[int]:
    """The descriptors of this process that are sockets."""
    found: set[int] = set()
    for path in Path("/proc/self/fd").iterdir():
        try:
            if stat.S_ISSOCK(path.stat().st_mode):
                found.add(int(path.name))
        except OSError:  # the descriptor that listed the folder is gone by now
            continue
    return found


def dead_socket() -> socket.socket:
    """A listening socket that nobody can reach: what a draining worker accepts from."""
    dead = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    dead.bind("")  # autobind: an unguessable abstract name (unix(7))
    dead.listen(1)
    dead.setblocking(False)
    return dead
