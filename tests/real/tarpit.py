"""DNS faults: a server that passes questions on but never answers for some names, and servers that never answer.

`python -m tests.real.tarpit PORT UPSTREAM NAME` is the first: in a process of its own, so that a benchmark does not pay
for it.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from tests.real.support import LOOPBACK, REPOSITORY, Server, free_port, private_directory


class TarpitDNS:
    """Answers as the server at `upstream` (a port) does, except for names below `name`."""

    def __init__(self, upstream: int, name: str) -> None:
        self.port = free_port()
        self._arguments = [str(self.port), str(upstream), name]
        self._server = Server("tarpit", private_directory("tarpit") / "log")

    @property
    def address(self) -> str:
        """The value for dns.servers."""
        return f"{LOOPBACK}:{self.port}"

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.real.tarpit", *self._arguments]
        self._server.start(command, directory=REPOSITORY)
        self._server.await_ready(lambda: "ready" in self._server.text(), timeout=30, log=self._server.text)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop()


class SilentDNS:
    """Addresses of servers that are dead in different ways: every other one takes questions and says nothing."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Sequence[str]:
        addresses = []
        for number in range(self._count):
            silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            silent.bind((LOOPBACK, 0))
            addresses.append(f"{LOOPBACK}:{silent.getsockname()[1]}")
            if number % 2:
                silent.close()  # refused, as the kernel tells
            else:
                self._sockets.append(silent)
        return addresses

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for one in self._sockets:
            one.close()


class _Proxy(asyncio.DatagramProtocol):
    """Each question goes on over a socket of its own, and so finds its way back."""

    def __init__(self, upstream: int, name: str) -> None:
        self._upstream = upstream
        self._dropped = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
        self._transport: Any = None
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if self._dropped in data.lower():
            return
        task = asyncio.ensure_future(self._pass_on(data, addr))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _pass_on(self, data: bytes, addr: tuple[str, int]) -> None:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.setblocking(False)
            await loop.sock_connect(asking, (LOOPBACK, self._upstream))
            await loop.sock_sendall(asking, data)
            async with asyncio.timeout(60):
                self._transport.sendto(await loop.sock_recv(asking, 65_535), addr)


async def _serve(port: int, upstream: int, name: str) -> None:
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(lambda: _Proxy(upstream, name), local_addr=(LOOPBACK, port))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
