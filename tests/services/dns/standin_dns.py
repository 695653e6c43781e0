"""A DNS server that misbehaves as a test wants, on a loopback port, in the test's own event loop."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from types import TracebackType
from typing import Self, cast

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

Reply = Callable[[dns.message.Message], dns.message.Message | bytes | None]
"""What to answer to a query; None: nothing."""


def answer(query: dns.message.Message, *records: str, ttl: int = 300) -> dns.message.Message:
    """A reply with these records ("A 192.0.2.1") under the name that was asked for."""
    made = dns.message.make_response(query)
    name = query.question[0].name
    for record in records:
        rdtype, _, data = record.partition(" ")
        made.answer.append(dns.rrset.from_text(name, ttl, "IN", rdtype, data))
    return made


def refusal(
    query: dns.message.Message, rcode: dns.rcode.Rcode, soa: int | None = None
) -> dns.message.Message:
    """A reply with a code; `soa`: with an SOA record of this minimum."""
    made = answer(query)
    made.set_rcode(rcode)
    if soa is not None:
        data = f"ns.example.net. root.example.net. 1 2 3 4 {soa}"
        made.authority.append(dns.rrset.from_text("example.net.", 900, "IN", "SOA", data))
    return made


class StandIn(asyncio.DatagramProtocol):
    """`reply` answers UDP, `reply_tcp` TCP; `delay` is in seconds; `queries` counts both."""

    def __init__(self, reply: Reply, reply_tcp: Reply | None = None, *, delay: float = 0.0) -> None:
        self.reply, self.reply_tcp, self.delay = reply, reply_tcp, delay
        self.queries = 0
        self.peers: set[tuple[str, int]] = set()
        self.transport: asyncio.DatagramTransport

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        host, port = self.transport.get_extra_info("sockname")
        return host, port

    async def __aenter__(self) -> Self:
        for attempt in range(20):
            await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, ("127.0.0.1", 0))
            try:
                self._tcp = await asyncio.start_server(self._connected, *self.address)
            except OSError:  # something else has the TCP port of this number
                self.transport.close()
                if attempt == 19:
                    raise
            else:
                break
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.transport.close()
        self._tcp.close()
        await self._tcp.wait_closed()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.queries += 1
        self.peers.add(addr)
        made = self.reply(dns.message.from_wire(data))
        if made is not None:
            octets = made if isinstance(made, bytes) else made.to_wire()
            asyncio.get_running_loop().call_later(self.delay, self._send, octets, addr)

    def _send(self, octets: bytes, addr: tuple[str, int]) -> None:
        if not self.transport.is_closing():
            self.transport.sendto(octets, addr)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        (length,) = struct.unpack("!H", await reader.readexactly(2))
        query = dns.message.from_wire(await reader.readexactly(length))
        self.queries += 1
        made = self.reply_tcp(query) if self.reply_tcp else None
        if made is not None:
            octets = made if isinstance(made, bytes) else made.to_wire(max_size=65535)
            writer.write(struct.pack("!H", len(octets)) + octets)
        writer.close()
