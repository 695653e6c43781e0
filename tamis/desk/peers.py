"""Who is at the other end of the desk's socket: a unix socket's permissions are the first wall, this is the second."""

from __future__ import annotations

import asyncio
import contextlib
import grp
import os
import pwd
import socket
import struct
from dataclasses import dataclass

_CREDENTIALS = struct.Struct("3i")  # struct ucred of unix(7): process, user, group


@dataclass(frozen=True, slots=True)
class Peer:
    """The process that connected to a unix socket, as the kernel knows it (SO_PEERCRED)."""

    pid: int
    uid: int
    gid: int


def peer_of(writer: asyncio.StreamWriter) -> Peer | None:
    """Who connected; None over TCP, where nobody can tell."""
    sock = writer.get_extra_info("socket")
    if sock is None or sock.family != socket.AF_UNIX:
        return None
    return Peer(
        *_CREDENTIALS.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    )


def is_trusted(peer: Peer | None, group: str) -> bool:
    """Whether a peer may hand in mail: root, Tamis itself, or who is in Postfix's `group`. Over TCP everybody may."""
    if peer is None or peer.uid in (0, os.geteuid()):
        return True
    with contextlib.suppress(KeyError):
        known = grp.getgrnam(group)
        if peer.gid == known.gr_gid:
            return True
        user = pwd.getpwuid(peer.uid)
        return user.pw_gid == known.gr_gid or user.pw_name in known.gr_mem
    return False
