"""A DNS server on loopback whose answers are made up: for whatever scans messages without the world."""

from __future__ import annotations

import socket
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

Records = Mapping[tuple[str, str], Sequence[str]]
"""(name in lower case without the last dot, type) -> record data; a TXT's is its text."""

URI_LIST = "uribl.test"
"""The zone of the one URI list that there is."""

_STRING = 200  # characters of a TXT record's strings


class Answers(Protocol):
    """Whatever knows what the DNS says."""

    def answer(self, name: str, rdtype: str) -> Sequence[str] | None:
        """The data of a name's records, () where it has none of the type; None: there is no such name."""


@dataclass
class World:
    """What the DNS says. Beside its records, `client` has a name that leads back to it, each other name below the
    documentation's domains has mail servers and an address, and the URI list has domains and addresses."""

    records: Records = field(default_factory=dict)
    listed: Collection[str] = ()
    client: str = "192.0.2.7"
    client_name: str = "mail.example.net"

    def answer(self, name: str, rdtype: str) -> Sequence[str] | None:
        """The records' data; None: there is no such name."""
        written = self.records.get((name, rdtype))
        if written is not None:
            return written
        if name.endswith(f".{URI_LIST}"):
            return self._list(name.removesuffix(f".{URI_LIST}"), rdtype)
        if name.endswith(".in-addr.arpa"):
            return [f"{self.client_name}."] if rdtype == "PTR" else []
        if rdtype == "A" and name == self.client_name:
            return [self.client]
        if "_" in name:
            return []
        quiet = {"MX": [f"10 {self.client_name}."], "A": ["192.0.2.80"], "NS": ["ns.example.net."]}
        return quiet.get(rdtype, [])

    def _list(self, entry: str, rdtype: str) -> Sequence[str] | None:
        subject = entry
        if entry.replace(".", "").isdecimal():
            subject = ".".join(reversed(entry.split(".")))
        if subject != "test" and subject not in self.listed:
            return None
        return ["127.0.0.2"] if rdtype == "A" else []


class MadeUpDNS:
    """Serves a world by UDP while the context lasts; `world` may be changed in between."""

    def __init__(self, world: Answers) -> None:
        self.world = world
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def address(self) -> str:
        """The value for dns.servers."""
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bell:
            bell.sendto(b"", self._socket.getsockname())
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while data := (received := self._socket.recvfrom(4096))[0]:
            try:
                query = dns.message.from_wire(data)
            except dns.exception.DNSException:
                continue
            try:
                reply = self._reply(query)
            except (dns.exception.DNSException, ValueError):  # data that no such record can have
                failed = dns.message.make_response(query)
                failed.set_rcode(dns.rcode.SERVFAIL)
                reply = failed.to_wire()
            self._socket.sendto(reply, received[1])

    def _reply(self, query: dns.message.Message) -> bytes:
        made = dns.message.make_response(query)
        made.flags |= dns.flags.RA
        question = query.question[0]
        rdtype = dns.rdatatype.to_text(question.rdtype)
        found = self.world.answer(question.name.to_text().rstrip(".").lower(), rdtype)
        if found is None:
            made.set_rcode(dns.rcode.NXDOMAIN)
        elif found:
            data = [_strings(text) for text in found] if rdtype == "TXT" else list(found)
            made.answer.append(
                dns.rrset.from_text_list(
                    question.name, 60, "IN", rdtype, data, origin=dns.name.root, relativize=False
                )
            )
        return made.to_wire()


def _strings(text: str) -> str:
    parts = [text[at : at + _STRING] for at in range(0, len(text), _STRING)] or [""]
    return " ".join('"' + part.replace("\\", "\\\\").replace('"', '\\"') + '"' for part in parts)
