"""How Postfix writes sockets, the next hop of a transport, and times."""

from __future__ import annotations

from tamis.settings import SocketAddress


def preferred_form(address: SocketAddress, queue_directory: str) -> str:
    """How to name a socket in main.cf: relative to the queue directory if it is below, for that holds in a chroot."""
    prefix = f"{queue_directory}/"
    if address.path.startswith(prefix):
        return f"unix:{address.path.removeprefix(prefix)}"
    return str(address)


def postfix_forms(address: SocketAddress, queue_directory: str, *, chroot: bool = False) -> frozenset[str]:
    """How a Postfix process may name a socket: relative to its queue directory, where it works, or by its whole path,
    as it is seen from there."""
    if not address.path:
        hosts = {address.bracketed} | ({"localhost"} if address.host in ("127.0.0.1", "::1") else set())
        return frozenset(f"inet:{host}:{address.port}" for host in hosts)
    forms = set() if chroot else {f"unix:{address.path}"}
    if queue_directory and address.path.startswith(f"{queue_directory}/"):
        relative = address.path.removeprefix(f"{queue_directory}/")
        forms |= {f"unix:{relative}", f"unix:/{relative}"} if chroot else {f"unix:{relative}"}
    return frozenset(forms)


def destination(address: SocketAddress, queue_directory: str) -> str:
    """How to name a socket as the next hop of a transport."""
    return preferred_form(address, queue_directory) if address.path else f"[{address.host}]:{address.port}"


def seconds(text: str) -> float:
    """A time of Postfix's, such as 300s, 5m or 1h, in seconds."""
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
    text = text.strip()
    return float(text[:-1]) * units[text[-1]] if text[-1:] in units else float(text or 0)
