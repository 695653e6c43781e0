"""Fetching what others publish, without being sent inside: no address of ours is reached by a name or a redirect.

Each hop's name is resolved once, its addresses are looked at, and the connection goes to the one that was looked at, so
that a name can't mean another address a moment later.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager

from tamis.base.errors import FeedError
from tamis.message.public_places import is_public

_REDIRECTS = 5
"""Redirects that are followed. Beyond: the list is not fetched."""
_READ_SECONDS = 20.0
_WHOLE_SECONDS = 120.0
_MOVED = frozenset({301, 302, 303, 307, 308})


def fetched(url: str, most: int) -> bytes:
    """What is at an http(s) URL, at most so many octets. Raises OSError where there is no such thing, FeedError where
    it is more, breaks off, takes too long, or leads to where it may not."""
    until, origin = time.monotonic() + _WHOLE_SECONDS, url
    for _ in range(_REDIRECTS + 1):
        with _answer(url, is_trusted=_host_of(url) == _host_of(origin)) as answer:
            if answer.status in _MOVED:
                url = _moved(url, answer.getheader("Location") or "")
                continue
            if answer.status != http.client.OK:
                raise OSError(f"HTTP {answer.status} {answer.reason}")
            return _content(answer, most, until)
    raise FeedError(f"more than {_REDIRECTS} redirects")


def _moved(url: str, target: str) -> str:
    """Where a redirect leads. Raises FeedError where it leaves the web, or TLS."""
    new = urllib.parse.urljoin(url, target)
    scheme = urllib.parse.urlsplit(new).scheme
    if not target or scheme not in ("http", "https"):
        raise FeedError(f"it redirects to what is no web address: {new[:200]}")
    if url.startswith("https:") and scheme != "https":
        raise FeedError(f"it redirects from https to {new[:200]}")
    return new


def _host_of(url: str) -> tuple[str, int]:
    parts = urllib.parse.urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


@contextmanager
def _answer(url: str, *, is_trusted: bool) -> Iterator[http.client.HTTPResponse]:
    parts = urllib.parse.urlsplit(url)
    host, port = _host_of(url)
    address = _address(host, port, is_trusted=is_trusted)
    connection = http.client.HTTPConnection(host, port, timeout=_READ_SECONDS)
    sock = socket.create_connection((address, port), timeout=_READ_SECONDS)
    try:
        if parts.scheme == "https":
            sock = ssl.create_default_context().wrap_socket(sock, server_hostname=host)
        connection.sock = sock
        path = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
        connection.request("GET", path, headers={"User-Agent": "tamis", "Accept": "text/plain, */*"})
        yield connection.getresponse()
    finally:
        connection.close()
        sock.close()


def _address(host: str, port: int, *, is_trusted: bool) -> str:
    """An address of a host. One inside is allowed where the operator wrote that very address, or localhost, himself."""
    found = [str(one[4][0]) for one in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    if is_trusted and (host == "localhost" or host in found):
        return found[0]
    for address in found:
        if not is_public(address):
            raise FeedError(f"{host} leads to {address}, which is no public address")
    return found[0]


def _content(answer: http.client.HTTPResponse, most: int, until: float) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while size <= most and (piece := answer.read1(1 << 16)):
        pieces.append(piece)
        size += len(piece)
        if time.monotonic() > until:
            raise FeedError("it does not come to an end")
    if size > most:
        raise FeedError(f"it has more than {most} octets")
    if answer.length:  # the connection broke
        raise FeedError("it broke off")
    return b"".join(pieces)
