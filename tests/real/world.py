"""The world as Postfix's own smtp client sees it: a name server that answers every question with "no such domain"."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.real.postfix import PrivatePostfix

WORLD = "world unix - - y - - smtp\n"
"""The client, for master.cf: in its own chroot, the queue directory, it asks our resolver instead of the machine's."""
RESOLVER = f"127.73.{os.getpid() >> 8 & 0xFF}.{os.getpid() & 0xFF}"
"""A loopback address of our own, so that port 53 is free there."""


def ask_the_world(postfix: PrivatePostfix) -> None:
    """Have the client of `WORLD` find the resolver of `nothing_exists`."""
    (postfix.directory / "queue" / "etc").mkdir(exist_ok=True)  # Debian 13 makes it itself
    (postfix.directory / "queue" / "etc" / "resolv.conf").write_text(f"nameserver {RESOLVER}\n")


@contextmanager
def nothing_exists() -> Iterator[None]:
    """A name server that answers every question with "no such domain"."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((RESOLVER, 53))
        thread = threading.Thread(target=_deny, args=(server,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            thread.join(5)


def _deny(server: socket.socket) -> None:
    while True:
        question, sender = server.recvfrom(4096)
        if not sender or not question:
            return
        # The question back, marked as an answer: recursion available, NXDOMAIN, no records.
        end = question.index(b"\0", 12) + 5
        server.sendto(question[:2] + b"\x81\x83" + b"\0\1" + b"\0" * 6 + question[12:end], sender)
