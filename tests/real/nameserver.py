"""A private DNS server (NSD) with the zones of a test, and a line to it that loses packets."""

from __future__ import annotations

import os
import signal
import socket
import struct
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.rdatatype

from tests.real.support import LOOPBACK, PrivateServer, Running, find_program, free_port, wait_until

_HEAD = "$TTL 300\n@ IN SOA ns.example.net. root.example.net. {serial} 3600 600 86400 60\n@ IN NS ns.example.net.\n"
_QUERY = struct.pack("!6H", 1, 0, 1, 0, 0, 0) + b"\0" + struct.pack("!HH", 2, 1)  # NS of the root


class PrivateDNS(PrivateServer):
    """Serves `zones`: a zone's name and its records, a line each, names relative to it.

    It is authoritative and answers for nothing else (REFUSED), so a test sees at once what it forgot.
    """

    def __init__(self, zones: Mapping[str, str]) -> None:
        super().__init__("NSD", "dns")
        self.port = free_port()
        self._zones = dict(zones)
        self._serial = 0

    @property
    def address(self) -> str:
        """The value for dns.servers."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int:
        """The server's process, parent of those that answer."""
        return self._server.pid

    def start(self) -> None:
        """Start the server and wait until it answers."""
        self._server.start([find_program("nsd"), "-d", "-c", self.directory / "nsd.conf"])
        self._server.await_ready(self._answers, timeout=30, log=self.log)

    def prepare(self) -> None:
        """Write the configuration and the zones."""
        config = [
            *("server:", f"  ip-address: {LOOPBACK}@{self.port}", '  username: ""', '  chroot: ""'),
            *(f'  zonesdir: "{self.directory}"', f'  pidfile: "{self.directory}/nsd.pid"'),
            *(f'  xfrdfile: "{self.directory}/xfrd.state"', f'  zonelistfile: "{self.directory}/zone.list"'),
            *(f'  xfrdir: "{self.directory}"', "  server-count: 1", "  rrl-ratelimit: 0", '  database: ""'),
            *("remote-control:", "  control-enable: no"),
        ]
        for name in self._zones:
            config += ["zone:", f'  name: "{name}"', f'  zonefile: "{self._file(name).name}"']
        (self.directory / "nsd.conf").write_text("\n".join(config) + "\n", encoding="utf-8")
        self._write_zones()

    def serve(self, zones: Mapping[str, str]) -> None:
        """Serve other zones, and wait until that is so. Quick where only the records are others."""
        same = zones.keys() == self._zones.keys()
        self._zones = dict(zones)
        if not same:
            self.stop()
            self.prepare()
            self.start()
            return
        self._write_zones()
        os.kill(self._server.pid, signal.SIGHUP)
        wait_until(self._is_current, timeout=60, what="NSD to load its zones", detail=self.log)

    def _file(self, zone: str) -> Path:
        return self.directory / f"{zone.strip('.') or 'root'}.zone"

    def _write_zones(self) -> None:
        self._serial += 1
        for name, records in self._zones.items():
            head = _HEAD.format(serial=self._serial)
            self._file(name).write_text(head + records.strip() + "\n", encoding="utf-8")

    def _is_current(self) -> bool:
        return all(self._serial_of(name) == self._serial for name in self._zones)

    def _serial_of(self, zone: str) -> int:
        asked = dns.message.make_query(zone, "SOA")
        try:
            answer = dns.query.udp(asked, LOOPBACK, port=self.port, timeout=0.5)
        except (OSError, dns.exception.Timeout):
            return 0
        return max((record.serial for found in answer.answer for record in found), default=0)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(0.2)
            try:
                asking.connect((LOOPBACK, self.port))
                asking.send(_QUERY)
                return len(asking.recv(512)) > 0
            except OSError:
                return False


class LossyLine(Running):
    """A UDP port that leads to a DNS server and loses questions: those of `lost`, (name, type) pairs."""

    def __init__(self, port: int) -> None:
        self.lost: frozenset[tuple[str, str]] = frozenset()
        self._to = (LOOPBACK, port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((LOOPBACK, 0))
        self._thread = threading.Thread(target=self._carry, daemon=True)

    @property
    def address(self) -> str:
        """The value for dns.servers."""
        return f"{LOOPBACK}:{self._socket.getsockname()[1]}"

    def start(self) -> None:
        """Carry questions and answers."""
        self._thread.start()

    def stop(self) -> None:
        """Carry nothing more."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.sendto(b"", self._socket.getsockname())
        self._thread.join()
        self._socket.close()

    def _carry(self) -> None:
        while True:
            octets, client = self._socket.recvfrom(4096)
            if not octets:
                return
            (asked,) = dns.message.from_wire(octets).question
            name, rdtype = asked.name.to_text(omit_final_dot=True).lower(), asked.rdtype
            if (name, dns.rdatatype.to_text(rdtype)) in self.lost:
                continue
            with suppress(OSError):  # nobody answers there: the question is lost
                self._socket.sendto(self._answer(octets), client)

    def _answer(self, octets: bytes) -> bytes:
        # a socket for each question: what comes too late for one is no answer to the next
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as onward:
            onward.settimeout(5)
            onward.connect(self._to)
            onward.send(octets)
            return onward.recv(4096)
