"""SpamAssassin and rspamd as they come from Debian, asked about a message's content alone."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Self

from benchmarks.made_up_dns import MadeUpDNS, World
from benchmarks.rspamd import PrivateRspamd
from tests.real import PrivateRedis
from tests.real.scanners import PrivateSpamd

_SECONDS = 120


class SpamAssassinPeer:
    """A private spamd with its local rules, without Bayes."""

    def __init__(self) -> None:
        self._server = PrivateSpamd()

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.__exit__(kind, error, trace)

    def is_spam(self, message: bytes) -> bool:
        """Whether the total reaches its own threshold."""
        with socket.create_connection(("127.0.0.1", self._server.port), timeout=_SECONDS) as connection:
            head = f"CHECK SPAMC/1.5\r\nContent-length: {len(message)}\r\n\r\n".encode()
            connection.sendall(head + message)
            connection.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        return b"Spam: True" in answer


@contextmanager
def rspamd_peer() -> Iterator[PrivateRspamd | None]:
    """A private rspamd whose DNS knows no lists; None where the package is not installed."""
    if shutil.which("rspamd") is None:
        yield None
        return
    with ExitStack() as stack:
        dns = stack.enter_context(MadeUpDNS(World()))
        redis = stack.enter_context(PrivateRedis())
        yield stack.enter_context(PrivateRspamd(redis_port=redis.port, dns=dns.address, workers=1))
