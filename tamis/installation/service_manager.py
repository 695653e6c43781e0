"""The service manager is told what happens: systemd's sd_notify(3) protocol."""

from __future__ import annotations

import os
import socket


def notify(*assignments: str) -> None:
    """Send `READY=1` and the like to $NOTIFY_SOCKET; nothing happens where there is none."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        try:
            sock.sendto("\n".join(assignments).encode(), address)
        except OSError:
            return  # a manager that went away needs no news
